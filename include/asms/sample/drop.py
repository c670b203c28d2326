"""The sample's drop folder: a return per hromada and year, a handful of them with faults."""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol, TypeVar

from asms.sample.answers import Answer, make_answers
from asms.sample.faults import CellFault, Fault, read_faults
from asms.sample.hromadas import Hromada, read_hromadas

logger = logging.getLogger(__name__)

YEARS = (2023, 2024)
_DATA = ("answers.csv", "faults.yaml", "hromadas.csv")
_CODE = ("answers.py", "drop.py", "faults.py", "hromadas.py")


class Row(Protocol):
    """One question of the annual form, a frozen dataclass (``asms.intake.template.TemplateRow``)."""

    @property
    def code(self) -> str: ...
    @property
    def domain_code(self) -> str: ...


AnyRow = TypeVar("AnyRow", bound=Row)


def make_sample(
    folder: Path, *, write_template: Callable[..., None], rows: Mapping[int, Sequence[AnyRow]], catalogue_version: str
) -> Path:
    """Fill ``folder`` with the sample's returns and give it back; files that are right already are left alone.

    ``write_template`` is ``asms.intake.template.write_template`` and ``rows`` its questions by year. Equal arguments give
    equal bytes. A note beside the folder (``<folder>.json``) tells which bytes were made from what, so that a second call costs
    the making of one file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    note = folder.with_name(folder.name + ".json")
    made: dict[str, str] = {}

    def write(path: Path, hromada: Hromada, year: int, fault: Fault | None) -> None:
        name, code = hromada.title_uk, hromada.municipality_code
        if fault and fault.identity:
            name, code = fault.identity.name, fault.identity.code
        asked, answers = _bend(rows[year], make_answers(hromada, year), fault)
        write_template(
            path, indicators=asked, municipality_code=code, municipality_name=name, time_period=str(year),
            catalogue_version=catalogue_version, answers=answers,
        )  # fmt: skip

    plan = [(hromada, year) for hromada in read_hromadas() if hromada.has_return for year in YEARS]
    part = folder.with_name(folder.name + ".part.xlsx")
    write(part, *plan[0], None)
    key = _key(part.read_bytes(), rows, catalogue_version)
    part.unlink()
    files_of_note = _read_note(note, key)
    faults = read_faults()
    count = 0
    for hromada, year in plan:
        fault = faults.get((hromada.municipality_code, year))
        names = (file_name(hromada, year), *([fault.copy_as] if fault and fault.copy_as else []))
        if all(_is_right(folder / name, files_of_note.get(name)) for name in names):
            made.update((name, files_of_note[name]) for name in names)
            continue
        write(part, hromada, year, fault)
        data = part.read_bytes()
        if fault and fault.keep_bytes is not None:
            data = data[: fault.keep_bytes]
        for name in names:
            part.write_bytes(data)
            part.replace(folder / name)
            made[name] = hashlib.sha256(data).hexdigest()
            count += 1
    if made != files_of_note:
        part.write_text(json.dumps({"key": key, "files": made}, ensure_ascii=False, indent=1), encoding="utf-8")
        part.replace(note)
    logger.info("sample: %d of %d returns made anew in %s", count, len(made), folder)
    return folder


def file_name(hromada: Hromada, year: int) -> str:
    """Name under which a hromada sends its return."""
    suffix = "" if hromada.type_uk == "місто" else f" {hromada.type_uk} ТГ"
    return f"{hromada.name_uk}{suffix} {year}.xlsx"


def _bend(
    rows: Sequence[AnyRow], answers: Mapping[tuple[str, str], Answer], fault: Fault | None
) -> tuple[list[AnyRow], dict[tuple[str, str], Answer]]:
    """Questions and answers with the cell-level faults in them."""
    asked, given = list(rows), dict(answers)
    if fault is None:
        return asked, given
    for cell in fault.cells:
        given[cell.code, cell.sex] = Answer(_bend_value(given[cell.code, cell.sex].value, cell))
    for recode in fault.recode:
        asked = [_with_code(row, recode.as_) if row.code == recode.code else row for row in asked]
        for sex in ("T", "F", "M"):
            if (recode.code, sex) in given:
                given[recode.as_, sex] = given.pop((recode.code, sex))
    for repeat in fault.repeat:
        again = (
            f"{repeat.code} "  # a blank after the code, so that it is another key here and the same code to a reader
        )
        asked.append(_with_code(next(row for row in asked if row.code == repeat.code), again))
        given[again, "T"] = Answer(repeat.value)
    for add in fault.add:
        asked.append(_with_code(next(row for row in asked if row.domain_code == add.domain), add.code))
        given[add.code, "T"] = Answer(add.value)
    return asked, given


def _bend_value(value: object, cell: CellFault) -> object:
    if cell.times is not None and isinstance(value, int | float):
        return round(value * cell.times, 1)
    if cell.plus is not None and isinstance(value, int | float):
        return value + cell.plus
    return cell.value


def _with_code(row: AnyRow, code: str) -> AnyRow:
    changed: AnyRow = dataclasses.replace(row, code=code)  # type: ignore[type-var]  # rows are dataclasses
    return changed


def _key(probe: bytes, rows: Mapping[int, Sequence[Any]], catalogue_version: str) -> str:
    """What the files follow from: the data, this package's code, the questions, and what the writer makes of one return."""
    digest = hashlib.sha256(probe + f"|{catalogue_version}|{rows!r}".encode())
    for name in _DATA:
        digest.update(files("asms.sample").joinpath("data", name).read_bytes())
    for name in _CODE:
        digest.update(files("asms.sample").joinpath(name).read_bytes())
    return digest.hexdigest()


def _read_note(note: Path, key: str) -> dict[str, str]:
    """sha256 by file name of what was made from the same ``key``; empty when something else was."""
    if not note.exists():
        return {}
    known = json.loads(note.read_text(encoding="utf-8"))
    return dict(known["files"]) if known["key"] == key else {}


def _is_right(file: Path, digest: str | None) -> bool:
    return file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == digest
