"""Who gave everything: over time, by the deadline, of all bodies, of members and of users, and as of any moment."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from asms.catalogue import load_catalogue, store_catalogue
from asms.geography import Gazetteer
from asms.settings import load_settings
from asms.sources import SourceError
from asms.sources.katottg import fetch as fetch_katottg
from asms.sources.members import fetch as fetch_members
from asms.warehouse.build import start_build
from asms.warehouse.connection import Warehouse
from asms.warehouse.release import publish
from tests.conftest import DBT_DATABASES, copied
from tests.integration.test_dbt_layers import KYIV, LUTSK, SEVASTOPOL, VINNYTSIA, House

CRIMEA = "UA01000000000013043"
ASKED = [
    (card.indicator_code, sex)
    for card in load_catalogue().indicators
    if card.collection_code == "ASMS" and not card.is_derived
    for sex in card.sexes
]
NIL: dict[tuple[str, str], str | None] = dict.fromkeys(ASKED, "–")
"""A return that says of everything that there is none, which is an answer."""
ONE_BLANK = {**NIL, ASKED[0]: None}
ZERO_IN_IT = {**NIL, ASKED[0]: "0"}
REGISTER = f"""municipality_code;is_member;registered_from;registered_to
{VINNYTSIA};так;01.02.2015;
{LUTSK};так;;
{KYIV};ні;2025-06-01;2026-01-01
UA00000000000000000;так;2020-01-01;
{SEVASTOPOL};мабуть;2020-01-01;
{SEVASTOPOL};так;30.02.2020;
{VINNYTSIA};ні;2025-01-01;
"""
COUNTED = "submitted_count, full_count, full_on_time_count, full_late_count"
OF_USERS = "member_count, member_full_count, user_count, user_active_count, user_full_count, user_full_on_time_count"


def _put(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _arrive(house: House, moment: str) -> None:
    """Say when the deliveries of the current batch came."""
    house.execute(f"update raw.delivery set received_at = '{moment}' where batch_no = {house.batch}")


def _occupy(house: House, municipality: str) -> None:
    """A list of war status says that one hromada was occupied in September 2022, and never that it was freed."""
    _, load = house.deliver("war_status", "war_status", municipality)
    with house.warehouse.connect("loader") as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into raw.war_status_value values (%s, %s, %s, '', %s, %s)",
            [
                (load, row_no, municipality, title, value)
                for row_no, (title, value) in enumerate(
                    (("status_war_sept", "occupied"), ("deoccupation_date", "0")), 1
                )
            ],
        )


def _publish(house: House, *, force: bool = False) -> bool:
    build_id, is_full = house.build(force=force)
    publish(house.warehouse, build_id, house.target / "manifest.json")
    return is_full


def _register(house: House, text: str, name: str = "members.csv") -> int:
    file = house.target / name
    file.write_text(text, encoding="cp1251")
    settings = load_settings({"ASMS_HOME": str(house.target), "ASMS_MEMBERS": str(file)})
    with house.warehouse.connect("loader") as connection:
        resolve = Gazetteer.from_warehouse(connection).resolve
    return fetch_members(house.warehouse, settings, _put, resolve).row_count


def _ask(house: House, query: str) -> list[tuple[Any, ...]]:
    with house.warehouse.connect("bi") as connection:
        connection.execute("set search_path to marts")
        return connection.execute(query.encode()).fetchall()


@pytest.fixture(scope="module")
def house(
    template_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory, parsed: Callable[..., Path]
) -> Iterator[House]:
    """2024, due on 1 June 2025: two arrivals published, then two more and the register in a build of changes."""
    with copied(template_warehouse, DBT_DATABASES[0]) as warehouse:
        house = House(warehouse, parsed(tmp_path_factory.mktemp("completeness")))
        store_catalogue(warehouse)
        fetch_katottg(warehouse, load_settings({"ASMS_HOME": str(house.target)}), _put)
        _occupy(house, LUTSK)
        house.batch = 1
        house.send(VINNYTSIA, "2024", NIL)
        house.send(LUTSK, "2024", ONE_BLANK)
        _arrive(house, "2025-04-01 10:00+00")
        house.batch = 2
        house.send(LUTSK, "2024", ZERO_IN_IT)
        _arrive(house, "2025-06-01 20:59+00")  # a minute before midnight in Kyiv
        assert _publish(house)
        house.batch = 3
        house.send(VINNYTSIA, "2024", ONE_BLANK)
        house.send(KYIV, "2024", NIL)
        _arrive(house, "2025-07-01 10:00+00")
        house.batch = 4
        house.send(VINNYTSIA, "2024", NIL)
        _arrive(house, "2025-07-10 10:00+00")
        yield house


@pytest.fixture(scope="module")
def published(house: House) -> House:
    before = _ask(house, f"select {OF_USERS}, users_reason from mart_completeness_by_year where area_code = 'UA'")
    assert before == [(None,) * 6 + ("no_register",)], "without a register nobody is counted, not even as none"
    assert _register(house, REGISTER) == 3
    assert not _publish(house)
    return house


def test_the_headline_is_one_query(published: House) -> None:
    (row,) = _ask(
        published,
        f"select expected_count, expected_cell_count, body_count, {COUNTED}, {OF_USERS} "
        "from mart_completeness_by_year where collection_code = 'ASMS' and time_period = '2024' and area_code = 'UA'",
    )
    assert row[:3] == (len({code for code, _ in ASKED}), len(ASKED), 1774)
    assert row[3:7] == (3, 3, 2, 1), "Vinnytsia was full when the deadline ended, though broken and mended since"
    assert row[7:] == (2, 2, 2, 2, 2, 1), "Lutsk is a member and no user, Kyiv a user since that very day and no member"


def test_a_domain_is_full_since_the_arrival_that_made_it_so(published: House) -> None:
    rows = _ask(
        published,
        "select municipality_code, max(full_since)::text, bool_and(is_on_time), bool_and(is_full), sum(expected_cell_count) "
        f"from fct_completeness where time_period = '2024' and municipality_code in ('{VINNYTSIA}', '{LUTSK}', '{KYIV}', "
        f"'{SEVASTOPOL}') group by 1 order by 1",
    )
    assert rows == [
        (VINNYTSIA, "2025-07-10 10:00:00+00", True, True, len(ASKED)),
        (LUTSK, "2025-06-01 20:59:00+00", True, True, len(ASKED)),
        (KYIV, "2025-07-01 10:00:00+00", False, True, len(ASKED)),
        (SEVASTOPOL, None, None, False, len(ASKED)),
    ]


@pytest.mark.parametrize(
    ("moment", "counts"),
    [
        ("2025-03-31 00:00+00", (0, 0, 0, 0)),
        ("2025-04-01 10:00+00", (2, 1, 1, 0)),
        ("2025-06-01 20:58+00", (2, 1, 1, 0)),
        ("2025-06-01 20:59+00", (2, 2, 2, 0)),
        ("2025-07-05 00:00+00", (3, 2, 1, 1)),
        ("2025-07-10 10:00+00", (3, 3, 2, 1)),
    ],
)
def test_what_was_known_at_a_moment(published: House, moment: str, counts: tuple[int, ...]) -> None:
    found = _ask(published, f"select {COUNTED} from completeness_as_of('{moment}') where area_code = 'UA'")
    assert found == [counts]


def test_users_of_a_moment_are_those_of_its_day(published: House) -> None:
    users = "select member_count, user_count from completeness_as_of('{}') where area_code = 'UA'"
    assert _ask(published, users.format("2010-01-01 00:00+00")) == [(1, 0)], "who has no dates is a member at any time"
    assert _ask(published, users.format("2025-05-31 12:00+00")) == [(2, 1)]
    assert _ask(published, users.format("2025-05-31 21:00+00")) == [(2, 2)], "the 1st of June begins in Kyiv"
    assert _ask(published, users.format("2030-01-01 00:00+00")) == [(2, 2)], "counted on the due date, not later"


def test_as_of_the_end_of_time_is_the_mart(published: House) -> None:
    of_function = (
        "select unnest(proargnames[2:]) from pg_proc where oid = 'completeness_as_of(timestamptz)'::regprocedure"
    )
    columns = ", ".join(str(row[0]) for row in _ask(published, of_function))
    assert "user_full_late_count" in columns and "able_full_on_time_count" in columns
    mart = _ask(published, f"select {columns} from mart_completeness_by_year order by 1, 2, 3")
    assert len(mart) == 28
    assert _ask(published, f"select {columns} from completeness_as_of('infinity') order by 1, 2, 3") == mart


def test_crimea_and_sevastopol_are_listed_with_what_is_there(published: House) -> None:
    rows = _ask(
        published,
        "select area_code, body_count, submitted_count, full_count, user_count from mart_completeness_by_year "
        f"where area_code in ('{CRIMEA}', '{SEVASTOPOL}') order by 1",
    )
    assert rows == [(CRIMEA, 303, 0, 0, 0), (SEVASTOPOL, 1, 0, 0, 0)]


def test_those_who_could_report_are_counted_apart(published: House) -> None:
    occupied = (
        "select municipality_code from fct_completeness where time_period = '2024' and not can_report "
        "group by 1 having count(*) = (select count(distinct domain_code) from fct_completeness where time_period = '2024')"
    )
    found = {row[0] for row in _ask(published, occupied)}
    assert len(found) == 305 and {LUTSK, SEVASTOPOL} < found, "of every domain: Crimea, Sevastopol and Lutsk"
    able = "able_count, able_submitted_count, able_full_count, able_full_on_time_count"
    rows = _ask(
        published,
        f"select area_code, body_count, full_count, {able} from mart_completeness_by_year "
        f"where time_period = '2024' and area_code in ('UA', '{CRIMEA}', '{SEVASTOPOL}') order by 1",
    )
    assert rows == [
        ("UA", 1774, 3, 1774 - 305, 2, 2, 1), (CRIMEA, 303, 0, 0, 0, 0, 0), (SEVASTOPOL, 1, 0, 0, 0, 0, 0),
    ], "Lutsk gave everything all the same, and stays in the headline"  # fmt: skip
    as_of = f"select {able} from completeness_as_of('{{}}') where area_code = 'UA'"
    assert _ask(published, as_of.format("2025-06-01 20:59+00")) == [(1774 - 305, 1, 1, 1)]
    assert _ask(published, as_of.format("2022-08-31 00:00+00")) == [(1774 - 304, 0, 0, 0)], "Lutsk was not yet occupied"


def test_changed_keys_give_what_a_full_build_gives(published: House) -> None:
    by_keys = published.hashes()
    published.rebuild_models("--full-refresh")
    in_full = published.hashes()
    assert {name for name in in_full if in_full[name] != by_keys[name]} == set()
    assert {"indicators.int_completeness__history", "build.mart_completeness_by_year"} <= set(in_full)


def test_a_moved_deadline_is_a_full_build(published: House) -> None:
    assert not start_build(published.warehouse).is_needed
    catalogue = load_catalogue()
    moved = [entry.model_copy(update={"due_date": entry.due_date.replace(day=2)}) for entry in catalogue.deadlines]
    later = replace(catalogue, deadlines=tuple(moved))
    assert later.catalogue_version == catalogue.catalogue_version, "templates stay those of this catalogue"
    store_catalogue(published.warehouse, later)
    build = start_build(published.warehouse)
    assert (build.is_full, build.reason) == (True, "deadlines changed")
    store_catalogue(published.warehouse, catalogue)


def test_wrong_lines_are_told_with_line_and_remedy_and_the_others_count(published: House) -> None:
    found = published.query(
        "select cell, value_found, message_uk, remedy_uk != '' and remedy_en != '' from quality.finding "
        "where rule_id = 'MEMBER_LINE_INVALID' and is_open order by cell collate \"C\""
    )
    assert [row[:2] for row in found] == [
        ("A5", "UA00000000000000000"), ("B6", "мабуть"), ("C7", "30.02.2020"), ("C8", "2025-01-01"),
    ]  # fmt: skip
    assert all(row[3] for row in found)
    assert found[3][2] == "Рядок 8, registered_from: строк перетинається з рядком 2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("municipality_code,is_member,registered_from,registered_to,head_name\n", "nothing about persons"),
        ("", "is empty"),
        ("\x00\x01\x02", "nothing about persons"),
    ],
)
def test_a_file_that_is_no_register_leaves_the_last_one(published: House, text: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        _register(published, text, "other.csv")
    assert published.query("select is_ok from ops.source_status where source = 'members'") == [(False,)]
    assert published.query("select count(*) from staging.stg_members__term") == [(3,)]


def test_bi_reads_the_function_and_nothing_below_it(published: House) -> None:
    with published.warehouse.connect("bi") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select * from indicators.int_completeness__history")
    (row,) = _ask(
        published,
        "select prosecdef, proconfig::text from pg_proc where oid = 'completeness_as_of(timestamptz)'::regprocedure",
    )
    assert row[0] is True and "search_path=pg_catalog" in row[1]


def test_the_shipped_register_can_be_read(published: House) -> None:
    from asms.sample import MEMBERS_FILE
    from asms.sources.members import read_register

    with published.warehouse.connect("loader") as connection:
        resolve = Gazetteer.from_warehouse(connection).resolve
    reading = read_register(MEMBERS_FILE.read_bytes(), resolve)
    assert list(reading.findings) == []
    assert len({row[2] for row in reading.rows}) >= 28
