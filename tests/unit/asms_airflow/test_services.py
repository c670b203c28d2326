"""Services are stopped whole."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from asms_airflow.server import Services, _stop


@pytest.fixture
def killed_scheduler() -> Iterator[tuple[int, int]]:
    """Process ids of a scheduler that was killed and of its worker, which runs on."""
    with subprocess.Popen(
        ["bash", "-c", "(exec -a 'airflow worker' sleep 300) & echo $!; exec -a 'airflow scheduler' sleep 300"],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    ) as leader:  # fmt: skip
        assert leader.stdout is not None
        worker = int(leader.stdout.readline())
        # before that it is bash, whose script has the words too
        while not _command(worker).startswith("airflow worker"):
            pass
        leader.kill()
        leader.wait()
        yield leader.pid, worker
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader.pid, signal.SIGKILL)


def _command(pid: int) -> str:
    """The command line; empty for a process that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return ""


def test_workers_of_a_killed_scheduler_are_ended(killed_scheduler: tuple[int, int]) -> None:
    leader, worker = killed_scheduler
    assert _command(worker)
    _stop(Services(pids={"scheduler": leader}))
    assert not _command(worker)
