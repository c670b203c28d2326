"""Nights in the DAGs of ``make nightly`` over a national cycle, with the CPU time of each task: ``python -m tests.bench.night``.

Four nights in one house: the whole country sends, nothing is new, some bodies send corrections, and one body sends again what it
sent. The last is what a night costs that builds and has next to nothing to build: start-up of dbt and Great Expectations, and the
tables that every build makes anew. Open data is the sample's, served on this machine. CPU is user and system time of the night's
process, its children and the server.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from asms.sample.server import serve
from asms.warehouse import embedded
from tests.bench.cost import find_postmaster, server_seconds, tree_seconds
from tests.bench.national import HROMADA_COUNT, list_hromadas, write_national_cycle, write_returns

_LINE = re.compile(r"^ *(\w+) +([\d.]+) s")


def run_night(home: Path, drop: Path, *, quiet: bool = False) -> tuple[float, float]:
    """Run one night and print each line of it with the CPU seconds, its own and the server's, spent since the line before.

    Returns own and server seconds of the whole night. Raises RuntimeError when nothing was published or unchanged.
    """
    environ = {**os.environ, "ASMS_HOME": str(home), "ASMS_DROP": str(drop), "PYTHONUNBUFFERED": "1"}
    embedded.start(home)
    postmaster = find_postmaster(home)
    begin = before = server_seconds(postmaster)
    with serve() as server:
        environ |= {f"ASMS_{source.upper()}_URL": url for source, url in server.urls.items()}
        environ["ASMS_OPEN_BUDGET_YEARS"] = ",".join(map(str, server.years))
        environ["ASMS_OPEN_BUDGET_ITEMS"] = ",".join(server.budget_items)
        command = [sys.executable, "-m", "asms_airflow.nightly"]
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
            night = psutil.Process(process.pid)
            own_before = own = peak = 0.0
            assert process.stdout is not None
            for line in process.stdout:
                with suppress(psutil.NoSuchProcess):  # it has just ended
                    own = max(own, tree_seconds(night))
                    peak = max(peak, night.memory_info().rss / (1 << 20))
                now = server_seconds(postmaster)
                if not quiet:
                    cost = (
                        f"{own - own_before:7.1f} own {now - before:7.1f} server {peak:6.0f} MB"
                        if _LINE.match(line)
                        else ""
                    )
                    print(f"{line.rstrip():<60.140} {cost}", flush=True)
                if _LINE.match(line):
                    own_before, before = own, now
    spent = own, server_seconds(postmaster) - begin
    if process.returncode != 0:
        raise RuntimeError(f"the night ended with {process.returncode}; see {home / 'logs' / 'nightly.log'}")
    return spent


def correct(drop: Path, count: int) -> None:
    """Let ``count`` bodies, spread over the country, send again with all of their faults mended."""
    bodies = list_hromadas(len(list(drop.glob("UA*.xlsx"))))
    write_returns(drop, bodies[:: len(bodies) // count][:count], faulty_share=0)


def send_again(drop: Path) -> None:
    """Let one body send the bytes that it sent, under another name: an arrival that changes no figure."""
    sent = min(drop.glob("UA*.xlsx"))
    shutil.copy(sent, drop / f"again-{sent.name}")


def main() -> None:
    """Run the nights and print what each cost."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.night", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="an empty folder for the returns and for ASMS_HOME")
    parser.add_argument("--count", type=int, default=HROMADA_COUNT, help="how many hromadas send")
    parser.add_argument("--corrections", type=int, default=15, help="how many send again")
    parser.add_argument("--nights", default="full,quiet,corrections,again")
    given = parser.parse_args()
    home, drop = given.folder.resolve() / "home", given.folder.resolve() / "drop"
    if not drop.exists():
        write_national_cycle(drop, count=given.count)
    home.mkdir(exist_ok=True)
    costs = {}
    try:
        for night in given.nights.split(","):
            if night == "corrections":
                correct(drop, given.corrections)
            elif night == "again":
                send_again(drop)
            begin = time.monotonic()
            own, server = run_night(home, drop)
            costs[night] = own + server
            print(
                f"== {night}: {own + server:.1f} s of CPU ({own:.1f} own, {server:.1f} server), "
                f"{time.monotonic() - begin:.0f} s of wall time",
                flush=True,
            )
    finally:
        embedded.stop(home)
    for night, what in (("quiet", "a night with nothing new"), ("again", "a night with nothing to change")):
        if {"full", night, "corrections"} <= costs.keys():
            share = (costs["corrections"] - costs[night]) / (costs["full"] - costs[night])
            print(f"corrections cost {share:.1%} of the cycle, {what} left out")


if __name__ == "__main__":
    main()
