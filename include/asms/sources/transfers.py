"""Education subvention and horizontal equalisation, from the workbooks of the ministries of education and of finance.

Both print a line per budget below headers of up to four rows, totals among them. Which columns there are and what they mean is the
seed ``transfer_measure``; which of the two a workbook is, and of what year, is told by a title in it.
"""

import csv
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import httpx
import python_calamine
from openpyxl.utils import get_column_letter

from asms.findings import Finding
from asms.paths import DBT_DIR
from asms.settings import Settings
from asms.sources import SourceError, SourceNotSetError, SourceResult, TransientSourceError
from asms.sources.answers import Question, load_answers
from asms.sources.http import Patience, client_for, get_bytes
from asms.sources.ledger import Feed, Reading, Store
from asms.sources.table_file import cell_text
from asms.warehouse.connection import Warehouse

SEED = DBT_DIR / "seeds" / "transfer_measure.csv"
FEED = Feed(
    source="transfers",
    channel="api:transfers",
    reader_version="1",
    table="raw.transfers_value",
    columns=(
        "table_code", "time_period", "sheet", "row_no", "measure_code", "territory_text", "kind_text", "budget_code_text",
        "name_text", "value_text",
    ),
)  # fmt: skip
# The title by which a workbook is known, folded; its group is the year that the workbook is about.
_YEAR_TITLES = {
    "education_subvention": (re.compile(r"рнк(\d{4})"), "РНК 2023"),
    "equalisation": (
        re.compile(r"обсягбазової/реверсноїдотаційна(\d{4})рік"),
        "Обсяг базової/реверсної дотацій на 2024 рік",
    ),
}
_KEY_TITLES = {
    "budget_code": ("кодбюджету", "бюджетнийкод"),
    "name": ("назвамісцевогобюджетуадміністративнотериторіальноїодиниці", "найменуваннябюджетуато", "назваато", "коротканазва"),
    "kind": ("ознакабюджету", "шифр"),
    "territory": ("кодтериторії", "кодобласті"),
}  # fmt: skip
_HEADER_WITHIN = 6  # rows at the top of a sheet
_CODE = re.compile(r"\d{9,11}")
_NUMBER = re.compile(r"-?\d+([.,]\d+)?(e-?\d+)?", re.IGNORECASE)
_NOTHING = {"", "-", "–", "—", "x", "х"}

Row = tuple[str, str, str, int, str, str | None, str | None, str | None, str | None, str | None]


@dataclass(frozen=True)
class _Column:
    """A column that the seed knows; ``measure`` is '' where it is left unread."""

    title: str
    measure: str


@dataclass(frozen=True)
class _Table:
    """One sheet: where its key columns and its measures stand, its titles that nobody knows, and its lines."""

    sheet: str
    keys: Mapping[str, int]
    measures: Mapping[str, int]
    unknown: Mapping[int, str]
    lines: Sequence[tuple[int, Sequence[object]]]


def fetch(
    warehouse: Warehouse,
    settings: Settings,
    store: Store,
    *,
    force: bool = False,
    client: httpx.Client | None = None,
    patience: Patience | None = None,
) -> SourceResult:
    """Load ``raw.transfers_value`` from the workbooks at the addresses in ``ASMS_TRANSFERS_URL``, parted by blanks.

    Each workbook is a load of its own, booked under its file's name; unchanged bytes are a no-op, but a new arrival with ``force``.

    Raises TransientSourceError when there was no answer, SourceError when an answer is no such workbook,
    SourceNotSetError when no address is set.
    """
    addresses = settings.urls.get(FEED.source, "").split()
    if not addresses:
        raise SourceNotSetError(
            "no address is set: the ministries publish a workbook a year at an address of its own; set ASMS_TRANSFERS_URL to "
            "those of the education subvention and of the equalisation, parted by blanks (or leave transfers out of SOURCES)"
        )
    with client_for(client) as own_client:

        def questions() -> Iterator[Question]:
            for address in addresses:
                path = PurePosixPath(unquote(urlsplit(address).path)).name or "workbook"
                yield Question(
                    path,
                    lambda address=address: get_bytes(own_client, address, check=check_whole, patience=patience),  # type: ignore[misc]
                    lambda data, path=path: read_workbook(data, path),  # type: ignore[misc]
                )

        return load_answers(warehouse, settings, store, FEED, questions(), force=force)


