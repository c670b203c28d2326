"""What work costs: CPU time (user and system) of this process, its children and the server, beside wall time."""

import resource
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Cost:
    """Seconds."""

    wall: float
    own: float
    workers: float
    server: float

    @property
    def cpu(self) -> float:
        return self.own + self.workers + self.server

    def __str__(self) -> str:
        parts = f"{self.own:.1f} own + {self.workers:.1f} workers + {self.server:.1f} server"
        return f"{self.cpu:.1f} s of CPU ({parts}), {self.wall:.1f} s of wall time"


def measure(work: Callable[[], object], postmaster: psutil.Process) -> Cost:
    """Do ``work`` and tell what it cost."""

    def clocks() -> tuple[float, float, float, float]:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = children.ru_utime + children.ru_stime
        return time.perf_counter(), time.process_time(), used, server_seconds(postmaster)

    begin = clocks()
    work()
    return Cost(*(after - before for before, after in zip(begin, clocks(), strict=True)))


def find_postmaster(home: Path) -> psutil.Process:
    """The server of ``home``, which runs."""
    return psutil.Process(int((home / "pg" / "data" / "postmaster.pid").read_text().split()[0]))


def server_seconds(postmaster: psutil.Process) -> float:
    """CPU time of the server: its processes that run, and those that ended."""
    return _live_seconds(postmaster.children()) + sum(postmaster.cpu_times()[:4])


def tree_seconds(root: psutil.Process) -> float:
    """CPU time of a process, of those below it, and of those of them that were waited for."""
    return sum(root.cpu_times()[:4]) + _live_seconds(root.children(recursive=True), of_children=True)


def _live_seconds(processes: list[psutil.Process], *, of_children: bool = False) -> float:
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile, and is counted with its parent
            total += sum(process.cpu_times()[: 4 if of_children else 2])
    return total
