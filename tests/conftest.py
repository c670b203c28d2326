"""Fixtures for every kind of test: one embedded server a session, one fresh database a test."""

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from psycopg import sql

from asms.settings import Settings, load_settings
from asms.warehouse import dbt, embedded
from asms.warehouse.connection import Warehouse, open_warehouse
from asms.warehouse.migrate import grant_database, prepare

DBT_DATABASES = ("asms_sample", "asms")
"""Names for the databases that tests run dbt on: what it parses is good for one name, so they share two."""


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``parsed(target, database)`` puts what dbt parsed for that name into ``target``; it parses once for all workers."""
    root = tmp_path_factory.getbasetemp()
    shared = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def put(target: Path, database: str = DBT_DATABASES[0]) -> Path:
        folder = shared / f"parsed-{database}"
        folder.mkdir(exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "partial_parse.msgpack").exists():
                dbt.parse(folder, database)
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "partial_parse.msgpack", target)
        return target

    return put


@pytest.fixture(scope="session")
def pg_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Home of the session's embedded server."""
    home = tmp_path_factory.mktemp("asms-home")
    yield home
    embedded.stop(home)


@pytest.fixture(scope="session")
def template_warehouse(pg_home: Path) -> Warehouse:
    """A prepared database that tests copy and never touch."""
    warehouse = open_warehouse(load_settings({"ASMS_HOME": str(pg_home)}), database="template_asms")
    prepare(warehouse)
    return warehouse


@contextmanager
def copied(template: Warehouse, name: str | None = None, *, is_sample: bool = True) -> Iterator[Warehouse]:
    """A copy of ``template``'s database, dropped at the end.

    Tests that run dbt give one of ``DBT_DATABASES`` as ``name``.
    """
    copy = replace(template, database=name or f"test_{uuid.uuid4().hex[:12]}", is_sample=is_sample)
    drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(copy.database))
    server = replace(template, database="postgres")
    with server.connect("admin", autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(copy.database), sql.Identifier(template.database)
            )
        )
        grant_database(connection, copy.database)
    try:
        yield copy
    finally:
        with server.connect("admin", autocommit=True) as connection:
            connection.execute(drop)


@pytest.fixture
def warehouse(template_warehouse: Warehouse) -> Iterator[Warehouse]:
    """A fresh, prepared, empty warehouse."""
    with copied(template_warehouse) as copy:
        yield copy


@pytest.fixture
def source_rules(warehouse: Warehouse) -> None:
    """The rules on open data in ``warehouse``: what readers may find. Storing the whole catalogue takes two seconds."""
    text = files("asms.catalogue").joinpath("data/rules/sources.yaml").read_text(encoding="utf-8")
    columns = ("rule_id", "engine", "level", "severity", "title_uk", "title_en", "remedy_uk", "remedy_en", "owner")
    with warehouse.connect("loader") as connection:
        connection.cursor().executemany(
            f"insert into quality.rule ({', '.join(columns)}) values ({', '.join(['%s'] * len(columns))})",  # type: ignore[arg-type]
            [tuple(rule[column] for column in columns) for rule in yaml.safe_load(text)],
        )


@pytest.fixture
def settings(tmp_path: Path, pg_home: Path) -> Settings:
    """Settings of a sample run whose files lie in the test's own folder."""
    return load_settings(
        {
            "ASMS_HOME": str(tmp_path / "home"),
            "ASMS_CREDENTIALS": str(pg_home / "credentials.json"),
            "ASMS_LANDING": str(tmp_path / "landing"),
        }
    )


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real public data; the test is skipped where it is not set."""
    folder = os.environ.get("ASMS_REAL_DATA")
    if not folder:
        pytest.skip("ASMS_REAL_DATA is not set: the tests on real public data are left out")
    return Path(folder)
