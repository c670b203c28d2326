"""The gazetteer: from what a sender wrote to the code of one municipality, or to the candidates when it could be several."""

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psycopg

from asms.paths import DBT_DIR

FORMER_NAMES = DBT_DIR / "seeds" / "municipality_former_name.csv"

_LATIN = str.maketrans("АВЕКМНОРСТХІ", "ABEKMHOPCTXI")  # in codes and category letters
_CYRILLIC = str.maketrans("ABEKMHOPCTXYIÏ", "АВЕКМНОРСТХУІЇ")  # in names
_APOSTROPHES = re.compile(r"[’ʼ‘`'′´ʹ\"“”«»]")
_CODE = re.compile(r"UA\d{17}")
_TOKEN = re.compile(r"[^\W_]+")
_KIND_WORDS = {
    "М": "M", "МІСТО": "M", "МІСЬКА": "M",
    "СМТ": "X", "СЕЛИЩЕ": "X", "СЕЛИЩНА": "X",
    "С": "C", "СЕЛО": "C", "СІЛЬСЬКА": "C",
}  # fmt: skip
_UNIT_WORDS = {
    "ТЕРИТОРІАЛЬНА", "ГРОМАДА", "РАДА", "ТГ", "ОТГ", "МТГ", "СТГ", "ОБЄДНАНА",
    "ОБЛАСТЬ", "ОБЛ", "РАЙОН", "РН", "АВТОНОМНА", "РЕСПУБЛІКА", "АР",
}  # fmt: skip
_HROMADA_WORDS = {"ТЕРИТОРІАЛЬНА", "ГРОМАДА", "РАДА", "ТГ", "ОТГ", "МТГ", "СТГ", "МІСЬКА", "СЕЛИЩНА", "СІЛЬСЬКА"}
_REGION_WORDS = {"ОБЛАСТЬ", "ОБЛ", "РАЙОН", "РН", "КРИМ"}
# What the seat of a hromada that calls itself so may be today. Not one to one: in 2024 a score of «селище» became a
# seat whose hromada is «сільська» by name, and two of them became cities.
_SEATS = {"M": "M", "X": "XM", "C": "CX"}
_HROMADA_LEVEL = 2  # counted from 0
_SEAT_NUMBER = "001"  # digits 8 to 10 of a settlement's code number it within its hromada, and the seat comes first
_CITY_HROMADAS = {"UA80000000000093317": "Київська", "UA85000000000065278": "Севастопольська"}


class NoCodifierError(LookupError):
    """No КАТОТТГ has been loaded into this warehouse yet."""


@dataclass(frozen=True)
class Unit:
    """One row of the codifier. ``path`` holds the codes of levels 1 to 5 down to the unit's own, the last one."""

    path: tuple[str, ...]
    category: str
    name: str

    @property
    def code(self) -> str:
        return self.path[-1]

    @property
    def municipality_code(self) -> str | None:
        """Its hromada, or the city that is a region of its own; None for an oblast, a raion, and Чорнобиль and Прип'ять."""
        if self.path[0] in _CITY_HROMADAS:
            return self.path[0]
        if len(self.path) > _HROMADA_LEVEL and self.path[_HROMADA_LEVEL] != self.path[0]:
            return self.path[_HROMADA_LEVEL]
        return None


@dataclass(frozen=True)
class FormerName:
    """A name that a hromada ('hromada') or its city ('settlement') bore before."""

    municipality_code: str
    name: str
    unit_kind: str


@dataclass(frozen=True)
class Candidate:
    """A municipality that a text may mean; ``label`` tells people which one it is."""

    municipality_code: str
    label: str


@dataclass(frozen=True)
class Resolution:
    """``municipality_code`` when exactly one is meant; else None, and why in ``reason``.

    ``reason``: 'code', 'name', 'former_name', 'settlement' when found; 'ambiguous', 'unknown', 'not_a_municipality',
    'empty' when not. ``candidates`` are those between which the text does not decide (or the one found).
    """

    municipality_code: str | None
    candidates: tuple[Candidate, ...]
    reason: str


