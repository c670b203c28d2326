"""A national cycle for measuring: a return of every hromada, 1,118 cells each, 2 % of them faulty. Equal seeds, equal bytes.

One workbook is written by the template itself, with a mark in place of every answer; the others are that one with the marks
replaced in its XML, which takes a twentieth of the time.
"""

import random
import re
import zipfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from xml.sax.saxutils import escape

from asms.catalogue import load_catalogue
from asms.intake.identity import CHECKSUM, read_identity, seal
from asms.intake.template import IDENTITY_SHEET, TemplateAnswer, TemplateRow, write_template
from asms.intake.workbook import Workbook
from asms.sources.katottg import _packaged_workbook, read_units

SUBMITTED_COUNT, SPLIT_COUNT = 850, 134
CELL_COUNT = SUBMITTED_COUNT + 2 * SPLIT_COUNT
HROMADA_COUNT = 1_469
FAULTY_SHARE = 0.02
YEAR = "2024"
_MARK = 900_000_000
_CODE_MARK, _NAME_MARK, _YEAR_MARK = "UA99999999999999999", "Громада-зразок", "2035"
_MARKED_CELL = re.compile(rb'<c r="([A-Z]+\d+)"([^>]*)><v>(9\d{8})(?:\.0)?</v></c>')
_FAULTS = (
    '<c {0} t="inlineStr"><is><t>12,5 тис. грн</t></is></c>',
    '<c {0} t="inlineStr"><is><t>–</t></is></c>',
    '<c {0} t="inlineStr"><is><t>немає даних</t></is></c>',
    '<c {0} t="inlineStr"><is><t>1 234,5</t></is></c>',
    '<c {0} t="inlineStr"><is><t>=1+1</t></is></c>',
    '<c {0} t="e"><v>#N/A</v></c>',
    "<c {0}><f>SUM(D5:D6)</f></c>",
    "<c {0}><v>-5</v></c>",
    "<c {0}/>",
    '<c {0} t="b"><v>1</v></c>',
)


@dataclass(frozen=True)
class Hromada:
    """Whose return it is."""

    code: str
    name: str


def make_rows() -> list[TemplateRow]:
    """The questions of the return: the catalogue's own, made up to 850 (134 split by sex) while it is smaller."""
    catalogue = load_catalogue()
    domains = {domain.domain_code: domain.name_uk for domain in catalogue.domains}
    cards = [card for card in catalogue.indicators if card.collection_code == "ASMS" and not card.is_derived]
    rows = [
        TemplateRow(
            code=card.indicator_code,
            domain_code=card.domain_code,
            domain_name_uk=domains[card.domain_code],
            name_uk=card.name_uk,
            name_en=card.name_en,
            unit=card.unit_measure,
            is_sex_split=card.is_sex_split,
        )
        for card in cards
    ]
    domain_codes = sorted({row.domain_code for row in rows})
    split = sum(row.is_sex_split for row in rows)
    for number in range(SUBMITTED_COUNT - len(rows)):
        domain = domain_codes[number % len(domain_codes)]
        is_split = split < SPLIT_COUNT
        split += is_split
        code = f"{domain}.{900 - number // len(domain_codes)}"
        name = f"Показник {code} для вимірювання швидкості читання, усього за звітний рік"
        rows.append(TemplateRow(code, domain, domains[domain], name, f"Indicator {code} for bench", "осіб", is_split))
    rows.sort(key=lambda row: row.domain_code)
    assert sum(1 + 2 * row.is_sex_split for row in rows) == CELL_COUNT
    return rows


def list_hromadas(count: int = HROMADA_COUNT) -> list[Hromada]:
    """The first ``count`` hromadas of the codifier outside of Crimea, in the order of their codes."""
    rows = read_units(_packaged_workbook().read_bytes())
    found = {str(row[3]): str(row[7]).strip() for row in rows if row[6] == "H" and not str(row[1]).startswith("UA01")}
    return [Hromada(code, f"{name} територіальна громада") for code, name in sorted(found.items())][:count]


def write_national_cycle(folder: Path, *, seed: int = 1, count: int = HROMADA_COUNT) -> int:
    """Write the workbooks below ``folder`` with both cores; return how many cells they hold."""
    folder.mkdir(parents=True, exist_ok=True)
    hromadas = list_hromadas(count)
    marked = folder / "marked.part"
    rows = make_rows()
    asked = [(row.code, sex) for row in rows for sex in ("T", "F", "M")[: 3 if row.is_sex_split else 1]]
    write_template(
        marked,
        indicators=rows,
        municipality_code=_CODE_MARK,
        municipality_name=_NAME_MARK,
        time_period=_YEAR_MARK,
        catalogue_version=load_catalogue().catalogue_version,
        answers={key: TemplateAnswer(_MARK + number) for number, key in enumerate(asked)},
    )
    pieces = [(str(folder), str(marked), hromadas[start : start + 50], seed) for start in range(0, len(hromadas), 50)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        written = sum(pool.map(_write_some, pieces))
    marked.unlink()
    return written


@cache
def _split_parts(marked: str) -> list[tuple[str, list[bytes]]]:
    """Parts of the marked workbook, each split at its marked cells: text, address, attributes, mark, text, …"""
    with zipfile.ZipFile(marked) as archive:
        return [(name, _MARKED_CELL.split(archive.read(name))) for name in archive.namelist()]


@cache
def _hidden_lines(marked: str) -> dict[str, str]:
    return read_identity(Workbook(Path(marked).read_bytes()).sheet(IDENTITY_SHEET))


def _write_some(piece: tuple[str, str, Sequence[Hromada], int]) -> int:
    folder, marked, hromadas, seed = piece
    return sum(_write_one(Path(folder), marked, hromada, seed) for hromada in hromadas)


def _write_one(folder: Path, marked: str, hromada: Hromada, seed: int) -> int:
    chance = random.Random(f"{seed} {hromada.code}")  # noqa: S311 - figures for a measurement
    count = 0
    lines = dict(_hidden_lines(marked))
    checksum = lines.pop(CHECKSUM).encode()
    own = {"municipality_code": hromada.code, "municipality_name": hromada.name, "time_period": YEAR}
    own_checksum = seal({**lines, **own}, {})[CHECKSUM].encode()
    with zipfile.ZipFile(folder / f"{hromada.code}.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, split in _split_parts(marked):
            out = [split[0]]
            for at in range(1, len(split), 4):
                place = b'r="' + split[at] + b'"' + re.sub(rb' t="n"', b"", split[at + 1])
                out += [_cell(place.decode(), chance).encode(), split[at + 3]]
                count += 1
            xml = b"".join(out).replace(_CODE_MARK.encode(), hromada.code.encode())
            xml = xml.replace(_NAME_MARK.encode(), escape(hromada.name).encode()).replace(checksum, own_checksum)
            archive.writestr(
                zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)),
                xml.replace(f">{_YEAR_MARK}<".encode(), f">{YEAR}<".encode()),
                zipfile.ZIP_DEFLATED,
            )
    return count


def _cell(place: str, chance: random.Random) -> str:
    if chance.random() < FAULTY_SHARE:
        return chance.choice(_FAULTS).format(place)
    size = 10 ** chance.uniform(0, 6)
    value = int(size) if chance.random() < 0.6 else round(size, 2)
    return f"<c {place}><v>{value}</v></c>"
