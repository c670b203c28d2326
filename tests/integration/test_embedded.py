"""The embedded server: made, started twice, killed, stopped; reachable on loopback with a password only."""

import json
import os
import signal
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from asms.settings import load_settings
from asms.warehouse import embedded
from asms.warehouse.connection import LockedError, Warehouse, load_lock, open_warehouse
from asms.warehouse.migrate import MigrationError, prepare
from tests.conftest import copied


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    yield folder
    embedded.stop(folder)


def _postmaster(home: Path) -> int:
    return int((home / "pg" / "data" / "postmaster.pid").read_text().splitlines()[0])


def test_start_is_a_no_op_when_running(home: Path) -> None:
    first = embedded.start(home)
    assert embedded.start(home) == first
    assert embedded.stop(home) is True
    assert embedded.stop(home) is False


def test_a_run_leaves_the_server_to_another_that_uses_it(home: Path) -> None:
    server = embedded.start(home)
    with psycopg.connect(
        host=server.host, port=server.port, user="postgres", password=server.password, dbname="postgres"
    ) as connection:
        assert embedded.stop_if_unused(home) is False
        assert connection.execute("select 1").fetchone() == (1,)
    assert embedded.stop_if_unused(home) is True
    assert embedded.stop_if_unused(home) is False


def test_a_killed_server_starts_again_and_keeps_what_was_committed(home: Path) -> None:
    server = embedded.start(home)
    where = {"host": server.host, "port": server.port, "user": "postgres", "dbname": "postgres"}
    with psycopg.connect(**where, password=server.password) as connection:
        connection.execute("create table kept as select 42 as answer")
    os.kill(_postmaster(home), signal.SIGKILL)
    again = embedded.start(home)
    with psycopg.connect(**{**where, "port": again.port}, password=again.password) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)


def test_a_kill_in_the_middle_of_initdb_is_mended(home: Path) -> None:
    (home / "pg" / "data").mkdir(parents=True)
    (home / "pg" / "data" / "PG_VERSION").write_text("18\n")
    assert embedded.is_running(home) is False
    embedded.start(home)
    assert embedded.is_running(home) is True


def test_nobody_enters_without_the_password(home: Path) -> None:
    server = embedded.start(home)
    for password in ("", "wrong"):
        with pytest.raises(psycopg.OperationalError, match=r"password"):
            psycopg.connect(host=server.host, port=server.port, user="postgres", password=password, dbname="postgres")


def test_it_listens_on_loopback_only_and_its_secrets_are_private(home: Path) -> None:
    server = embedded.start(home)
    with psycopg.connect(
        host=server.host, port=server.port, user="postgres", password=server.password, dbname="postgres"
    ) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("show unix_socket_directories").fetchone() == ("",)
    secret = home / "pg" / "server.json"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "pg").stat().st_mode) == 0o700
    assert json.loads(secret.read_text())["password"] == server.password


def test_prepare_twice_applies_nothing_the_second_time(home: Path) -> None:
    warehouse = open_warehouse(load_settings({"ASMS_HOME": str(home)}))
    assert prepare(warehouse)
    assert prepare(warehouse) == []


def test_two_runs_prepare_one_database_at_once(pg_home: Path) -> None:
    warehouse = open_warehouse(load_settings({"ASMS_HOME": str(pg_home)}), database="asms_at_once")
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(prepare, [warehouse] * 4))
    assert sum(bool(files) for files in applied) >= 1
    assert len({file for files in applied for file in files}) == sum(map(len, applied)), (
        "each migration is applied once"
    )
    assert prepare(warehouse) == []


def test_two_databases_of_one_server_are_prepared_at_once(template_warehouse: Warehouse) -> None:
    """Roles belong to the server: whoever sets a password while another does is refused by PostgreSQL."""
    with copied(template_warehouse) as one, copied(template_warehouse) as other, ThreadPoolExecutor(2) as pool:
        assert list(pool.map(prepare, [one, other] * 4)) == [[]] * 8


def test_an_edited_migration_is_refused_by_name(warehouse: Warehouse) -> None:
    with warehouse.connect("admin") as connection:
        connection.execute("update public.migration set sha256 = 'other' where name = '0002_ops.sql'")
    with pytest.raises(MigrationError, match=r"0002_ops\.sql was edited"):
        prepare(warehouse)


def test_a_dsn_replaces_the_embedded_server(warehouse: Warehouse, pg_home: Path, tmp_path: Path) -> None:
    params = warehouse.params("admin")
    dsn = psycopg.conninfo.make_conninfo("", **params)
    settings = load_settings(
        {
            "ASMS_HOME": str(tmp_path),
            "ASMS_WAREHOUSE_DSN": dsn,
            "ASMS_DROP": str(tmp_path),
            "ASMS_CREDENTIALS": str(pg_home / "credentials.json"),
        }
    )
    external = open_warehouse(settings)
    assert not (tmp_path / "pg").exists()
    assert prepare(external) == []
    with external.connect("bi") as connection:
        assert connection.execute("select current_user").fetchone() == ("asms_bi",)
        assert connection.execute("show tcp_keepalives_idle").fetchone() == ("30",), "a lost network ends the session"
        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30


def test_a_second_load_is_told_that_one_is_running(warehouse: Warehouse) -> None:
    with load_lock(warehouse, 5), pytest.raises(LockedError, match="another load"), load_lock(warehouse, 1):
        pass
    with load_lock(warehouse, 1):
        pass


def test_a_lock_that_is_lost_with_its_session_is_taken_again(warehouse: Warehouse) -> None:
    with load_lock(warehouse, 1) as lock:
        lock.hold()
        with warehouse.connect("admin", autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_locks where locktype = 'advisory' and pid != pg_backend_pid() "
                "and database = (select oid from pg_database where datname = current_database())"
            )
        with load_lock(warehouse, 1), pytest.raises(LockedError):
            lock.hold()
        lock.hold()
        with pytest.raises(LockedError), load_lock(warehouse, 1):
            pass
