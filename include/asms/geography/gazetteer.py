"""The gazetteer: from what a sender wrote to the code of one municipality, or to the candidates when it could be several."""

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import psycopg

from asms.paths import DBT_DIR

FORMER_NAMES = DBT_DIR / "seeds" / "municipality_former_name.csv"
BUDGET_CODES = DBT_DIR / "seeds" / "budget_code.csv"

_LATIN = str.maketrans("АВЕКМНОРСТХІ", "ABEKMHOPCTXI")  # in codes and category letters
_CYRILLIC = str.maketrans("ABEKMHOPCTXYIÏ", "АВЕКМНОРСТХУІЇ")  # in names
_APOSTROPHES = re.compile(r"[’ʼ‘`'′´ʹ\"“”«»]")
_CODE = re.compile(r"UA\d{17}")
_OTHER_CODE = re.compile(r"\d{8,11}")  # КОАТУУ, budget or ЄДРПОУ; a spreadsheet drops the leading zero
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
    """A name that a unit bore before; ``renamed_by`` is the day by which it bore another, None where that is not known.

    ``unit_kind``: 'hromada', 'settlement' (its city), or the category of another settlement in Latin letters.
    """

    municipality_code: str
    name: str
    unit_kind: str
    renamed_by: date | None = None


@dataclass(frozen=True)
class OtherCode:
    """A КОАТУУ, budget or ЄДРПОУ code that stood for a municipality in [``valid_from``, ``valid_to``); None is open."""

    code: str
    municipality_code: str
    valid_from: date | None = None
    valid_to: date | None = None


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
    since: date | None = None
    until: date | None = None

    def stood(self, at: date) -> bool:
        """Whether the name was borne on that day, as far as is known."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


class Gazetteer:
    """Units by code and by folded name. Building it takes about half a second; resolving a name, microseconds."""

    def __init__(
        self,
        units: Iterable[Unit],
        former_names: Iterable[FormerName] = (),
        *,
        gone_units: Iterable[Unit] = (),
        other_codes: Iterable[OtherCode] = (),
    ) -> None:
        self._units = {unit.code: unit for unit in units}
        former = [name for name in former_names if name.municipality_code in self._units]
        since = _latest_renamings(former)
        self._index: dict[str, list[_Entry]] = defaultdict(list)
        for unit in self._units.values():
            code = unit.municipality_code
            if code is not None and unit.category != "B":
                origin = "name" if unit.category in "HKM" else "settlement"
                entry = _Entry(code, unit.category, origin, since.get((code, unit.category)))
                self._index[_key(unit.name)].append(entry)
        for code, name in _CITY_HROMADAS.items():
            if code in self._units:
                self._index[_key(name)].append(_Entry(code, "K", "name"))
        for old in former:
            kind = _former_kind(old)
            origin = "former_name" if kind in "HKM" else "settlement"
            self._index[_key(old.name)].append(_Entry(old.municipality_code, kind, origin, until=old.renamed_by))
        self._gone = {
            unit.code: unit.municipality_code
            for unit in gone_units
            if unit.code not in self._units and unit.municipality_code in self._units
        }
        self._other_codes: dict[str, list[OtherCode]] = defaultdict(list)
        for other in other_codes:
            if other.municipality_code in self._units:
                self._other_codes[other.code].append(other)

    @classmethod
    def from_warehouse(
        cls, connection: psycopg.Connection, former_names: Path = FORMER_NAMES, budget_codes: Path = BUDGET_CODES
    ) -> "Gazetteer":
        """Build it from the editions of the codifier and the tables beside it in raw, and the seeds.

        The newest edition is in force, whichever came last; the older ones tell former names and codes that went. Raises
        NoCodifierError when no codifier is loaded.
        """
        rows = connection.execute(_UNITS).fetchall()
        if not rows:
            raise NoCodifierError(
                "no КАТОТТГ codifier is loaded, so no municipality can be recognised: run the DAG ingest_katottg first"
            )
        units = [
            unit for *levels, category, name in rows if (unit := make_unit(levels, category or "", name or "")).path
        ]
        known = {unit.code: unit for unit in units}
        former, gone = read_former_names(former_names), []
        for *levels, category, name, renamed_by in connection.execute(_PAST_UNITS).fetchall():
            past = make_unit(levels, category or "", name or "")
            if not past.path or past.category in "OPB" or past.municipality_code is None:
                continue
            if past.code not in known:
                gone.append(past)
            kind = "hromada" if past.category == "H" else "settlement" if past.category == "M" else past.category
            former.append(FormerName(past.municipality_code, past.name, kind, renamed_by))
        for code, name, renamed_by in connection.execute(_OLDEST_NAMES).fetchall():
            named = known.get(code)
            if named and named.municipality_code and named.category not in "OPBK" and _key(named.name) != _key(name):
                kind = {"H": "hromada", "M": "settlement"}.get(named.category, named.category)
                former.append(FormerName(named.municipality_code, name, kind, renamed_by))
        return cls(
            units,
            _without_repeats(former),
            gone_units=gone,
            other_codes=[
                *_read_koatuu(connection, known),
                *read_budget_codes(budget_codes),
                *(OtherCode(*payer) for payer in connection.execute(_PAYERS).fetchall()),
            ],
        )

    def resolve(self, text: str, *, region: str | None = None, at: date | None = None) -> Resolution:
        """Find the municipality that ``text`` names: a code (КАТОТТГ, КОАТУУ, budget, ЄДРПОУ), a hromada, a city, or a settlement in one.

        ``region`` (an oblast or raion, by code or name) narrows; so does one that stands in the text itself
        («Миколаївська міська ТГ, Миколаївська область»). A region that is not known narrows nothing. ``at`` decides between
        those who bore the name on that day and those who did not; days of renamings are known as bounds only, so where nobody
        bore it then, those who ever did are meant.
        """
        code = _fold_code(text)
        if _CODE.fullmatch(code):
            return self._resolve_code(code)
        if _OTHER_CODE.fullmatch(code):
            return self._resolve_other_code(code, at)
        parts = re.split(r"[,;()]", text)
        regions = [part for part in parts if _REGION_WORDS.intersection(_tokens(part))] if len(parts) > 1 else []
        name = " ".join(part for part in parts if part not in regions)
        known = [self._find_regions(part) for part in (*regions, region or "")]
        return self._resolve_name(_tokens(name), [codes for codes in known if codes], at)

    def _resolve_other_code(self, code: str, at: date | None) -> Resolution:
        found = self._other_codes.get(code) or self._other_codes.get(code.zfill(10)) or []
        if at is not None:
            found = [
                other for other in found
                if (other.valid_from is None or other.valid_from <= at) and (other.valid_to is None or at < other.valid_to)
            ] or found  # fmt: skip
        codes = sorted({other.municipality_code for other in found})
        return self._found(codes, "code") if codes else Resolution(None, (), "unknown")

    def _resolve_code(self, code: str) -> Resolution:
        unit = self._units.get(code)
        if unit is None:
            gone = self._gone.get(code)
            return self._found([gone], "code") if gone else Resolution(None, (), "unknown")
        if unit.municipality_code is None:
            return Resolution(None, (), "not_a_municipality")
        return self._found([unit.municipality_code], "code")

    def _resolve_name(self, tokens: Sequence[str], regions: Sequence[frozenset[str]], at: date | None) -> Resolution:
        if not tokens:
            return Resolution(None, (), "empty")
        entries = self._index.get("".join(tokens), [])
        if not entries:  # only now, so that «М'якоти» written «М_якоти» is not read as a city of Якоти
            kept = [token for token in tokens if token not in _UNIT_WORDS and token not in _KIND_WORDS]
            entries = _fitting(self._index.get("".join(kept), []), tokens)
        for codes_within in regions:
            entries = [e for e in entries if codes_within.intersection(self._units[e.municipality_code].path)]
        if at is not None:
            entries = [entry for entry in entries if entry.stood(at)] or entries
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


def resolve_municipality(
    connection: psycopg.Connection, text: str, *, at: date | None = None, region: str | None = None
) -> Resolution:
    """Resolve one name or code; who has many builds a ``Gazetteer`` once. Raises NoCodifierError."""
    return Gazetteer.from_warehouse(connection).resolve(text, region=region, at=at)


def read_former_names(file: Path) -> list[FormerName]:
    """Read the seed ``municipality_former_name``."""
    with file.open(encoding="utf-8", newline="") as stream:
        return [
            FormerName(
                row["municipality_code"], row["former_name_uk"], row["unit_kind"], date.fromisoformat(row["renamed_by"])
            )
            for row in csv.DictReader(stream)
        ]


def read_budget_codes(file: Path) -> list[OtherCode]:
    """Read the budgets of municipalities in the seed ``budget_code``; its years are inclusive."""
    with file.open(encoding="utf-8", newline="") as stream:
        return [
            OtherCode(
                row["budget_code"],
                row["area_code"],
                date(int(row["valid_from"]), 1, 1),
                date(int(row["valid_to"]) + 1, 1, 1) if row["valid_to"] else None,
            )
            for row in csv.DictReader(stream)
            if row["area_level"] == "municipality"
        ]


def _read_koatuu(connection: psycopg.Connection, units: Mapping[str, Unit]) -> list[OtherCode]:
    """КОАТУУ codes of units, and of councils by the hromada that each was in."""
    codes = {
        OtherCode(code.zfill(10), municipality_code)
        for code, unit_code in connection.execute(_KOATUU).fetchall()
        if (unit := units.get(unit_code)) and (municipality_code := unit.municipality_code)
    }
    councils = {
        OtherCode(code.zfill(10), hromada_code, valid_from, valid_to)
        for code, hromada_code, valid_from, valid_to in connection.execute(_COUNCILS).fetchall()
    }
    # a council that moved is known by its days better than by the table, which has none
    moved = {council.code for council in councils}
    return [*(code for code in codes if code.code not in moved), *councils]


def _former_kind(former: FormerName) -> str:
    return {"hromada": "H", "settlement": "M"}.get(former.unit_kind, former.unit_kind)


def _latest_renamings(former_names: Iterable[FormerName]) -> dict[tuple[str, str], date]:
    """The day by which the hromada (H) or city (M) of a municipality bore its present name."""
    found: dict[tuple[str, str], date] = {}
    for former in former_names:
        key = (former.municipality_code, _former_kind(former))
        if former.renamed_by and key[1] in "HM":
            found[key] = max(former.renamed_by, found.get(key, former.renamed_by))
    return found


def _without_repeats(former_names: Iterable[FormerName]) -> list[FormerName]:
    """One of each name: the first, since the seed comes first and knows the day of the act."""
    return list(
        {
            (name.municipality_code, _former_kind(name), _key(name.name)): name for name in reversed(list(former_names))
        }.values()
    )


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
where load_id = (select load_id from raw.katottg_edition where edition_rank = 1 and arrival_rank = 1)
"""

