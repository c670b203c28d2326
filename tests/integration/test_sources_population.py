"""The population table travels whole, headings carried down, marks kept as found."""

import dataclasses
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from asms.intake.landing import LandingStore
from asms.sample.population import population_workbook
from asms.sample.server import Fault, serve
from asms.sample.services import Reply
from asms.settings import Settings
from asms.sources import SourceError, SourceResult, TransientSourceError
from asms.sources.http import Patience
from asms.sources.population import fetch as fetch_population
from asms.sources.population import read_lines
from asms.warehouse.connection import Warehouse

IMPATIENT = Patience(tries=2, sleep=lambda _: None)


def _fetch(
    warehouse: Warehouse, settings: Settings, replay: Path | None = None, fault: Fault | None = None
) -> SourceResult:
    with serve(replay, fault=fault) as server:
        pointed = settings.model_copy(update={"urls": server.urls})
        return fetch_population(warehouse, pointed, LandingStore(settings.landing).put, patience=IMPATIENT)


def _lines(warehouse: Warehouse, condition: str) -> list[tuple[object, ...]]:
    with warehouse.connect("gate") as connection:
        return connection.execute(
            f"select oblast_text, raion_text, name_text, value_text from raw.population_unit where {condition} order by row_no"  # type: ignore[arg-type]
        ).fetchall()


def test_the_sample_is_loaded_once(warehouse: Warehouse, settings: Settings) -> None:
    first = _fetch(warehouse, settings)
    second = _fetch(warehouse, settings)
    assert (first.new_loads, second.new_loads, second.unchanged_loads) == (1, 0, 1)
    assert first.row_count == second.row_count
    assert _lines(warehouse, "name_text like 'Агрономічна%'") == [
        ("Вінницька область", "Вінницький район", "Агрономічна сільська ТГ", "9361")
    ]
    assert _lines(warehouse, "name_text like '% район' and (raion_text is not null or oblast_text is null)") == []
    assert _lines(warehouse, "name_text ~ '(Київ$|Севастополь|Крим$)'") == [
        (None, None, "Автономна Республіка Крим", "–"),
        (None, None, "м. Київ", "2952301"),
        (None, None, "м. Севастополь (міськрада)", "–"),
    ]


def test_the_real_publication_is_loaded_whole(warehouse: Warehouse, settings: Settings, real_data: Path) -> None:
    result = _fetch(warehouse, settings, real_data)
    assert result.row_count == 1623  # country, 24 oblasts and Crimea, 126 raions, 1,469 hromadas, two cities
    hromadas = _lines(warehouse, "raion_text is not null")
    assert len(hromadas) == 1469
    assert sum(int(str(row[3])) for row in hromadas) + 2952301 == 41167335  # with Kyiv, the country's line
    assert _lines(warehouse, "name_text = 'Україна'") == [(None, None, "Україна", "41167335")]
    assert [row[3] for row in _lines(warehouse, "name_text ~ '(Київ |Севастополь|Крим$)'")] == ["–", "2952301", "–"]
    with warehouse.connect("gate") as connection:
        assert connection.execute("select count(*) from quality.finding").fetchone() == (0,)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda _, reply: dataclasses.replace(reply, body=reply.body[:2000]), "breaks off"),
        (lambda _, __: Reply(body=b"<html>moved</html>", content_type="text/html"), "HTML"),
        (lambda _, __: Reply(body=b"REP_PERIOD\n"), "not a workbook"),
        (lambda _, __: Reply(429), "answered 429"),
    ],
)
def test_a_bad_answer_leaves_the_last_good_one(
    warehouse: Warehouse, settings: Settings, fault: Fault, words: str
) -> None:
    count = _fetch(warehouse, settings).row_count
    with pytest.raises(SourceError, match=words):
        _fetch(warehouse, settings, fault=fault)
    assert len(_lines(warehouse, "true")) == count
    with warehouse.connect("gate") as connection:
        assert connection.execute("select is_ok, last_ok_at is not null from ops.source_status").fetchone() == (
            False,
            True,
        )


def test_without_an_address_it_says_where_to_find_one(warehouse: Warehouse, settings: Settings) -> None:
    with pytest.raises(SourceError, match="ASMS_POPULATION_URL") as error:
        fetch_population(warehouse, settings, LandingStore(settings.landing).put)
    assert not isinstance(error.value, TransientSourceError)


def _bent(change: Callable[[Worksheet], object]) -> bytes:
    book = openpyxl.load_workbook(BytesIO(population_workbook()))
    change(book.worksheets[1])
    bent = BytesIO()
    book.save(bent)
    return bent.getvalue()


def _of_2021(sheet: Worksheet) -> None:
    cell = next(cell for row in sheet.iter_rows(max_row=6) for cell in row if "січня" in str(cell.value))
    cell.value = str(cell.value).replace("2022", "2021")


def _figures_twice(sheet: Worksheet) -> None:
    sheet.insert_cols(2)
    for row in sheet.iter_rows(min_row=5):
        row[1].value = row[2].value


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_of_2021, "of 1 January 2021.*ASMS_POPULATION_URL"),
        (_figures_twice, "not name, population and English name"),
        (lambda sheet: sheet.delete_cols(2), "not name, population and English name"),
    ],
)
def test_a_table_of_another_year_or_form_is_refused(change: Callable[[Worksheet], object], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        read_lines(_bent(change))


def test_a_new_column_is_told() -> None:
    reading = read_lines(_bent(lambda sheet: sheet.cell(5, 4, "Частка, %")))
    assert [(one.rule_id, one.cell) for one in reading.findings] == [("SOURCE_COLUMN_NEW", "Частка, %")]