@dataclass(frozen=True)
class _Entry:
    """A name in the index: of whom, of what kind of place, and how it came to be known."""

    municipality_code: str
    kind: str  # H for a hromada, else the category of the settlement
    origin: str  # 'name' | 'former_name' | 'settlement'


class Gazetteer:
    """Units by code and by folded name. Building it takes about half a second; resolving a name, microseconds."""

    def __init__(self, units: Iterable[Unit], former_names: Iterable[FormerName] = ()) -> None:
        self._units = {unit.code: unit for unit in units}
        self._index: dict[str, list[_Entry]] = defaultdict(list)
        for unit in self._units.values():
            code = unit.municipality_code
            if code is not None and unit.category != "B":
                origin = "name" if unit.category in "HKM" else "settlement"
                self._index[_key(unit.name)].append(_Entry(code, unit.category, origin))
        for code, name in _CITY_HROMADAS.items():
            if code in self._units:
                self._index[_key(name)].append(_Entry(code, "K", "name"))
        for former in former_names:
            if former.municipality_code in self._units:
                kind = "H" if former.unit_kind == "hromada" else "M"
                self._index[_key(former.name)].append(_Entry(former.municipality_code, kind, "former_name"))

    @classmethod
    def from_warehouse(cls, connection: psycopg.Connection, former_names: Path = FORMER_NAMES) -> "Gazetteer":
        """Build it from the codifier loaded last and the seed of former names.

        Raises NoCodifierError when no codifier is loaded.
        """
        rows = connection.execute(_UNITS).fetchall()
        if not rows:
            raise NoCodifierError(
                "no КАТОТТГ codifier is loaded, so no municipality can be recognised: run the DAG ingest_katottg first"
            )
        units = (make_unit(levels, category or "", name or "") for *levels, category, name in rows)
        return cls((unit for unit in units if unit.path), read_former_names(former_names))

    def resolve(self, text: str, *, region: str | None = None) -> Resolution:
        """Find the municipality that ``text`` names: a КАТОТТГ code, a hromada, a city, or a settlement in a hromada.

        ``region`` (an oblast or raion, by code or name) narrows; so does one that stands in the text itself
        («Миколаївська міська ТГ, Миколаївська область»). A region that is not known narrows nothing.
        """
        code = _fold_code(text)
        if _CODE.fullmatch(code):
            return self._resolve_code(code)
        parts = re.split(r"[,;()]", text)
        regions = [part for part in parts if _REGION_WORDS.intersection(_tokens(part))] if len(parts) > 1 else []
        name = " ".join(part for part in parts if part not in regions)
        known = [self._find_regions(part) for part in (*regions, region or "")]
        return self._resolve_name(_tokens(name), [codes for codes in known if codes])

    def _resolve_code(self, code: str) -> Resolution:
        unit = self._units.get(code)
        if unit is None:
            return Resolution(None, (), "unknown")
        if unit.municipality_code is None:
            return Resolution(None, (), "not_a_municipality")
        return self._found([unit.municipality_code], "code")

    def _resolve_name(self, tokens: Sequence[str], regions: Sequence[frozenset[str]]) -> Resolution:
        if not tokens:
            return Resolution(None, (), "empty")
        entries = self._index.get("".join(tokens), [])
        if not entries:  # only now, so that «М'якоти» written «М_якоти» is not read as a city of Якоти
            kept = [token for token in tokens if token not in _UNIT_WORDS and token not in _KIND_WORDS]
            entries = _fitting(self._index.get("".join(kept), []), tokens)
        for codes_within in regions:
            entries = [e for e in entries if codes_within.intersection(self._units[e.municipality_code].path)]
        best = [entry for entry in entries if entry.origin != "settlement"] or entries
        if not best:
            return Resolution(None, (), "unknown")
        codes = self._of_kind(sorted({entry.municipality_code for entry in best}), tokens)
        origins = {entry.origin for entry in best if entry.municipality_code == codes[0]}
        return self._found(codes, "name" if "name" in origins else min(origins))

    def _of_kind(self, codes: list[str], tokens: Sequence[str]) -> list[str]:
        """Let «міська», «селищна», «сільська» decide between hromadas of one name, where they can."""
        kinds = {_KIND_WORDS[token] for token in tokens if token in _KIND_WORDS and token in _HROMADA_WORDS}
        seats = {seat for kind in kinds for seat in _SEATS[kind]}
        fitting = [code for code in codes if self._seat_categories.get(code) in seats]
        return fitting or codes

    def _found(self, codes: Sequence[str], reason: str) -> Resolution:
        candidates = tuple(Candidate(code, self._label(code)) for code in codes)
        if len(codes) == 1:
            return Resolution(codes[0], candidates, reason)
        return Resolution(None, candidates, "ambiguous")

    def _label(self, code: str) -> str:
        unit = self._units[code]
        if unit.category == "K":
            return f"м. {unit.name.strip()} ({code})"
        oblast, raion = (self._units[upper].name.strip() for upper in unit.path[:2])
        place = oblast if "Крим" in oblast else f"{oblast} область"
        return f"{unit.name.strip()} громада, {raion} район, {place} ({code})"

    def _find_regions(self, text: str) -> frozenset[str]:
        code = _fold_code(text)
        if code in self._units:
            return frozenset({code})
        key = "".join(token for token in _tokens(text) if token not in _UNIT_WORDS)
        return self._regions.get(key, frozenset())

    @cached_property
    def _regions(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for unit in self._units.values():
            if unit.category in "OPK":
                key = "".join(token for token in _tokens(unit.name) if token not in _UNIT_WORDS)
                found[key].add(unit.code)
        return {key: frozenset(codes) for key, codes in found.items()}

    @cached_property
    def _seat_categories(self) -> dict[str, str]:
        """Category of the seat of each hromada: a city, a селище, a village."""
        return {
            unit.path[_HROMADA_LEVEL]: unit.category
            for unit in self._units.values()
            if unit.category in "MXC" and unit.municipality_code and unit.code[9:12] == _SEAT_NUMBER
        }


def make_unit(levels: Sequence[str | None], category: str, name: str) -> Unit:
    """Make a unit of one raw row; category letters may come in either alphabet. ``path`` is empty on a row without codes."""
    return Unit(tuple(level for level in levels if level), _fold_code(category), name)


def read_former_names(file: Path) -> list[FormerName]:
    """Read the seed ``municipality_former_name``."""
    with file.open(encoding="utf-8", newline="") as stream:
        return [
            FormerName(row["municipality_code"], row["former_name_uk"], row["unit_kind"])
            for row in csv.DictReader(stream)
        ]


def _fitting(entries: Sequence[_Entry], tokens: Sequence[str]) -> list[_Entry]:
    """Keep what the words beside the name allow: «с. Лиман» is no city, «Лиманська ТГ» is a hromada."""
    if _HROMADA_WORDS.intersection(tokens):
        return [entry for entry in entries if entry.kind in "HK"] or [entry for entry in entries if entry.kind == "M"]
    kinds = {_KIND_WORDS[token] for token in tokens if token in _KIND_WORDS}
    if "M" in kinds:
        kinds.add("K")
    return [entry for entry in entries if not kinds or entry.kind in kinds]


def _tokens(text: str) -> list[str]:
    """Words of a name: one alphabet, one case, no apostrophes; a hyphen, blank or underscore only parts words."""
    folded = unicodedata.normalize("NFC", text).upper().translate(_CYRILLIC)
    return _TOKEN.findall(re.sub(r"(?<=\bР)-(?=Н\b)", "", _APOSTROPHES.sub("", folded)))


def _key(text: str) -> str:
    return "".join(_tokens(text))


def _fold_code(text: str) -> str:
    return re.sub(r"\s", "", unicodedata.normalize("NFC", text)).upper().translate(_LATIN)


_UNITS = """
select level1_code, level2_code, level3_code, level4_code, level5_code, category, name
from raw.katottg_unit
where load_id = (
    select load.load_id
    from ops.load
    inner join raw.delivery on load.delivery_id = delivery.delivery_id
    where load.source = 'katottg' and load.status = 'loaded'
    order by delivery.received_no desc, load.loaded_at desc
    limit 1
)
"""
