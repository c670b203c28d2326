"""War status of hromadas by date: who was occupied, de-occupied or in the war zone when, and so who can report for when."""

import re
from datetime import date

import httpx

from asms.settings import Settings
from asms.sources import SourceResult
from asms.sources.ckan import Resource, fetch_dataset
from asms.sources.http import Patience
from asms.sources.ledger import Feed, Reading, Store
from asms.sources.new_column import new_columns
from asms.sources.table_file import odd_values, read_table
from asms.warehouse.connection import Warehouse

_STATUSES = ("status_war_sept", "deoccupation_date")
_WAR_ZONE = re.compile(r"war_zone_(\d\d)_(\d\d)_(20\d\d)")  # a column for each day that a list is of
_UNREAD = (
    "oblast_short_name", "raion_short_name", "hromada_type", "oblast_code", "raion_code", "type", "status_war_sept_ext",
)  # fmt: skip
_PATTERNS = {
    "hromada_code": re.compile(r"UA\d{17}"),
    "status_war_sept": re.compile(r"(not )?occupied|deoccupied|not occupied, in the war zone"),
    "deoccupation_date": re.compile(r"0|March-April|September-October|November"),
}
FEED = Feed(
    source="war_status",
    channel="api:war_status",
    reader_version="1",
    table="raw.war_status_value",
    columns=("row_no", "hromada_code", "hromada_name", "title_text", "value_text"),
)


def fetch(
    warehouse: Warehouse,
    settings: Settings,
    store: Store,
    *,
    force: bool = False,
    client: httpx.Client | None = None,
    patience: Patience | None = None,
) -> SourceResult:
    """Load ``raw.war_status_value`` from the dataset at ``ASMS_WAR_STATUS_URL``. Raises SourceError."""
    return fetch_dataset(warehouse, settings, store, FEED, read_rows, force=force, client=client, patience=patience)


def read_rows(data: bytes, _resource: Resource) -> Reading:
    """Cut the table into rows of raw.war_status_value (after ``load_id``): one per hromada and status. Raises SourceError."""
    table = read_table(data, FEED.source, ("hromada_code", "hromada_short_name", *_STATUSES))
    zones = tuple(title for title in table.header if _is_list_of_a_day(title))
    known = ("hromada_code", "hromada_short_name", *_STATUSES, *zones, *_UNREAD)
    patterns = _PATTERNS | dict.fromkeys(zones, re.compile("[01]"))
    findings = [
        *table.findings,
        *new_columns(table.header, FEED.source, known),
        *odd_values(table, FEED.source, patterns),
    ]
    code, name = table.header.index("hromada_code"), table.header.index("hromada_short_name")
    statuses = [(title, table.header.index(title)) for title in (*zones, *_STATUSES)]
    rows = [
        (line_no, cells[code], cells[name], title, cells[place])
        for line_no, cells in table.lines
        for title, place in statuses
    ]
    return Reading(rows, findings)


def _is_list_of_a_day(title: str) -> bool:
    """Whether the column is such a list, and its day is one of the calendar."""
    found = _WAR_ZONE.fullmatch(title)
    try:
        return found is not None and bool(date(int(found[3]), int(found[2]), int(found[1])))
    except ValueError:
        return False
