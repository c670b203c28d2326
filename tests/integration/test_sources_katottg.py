"""The codifier travels whole from its workbook into raw, once."""

from pathlib import Path

import openpyxl
import pytest

from asms.intake.landing import LandingStore
from asms.settings import Settings
from asms.sources import SourceError
from asms.sources.katottg import fetch as fetch_katottg
from asms.warehouse.connection import Warehouse


def _counts(warehouse: Warehouse) -> tuple[object, ...]:
    with warehouse.connect("gate") as connection:
        row = connection.execute(
            """
            select
                (select count(*) from raw.delivery),
                (select count(*) from ops.load),
                (select count(*) from raw.katottg_unit),
                (select count(*) filter (where category = 'H') from raw.katottg_unit),
                (select count(*) filter (where category = 'K') from raw.katottg_unit)
            """
        ).fetchone()
    assert row
    return tuple(row)


def test_codifier_is_loaded_whole_and_once(warehouse: Warehouse, settings: Settings) -> None:
    store = LandingStore(settings.landing)
    first = fetch_katottg(warehouse, settings, store.put)
    assert (first.is_ok, first.new_loads, first.row_count) == (True, 1, 31744)
    assert _counts(warehouse) == (1, 1, 31744, 1772, 2)
    with warehouse.connect("gate") as connection:
        row = connection.execute("select sha256 from raw.delivery").fetchone()
    assert row
    assert store.has(row[0])

    second = fetch_katottg(warehouse, settings, store.put)
    assert (second.is_ok, second.new_loads, second.unchanged_loads, second.row_count) == (True, 0, 1, 31744)
    assert _counts(warehouse) == (1, 1, 31744, 1772, 2)


def test_force_books_unchanged_bytes_as_a_new_arrival(warehouse: Warehouse, settings: Settings) -> None:
    store = LandingStore(settings.landing)
    fetch_katottg(warehouse, settings, store.put)
    forced = fetch_katottg(warehouse, settings, store.put, force=True)
    assert (forced.is_ok, forced.new_loads, forced.row_count) == (True, 1, 31744)
    assert _counts(warehouse)[:2] == (2, 2)


def test_values_are_kept_as_found(warehouse: Warehouse, settings: Settings) -> None:
    fetch_katottg(warehouse, settings, LandingStore(settings.landing).put)
    with warehouse.connect("gate") as connection:
        row = connection.execute(
            "select row_no, level4_code, category, name from raw.katottg_unit "
            "where level3_code = 'UA01020010000048857' and level4_code is null"
        ).fetchone()
    assert row == (7, None, "H", "Андріївська ")  # the trailing blank is the ministry's


def test_a_part_of_the_country_is_refused_and_the_last_good_stands(
    warehouse: Warehouse, settings: Settings, tmp_path: Path
) -> None:
    fetch_katottg(warehouse, settings, LandingStore(settings.landing).put)
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Перший рівень", "Другий рівень", "Третій рівень", "Четвертий рівень", "Додатковий рівень",
                  "Категорія об’єкта", "Назва об’єкта"])  # fmt: skip
    sheet.append(["UA01000000000013043", "", "", "", "", "O", "Автономна Республіка Крим"])
    book.save(tmp_path / "part.xlsx")

    with pytest.raises(SourceError, match="0 hromadas"):
        fetch_katottg(warehouse, settings, LandingStore(settings.landing).put, workbook=tmp_path / "part.xlsx")
    assert _counts(warehouse) == (1, 1, 31744, 1772, 2)
    with warehouse.connect("gate") as connection:
        status = connection.execute("select is_ok, message, last_ok_at is not null from ops.source_status").fetchone()
    assert status is not None
    assert status[0] is False
    assert "1700" in status[1]
    assert status[2] is True


@pytest.mark.parametrize(("name", "count"), [("kodifikator_2024-06.xlsx", 31751), ("kodifikator_2025.xlsx", 31744)])
def test_both_real_vintages_load(
    warehouse: Warehouse, settings: Settings, real_data: Path, name: str, count: int
) -> None:
    result = fetch_katottg(
        warehouse, settings, LandingStore(settings.landing).put, workbook=real_data / "katottg" / name
    )
    assert result.row_count == count
