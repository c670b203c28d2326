"""The workbooks of transfers travel whole; what is wrong with one is told and stops neither the other nor what stood."""

import dataclasses
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest

from asms.intake.landing import LandingStore
from asms.sample.server import Fault, serve
from asms.sample.services import Reply
from asms.sample.transfers import equalisation_workbook, subvention_workbook
from asms.settings import Settings
from asms.sources import SourceError, SourceResult, TransientSourceError
from asms.sources.http import Patience
from asms.sources.transfers import fetch, read_workbook
from asms.warehouse.connection import Warehouse

pytestmark = pytest.mark.usefixtures("source_rules")
IMPATIENT = Patience(tries=2, sleep=lambda _: None)


def _fetch(
    warehouse: Warehouse,
    settings: Settings,
    replay: Path | None = None,
    fault: Fault | None = None,
    force: bool = False,
) -> SourceResult:
    with serve(replay, fault=fault) as server:
        pointed = settings.model_copy(update={"urls": server.urls})
        return fetch(warehouse, pointed, LandingStore(settings.landing).put, patience=IMPATIENT, force=force)


def _ask(warehouse: Warehouse, query: str) -> list[tuple[object, ...]]:
    with warehouse.connect("gate") as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def _bent(workbook: bytes, cells: dict[tuple[str, str], object]) -> bytes:
    """The workbook with other values in some cells."""
    book = openpyxl.load_workbook(BytesIO(workbook))
    for (sheet, cell), value in cells.items():
        book[sheet][cell] = value
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_the_sample_is_loaded_once(warehouse: Warehouse, settings: Settings) -> None:
    first = _fetch(warehouse, settings)
    second = _fetch(warehouse, settings)
    assert (first.new_loads, second.new_loads, second.unchanged_loads) == (2, 0, 2)
    assert first.row_count == second.row_count == _ask(warehouse, "select count(*) from raw.transfers_value")[0][0]
    assert _fetch(warehouse, settings, force=True).new_loads == 2
    years = _ask(warehouse, "select distinct table_code, time_period from raw.transfers_value order by 1")
    assert years == [("education_subvention", "2023"), ("equalisation", "2024")]
    lost = _ask(
        warehouse,
        "select distinct budget_code_text from raw.transfers_value where table_code = 'equalisation' and name_text ~ 'Вінницької м'",
    )
    assert lost == [("253600000",)], "raw keeps what the spreadsheet made of 0253600000"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda reply: dataclasses.replace(reply, body=reply.body[:2000]), "breaks off"),
        (lambda _: Reply(body=b"<html>moved</html>", content_type="text/html"), "HTML"),
        (lambda _: Reply(body=b"a;b\n"), "not a workbook"),
        (lambda _: Reply(429), "answered 429"),
        (lambda _: Reply(body=equalisation_workbook().replace(b"PK", b"PX")), "not a workbook"),
    ],
)  # fmt: skip
def test_a_bad_workbook_leaves_the_other_and_the_last_good_one(
    warehouse: Warehouse, settings: Settings, fault: object, words: str
) -> None:
    count = _fetch(warehouse, settings).row_count

    def bend(path: str, reply: Reply) -> Reply:
        return (
            fault(reply) if "subvention" in path else Reply(body=_bent(equalisation_workbook(), {("Table 6", "F9"): 1}))
        )  # type: ignore[operator]

    with pytest.raises(SourceError, match=rf"subvention_2023.xlsx.*{words}"):
        _fetch(warehouse, settings, fault=bend)
    assert _ask(warehouse, "select is_ok, last_ok_at is not null from ops.source_status") == [(False, True)]
    assert _ask(warehouse, "select count(*) from ops.load where source = 'transfers'") == [(3,)], "the other went on"
    assert _ask(warehouse, "select count(*) from raw.transfers_value") > [(count,)]


def test_without_an_address_it_says_what_to_set(warehouse: Warehouse, settings: Settings) -> None:
    with pytest.raises(SourceError, match="ASMS_TRANSFERS_URL") as error:
        fetch(warehouse, settings, LandingStore(settings.landing).put)
    assert not isinstance(error.value, TransientSourceError)


def test_a_column_that_is_gone_blocks_and_a_new_one_is_told() -> None:
    renamed = _bent(subvention_workbook(), {("Дані з ДІСО", "E1"): "Учні молодшої школи"})
    with pytest.raises(SourceError, match=r"lacks the column.*«учні 1-4»"):
        read_workbook(renamed, "2023.xlsx")
    added = _bent(subvention_workbook(), {("Остаточний бюджет", "J1"): "Залишок"})
    told = {finding.rule_id: finding for finding in read_workbook(added, "2023.xlsx").findings}
    assert (told["SOURCE_COLUMN_NEW"].cell, told["SOURCE_COLUMN_NEW"].value_found) == ("J1", "залишок")
    assert told["SOURCE_ROW_UNREADABLE"].cell == "A110", "the sum below the table belongs to no budget"
    with pytest.raises(SourceError, match="no title like"):
        read_workbook(_bent(equalisation_workbook(), {("Table 6", "A1"): "Дотації"}), "2024.xlsx")


def test_a_figure_that_is_none_and_lines_that_contradict_are_told() -> None:
    assert read_workbook(equalisation_workbook(), "2024.xlsx").findings == [], "the first lines stand twice, alike"
    bent = _bent(equalisation_workbook(), {("Table 4", "E5"): "99.9", ("Table 6", "F6"): "уточнюється"})
    found = [(one.rule_id, one.sheet, one.cell, one.value_found) for one in read_workbook(bent, "2024.xlsx").findings]
    assert ("SOURCE_VALUE_INVALID", "Table 6", "F6", "уточнюється") in found
    assert ("SOURCE_ROW_CONTRADICTS", "Table 4", "E5", "99.9") in found


def test_the_real_workbooks_are_loaded_whole(warehouse: Warehouse, settings: Settings, real_data: Path) -> None:
    result = _fetch(warehouse, settings, real_data)
    assert result.row_count == 76346 + 13364
    assert _ask(warehouse, "select rule_id, cell from quality.finding") == [("SOURCE_ROW_UNREADABLE", "A1524")]