def check_whole(body: bytes) -> None:
    """Refuse a workbook that breaks off: a ZIP has its directory at the end. Raises TransientSourceError."""
    if body.startswith(b"PK") and not zipfile.is_zipfile(BytesIO(body)):
        raise TransientSourceError(f"the workbook breaks off after {len(body)} bytes")


def read_workbook(data: bytes, file_name: str) -> Reading:
    """Cut a workbook into rows of raw.transfers_value (after ``load_id``), text as found.

    A line with figures and no budget, a figure that is no number, a budget printed twice with different figures and a title that
    nobody knows give a Finding. Raises SourceError for a workbook of another kind, or one that lacks a column.
    """
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(BytesIO(data))
        grids = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
    except python_calamine.CalamineError as error:
        raise SourceError(f"the answer is not a workbook that can be read ({error})") from error
    table_code, time_period = _recognise(grids)
    known = _read_seed(table_code)
    tables = [table for name, grid in grids.items() if (table := _find_table(name, grid, known))]
    wanted = {column.measure: column.title for column in known.values() if column.measure}
    missing = [title for measure, title in wanted.items() if not any(measure in table.measures for table in tables)]
    if missing:
        raise SourceError(
            f"{table_code} {time_period} lacks the column(s) «{'», «'.join(missing[:5])}»{' …' * (len(missing) > 5)} "  # noqa: PLR2004
            "(# is a year or a date): the publication has changed, and the seed transfer_measure must follow"
        )
    cut = _Cut(table_code, time_period, file_name)
    for table in tables:
        cut.take(table)
    return Reading(cut.rows, cut.findings)


class _Cut:
    """Rows and findings of one workbook, as they come."""

    def __init__(self, table_code: str, time_period: str, file_name: str) -> None:
        self.rows: list[Row] = []
        self.findings: list[Finding] = []
        self._table_code, self._time_period, self._file_name = table_code, time_period, file_name
        self._seen: dict[tuple[str, str], str | None] = {}

    def take(self, table: _Table) -> None:
        for column, title in table.unknown.items():
            self._tell(
                "SOURCE_COLUMN_NEW", table.sheet, f"{get_column_letter(column + 1)}1", title, "Новий стовпець, його не прочитано",
                "a new column, left unread",
            )  # fmt: skip
        for row_no, cells in table.lines:
            keys = {name: _text(cells, column) for name, column in table.keys.items()}
            values = {measure: _text(cells, column) for measure, column in table.measures.items()}
            given = {measure: value for measure, value in values.items() if value is not None}
            if keys["budget_code"] is None and not keys.get("name"):
                if given:
                    self._tell(
                        "SOURCE_ROW_UNREADABLE", table.sheet, f"A{row_no}", ", ".join(given.values()),
                        "Рядок з числами, але без бюджету; його пропущено", "a line with figures and no budget; it is left out",
                    )  # fmt: skip
                continue
            for measure, value in values.items():
                self._check(table, row_no, keys["budget_code"], measure, value)
                self.rows.append((
                    self._table_code, self._time_period, table.sheet, row_no, measure, keys.get("territory"), keys.get("kind"),
                    keys["budget_code"], keys.get("name"), value,
                ))  # fmt: skip

    def _check(self, table: _Table, row_no: int, code: str | None, measure: str, value: str | None) -> None:
        cell = f"{get_column_letter(table.measures[measure] + 1)}{row_no}"
        if value is not None and value.strip() not in _NOTHING and not _NUMBER.fullmatch(value.strip()):
            self._tell(
                "SOURCE_VALUE_INVALID", table.sheet, cell, value, "Не число; значення не використано",
                "no number; the value is not used",
            )  # fmt: skip
        if code is not None and self._seen.setdefault((code, measure), value) != value:
            self._tell(
                "SOURCE_ROW_CONTRADICTS", table.sheet, cell, value,
                f"Бюджет {code} наведено двічі з різними числами ({self._seen[code, measure]}); жодне не використано",
                f"budget {code} is printed twice with different figures ({self._seen[code, measure]}); neither is used",
            )  # fmt: skip

    def _tell(self, rule_id: str, sheet: str, cell: str, value: str | None, uk: str, en: str) -> None:
        self.findings.append(
            Finding(
                rule_id=rule_id,
                dataset=FEED.source,
                message_uk=f"Аркуш «{sheet}», {cell}: {uk}",
                message_en=f"sheet '{sheet}', {cell}: {en}",
                time_period=self._time_period,
                file_name=self._file_name,
                sheet=sheet,
                cell=cell,
                value_found=value[:200] if value else None,
            )
        )


