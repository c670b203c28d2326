"""A national cycle for measuring: a return of every hromada, 1,118 cells each, 2 % of them faulty. Equal seeds, equal bytes.

Answers are made as the sample's are, for an invented population. One workbook is written by the template itself, with a mark
in place of every answer; the others are that one with the marks replaced in its XML, which takes a twentieth of the time.
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

import python_calamine

from asms.catalogue import load_catalogue
from asms.intake.identity import CHECKSUM, seal
from asms.intake.template import IDENTITY_SHEET, TemplateAnswer, write_template
from asms.returns import list_questions
from asms.sample.answers import REASONS, Answer, make_answers
from asms.sample.hromadas import Hromada as Invented
from asms.sample.hromadas import read_hromadas
from asms.sources.katottg import _packaged_workbook, read_units

CELL_COUNT = 850 + 2 * 134
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


def list_hromadas(count: int = HROMADA_COUNT) -> list[Hromada]:
    """The first ``count`` hromadas of the codifier outside of Crimea, in the order of their codes."""
    rows = read_units(_packaged_workbook().read_bytes())
    found = {str(row[3]): str(row[7]).strip() for row in rows if row[6] == "H" and not str(row[1]).startswith("UA01")}
    return [Hromada(code, f"{name} територіальна громада") for code, name in sorted(found.items())][:count]


def write_national_cycle(folder: Path, *, seed: int = 1, count: int = HROMADA_COUNT) -> int:
    """Write the workbooks below ``folder`` with both cores; return how many cells they hold."""
    return write_returns(folder, list_hromadas(count), seed=seed)


def write_returns(
    folder: Path, hromadas: Sequence[Hromada], *, seed: int = 1, faulty_share: float = FAULTY_SHARE
) -> int:
    """Write the workbooks of ``hromadas``. Without faults they are what a body sends that mended all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    marked = folder / "marked.part"
    catalogue = load_catalogue()
    rows = list_questions(catalogue, int(YEAR))
    asked = [(row.code, sex) for row in rows for sex in ("T", "F", "M")[: 3 if row.is_sex_split else 1]]
    write_template(
        marked,
        indicators=rows,
        municipality_code=_CODE_MARK,
        municipality_name=_NAME_MARK,
        time_period=_YEAR_MARK,
        catalogue_version=catalogue.catalogue_version,
        answers={key: TemplateAnswer(_MARK + number) for number, key in enumerate(asked)},
    )
    assert len(asked) == CELL_COUNT
    pieces = [
        _Piece(folder, marked, hromadas[start : start + 50], asked, seed, faulty_share)
        for start in range(0, len(hromadas), 50)
    ]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        written = sum(pool.map(_write_some, pieces))
    marked.unlink()
    return written


@dataclass(frozen=True)
class _Piece:
    folder: Path
    marked: Path
    hromadas: Sequence[Hromada]
    asked: Sequence[tuple[str, str]]
    seed: int
    faulty_share: float


@cache
def _split_parts(marked: Path) -> list[tuple[str, list[bytes]]]:
    """Parts of the marked workbook, each split at its marked cells: text, address, attributes, mark, text, …"""
    with zipfile.ZipFile(marked) as archive:
        return [(name, _MARKED_CELL.split(archive.read(name))) for name in archive.namelist()]


@cache
def _identity(marked: Path) -> dict[str, str]:
    """Lines of the marked workbook's hidden sheet."""
    sheet = python_calamine.CalamineWorkbook.from_path(str(marked)).get_sheet_by_name(IDENTITY_SHEET)
    return {str(key): str(value) for key, value, *_ in sheet.to_python()}


def _write_some(piece: _Piece) -> int:
    return sum(_write_one(piece, hromada) for hromada in piece.hromadas)


def _write_one(piece: _Piece, hromada: Hromada) -> int:
    chance = random.Random(f"{piece.seed} {hromada.code}")  # noqa: S311 - figures for a measurement
    given = make_answers(invent(hromada), int(YEAR))
    nothing = Answer(None, REASONS["M_NC"])
    changed = {_CODE_MARK: hromada.code, _NAME_MARK: hromada.name, _YEAR_MARK: YEAR}
    lines = _identity(piece.marked)
    own = {key: changed.get(value, value) for key, value in lines.items() if key != CHECKSUM}
    changed[lines[CHECKSUM]] = seal(own, {})[CHECKSUM]
    count = 0
    with zipfile.ZipFile(piece.folder / f"{hromada.code}.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, split in _split_parts(piece.marked):
            out = [split[0]]
            for at in range(1, len(split), 4):
                place = b'r="' + split[at] + b'"' + re.sub(rb' t="n"', b"", split[at + 1])
                answer = given.get(piece.asked[int(split[at + 2]) - _MARK], nothing)
                out += [_cell(place.decode(), answer, chance, piece.faulty_share).encode(), split[at + 3]]
                count += 1
            xml = b"".join(out)
            for mark, text in changed.items():
                xml = xml.replace(f">{mark}<".encode(), f">{escape(text)}<".encode())
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), xml, zipfile.ZIP_DEFLATED)
    return count


def invent(hromada: Hromada) -> Invented:
    """A hromada as the sample's answers want it, of an invented kind, and size where the sample's register has none."""
    chance = random.Random(hromada.code)  # noqa: S311 - figures for a measurement
    persons = _known_populations().get(hromada.code) or round(10 ** chance.uniform(3.5, 5.2))
    kind = chance.choice(("міська", "селищна", "сільська"))
    nowhere = [""] * 6
    return Invented(
        hromada.code,
        hromada.name,
        kind,
        *nowhere,
        persons,
        round(chance.uniform(100, 900), 1),
        chance.randint(3, 60),
        "",
        "",
        True,
    )


@cache
def _known_populations() -> dict[str, int | None]:
    return {known.municipality_code: known.population_2022 for known in read_hromadas()}


def _cell(place: str, answer: Answer, chance: random.Random, faulty_share: float) -> str:
    if chance.random() < faulty_share:
        return chance.choice(_FAULTS).format(place)
    if answer.value is None:
        mark = "…" if answer.reason == REASONS["M_NC"] else "х"
        return f'<c {place} t="inlineStr"><is><t>{mark}</t></is></c>'
    return f"<c {place}><v>{answer.value}</v></c>"
