"""Reading what staff declare in a CSV file: one line is one model, and every line at fault is named with its column."""

import csv
import hashlib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

_LONGEST_LIST = 20


class DeclaredLine(BaseModel):
    """A line of such a file; its fields are the columns."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    @property
    def fingerprint(self) -> str:
        """Of what the line says: a changed line is another one."""
        said = "\x1f".join(str(value) for value in self.model_dump().values())
        return hashlib.sha256(said.encode()).hexdigest()[:32]


Line = TypeVar("Line", bound=DeclaredLine)


class DeclaredError(ValueError):
    """The file cannot be used; the message names every line and column at fault and what to write there."""


def read_lines(file: Path, model: type[Line]) -> tuple[dict[int, Line], list[str]]:
    """The lines by their numbers, and what is wrong with the others. Comma or semicolon between columns; utf-8.

    Raises DeclaredError where the file is none of these.
    """
    columns = tuple(model.model_fields)
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DeclaredError(f"{file}: it cannot be read as UTF-8 text: {error}") from error
    delimiter = ";" if lines and ";" in lines[0] else ","
    reader = csv.reader(lines, delimiter=delimiter)
    header = tuple(name.strip() for name in next(reader, ()))
    if header != columns:
        raise DeclaredError(f"{file.name}, line 1: the columns must be {delimiter.join(columns)}")
    found: dict[int, Line] = {}
    problems: list[str] = []
    for row in reader:
        number = reader.line_num
        if not any(field.strip() for field in row):
            continue
        if len(row) != len(columns):
            problems.append(f"{file.name}, line {number}: {len(row)} columns; {len(columns)} are expected")
            continue
        try:
            found[number] = model.model_validate(dict(zip(columns, (v.strip() or None for v in row), strict=True)))
        except ValidationError as error:
            problems += [f"{file.name}, line {number}{_column(each)}: {_said(each)}" for each in error.errors()]
    return found, problems


def raise_problems(problems: list[str], what: str) -> None:
    """Raise DeclaredError telling ``problems``, if there are any."""
    if problems:
        more = f"\n… and {len(problems) - _LONGEST_LIST} more" if len(problems) > _LONGEST_LIST else ""
        raise DeclaredError(
            f"the {what} cannot be used, so nothing was taken over:\n" + "\n".join(problems[:_LONGEST_LIST]) + more
        )


def _column(error: Any) -> str:
    return f", column {error['loc'][0]}" if error["loc"] else ""


def _said(error: Any) -> str:
    given = error.get("input")
    shown = f" ({given!r} is written)" if isinstance(given, str) else ""
    return f"{error['msg'].removeprefix('Value error, ')}{shown}" if given is not None else "it must be given"
