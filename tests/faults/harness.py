"""What can go wrong in a night, as data; how it is done to a house; and what must hold in the house afterwards."""

import contextlib
import logging
import multiprocessing
import os
import random
import resource
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from typing import Any

import psutil
from aiosmtpd.controller import Controller

from asms.intake.landing import LandingStore
from asms.settings import Settings
from asms.warehouse.connection import open_warehouse
from tests.e2e.conftest import House
from tests.faults.night import PRELOAD, Ways, tell_night

_LOG = logging.getLogger(__name__)
_PATIENCE = 300
"""Seconds without a word from a night before it counts as hung."""
_GONE = 15
"""Seconds in which what a killed night had started must be gone."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(PRELOAD)

# Clocks and counters: they differ between two houses that hold the same.
_NOT_CONTENT = ("received_no", "received_at", "batch_no", "loaded_at")
_CLOCKS = """
select format('%I.%I', c.table_schema, c.table_name), string_agg(format('%I = %I + $1', column_name, column_name), ', ')
from information_schema.columns as c
inner join information_schema.tables as t using (table_schema, table_name)
where
    c.data_type = 'timestamp with time zone' and t.table_type = 'BASE TABLE'
    and c.table_schema not in ('pg_catalog', 'information_schema')
group by 1
"""


class Mailbox:
    """A mail server: keeps what it takes, and refuses with ``answer`` when that is set."""

    def __init__(self) -> None:
        self.answer: str | None = None
        self.kept: Counter[str] = Counter()
        self.refused = 0

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd calls
        self, _server: Any, _session: Any, envelope: Any
    ) -> str:
        if self.answer:
            self.refused += 1
            return self.answer
        self.kept[str(message_from_bytes(envelope.content)["Message-ID"])] += 1
        return "250 OK"

    @contextmanager
    def open(self) -> Iterator[int]:
        """Serve on a free port."""
        server = Controller(self, hostname="127.0.0.1", port=_free_port())
        server.start()
        try:
            yield server.port
        finally:
            server.stop()


class Relay:
    """Stands between a night and its database and can cut every connection, as a network does: both ends see a reset."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> int:
        """Reset what is connected now; new connections get through. How many there were."""
        cut, self._pairs = self._pairs, []
        alive = 0
        for pair in cut:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RDWR)
                    alive += 1
                end.close()
        return alive // 2

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@dataclass
class Disk:
    """A small disk of the house's own, and how to fill it to the brim."""

    path: Path

    def fill(self) -> None:
        with (self.path / "ballast").open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
            for block in (b"\0" * (1 << 20), b"\0" * (1 << 12)):
                with contextlib.suppress(OSError):
                    while True:
                        ballast.write(block)

    def clear(self) -> None:
        (self.path / "ballast").unlink(missing_ok=True)


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[Disk | None]:
    """A file system of that size at ``path``; None where this user may not mount one."""
    path.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        yield None
        return
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@dataclass(frozen=True)
class Ended:
    """How a night ended: 'done', 'killed', or why it failed; and the moments it told."""

    how: str
    steps: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class State:
    """What a house holds that no fault may change."""

    marts: dict[str, tuple[int, str]]
    raw: dict[str, tuple[int, str]]
    mails: frozenset[tuple[str, str]]
    release_id: int


