"""The shipped sample through whole nights: first, unchanged, refused, corrected, rebuilt, cut off, killed."""

import email
import email.policy
import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from asms.sample.server import serve
from asms.sample.services import Reply
from asms.warehouse import embedded
from tests.e2e.conftest import House

_BODY = "UA05020030000031457"
_FILE = "Вінницька міська ТГ 2024.xlsx"
_CORRECTED = "Вінницька міська ТГ 2024 (виправлено).xlsx"
_POPULATION = "POP.001"
_LIBRARIES = "CUL.001"


def _drop(house: House) -> Path:
    return house.home / "sample" / "drop"


def _send_again(house: House, changes: dict[str, float]) -> dict[str, str]:
    """Send Vinnytsia's return again under a new name, with other totals; the addresses of the cells changed."""
    book = openpyxl.load_workbook(next(_drop(house).rglob(_FILE)))
    cells = {}
    for code, factor in changes.items():
        sheet = book[code.partition(".")[0]]
        row = next(row for row in sheet.iter_rows(min_row=5) if row[0].value == code)
        for cell in row[3:6]:
            if isinstance(cell.value, int | float):
                cell.value = round(cell.value * factor)
        cells[code] = row[3].coordinate
    book.save(_drop(house) / _CORRECTED)
    return cells


@pytest.fixture(scope="module")
def first(sample_house: tuple[House, int, str]) -> tuple[House, dict[str, tuple[int, str]]]:
    """The house after its first night, and the marts as that night left them."""
    house, code, printed = sample_house
    assert code == 0, printed
    return house, house.marts()


