"""Present population by hromada on 1 January 2022, from the statistics service's publication.

The war stopped the series: 2022 is the last year there is. The workbook has one sheet per table; the one whose title speaks
of hromadas lists oblasts, their raions and their hromadas one below the other, so the headings are carried down to the
lines. «…» (no data) and «–» (nil) are kept as found: they are different answers.
"""

import re
import zipfile
from collections.abc import Sequence
from io import BytesIO

import httpx
import python_calamine

from asms.findings import Finding
from asms.settings import Settings
from asms.sources import SourceError, SourceNotSetError, SourceResult, TransientSourceError
from asms.sources.answers import Question, load_answers
from asms.sources.http import Patience, client_for, get_bytes
from asms.sources.ledger import Feed, Reading, Store
from asms.sources.new_column import new_columns
from asms.sources.table_file import cell_text
from asms.warehouse.connection import Warehouse

PUBLICATIONS_PAGE = "https://www.ukrstat.gov.ua/druk/publicat/kat_u/publnasel_u.htm"
TIME_PERIOD = "2022"
FEED = Feed(
    source="population",
    channel="api:population",
    reader_version="1",
    table="raw.population_unit",
    columns=(
        "sheet", "row_no", "oblast_text", "raion_text", "name_text", "value_text", "name_en_text", "time_period",
    ),
)  # fmt: skip
_PATH = f"population/{TIME_PERIOD}.xlsx"
_TITLE = re.compile(r"територіальних\s+громад", re.IGNORECASE)
_DAY = re.compile(r"на\s+1\s+січня\s+(\d{4})", re.IGNORECASE)
_FIGURE = re.compile(r"\d[\d\s]*([.,]0*)?")
_COLUMN_COUNT = 3
_TITLE_WITHIN = 6  # rows at the top of a sheet that may hold its title
_KINDS = {
    "country": re.compile(r"Україна"),
    "oblast": re.compile(r".+ область|Автономна Республіка Крим"),
    "raion": re.compile(r".+ район"),
    "hromada": re.compile(r".+ (ТГ|територіальна громада)"),
    "city": re.compile(r"м\. ?.+"),
}

Row = tuple[str, int, str | None, str | None, str, str | None, str | None, str]


def fetch(
    warehouse: Warehouse,
    settings: Settings,
    store: Store,
    *,
    force: bool = False,
    client: httpx.Client | None = None,
    patience: Patience | None = None,
) -> SourceResult:
    """Load ``raw.population_unit`` from the workbook at ``ASMS_POPULATION_URL``; unchanged bytes are a no-op,
    but a new arrival with ``force``.

    Raises TransientSourceError when there was no answer, SourceError when the answer is no such workbook,
    SourceNotSetError when no address is set; what was loaded before stands.
    """
    url = settings.urls.get(FEED.source)
    if not url:
        raise SourceNotSetError(
            "no address is set: find the workbook «Чисельність наявного населення України на 1 січня 2022 року» on "
            f"{PUBLICATIONS_PAGE} and set ASMS_POPULATION_URL to it (or leave population out of SOURCES)"
        )
    question = Question(_PATH, lambda: _download(url, client, patience), read_lines)
    return load_answers(warehouse, settings, store, FEED, [question], force=force)


def read_lines(data: bytes) -> Reading:
    """Cut the workbook's table of hromadas into rows of raw.population_unit (after ``load_id``), text as found.

    A line of no known kind is kept, with a Finding. Raises SourceError for a workbook without such a table or lines.
    """
    try:
        workbook = python_calamine.CalamineWorkbook.from_filelike(BytesIO(data))
        sheet, grid = _find_table(workbook)
        _check_columns(sheet, grid)
    except python_calamine.CalamineError as error:
        raise SourceError(f"the answer is not a workbook that can be read ({error})") from error
    rows: list[Row] = []
    findings = _new_columns(grid)
    headings: dict[str, str | None] = {"oblast": None, "raion": None}
    for row_no, cells in enumerate(grid, start=1):
        name, value, name_en = (_text(cells, column) for column in range(3))
        kind = _kind(name)
        if name is None or (kind is None and value is None):
            continue  # a title, a blank line
        if kind in ("country", "oblast", "city"):
            headings = {"oblast": None, "raion": None}
        elif kind == "raion":
            headings["raion"] = None
        elif kind is None:
            findings.append(_unknown_kind(sheet, row_no, name))
        rows.append((sheet, row_no, headings["oblast"], headings["raion"], name, value, name_en, TIME_PERIOD))
        if kind in headings:
            headings[kind] = name
    return Reading(rows, findings)


