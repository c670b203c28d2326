"""Backup and restore: the database in pg_dump's directory format and the landing store, in one folder.

Stands above the domain's packages: the database and the files belong to different ones, and only together are they a backup.
Passwords are not in it: keep ``ASMS_CREDENTIALS`` elsewhere, or let new ones be made.
"""

import hashlib
import json
import shutil
import subprocess
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psycopg
from psycopg import sql

from asms.settings import Settings
from asms.warehouse import embedded
from asms.warehouse.connection import Warehouse
from asms.warehouse.migrate import alone_on_server, ensure_roles, prepare

_JOBS = "2"


class BackupError(RuntimeError):
    """A backup cannot be made or restored; the message says why and what to do."""


@dataclass(frozen=True)
class Backup:
    """What a backup holds, as its ``backup.json`` says."""

    database: str
    release_id: int | None
    table_count: int
    file_count: int
    """Files of the landing store."""
    fingerprint: str
    """sha256 over rows of every table, as ``fingerprint_tables`` computes it."""


def back_up(warehouse: Warehouse, settings: Settings, folder: Path) -> Backup:
    """Write a backup into ``folder``, which must not exist; it appears when it is whole.

    Files of the landing store are copied first, so that every delivery the database tells of has its bytes: hold the load lock.

    Raises:
        BackupError: the folder exists, or pg_dump failed.
    """
    if folder.exists():
        raise BackupError(f"{folder} exists: name a new folder for each backup")
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)
    _copy_store(settings.landing, str(part / "landing"))
    told = _describe(warehouse, part)
    _run(warehouse, "pg_dump", "--format=directory", f"--jobs={_JOBS}", f"--file={part / 'database'}")
    (part / "backup.json").write_text(json.dumps(asdict(told), indent=1), encoding="utf-8")
    part.replace(folder)
    return told


def restore(warehouse: Warehouse, settings: Settings, folder: Path) -> Backup:
    """Make ``warehouse``'s database and the landing store from a backup, and hold them against what it said of itself.

    Raises:
        BackupError: no whole backup, a database that exists, damaged files, pg_restore failed, or other rows came out.
    """
    file = folder / "backup.json"
    if not file.is_file():
        raise BackupError(f"{folder} is no whole backup: it has no backup.json")
    told = Backup(**json.loads(file.read_text(encoding="utf-8")))
    damaged = sorted(path.name for path in _stored(folder / "landing") if _sha256(path) != path.name.partition(".")[0])
    if damaged:
        raise BackupError(f"{len(damaged)} files of {folder / 'landing'} are damaged, the first is {damaged[0]}")
    _create(warehouse)
    _run(warehouse, "pg_restore", "--exit-on-error", f"--jobs={_JOBS}", str(folder / "database"))
    _copy_store(str(folder / "landing"), settings.landing)
    with warehouse.connect("admin", autocommit=True) as connection:
        connection.execute("analyze")
    found = fingerprint_tables(warehouse)
    if found != told.fingerprint:
        raise BackupError(f"database {warehouse.database} was restored, but its rows differ from the backup's: drop it")
    prepare(warehouse)
    return told


def fingerprint_tables(warehouse: Warehouse) -> str:
    """sha256 over every table's name, number of rows and order-free sum of row hashes. Reads every row once."""
    digest = hashlib.sha256()
    with warehouse.connect("admin") as connection:
        for schema, name in _tables(connection):
            row = connection.execute(
                sql.SQL("select count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) from {} as t").format(
                    sql.Identifier(schema, name)
                )
            ).fetchone()
            digest.update(f"{schema}.{name} {row}\n".encode())
    return digest.hexdigest()


def _tables(connection: psycopg.Connection) -> list[tuple[str, str]]:
    return connection.execute(
        "select schemaname, tablename from pg_catalog.pg_tables "
        "where schemaname not in ('pg_catalog', 'information_schema') order by 1, 2"
    ).fetchall()


def _describe(warehouse: Warehouse, part: Path) -> Backup:
    with warehouse.connect("admin") as connection:
        current = connection.execute("select release_id from ops.current_release").fetchone()
        count = len(_tables(connection))
    files = sum(1 for _ in _stored(part / "landing"))
    return Backup(warehouse.database, current[0] if current else None, count, files, fingerprint_tables(warehouse))


def _create(warehouse: Warehouse) -> None:
    """The roles and an empty database; refuses one that is there."""
    server = replace(warehouse, database="postgres")
    with server.connect("admin", autocommit=True) as connection:
        if connection.execute("select 1 from pg_database where datname = %s", (warehouse.database,)).fetchone():
            raise BackupError(
                f"database {warehouse.database} exists: restore into another (--database NAME), or drop it first"
            )
        connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(warehouse.database)))
    with alone_on_server(warehouse), warehouse.connect("admin") as connection:
        ensure_roles(connection, warehouse)  # what is restored belongs and is granted to them


def _copy_store(source: str, target: str) -> None:
    """Copy a landing store; either is a folder or an fsspec URL. Files are named by their hash, so equal names are equal files."""
    import fsspec

    (from_files, from_root), (to_files, to_root) = fsspec.core.url_to_fs(source), fsspec.core.url_to_fs(target)
    to_files.makedirs(to_root, exist_ok=True)
    for path in from_files.find(from_root):
        place = f"{to_root.rstrip('/')}/{path.removeprefix(from_root).lstrip('/')}"
        if to_files.exists(place):
            continue
        to_files.makedirs(place.rpartition("/")[0], exist_ok=True)
        with from_files.open(path, "rb") as read, to_files.open(f"{place}.part", "wb") as write:
            shutil.copyfileobj(read, write)
        to_files.mv(f"{place}.part", place)


def _stored(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run(warehouse: Warehouse, program: str, *arguments: str) -> None:
    params = warehouse.params("admin")
    done = subprocess.run(  # noqa: S603 - no shell, our own arguments
        [str(embedded.bin_dir() / program), f"--dbname={params['dbname']}", *arguments],
        env={
            "PGHOST": params["host"],
            "PGPORT": params["port"],
            "PGUSER": params["user"],
            "PGPASSWORD": params["password"],
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackupError(f"{program} failed: {done.stderr.strip()}")