@pytest.fixture(scope="module")
def twin(first: tuple[House, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A copy of the house, its server's files included, as the house stands when the copy is first asked for."""
    house = first[0]
    embedded.stop(house.home)
    copy = House(tmp_path_factory.mktemp("twin") / "home", {})
    shutil.copytree(house.home, copy.home)
    yield copy
    embedded.stop(copy.home)


def test_the_first_night_publishes_and_tells(sample_house: tuple[House, int, str]) -> None:
    house, _, printed = sample_house
    assert "release 1 is published" in printed
    last = house.last_run()
    assert (last["exit_code"], last["mode"], last["database"]) == (0, "sample", "asms_sample")
    assert last["counts"]["files"] == 57
    assert last["findings"]["error"] > 0
    assert {gate["gate"] for gate in last["gates"]} == {"raw", "staging", "indicators", "marts"}
    assert all(state == "success" for state in last["dags"].values())


def test_psql_opens_the_marts_with_clean_output(first: tuple[House, Any]) -> None:
    done = first[0].asms("psql", "-At", given="select current_user, count(*) from dim_municipality;\n")
    assert (done.returncode, done.stdout) == (0, "asms_bi|1774\n")


def test_status_tells_people_and_programs(first: tuple[House, Any]) -> None:
    done = first[0].asms("status", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["release"]["release_id"] == 1
    assert "release    1" in first[0].asms("status").stdout


def test_restricted_indicators_have_a_card_and_no_value(first: tuple[House, Any]) -> None:
    house = first[0]
    restricted = "('SAF.001', 'SAF.002', 'SAF.D01')"
    assert house.query(f"select count(*) from marts.dim_indicator where indicator_code in {restricted}") == [(3,)]
    # They were reported, so that their absence below means something.
    assert house.query(
        f"select count(*) > 0 from raw.submission_cell where indicator_code in {restricted} and value_text is not null",
        "gate",
    ) == [(True,)]
    tables = house.query(
        "select table_name from information_schema.columns where table_schema = 'published' "
        "and column_name = 'indicator_code' and table_name not in ('dim_indicator', 'dim_indicator_history')",
        "gate",
    )
    assert len(tables) >= 3
    for (table,) in tables:
        found = house.query(f"select count(*) from published.{table} where indicator_code in {restricted}", "gate")
        assert found == [(0,)], table


def test_every_column_is_explained_in_two_languages(first: tuple[House, Any]) -> None:
    bare = first[0].query(
        "select class.relname, attribute.attname from pg_attribute as attribute "
        "inner join pg_class as class on attribute.attrelid = class.oid "
        "where class.relnamespace = 'marts'::regnamespace and class.relkind = 'v' and attribute.attnum > 0 "
        "and coalesce(col_description(class.oid, attribute.attnum), '') !~ '[а-яіїєґ].* / .*[a-z]'"
    )
    assert bare == []


def test_who_did_not_report_is_listed(first: tuple[House, Any]) -> None:
    rows = first[0].query(
        "select count(distinct municipality_code), count(distinct municipality_code) filter (where answered_count > 0) "
        "from marts.fct_completeness where time_period = '2024'"
    )
    assert rows == [(1774, 26)]


def test_the_second_night_changes_nothing(first: tuple[House, dict[str, tuple[int, str]]]) -> None:
    house, marts = first
    mails = house.mails()
    code, printed = house.nightly()
    assert code == 0, printed
    assert "nothing new: release 1 stands" in printed
    assert house.marts() == marts
    assert house.mails() == mails
    assert house.query("select count(*) from marts.dim_release") == [(1,)]
    assert house.last_run()["counts"]["files"] == 57


def test_a_source_that_fails_leaves_the_rest_and_is_told(
    first: tuple[House, dict[str, tuple[int, str]]],
) -> None:
    house = first[0]
    marts, before = house.marts(), set(house.mails())
    page = Reply(body=b"<!doctype html><html>Service is being repaired</html>", content_type="text/html")
    with serve(fault=lambda _path, _reply: page) as server:
        code, printed = replace(house, variables={"ASMS_POPULATION_URL": server.urls["population"]}).nightly()
    assert code == 3, printed
    assert "ingest_population FAILED, the rest is in release 1" in printed
    assert house.marts() == marts
    assert house.asms("status").returncode == 3
    mail = next(file for file in set(house.mails()) - before if "staff" in file.name)
    assert "population" in mail.read_text(encoding="utf-8")


def test_a_planted_fault_stops_the_load_and_the_mail_says_where(
    first: tuple[House, dict[str, tuple[int, str]]],
) -> None:
    house, marts = first
    cell = _send_again(house, {_POPULATION: 1000})[_POPULATION]
    before = set(house.mails())
    code, printed = house.nightly()
    assert code == 2, printed
    assert "gate staging is CLOSED" in printed
    assert house.marts() == marts
    assert house.asms("status").returncode == 2
    mail = next(file for file in set(house.mails()) - before if "staff" in file.name)
    message = email.message_from_bytes(mail.read_bytes(), policy=email.policy.default)
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        assert part is not None
        text = part.get_content()
        for needed in (_CORRECTED, "POP", cell, "Що робити", "What to do"):
            assert needed in text, (kind, needed)
    assert house.query("select stale_since is not null from marts.dim_release where is_current") == [(True,)]


def test_the_corrected_return_is_published_and_costs_what_changed(
    first: tuple[House, dict[str, tuple[int, str]]], twin: House
) -> None:
    house, _ = first
    value = (
        f"select obs_value from marts.fct_indicator_value where municipality_code = '{_BODY}' "
        f"and indicator_code = '{_LIBRARIES}' and time_period = '2024'"
    )
    before = house.query(value)[0][0]
    _send_again(house, {_LIBRARIES: 2})
    shutil.copy(_drop(house) / _CORRECTED, _drop(twin) / _CORRECTED)
    code, printed = house.nightly()
    assert code == 0, printed
    assert "release 2 is published" in printed
    assert house.query(value)[0][0] == 2 * before
    assert house.asms("status").returncode == 0, "the source that failed in a night before answers again"
    changed = house.query(
        "select indicator_code, count(*) from marts.fct_indicator_value where release_from = 2 and not is_derived "
        "group by 1 order by 1"
    )
    # The population (all, women, men) was sent wrong and is back: the same values, standing since this return.
    assert changed == [(_LIBRARIES, 1), (_POPULATION, 3)]
    assert house.query("select stale_since is null from marts.dim_release where is_current") == [(True,)]


def test_a_night_killed_twice_ends_as_the_undisturbed_one(first: tuple[House, Any], twin: House) -> None:
    """The same correction in the copy of the house, whose night is killed among its loads and among its layers."""
    house = first[0]
    for moment in ("land_drop", "build_indicators"):
        process = twin.start()
        assert process.stdout is not None
        for line in process.stdout:
            if moment in line:
                os.kill(process.pid, signal.SIGKILL)
                break
        process.stdout.read()
        assert process.wait() == -signal.SIGKILL
    code, printed = twin.nightly()
    assert code == 0, printed
    assert twin.marts() == house.marts()
    assert [mail.name for mail in twin.mails()] == [mail.name for mail in house.mails()]


def test_everything_made_again_from_raw_is_the_same(first: tuple[House, Any]) -> None:
    """The corrected night redid one key; a rebuild redoes all of them. It runs last: it must find nothing to publish."""
    house = first[0]
    incremental = house.marts()
    done = house.asms("rebuild", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "release_id": 2, "is_new": False, "closed_gate": None, "held_build": None,
    }  # fmt: skip
    assert house.marts() == incremental