# Names that older editions show and the newest does not, with the end of the edition that first shows another.
_PAST_UNITS = """
with editions as (
    select load_id, edition_rank, lag(edition_to) over (order by edition_rank) as renamed_by
    from raw.katottg_edition
    where arrival_rank = 1
)

select
    past.level1_code, past.level2_code, past.level3_code, past.level4_code, past.level5_code, past.category, past.name,
    min(editions.renamed_by) as renamed_by
from raw.katottg_unit as past
inner join editions on past.load_id = editions.load_id
left join (
    select coalesce(level5_code, level4_code, level3_code, level2_code, level1_code) as code, btrim(name) as name
    from raw.katottg_unit
    where load_id = (select load_id from editions where edition_rank = 1)
) as present
    on
        coalesce(past.level5_code, past.level4_code, past.level3_code, past.level2_code, past.level1_code) = present.code
        and btrim(past.name) = present.name
where editions.edition_rank > 1 and present.code is null
group by past.level1_code, past.level2_code, past.level3_code, past.level4_code, past.level5_code, past.category, past.name
"""

_IN_FORCE = """
select load_id
from ops.load
inner join raw.delivery using (delivery_id)
where load.source = '{}' and load.status = 'loaded'
order by received_no desc, loaded_at desc
limit 1
"""

# Names in the table of older codes: borne before the first edition, if not in it.
_OLDEST_NAMES = f"""
select unit_code, btrim(name), (select min(edition_to) from raw.katottg_edition)
from raw.koatuu_unit
where load_id = ({_IN_FORCE.format("koatuu_unit")})
"""  # noqa: S608 - both parts are constants

_KOATUU = f"""
select koatuu_code, unit_code
from raw.koatuu_unit
where koatuu_code ~ '^[0-9]{{9,10}}$' and load_id = ({_IN_FORCE.format("koatuu_unit")})
"""  # noqa: S608 - both parts are constants

_PAYERS = "select distinct payer_edrpou, municipality_code from raw.treasury_day"

_COUNCILS = f"""
select council_code, hromada_code, valid_from, lead(valid_from) over (partition by council_code order by valid_from)
from (
    select council_code, hromada_code, min(known_by) as valid_from
    from (
        select *, count(*) over (partition by council_code, known_by) as hromada_count
        from raw.council_membership
        where load_id = ({_IN_FORCE.format("council_membership")})
    ) as membership
    where hromada_count = 1
    group by council_code, hromada_code
) as stay
"""  # noqa: S608 - both parts are constants
