"""``python -m asms_airflow.server up|down``: Airflow's services on this machine, on 127.0.0.1, with the warehouse's settings."""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from asms.settings import Settings, SettingsError, load_settings
from asms.warehouse import embedded
from asms.warehouse.connection import open_warehouse
from asms.warehouse.migrate import MigrationError, create_airflow_database, prepare
from asms_airflow.environment import airflow_environment, inherited_with, passwords_file
from asms_airflow.health import PARTS, sick_parts
from asms_airflow.inputs import local_server_at, make_shipped_sample, point_at

DATABASE = "airflow"
# Logs are read from the files, so the two small servers for logs stay off: they would listen on every interface.
SERVICES = {
    "api-server": (),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
_HOST = "127.0.0.1"
_PORT = 8080
_HEALTH_SECONDS = 180
_STOP_SECONDS = 30


class ServerError(RuntimeError):
    """Airflow cannot be started; the message says which part and where its log is."""


@dataclass
class Services:
    """What runs: the web interface's port and the process (leader of its own group) of each service."""

    port: int = _PORT
    pids: dict[str, int] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://{_HOST}:{self.port}"

    def living(self) -> dict[str, int]:
        """The services that still run."""
        return {name: pid for name, pid in self.pids.items() if _is_service(pid)}


def up(settings: Settings) -> Services:
    """Start what does not run and wait until it is healthy. Raises ServerError when it does not become so."""
    home = settings.home / "airflow"
    services = _read_services(home)
    if set(services.living()) >= set(SERVICES):
        return services
    _stop(services)
    warehouse = open_warehouse(settings)
    prepare(warehouse)
    services = Services(port=_free_port(_PORT))
    variables = {
        **airflow_environment(home, create_airflow_database(warehouse, DATABASE)),
        "ASMS_HOME": str(settings.home),
        "AIRFLOW__API__HOST": _HOST,
        "AIRFLOW__API__PORT": str(services.port),
        "AIRFLOW__API__BASE_URL": services.address,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{services.address}/execution/",
    }
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    if settings.is_sample or settings.replay:
        variables |= _start_local_server(settings, services, logs)
    environment = inherited_with(variables)
    _migrate(environment, logs)
    for name, options in SERVICES.items():
        command = [sys.executable, "-m", "airflow", name, *options]
        services.pids[name] = _start(command, environment, logs / f"airflow-{name}.log")
        _write_services(home, services)
    _wait_until_healthy(services, logs)
    return services


def down(settings: Settings) -> None:
    """Stop the services and the embedded server; nothing to do is no error."""
    home = settings.home / "airflow"
    _stop(_read_services(home))
    _services_file(home).unlink(missing_ok=True)
    if not settings.warehouse_dsn:
        embedded.stop(settings.home)


def _start_local_server(settings: Settings, services: Services, logs: Path) -> dict[str, str]:
    """Serve recorded open data beside Airflow; return the settings that point the clients there."""
    if settings.is_sample:
        make_shipped_sample(settings)
    port = _free_port(0)
    command = [sys.executable, "-m", "asms.sample.server", "--port", str(port)]
    if settings.replay:
        command += ["--replay", str(settings.replay)]
    services.pids["local-server"] = _start(command, inherited_with({}), logs / "local-server.log")
    return point_at(local_server_at(f"http://{_HOST}:{port}", settings), settings)


def _migrate(environment: dict[str, str], logs: Path) -> None:
    log = logs / "airflow-migrate.log"
    with log.open("ab") as output:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=environment, stdout=output, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise ServerError(f"Airflow's database cannot be migrated; see {log}")


def _start(command: list[str], environment: dict[str, str], log: Path) -> int:
    """Start a background process that outlives this one; its passwords are in its environment."""
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    return process.pid


def _wait_until_healthy(services: Services, logs: Path) -> None:
    deadline = time.monotonic() + _HEALTH_SECONDS
    sick = list(PARTS)
    while time.monotonic() < deadline:
        dead = sorted(set(services.pids) - set(services.living()))
        if dead:
            raise ServerError(f"{', '.join(dead)} stopped while starting; see {logs}")
        sick = sick_parts(_HOST, services.port)
        if not sick:
            return
        time.sleep(0.5)
    raise ServerError(f"{', '.join(sick)} did not become healthy within {_HEALTH_SECONDS} s; see {logs}")


def _stop(services: Services) -> None:
    """End each service's process group: politely, then not. A service that was killed has left its workers."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in filter(_has_members, services.pids.values()):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, sign)
        deadline = time.monotonic() + _STOP_SECONDS
        while any(map(_has_members, services.pids.values())) and time.monotonic() < deadline:
            time.sleep(0.1)


def _has_members(leader: int) -> bool:
    """Whether the service or one of its group still runs."""
    if _is_service(leader):
        return True
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile, or is not ours to see
            if os.getpgid(int(process.name)) == leader and _is_ours((process / "cmdline").read_bytes()):
                return True
    return False


def _is_service(pid: int) -> bool:
    """Whether ``pid`` is still the process that we started: it leads its own group and runs one of our commands."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # our own dead child would look alive until we ask for it
    try:
        if os.getpgid(pid) != pid:
            return False
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except ProcessLookupError:
        return False
    except OSError:  # no /proc on this system: the group has to do
        return True
    return _is_ours(command)


def _is_ours(command: bytes) -> bool:
    return b"airflow" in command or b"asms.sample.server" in command


def _free_port(preferred: int) -> int:
    for port in (preferred, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((_HOST, port))
            return int(probe.getsockname()[1])
    raise ServerError(f"no free port on {_HOST}")


def _services_file(home: Path) -> Path:
    return home / "services.json"


def _read_services(home: Path) -> Services:
    file = _services_file(home)
    return Services(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else Services()


def _write_services(home: Path, services: Services) -> None:
    part = home / "services.json.part"
    part.write_text(json.dumps(asdict(services)), encoding="utf-8")
    part.replace(_services_file(home))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m asms_airflow.server", description=__doc__)
    parser.add_argument("verb", choices=("up", "down"))
    verb = parser.parse_args().verb
    try:
        settings = load_settings()
        if verb == "down":
            down(settings)
            sys.stdout.write("Airflow and the embedded PostgreSQL are stopped\n")
            return 0
        sys.stdout.write("starting Airflow, about a minute\n")
        sys.stdout.flush()
        services = up(settings)
    except (SettingsError, MigrationError, embedded.EmbeddedServerError, ServerError) as error:
        sys.stderr.write(f"{verb}: {error}\n")
        return 1
    password = json.loads(passwords_file(settings.home / "airflow").read_text(encoding="utf-8"))["admin"]
    sys.stdout.write(f"Airflow is at {services.address}  login: admin  password: {password}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
