"""The codifier travels whole from its workbook into raw, once."""

import hashlib
import io
from pathlib import Path

import openpyxl
import pytest
import python_calamine

from asms.catalogue import load_catalogue, store_catalogue
from asms.intake.landing import LandingStore
from asms.settings import Settings
from asms.sources import SourceError
from asms.sources.katottg import _packaged_workbook, _read_edition
from asms.sources.katottg import fetch as fetch_katottg
from asms.sources.ledger import Reading
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
    book.save(tmp_path / "kodifikator_2026.xlsx")

    given = settings.model_copy(update={"urls": {"katottg": str(tmp_path / "kodifikator_2026.xlsx")}})
    with pytest.raises(SourceError, match=r"kodifikator_2026.xlsx has 0 hromadas"):
        fetch_katottg(warehouse, given, LandingStore(settings.landing).put)
    assert _counts(warehouse) == (1, 1, 31744, 1772, 2)
    with warehouse.connect("gate") as connection:
        status = connection.execute("select is_ok, message, last_ok_at is not null from ops.source_status").fetchone()
    assert status is not None
    assert status[0] is False
    assert "1700" in status[1]
    assert status[2] is True


def test_the_packaged_workbook_is_the_edition_it_is_called() -> None:
    digest = hashlib.sha256(_packaged_workbook().read_bytes()).hexdigest()
    assert digest.startswith("5c5317759b2b"), "another workbook: find out its edition and set PACKAGED_EDITION"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("kodifikator.xlsx", "does not end in the edition"),
        ("kodifikator_2024-13.xlsx", "does not end in the edition"),
        ("kodifikator_2025.xlsx", "is not a workbook"),
    ],
)
def test_a_file_that_is_no_edition_is_refused_by_name(
    warehouse: Warehouse, settings: Settings, tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / name).write_bytes(b"PK nothing")
    given = settings.model_copy(update={"urls": {"katottg": str(tmp_path / name)}})
    with pytest.raises(SourceError, match=rf"{name}.*{message}"):
        fetch_katottg(warehouse, given, LandingStore(settings.landing).put)


def test_a_renamed_column_blocks_and_a_new_one_informs() -> None:
    grid = python_calamine.CalamineWorkbook.from_path(_packaged_workbook()).get_sheet_by_index(0).to_python()
    (header,) = (cells for cells in grid if cells[0] == "Перший рівень")
    rows = [header, *(cells for cells in grid if cells[5] in ("H", "K"))]

    def read(title: str) -> Reading:
        header[5] = title
        wider = openpyxl.Workbook(write_only=True)
        sheet = wider.create_sheet()
        for cells in rows:
            sheet.append([*cells, "Площа" if cells is header else None])
        buffer = io.BytesIO()
        wider.save(buffer)
        return _read_edition(buffer.getvalue(), "kodifikator_2026.xlsx")

    (finding,) = read("Категорія об’єкта").findings
    assert (finding.rule_id, finding.cell) == ("SOURCE_COLUMN_NEW", "Площа")
    with pytest.raises(SourceError, match="has no row with the titles"):
        read("Вид об’єкта")


def test_a_folder_without_a_codifier_is_told(warehouse: Warehouse, settings: Settings, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SourceError, match="ASMS_KATOTTG"):
            fetch_katottg(
                warehouse,
                settings.model_copy(update={"urls": {"katottg": str(place)}}),
                LandingStore(settings.landing).put,
            )


def test_a_bad_table_stops_no_other_and_the_last_good_stands(
    warehouse: Warehouse, settings: Settings, tmp_path: Path
) -> None:
    store_catalogue(warehouse, load_catalogue())
    store = LandingStore(settings.landing).put
    (tmp_path / "kodifikator_2025.xlsx").write_bytes(_packaged_workbook().read_bytes())
    header = "event_code,event_kind,known_by,act,predecessor_code,successor_code,weight\n"
    line = "R1,split,2026-01-01,,UA05020030000031457,{},{}\n"
    events = tmp_path / "boundary_events.csv"
    events.write_text(header + line.format("UA05020030000031457", 0.5) + line.format("UA05020050000074537", 0.5))
    given = settings.model_copy(update={"urls": {"katottg": str(tmp_path)}})
    assert fetch_katottg(warehouse, given, store).new_loads == 2
    events.write_text(header + line.format("UA05020030000031457", 0.5) + line.format("UA05020050000074537", 0.4))
    (tmp_path / "time_rada.csv").write_text("date,rada_code,hromada_code\n2020-08-16,0510100000,UA05020030000031457\n")
    with pytest.raises(SourceError, match=r"UA05020030000031457 in event R1 add up to 0\.9"):
        fetch_katottg(warehouse, given, store)
    with warehouse.connect("gate") as connection:
        assert connection.execute("select array_agg(weight) from raw.boundary_event").fetchone() == ([0.5, 0.5],)
        assert connection.execute("select count(*) from raw.council_membership").fetchone() == (1,)
        assert connection.execute("select is_ok from ops.source_status where source = 'katottg'").fetchone() == (False,)


@pytest.mark.parametrize(("name", "count"), [("kodifikator_2024-06.xlsx", 31751), ("kodifikator_2025.xlsx", 31744)])
def test_both_real_vintages_load(
    warehouse: Warehouse, settings: Settings, real_data: Path, name: str, count: int
) -> None:
    given = settings.model_copy(update={"urls": {"katottg": str(real_data / "katottg" / name)}})
    result = fetch_katottg(warehouse, given, LandingStore(settings.landing).put)
    assert result.row_count == count
