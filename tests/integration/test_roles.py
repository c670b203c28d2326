"""Each role enters with its own password and does no more than it needs."""

import contextlib
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from asms.warehouse.connection import LOGIN_ROLES, Warehouse
from tests.conftest import copied

_TABLES = """
select schemaname, tablename from pg_catalog.pg_tables where schemaname not in ('pg_catalog', 'information_schema')
union all
select schemaname, viewname from pg_catalog.pg_views where schemaname not in ('pg_catalog', 'information_schema', 'marts')
"""


def _relations(warehouse: Warehouse) -> list[tuple[str, str]]:
    with warehouse.connect("transformer") as connection:
        connection.execute("create table if not exists staging.some_model as select 1 as value")
        connection.execute("create table if not exists build.some_mart as select 1 as value")
    with warehouse.connect("publisher") as connection:
        connection.execute("set role asms_published_owner")
        connection.execute("create table if not exists published.some_mart as select 1 as value")
    with warehouse.connect("admin") as connection:
        return connection.execute(_TABLES).fetchall()


def _read_by_bi(warehouse: Warehouse) -> set[str]:
    """Relations outside ``marts`` that bi can read: each is tried."""
    allowed = set()
    relations = _relations(warehouse)
    assert {schema for schema, _ in relations} >= {
        "raw", "staging", "build", "published", "ops", "quality", "catalogue", "public",
    }  # fmt: skip
    with warehouse.connect("bi", autocommit=True) as connection:
        for schema, table in relations:
            with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.SQL("select * from {} limit 1").format(sql.Identifier(schema, table)))
                allowed.add(f"{schema}.{table}")
        connection.execute("select * from marts.dim_release")
    return allowed


def _made_by_bi(warehouse: Warehouse) -> set[str]:
    """Statements by which bi can make something."""
    allowed = set()
    for statement in (
        "create table marts.mine (id int)",
        "create table public.mine (id int)",
        "create schema mine",
        "create temporary table mine (id int)",
    ):
        with warehouse.connect("bi") as connection, contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())
            allowed.add(statement)
    return allowed


def _readers_of_addresses(warehouse: Warehouse) -> set[str]:
    allowed = set()
    for role in LOGIN_ROLES:
        with warehouse.connect(role) as connection, contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute("select recipient from quality.alert")
            allowed.add(role)
    return allowed


def _becomes(warehouse: Warehouse) -> set[tuple[str, str]]:
    """(role, the other login role that it can become)."""
    allowed = set()
    for role in LOGIN_ROLES:
        with warehouse.connect(role, autocommit=True) as connection:
            for other in {*LOGIN_ROLES} - {role}:
                with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"set role asms_{other}".encode())
                    connection.execute("reset role")
                    allowed.add((role, other))
    return allowed


def test_bi_is_refused_everywhere_but_in_marts_and_makes_nothing(warehouse: Warehouse) -> None:
    assert _read_by_bi(warehouse) == set()
    assert _made_by_bi(warehouse) == set()


def test_addresses_are_for_the_one_that_sends_and_nobody_becomes_another(warehouse: Warehouse) -> None:
    assert _readers_of_addresses(warehouse) == {"gate"}
    assert _becomes(warehouse) == set()


def test_these_checks_go_red_with_a_grant_more(warehouse: Warehouse) -> None:
    with warehouse.connect("admin") as connection:
        connection.execute(
            "grant usage on schema raw to asms_bi; grant select on raw.delivery to asms_bi;"
            "grant create on schema marts to asms_bi; grant select (recipient) on quality.alert to asms_loader;"
            "grant asms_transformer to asms_gate"
        )
    try:
        assert _read_by_bi(warehouse) == {"raw.delivery"}
        assert _made_by_bi(warehouse) == {"create table marts.mine (id int)"}
        assert _readers_of_addresses(warehouse) == {"gate", "loader"}
        assert _becomes(warehouse) == {("gate", "transformer")}
    finally:  # this one is the server's, which other tests share
        with warehouse.connect("admin") as connection:
            connection.execute("revoke asms_transformer from asms_gate")