@dataclass
class Trial:
    """One house that faults are done to."""

    settings: Settings
    mailbox: Mailbox
    smtp_port: int
    disk: Disk | None = None
    counts: Counter[str] = field(default_factory=Counter)
    double_mails_allowed: int = 0
    relay: Relay | None = None
    pid: int = 0
    """The night that is running."""

    @property
    def house(self) -> House:
        return House(self.settings.home, {})

    @property
    def drop(self) -> Path:
        return self.settings.home / "sample" / "drop"

    def night(
        self,
        at: str | None = None,
        disturb: "Callable[[Trial], object] | None" = None,
        *,
        after_seconds: float | None = None,
        settings: Settings | None = None,
    ) -> Ended:
        """Run a night; do ``disturb`` to it when it first tells the moment ``at``, or ``after_seconds``, wherever it is then.

        A night that says nothing for long is hung, and that is an error of its own.
        """
        near, far = _context.Pipe()
        ways = Ways(self.smtp_port, self.relay.port if self.relay else None)
        process = _context.Process(target=tell_night, args=(settings or self.settings, ways, far))
        begin = time.monotonic()
        process.start()
        far.close()
        assert process.pid is not None
        before, self.pid = self.pid, process.pid
        steps: list[str] = []
        due = None if after_seconds is None else begin + after_seconds
        how = "killed"
        try:
            while True:
                wait = _PATIENCE if due is None else max(0.0, due - time.monotonic())
                if not near.poll(wait):
                    assert due is not None, (
                        f"the night hangs after {steps[-1:]}; see {self.settings.home / 'night.log'}"
                    )
                    due = None
                    assert disturb is not None
                    disturb(self)
                    continue
                word = near.recv()
                if word == "DONE" or word.startswith("FAILED "):
                    how = word.removeprefix("FAILED ").replace("DONE", "done")
                    break
                steps.append(word)
                if word == at and disturb is not None:
                    doing, disturb = disturb, None
                    doing(self)
                near.send("go on")
        except (EOFError, OSError):
            pass  # it was killed, and its end of the line went with it
        process.join(_GONE)
        assert process.exitcode is not None, "the night ended and its process did not"
        self._expect_nobody(process.pid)
        self.pid = before
        self.counts["nights"] += 1
        return Ended(how, tuple(steps), time.monotonic() - begin)

    def undisturbed(self) -> Ended:
        """A night in which nothing is done; it must come to its end."""
        ended = self.night()
        assert ended.how == "done", f"{ended.how}\n{(self.settings.home / 'night.log').read_text()[-3000:]}"
        return ended

    def state(self) -> State:
        house = self.house
        mails = house.query("select digest, recipient from quality.alert", "gate")
        current = house.query("select release_id from ops.current_release", "gate")
        assert len(current) == 1, f"{len(current)} releases are current"
        return State(house.marts(), self._raw(), frozenset(mails), current[0][0])

    def check(self, expected: State) -> None:
        """Nothing lost and nothing doubled: the house holds what the undisturbed one holds."""
        found = self.state()
        assert found.marts == expected.marts
        assert found.raw == expected.raw
        assert found.release_id == expected.release_id
        house = self.house
        assert house.query("select count(*) from marts.dim_release where is_current") == [(1,)]
        self._check_landing()
        self._check_mails(found, expected)
        self._check_ranges()
        assert house.query("select count(*) from pg_locks where locktype = 'advisory'", "gate") == [(0,)], (
            "a lock is held"
        )
        self.counts["checks"] += 1

    def turn_clock_back(self, days: int) -> None:
        """What is in the database is from now on ``days`` later than the clock: as if the clock had been put back."""
        with self.house.warehouse().connect("admin") as connection:
            connection.execute("set local session_replication_role = replica")
            for table, changes in connection.execute(_CLOCKS).fetchall():
                connection.execute(f"update {table} set {changes.replace('$1', f'interval $${days} days$$')}")
        self.counts["clock turned back"] += 1

    def _raw(self) -> dict[str, tuple[int, str]]:
        """Row count and hash of what every table of raw holds, and of the ledger of loads."""
        with self.house.warehouse().connect("gate") as connection:
            tables = connection.execute(
                "select format('%%I.%%I', table_schema, table_name), "
                "string_agg(format('%%I', column_name), ', ' order by ordinal_position) from information_schema.columns "
                "where (table_schema = 'raw' or (table_schema, table_name) = ('ops', 'load')) and column_name != all(%s) group by 1",
                (list(_NOT_CONTENT),),
            ).fetchall()
            found = {}
            for table, columns in tables:
                row = connection.execute(
                    f"select count(*), sum(hash_record_extended(row({columns}), 7)) from {table}"
                ).fetchone()
                assert row is not None
                found[table] = (row[0], str(row[1]))
        return found

    def _check_landing(self) -> None:
        """The bytes of every delivery are whole; what lies in the drop was taken."""
        store = LandingStore(self.settings.landing)
        known = {sha256 for (sha256,) in self.house.query("select distinct sha256 from raw.delivery", "gate")}
        for sha256 in known:
            store.read(sha256)
        self.counts["deliveries read back"] += len(known)
        for file in self.drop.iterdir():
            assert store.put(file.read_bytes()) in known, f"{file.name} was not taken"

    def _check_mails(self, found: State, expected: State) -> None:
        assert found.mails >= expected.mails, "a mail of the undisturbed nights was never written"
        unsent = self.house.query("select digest, recipient from quality.alert where sent_at is null", "gate")
        assert unsent == []
        assert len(self.mailbox.kept) == len(found.mails), "each mail was sent, under one Message-ID"
        doubles = sum(self.mailbox.kept.values()) - len(self.mailbox.kept)
        assert doubles <= self.double_mails_allowed, f"{doubles} mails went out twice"

    def _check_ranges(self) -> None:
        house = self.house
        for (table,) in house.query(
            "select table_name from information_schema.columns where table_schema = 'published' and column_name = 'release_to'",
            "gate",
        ):
            assert house.query(f"select count(*) from published.{table} where release_to <= release_from", "gate") == [
                (0,)
            ]
        for table in ("fct_observation_history", "fct_return_history"):
            assert house.query(f"select count(*) from marts.{table} where known_to <= known_from") == [(0,)]

    def _expect_nobody(self, pid: int) -> None:
        """Whoever the night had started is gone with it."""
        deadline = time.monotonic() + _GONE
        while time.monotonic() < deadline:
            try:
                os.killpg(pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.02)
        raise AssertionError(f"night {pid} left processes behind")


