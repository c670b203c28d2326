"""Which server, which database, and how each role gets in."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, LiteralString
from urllib.parse import quote, urlencode

import psycopg
from psycopg import conninfo

from asms.settings import Settings
from asms.warehouse import embedded
from asms.warehouse.embedded import write_private

Role = Literal["admin", "loader", "transformer", "gate", "publisher", "bi"]
LOGIN_ROLES: tuple[Role, ...] = ("loader", "transformer", "gate", "publisher", "bi")

_LOAD_LOCK = 0x41534D53  # 'ASMS': the advisory lock that a run of loads holds

# A network that goes away says nothing: without these a client waits for hours for an answer that will not come, and a server
# keeps the session, with its locks, as long. A DSN may say otherwise.
_OVER_A_NETWORK = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
    "options": "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3",
}


# What libpq and the server say, in the words of either driver, when a session ended or could not begin.
_CONNECTION_LOST = (
    "server closed the connection",
    "terminating connection",
    "could not connect",
    "connection to server",
    "connection already closed",
    "the connection is closed",
    "the connection is lost",
    "closed unexpectedly",
)


def says_connection_lost(text: str) -> bool:
    """Whether an error's text speaks of a lost or refused connection: for tools that hand on the text of an error only."""
    return any(phrase in text.lower() for phrase in _CONNECTION_LOST)


class LockedError(RuntimeError):
    """Another load is running on this warehouse."""


@dataclass(frozen=True)
class Warehouse:
    """One database of one server, with what each role needs to enter it."""

    host: str
    port: int
    database: str
    admin_user: str
    passwords: dict[str, str] = field(repr=False)
    is_sample: bool
    options: dict[str, str]
    """Other libpq parameters of an external server's DSN, sslmode for instance."""

    def user(self, role: Role) -> str:
        return self.admin_user if role == "admin" else f"asms_{role}"

    def params(self, role: Role) -> dict[str, str]:
        """libpq parameters of ``role``."""
        return {
            **self.options,
            "host": self.host,
            "port": str(self.port),
            "dbname": self.database,
            "user": self.user(role),
            "password": self.passwords.get(role, ""),
        }

    def connect(self, role: Role, *, autocommit: bool = False) -> psycopg.Connection:
        """Open a connection as ``role``; UTC, named after the role in pg_stat_activity."""
        return psycopg.connect(
            conninfo.make_conninfo("", **self.params(role)), autocommit=autocommit, application_name=f"asms {role}"
        )

    def sqlalchemy_url(self, role: Role) -> str:
        """URL for SQLAlchemy (Great Expectations), with the password in it: never log it."""
        params = self.params(role)
        query = f"?{urlencode(self.options)}" if self.options else ""
        return (
            f"postgresql+psycopg://{quote(params['user'])}:{quote(params['password'], safe='')}"
            f"@{params['host']}:{params['port']}/{quote(params['dbname'])}{query}"
        )


def open_warehouse(settings: Settings, database: str | None = None) -> Warehouse:
    """Find the server of ``settings``, starting the embedded one if it is the one, and return the way in.

    ``database`` overrides the embedded database's name (used by ``make psql`` to open the last run's).
    Does not create the database: see ``asms.warehouse.migrate.prepare``.
    """
    passwords = _role_passwords(settings)
    if settings.warehouse_dsn:
        given = {key: str(value) for key, value in conninfo.conninfo_to_dict(settings.warehouse_dsn).items()}
        host, port = given.pop("host", "127.0.0.1"), int(given.pop("port", "5432"))
        user, password = given.pop("user", "postgres"), given.pop("password", "")
        name = given.pop("dbname", user)
        return Warehouse(host, port, name, user, {**passwords, "admin": password}, False, _OVER_A_NETWORK | given)
    server = embedded.start(settings.home)
    return Warehouse(
        host=server.host,
        port=server.port,
        database=database or settings.database,
        admin_user=server.superuser,
        passwords={**passwords, "admin": server.password},
        is_sample=(database or settings.database) == "asms_sample",
        options={},
    )


def open_last_warehouse(settings: Settings) -> Warehouse:
    """The database of the last run, the sample's or the real one; the settings' own when nothing has run yet."""
    last: dict[str, str] = {}
    if settings.last_run_file.exists() and not settings.warehouse_dsn:
        last = json.loads(settings.last_run_file.read_text(encoding="utf-8"))
    return open_warehouse(settings, database=last.get("database"))


class LoadLock:
    """The one lock against two loads at once. It belongs to a database session, and is lost with it."""

    def __init__(self, warehouse: Warehouse, timeout_seconds: int) -> None:
        self._warehouse = warehouse
        self._timeout_seconds = timeout_seconds
        self._session: psycopg.Connection | None = None

    def hold(self) -> None:
        """Take the lock; where it is held, make sure that it still is, and take it again when its session was cut.

        Raises:
            LockedError: another session has held it for the time-out.
        """
        if self._session is not None:
            try:
                self._session.execute("select 1")
                return
            except psycopg.OperationalError:
                self.release()
        self._session = self._warehouse.connect("admin", autocommit=True)
        try:
            self._session.execute("select set_config('lock_timeout', %s, false)", (f"{self._timeout_seconds}s",))
            self._session.execute("select pg_advisory_lock(%s)", (_LOAD_LOCK,))
        except psycopg.errors.LockNotAvailable as error:
            self.release()
            raise LockedError(
                f"another load has been running on database {self._warehouse.database} for over {self._timeout_seconds} s; "
                "wait for it to end, or look in pg_locks for the holder of the advisory lock"
            ) from error
        except psycopg.Error:
            self.release()
            raise

    def release(self) -> None:
        """End the session, and the lock with it."""
        if self._session is not None:
            self._session.close()
            self._session = None


@contextmanager
def load_lock(warehouse: Warehouse, timeout_seconds: int) -> Iterator[LoadLock]:
    """Hold the one lock against two loads at once, for as long as the block runs.

    Raises:
        LockedError: another session has held it for ``timeout_seconds``.
    """
    lock = LoadLock(warehouse, timeout_seconds)
    try:
        lock.hold()
        yield lock
    finally:
        lock.release()


def _role_passwords(settings: Settings) -> dict[str, str]:
    """Passwords of the login roles: made once, kept in a 0600 file."""
    file = settings.credentials
    if file.exists():
        return dict(json.loads(file.read_text(encoding="utf-8")))
    file.parent.mkdir(parents=True, exist_ok=True)
    made = {role: secrets.token_urlsafe(24) for role in (*LOGIN_ROLES, "airflow")}
    write_private(file, json.dumps(made, indent=1))
    return made


def read_number(connection: psycopg.Connection, query: LiteralString) -> int:
    """The one whole number that ``query`` asks for; 0 when it finds no row."""
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