def _recognise(grids: Mapping[str, Sequence[Sequence[object]]]) -> tuple[str, str]:
    titles = {_fold(str(cell)) for grid in grids.values() for cells in grid[:_HEADER_WITHIN] for cell in cells if cell}
    for table_code, (pattern, _) in _YEAR_TITLES.items():
        years = [found.group(1) for title in titles if (found := pattern.fullmatch(title))]
        if years:
            return table_code, max(years)
    examples = " or ".join(f"«{example}»" for _, example in _YEAR_TITLES.values())
    raise SourceError(f"the workbook has no title like {examples}, by which its kind and its year are known")


def _read_seed(table_code: str) -> dict[tuple[str, str], _Column]:
    """Columns by folded sheet ('' is any) and folded title."""
    with SEED.open(encoding="utf-8", newline="") as handle:
        return {
            (_fold(row["sheet"]), _fold(row["title"])): _Column(row["title"], row["measure_code"])
            for row in csv.DictReader(handle)
            if row["table_code"] == table_code
        }


def _find_table(name: str, grid: Sequence[Sequence[object]], known: Mapping[tuple[str, str], _Column]) -> _Table | None:
    """The table of budgets on a sheet; None when it has none, or none that anybody reads."""
    sheet = _fold(name)
    of_sheet = {title: column.measure for (where, title), column in known.items() if where in ("", sheet)}
    body_at = next((at for at, cells in enumerate(grid[: _HEADER_WITHIN + 1]) if _has_code(cells)), None)
    if body_at is None or not of_sheet:
        return None
    titles = _titles(grid[:body_at])
    keys = {
        key: column
        for key, spellings in _KEY_TITLES.items()
        if (column := next((at for at, title in titles.items() if title in spellings), None)) is not None
    }
    if "budget_code" not in keys:
        return None
    measures: dict[str, int] = {}
    unknown: dict[int, str] = {}
    for column, title in titles.items():
        general = re.sub(r"\d{2}\.\d{2}\.\d{4}|(?<!\d)\d{4}(?!\d)", "#", title)
        if general not in of_sheet:
            if not any(title in spellings for spellings in _KEY_TITLES.values()):
                unknown[column] = title
        elif of_sheet[general]:
            measures.setdefault(of_sheet[general], column)  # «РНК 2023» stands before «РНК 2022»
    lines = list(enumerate(grid[body_at:], start=body_at + 1))
    return _Table(name, keys, measures, unknown, lines)


def _has_code(cells: Sequence[object]) -> bool:
    return any(_CODE.fullmatch(_text(cells, column) or "") for column in range(len(cells)))


def _titles(header: Sequence[Sequence[object]]) -> dict[int, str]:
    """Folded title by column: the lowest text above it, since merged cells leave the upper ones to their first column."""
    found: dict[int, str] = {}
    for cells in header:
        for column, cell in enumerate(cells):
            if isinstance(cell, str) and cell.strip():
                found[column] = _fold(cell)
    return found


def _fold(text: str) -> str:
    """A title for comparing: PDF tools break words («надходженн я», «податко- спроможності»), so blanks and hyphens go."""
    return re.sub(r"\s+|\u00ad|(?<!\d)-|-(?!\d)", "", " ".join(text.split())).casefold()


def _text(cells: Sequence[object], column: int) -> str | None:
    """A cell as text; None when it is empty or not there."""
    return cell_text(cells[column]) if column < len(cells) else None
