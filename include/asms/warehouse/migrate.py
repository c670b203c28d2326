"""Numbered SQL migrations: they make schemas, tables, privileges; each is applied once, in its own transaction."""

import contextlib
import hashlib
import importlib.resources
from collections.abc import Iterator
from dataclasses import replace

import psycopg
from psycopg import sql

from asms.warehouse.connection import LOGIN_ROLES, Warehouse
from asms.warehouse.release import shape_own_views

_OWNERS = ("asms_published_owner", "asms_marts_owner")
_MIGRATE_LOCK = 0x41534D4D
_OLDEST_SERVER = 160000


class MigrationError(RuntimeError):
    """The schema cannot be brought up to date; the message says why and what to do."""


def prepare(warehouse: Warehouse) -> list[str]:
    """Make the database, its roles and its schema as this version wants them; return the migrations applied now.

    Idempotent, and safe against a kill at any point. Raises MigrationError for a server that is too old, a user that may
    not create roles, or a migration file that was edited after it had been applied.
    """
    _create_database(warehouse)
    with alone_on_server(warehouse):
        with warehouse.connect("admin") as connection:
            _check_server(connection)
            ensure_roles(connection, warehouse)
        return _apply_migrations(warehouse)


@contextlib.contextmanager
def alone_on_server(warehouse: Warehouse) -> Iterator[None]:
    """Wait for other runs that make roles, which belong to the server: the lock lies in database ``postgres``.

    Where that is closed to us, runs of the same database wait for each other.
    """
    try:
        connection = replace(warehouse, database="postgres").connect("admin", autocommit=True)
    except psycopg.OperationalError:
        connection = warehouse.connect("admin", autocommit=True)
    with connection:
        connection.execute("select pg_advisory_lock(%s)", (_MIGRATE_LOCK,))
        yield


def create_airflow_database(warehouse: Warehouse, name: str) -> str:
    """Make database ``name`` and its role ``airflow`` on the same server; return its SQLAlchemy URL."""
    with alone_on_server(warehouse), warehouse.connect("admin", autocommit=True) as connection:
        _ensure_login(connection, "airflow", warehouse.passwords["airflow"])
        if not connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
            connection.execute(sql.SQL("create database {} owner airflow").format(sql.Identifier(name)))
    return airflow_url(warehouse, name)


def airflow_url(warehouse: Warehouse, name: str) -> str:
    """SQLAlchemy URL of Airflow's database ``name``, with the password in it: never log it."""
    return f"postgresql+psycopg://airflow:{warehouse.passwords['airflow']}@{warehouse.host}:{warehouse.port}/{name}"


def _create_database(warehouse: Warehouse) -> None:
    try:
        warehouse.connect("admin").close()
    except psycopg.OperationalError as error:
        if "does not exist" not in str(error):
            raise
        with (
            replace(warehouse, database="postgres").connect("admin", autocommit=True) as connection,
            # another run may make it at the same time
            contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation),
        ):
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(warehouse.database)))


def _check_server(connection: psycopg.Connection) -> None:
    if connection.info.server_version < _OLDEST_SERVER:
        raise MigrationError(f"PostgreSQL 16 or newer is needed; this server is {connection.info.server_version}")
    row = connection.execute("select rolsuper or rolcreaterole from pg_roles where rolname = current_user").fetchone()
    if not row or not row[0]:
        raise MigrationError(
            f"user {connection.info.user} may not create roles; ask the server's administrator for: "
            f'ALTER ROLE "{connection.info.user}" CREATEROLE'
        )


def ensure_roles(connection: psycopg.Connection, warehouse: Warehouse) -> None:
    """Make the server's roles as far as they are not there, and let them into the warehouse's database."""
    connection.execute("set local createrole_self_grant = 'set, inherit'")
    for role in LOGIN_ROLES:
        _ensure_login(connection, warehouse.user(role), warehouse.passwords[role])
    for owner in _OWNERS:
        if not _role_exists(connection, owner):
            connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(owner)))
    connection.execute("grant asms_published_owner, asms_marts_owner to asms_publisher")
    grant_database(connection, warehouse.database)


def grant_database(connection: psycopg.Connection, name: str) -> None:
    """Let the roles into database ``name``, and nobody else. A copy of a database has no grants of its own."""
    database = sql.Identifier(name)
    connection.execute(sql.SQL("revoke all on database {} from public").format(database))
    connection.execute(
        sql.SQL(
            "grant connect, temporary on database {} to asms_loader, asms_transformer, asms_gate, asms_publisher"
        ).format(database)
    )
    connection.execute(sql.SQL("grant connect on database {} to asms_bi").format(database))
    # dbt asks for `create schema if not exists`, which needs the right even where every schema is there already
    connection.execute(sql.SQL("grant create on database {} to asms_transformer").format(database))


def _ensure_login(connection: psycopg.Connection, name: str, password: str) -> None:
    """Create the role, or set its password to the one in the credentials file."""
    verb = "alter" if _role_exists(connection, name) else "create"
    connection.execute(
        sql.SQL("{} role {} login password {}").format(sql.SQL(verb), sql.Identifier(name), sql.Literal(password))
    )


def _role_exists(connection: psycopg.Connection, name: str) -> bool:
    return connection.execute("select 1 from pg_roles where rolname = %s", (name,)).fetchone() is not None


def _apply_migrations(warehouse: Warehouse) -> list[str]:
    applied: list[str] = []
    files = sorted(
        (item for item in importlib.resources.files("asms.warehouse").joinpath("migrations").iterdir()),
        key=lambda item: item.name,
    )
    with warehouse.connect("admin", autocommit=True) as connection:
        connection.execute(
            "create table if not exists public.migration "
            "(name text primary key, sha256 text not null, applied_at timestamptz not null default now())"
        )
        done: dict[str, str] = dict(connection.execute("select name, sha256 from public.migration").fetchall())
        for file in files:
            if not file.name.endswith(".sql"):
                continue
            text = file.read_text(encoding="utf-8")
            digest = hashlib.sha256(text.encode()).hexdigest()
            if done.get(file.name) == digest:
                continue
            if file.name in done:
                raise MigrationError(
                    f"migration {file.name} was edited after it had been applied to {warehouse.database}; "
                    "put it back as it was and write the change as a new migration"
                )
            with connection.transaction():
                connection.execute(text)
                connection.execute("insert into public.migration (name, sha256) values (%s, %s)", (file.name, digest))
            applied.append(file.name)
        if applied:  # what a migration dropped is not gone till the next release
            shape_own_views(connection, is_widened=False)
    return applied