def kill(trial: Trial) -> None:
    """The night's process, at once."""
    os.kill(trial.pid, signal.SIGKILL)
    trial.counts["kills of the night"] += 1


def kill_anywhere(trial: Trial) -> None:
    """As ``kill``, also between a mail and the note that it was sent: the one moment that lets one mail go out twice."""
    trial.double_mails_allowed += 1
    kill(trial)


def kill_server(trial: Trial) -> None:
    """PostgreSQL, without a word; its backends end when they see that, and what was not committed by then never is."""
    pid = int((trial.settings.home / "pg" / "data" / "postmaster.pid").read_text().splitlines()[0])
    backends = psutil.Process(pid).children()
    os.kill(pid, signal.SIGKILL)
    assert not psutil.wait_procs(backends, timeout=_GONE)[1]
    trial.counts["kills of the server"] += 1


def end_sessions(trial: Trial) -> None:
    """Every session of the night, by the server: as an administrator does, or a server that restarts."""
    with trial.house.warehouse().connect("admin", autocommit=True) as connection:
        ended = connection.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "
            "where pid != pg_backend_pid() and backend_type = 'client backend' and datname = current_database()"
        ).fetchone()
    assert ended is not None
    trial.counts["sessions ended"] += ended[0]


def cut_network(trial: Trial) -> None:
    """Every connection of the night, on the way."""
    assert trial.relay is not None
    trial.counts["connections cut"] += trial.relay.cut()


def limit_files(trial: Trial) -> None:
    """No file of this process may grow over 4 KB: a full landing store, without a disk of its own."""
    resource.prlimit(trial.pid, resource.RLIMIT_FSIZE, (4096, 4096))
    trial.counts["files limited"] += 1


def fill_disk(trial: Trial) -> None:
    """Not a byte is free in the house, for the server's files, the landing store and the logs alike."""
    assert trial.disk is not None
    trial.disk.fill()
    assert shutil.disk_usage(trial.disk.path).free < 1 << 16
    trial.counts["disks filled"] += 1


def refuse_mail(trial: Trial) -> None:
    """The mail server takes nothing, as long as this night lasts."""
    trial.mailbox.answer = "421 come later"
    trial.counts["nights whose mail was refused"] += 1


def meet_another_night(trial: Trial) -> None:
    """A second night while this one runs: it must keep out and say so. Then this one is killed: its end is not tried here."""
    another = trial.night(settings=trial.settings.model_copy(update={"lock_timeout_seconds": 1}))
    assert another.how.startswith("LockedError"), another.how
    trial.counts["second nights kept out"] += 1
    kill(trial)


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, and how the night that meets it may end."""

    name: str
    disturb: Callable[[Trial], object]
    at: str | None = None
    """The moment; None: a random one."""
    ends: tuple[str, ...] = ("killed",)
    """What ``Ended.how`` may begin with."""
    by_relay: bool = False


def do(trial: Trial, fault: Fault, *, chance: random.Random | None = None, longest: float = 0.0) -> Ended:
    """Let a night meet ``fault``, at its moment or at a random one within ``longest`` seconds."""
    after = None
    if fault.at is None:
        assert chance is not None
        after = chance.uniform(0.0, longest)
    if fault.by_relay:
        port = open_warehouse(trial.settings).port
        trial.relay = Relay(port)
    try:
        ended = trial.night(fault.at, fault.disturb, after_seconds=after)
    finally:
        if trial.relay:
            trial.relay.close()
            trial.relay = None
        if trial.disk:
            trial.disk.clear()
        trial.mailbox.answer = None
    _LOG.warning("%s: %s after %.1f s", fault.name, ended.how[:200], ended.seconds)
    assert ended.how.startswith(fault.ends), f"{fault.name}: {ended.how}"
    assert fault.at is None or fault.at in ended.steps, f"{fault.name}: no moment {fault.at}"
    trial.counts["faults"] += 1
    return ended


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
