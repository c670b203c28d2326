"""Declarations with family doctors by hromada, by sex and age: the health service's table on the portal of open data."""

import re

import httpx

from asms.settings import Settings
from asms.sources import SourceResult
from asms.sources.ckan import Resource, fetch_dataset
from asms.sources.http import Patience
from asms.sources.ledger import Feed, Reading, Store
from asms.sources.new_column import new_columns
from asms.sources.table_file import odd_values, read_table
from asms.warehouse.connection import Warehouse

_COLUMNS = (
    "hromada_code", "hromada_name", "total", "female", "male", "urban", "rural", "youth", "working_age_total", "male_18_60",
)  # fmt: skip
_UNREAD = (
    "area",
    "female_pct",
    "male_pct",
    "urban_pct",
    "rural_pct",
    "youth_pct",
    "working_age_pct",
)  # follow from the others
_PATTERNS = {
    title: re.compile(r"UA\d{17}" if title == "hromada_code" else r"\d+")
    for title in _COLUMNS
    if title != "hromada_name"
}
FEED = Feed(
    source="health_declarations",
    channel="api:health_declarations",
    reader_version="1",
    table="raw.health_declarations_row",
    columns=("row_no", "as_of_text", *_COLUMNS),
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
    """Load ``raw.health_declarations_row`` from the dataset at ``ASMS_HEALTH_DECLARATIONS_URL``. Raises SourceError."""
    return fetch_dataset(warehouse, settings, store, FEED, read_rows, force=force, client=client, patience=patience)


def read_rows(data: bytes, resource: Resource) -> Reading:
    """Cut the table into rows of raw.health_declarations_row (after ``load_id``), text as found. Raises SourceError."""
    table = read_table(data, FEED.source, _COLUMNS)
    findings = [
        *table.findings, *new_columns(table.header, FEED.source, _COLUMNS + _UNREAD), *odd_values(table, FEED.source, _PATTERNS)
    ]  # fmt: skip
    places = [table.header.index(title) for title in _COLUMNS]
    rows = [(line_no, resource.changed_at, *(cells[place] for place in places)) for line_no, cells in table.lines]
    return Reading(rows, findings)