def _download(url: str, client: httpx.Client | None, patience: Patience | None) -> bytes:
    with client_for(client) as own_client:
        return get_bytes(own_client, url, check=_check_whole, patience=patience)


def _check_whole(body: bytes) -> None:
    """Refuse a workbook that breaks off: a ZIP has its directory at the end."""
    if body.startswith(b"PK") and not zipfile.is_zipfile(BytesIO(body)):
        raise TransientSourceError(f"the workbook breaks off after {len(body)} bytes")


def _find_table(workbook: python_calamine.CalamineWorkbook) -> tuple[str, Sequence[Sequence[object]]]:
    for name in workbook.sheet_names:
        grid = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
        title = " ".join(str(cell) for cells in grid[:_TITLE_WITHIN] for cell in cells)
        if _TITLE.search(title) and any(_kind(_text(cells, 0)) == "hromada" for cells in grid):
            _check_year(title)
            return name, grid
    raise SourceError(
        "no sheet of the answer has «територіальних громад» in its title and hromadas (lines that end in «ТГ») below it: "
        "the publication has changed"
    )


def _check_year(title: str) -> None:
    other = {year for year in _DAY.findall(title) if year != TIME_PERIOD}
    if other:
        raise SourceError(
            f"the table is of 1 January {', '.join(sorted(other))}, and this reader's is of {TIME_PERIOD}: set ASMS_POPULATION_URL to "
            f"the workbook of {TIME_PERIOD}"
        )


def _check_columns(sheet: str, grid: Sequence[Sequence[object]]) -> None:
    """Refuse a table without its three columns: the name of a hromada, a figure, the name in English."""
    hromadas = [cells for cells in grid if _kind(_text(cells, 0)) == "hromada"]
    are_figures = [any(_FIGURE.fullmatch(_text(cells, column) or "") for cells in hromadas) for column in (1, 2)]
    if are_figures != [True, False]:
        raise SourceError(
            f"sheet {sheet} has not name, population and English name in its first three columns: the publication has changed, and "
            "the reader must follow"
        )


def _new_columns(grid: Sequence[Sequence[object]]) -> list[Finding]:
    """A Finding for each column beside the three that has anything in it, told by its first text."""
    titles: dict[int, str] = {}
    for cells in grid:
        for column in range(_COLUMN_COUNT, len(cells)):
            if text := _text(cells, column):
                titles.setdefault(column, text)
    return new_columns(titles.values(), FEED.source, (), _PATH)


def _text(cells: Sequence[object], column: int) -> str | None:
    """A cell as text; None when it is empty or not there."""
    return cell_text(cells[column]) if column < len(cells) else None


def _kind(name: str | None) -> str | None:
    folded = " ".join((name or "").split())
    return next((kind for kind, pattern in _KINDS.items() if pattern.fullmatch(folded)), None)


def _unknown_kind(sheet: str, row_no: int, name: str) -> Finding:
    return Finding(
        rule_id="POPULATION_LINE_UNREADABLE",
        dataset="population",
        message_uk=f"Аркуш {sheet}, рядок {row_no}: «{name}» не схоже на громаду, район, область чи місто",
        message_en=f"sheet {sheet}, row {row_no}: '{name}' looks like no hromada, raion, oblast or city",
        time_period=TIME_PERIOD,
        file_name=_PATH,
        sheet=sheet,
        cell=f"A{row_no}",
        value_found=name,
    )