@pytest.mark.parametrize("role", [role for role in LOGIN_ROLES if role != "loader"])
def test_only_the_loader_writes_raw(warehouse: Warehouse, role: str) -> None:
    with warehouse.connect(role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("insert into raw.katottg_unit (load_id, row_no) values ('x', 1)")


def test_raw_is_append_only_even_for_the_loader(warehouse: Warehouse) -> None:
    for statement in ("update raw.delivery set path = ''", "delete from raw.delivery", "truncate raw.delivery"):
        with warehouse.connect("loader") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


def test_the_gate_reads_everything_and_changes_no_data(warehouse: Warehouse) -> None:
    relations = _relations(warehouse)
    with warehouse.connect("gate") as connection:
        for schema, table in relations:
            if schema != "public":
                connection.execute(sql.SQL("select * from {} limit 1").format(sql.Identifier(schema, table)))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("insert into build.some_mart values (2)")


_VERBS = {
    "insert": "insert into {} default values",
    "update": "update {} set {} = null where false",
    "delete": "delete from {} where false",
    "truncate": "truncate {}",
}
_COLUMNS = """
select distinct on (relation.oid) relation.relnamespace::regnamespace::text, relation.relname, attribute.attname
from pg_catalog.pg_class as relation
inner join pg_catalog.pg_attribute as attribute on relation.oid = attribute.attrelid
where
    relation.relkind in ('r', 'p')
    and attribute.attnum > 0 and attribute.attidentity = '' and attribute.attgenerated = ''
    and relation.relnamespace::regnamespace::text in (
        'raw', 'ops', 'catalogue', 'quality', 'staging', 'indicators', 'build', 'published', 'marts', 'public'
    )
"""
Write = tuple[str, str, str]


def _writes(warehouse: Warehouse, role: str) -> set[Write]:
    """(schema, table, verb) of everything that ``role`` is let write: each is tried, and taken back."""
    with warehouse.connect("admin") as connection:
        tables = connection.execute(_COLUMNS.encode()).fetchall()
    assert len(tables) > 40
    allowed = set()
    with warehouse.connect(role) as connection:  # type: ignore[arg-type]
        for schema, table, column in tables:
            for verb, text in _VERBS.items():
                statement = sql.SQL(text).format(sql.Identifier(schema, table), sql.Identifier(column))  # type: ignore[arg-type]
                try:
                    with connection.transaction(force_rollback=True):
                        connection.execute(statement)
                    allowed.add((schema, table, verb))
                except psycopg.errors.InsufficientPrivilege:
                    continue
                except psycopg.Error:  # the right is there; the row is not to the table's liking
                    allowed.add((schema, table, verb))
    return allowed


_MAY = {
    "bi": set[str](),
    "gate": {"quality.", "ops.build", "ops.dbt_node_run"},
    "loader": {"raw.", "ops.load", "ops.source_", "catalogue.", "quality.rule", "quality.finding", "quality.explanation"},
    "transformer": {"staging.", "indicators.", "build."},
    "publisher": {"published.", "ops."},
}  # fmt: skip


def _beyond(role: str, writes: set[Write]) -> set[Write]:
    return {write for write in writes if not any(f"{write[0]}.{write[1]}".startswith(may) for may in _MAY[role])}


@pytest.fixture(scope="module")
def furnished(template_warehouse: Warehouse) -> Iterator[Warehouse]:
    with copied(template_warehouse) as warehouse:
        _relations(warehouse)
        yield warehouse


@pytest.mark.parametrize("role", LOGIN_ROLES)
def test_no_role_writes_beyond_its_rooms(furnished: Warehouse, role: str) -> None:
    writes = _writes(furnished, role)
    assert _beyond(role, writes) == set()
    assert {verb for schema, _, verb in writes if schema == "raw"} == ({"insert"} if role == "loader" else set())
    assert bool(writes) == (role != "bi")


@pytest.mark.parametrize(
    ("role", "grant"),
    [
        ("bi", "insert on quality.alert"),
        ("gate", "update on raw.delivery"),
        ("loader", "delete on published.some_mart"),
        ("transformer", "truncate on raw.submission_cell"),
        ("publisher", "update on quality.finding"),
    ],
)
def test_one_grant_more_is_seen(warehouse: Warehouse, role: str, grant: str) -> None:
    """For each role the test above goes red with one grant too many."""
    _relations(warehouse)
    verb, _, table = grant.split()
    schema, _, name = table.partition(".")
    with warehouse.connect("admin") as connection:
        connection.execute(f"grant usage on schema {schema} to asms_{role}; grant {grant} to asms_{role}".encode())
    assert (schema, name, verb) in _beyond(role, _writes(warehouse, role))


def test_bi_is_bounded(warehouse: Warehouse) -> None:
    bounds = {"statement_timeout": "5min", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "10min"}
    with warehouse.connect("bi") as connection:
        for name, value in bounds.items():
            assert connection.execute("select current_setting(%s)", (name,)).fetchone() == (value,)
        limit = connection.execute("select rolconnlimit from pg_roles where rolname = 'asms_bi'").fetchone()
    assert limit == (80,)


def test_functions_that_lend_rights_are_safe_to_call(warehouse: Warehouse) -> None:
    with warehouse.connect("admin") as connection:
        lent = connection.execute(
            "select oid::regprocedure::text, proconfig, has_function_privilege('public', oid, 'execute') from pg_proc "
            "where prosecdef and pronamespace::regnamespace::text in ('marts', 'ops', 'public')"
        ).fetchall()
    assert len(lent) >= 5
    for name, config, is_public in lent:
        assert any(entry.startswith("search_path=pg_catalog") for entry in config or []), name
        assert not is_public, name


def test_nobody_enters_as_an_owner_or_with_powers(warehouse: Warehouse) -> None:
    flags = "select rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls from pg_roles"
    for role in LOGIN_ROLES:
        with warehouse.connect(role) as connection:
            assert connection.execute(f"{flags} where rolname = current_user".encode()).fetchone() == (False,)
    with warehouse.connect("admin") as connection:
        owners = connection.execute(
            "select rolcanlogin from pg_roles where rolname in ('asms_published_owner', 'asms_marts_owner')"
        )
        assert owners.fetchall() == [(False,), (False,)]
