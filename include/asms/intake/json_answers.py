"""Reading JSON: its scalars are a sheet '/' of keys and values, each list of objects a sheet with a header of keys.

The address of a value is its JSON pointer.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Final

from asms.intake.book import MAX_SHEET_CELLS, Kind, Sheet
from asms.intake.problem import ProblemError

_EXACT_DIGITS = 15  # of a double


class _PointedSheet(Sheet):
    """A sheet whose cells know their pointers: one of a list of objects has its header in row 1.

    ``strays`` are the entries of the list that are no objects, by their row.
    """

    is_lettered = False

    def __init__(self, name: str, grid: Sequence[Sequence[Any]], strays: Mapping[int, object]) -> None:
        super().__init__(name, grid)
        self._strays = strays

    def address_in(self, column: int) -> Callable[[int], str]:
        if self.name == "/":
            return lambda row: f"/{_escape(self.grid[row - 1][0])}"
        key = _escape(self.grid[0][column - 1])
        return lambda row: f"{self.name}/{row - 2}/{key}"

    def find_broken_rows(self, header: int) -> Mapping[int, ProblemError]:  # noqa: ARG002 - it is row 1
        """Entries that are no objects."""
        return {
            row: ProblemError(
                "JSON_ENTRY_NOT_OBJECT",
                f"Запис {row - 2} списку {self.name} не є об'єктом",
                f"Entry {row - 2} of the list {self.name} is no object",
                sheet=self.name,
                cell=f"{self.name}/{row - 2}",
                value_found=str(value)[:500],
            )
            for row, value in self._strays.items()
        }


class JsonAnswers:
    """A JSON file."""

    kind: Final[Kind] = "json"

    def __init__(self, data: bytes) -> None:
        """Read ``data``. Raises ProblemError FILE_BROKEN_JSON, JSON_DUPLICATE_KEY or SHEET_TOO_LARGE."""
        found = _load(data)
        scalars = [[key, _scalar(value)] for key, value in found.items() if not _is_table(value)]
        self._sheets: dict[str, Sheet] = {"/": _PointedSheet("/", scalars, {})}
        for key, value in found.items():
            if _is_table(value):
                name = f"/{_escape(key)}"
                strays = {row: item for row, item in enumerate(value, start=2) if not isinstance(item, dict)}
                self._sheets[name] = _PointedSheet(name, _grid(name, value), strays)
        self.sheet_names = self.visible_sheet_names = tuple(self._sheets)

    def sheet(self, name: str) -> Sheet:
        return self._sheets[name]


def _load(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_unique,
            parse_constant=str,
            parse_float=_finite,
            parse_int=_whole,
        )
        if b"\\u" in data:
            json.dumps(found, ensure_ascii=False).encode()  # half a character, \ud800, is no text that could be stored
    except json.JSONDecodeError as error:
        raise ProblemError(
            "FILE_BROKEN_JSON",
            f"Рядок {error.lineno}, знак {error.colno}: це не JSON",
            f"Line {error.lineno}, character {error.colno}: this is not JSON ({error.msg})",
            cell=f"{error.lineno}:{error.colno}",
        ) from error
    except (UnicodeError, RecursionError) as error:
        raise ProblemError(
            "FILE_BROKEN_JSON",
            "Це не JSON у кодуванні UTF-8, або в ньому забагато вкладених рівнів",
            f"This is not JSON in UTF-8, or it is nested too deep ({type(error).__name__})",
        ) from error
    if not isinstance(found, dict):
        raise ProblemError(
            "FILE_BROKEN_JSON",
            "Зверху має бути об'єкт JSON, а не список",
            "The top of the JSON is a list, not an object",
        )
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1).encode("utf-8", "replace").decode()
        raise ProblemError(
            "JSON_DUPLICATE_KEY",
            f"Ключ «{twice}» стоїть двічі в одному об'єкті",
            f"The key “{twice}” stands twice in one object",
            value_found=twice,
        )
    return found


def _finite(text: str) -> float | str:
    """A number; one beyond what a double can hold is kept as it was written, for staging to refuse."""
    value = float(text)
    return value if isfinite(value) else text


def _whole(text: str) -> int | str:
    return int(text) if len(text) <= _EXACT_DIGITS else text


def _is_table(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def _scalar(value: object) -> object:
    """What a cell holds: a value that is itself a list or an object is told as its text."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _grid(name: str, entries: Sequence[object]) -> list[list[object]]:
    items = [entry if isinstance(entry, dict) else {} for entry in entries]
    keys = list(dict.fromkeys(key for item in items for key in item))
    if len(keys) * len(items) > MAX_SHEET_CELLS:
        raise ProblemError(
            "SHEET_TOO_LARGE",
            f"Список {name} має {len(items)} записів із {len(keys)} різними ключами",
            f"The list {name} has {len(items)} entries with {len(keys)} different keys",
            sheet=name,
        )
    return [list(keys), *([_scalar(item.get(key)) for key in keys] for item in items)]


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
