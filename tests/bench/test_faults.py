"""Kills by the hundred: nights in the tasks' own functions at random moments, and whole DAG runs; nothing lost, nothing doubled.

``ASMS_BENCH_KILLS`` sets how many nights are killed (180 unless set), ``ASMS_BENCH_DAG_KILLS`` how many whole DAG runs (20),
``ASMS_BENCH_SEED`` what the random moments follow from; without it each run has a seed of its own, which it prints.
"""

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asms.sample.server import LocalServer
from asms.warehouse import embedded
from tests.e2e.conftest import House
from tests.faults import harness
from tests.faults.harness import Fault, State, Trial, do

pytest_plugins = ("tests.faults.fixtures",)
pytestmark = pytest.mark.timeout(4 * 3600)

KILLS = int(os.environ.get("ASMS_BENCH_KILLS", "180"))
DAG_KILLS = int(os.environ.get("ASMS_BENCH_DAG_KILLS", "20"))
SEED = int(os.environ.get("ASMS_BENCH_SEED", str(time.time_ns() % 100_000)))
_KILLS_A_ROUND = 15
_DAG_KILLS_A_ROUND = 5
_MEGABYTES = 4000
"""The log of the server alone grows to 2 GB between two checkpoints, which a night in the tests never reaches."""
_WITHIN = 0.9
"""Of an undisturbed night's time, random moments come within this: a night that got through ends its round."""
# A night may be over before a random moment comes, and it may get over a fault that is not a kill.
_ANY = ("",)
_OTHERS = (
    Fault("server killed", harness.kill_server, ends=_ANY),
    Fault("network cut", harness.cut_network, ends=_ANY, by_relay=True),
    Fault("sessions ended", harness.end_sessions, ends=_ANY),
    Fault("disk full", harness.fill_disk, ends=_ANY),
    Fault("second night", harness.meet_another_night, "land_drop"),
)


def _send(drop: Path, returns: Path, round_no: int) -> None:
    """What comes before a round: a late return, then one and the same return corrected and put back in turn: A, B, A."""
    if round_no == 0:
        return
    if round_no == 1:
        shutil.copytree(returns / "second", drop, dirs_exist_ok=True)
        return
    (corrected,) = (returns / "second").glob("*виправлено*")
    original = corrected.name.replace(" (виправлено)", "")
    source = returns / "first" / original if round_no % 2 == 0 else corrected
    shutil.copy(source, drop / corrected.name)


def _tell(what: str, counts: Counter[str], seconds: float) -> None:
    print(
        f"\n{what}: {', '.join(f'{name} {count}' for name, count in sorted(counts.items()))}; {seconds:.0f} s; seed {SEED}",
        flush=True,
    )


def test_nights_killed_at_random_moments_end_as_if_undisturbed(open_trial: Callable[..., Any], returns: Path) -> None:
    """Two houses get the same returns; in one nothing happens. After each round both hold the same."""
    chance, begin = random.Random(SEED), time.monotonic()  # noqa: S311 - moments, no secrets
    with open_trial("left-alone") as calm, open_trial("killed", disk_megabytes=_MEGABYTES) as trial:
        trial.settings = trial.settings.model_copy(update={"lock_timeout_seconds": 60})
        round_no = 0
        while trial.counts["kills of the night"] < KILLS:
            expected, longest = _calm_round(calm, returns, round_no)
            _send(trial.drop, returns, round_no)
            _disturb(trial, chance, longest, _OTHERS[round_no % len(_OTHERS)])
            trial.undisturbed()
            trial.check(expected)
            if round_no % 3 == 1:
                trial.turn_clock_back(1)
            round_no += 1
            doubles = sum(trial.mailbox.kept.values()) - len(trial.mailbox.kept)
            _tell(
                f"round {round_no}",
                trial.counts | Counter({"mails": len(trial.mailbox.kept), "sent twice": doubles}),
                time.monotonic() - begin,
            )


def _calm_round(calm: Trial, returns: Path, round_no: int) -> tuple[State, float]:
    _send(calm.drop, returns, round_no)
    ended = calm.undisturbed()
    return calm.state(), _WITHIN * ended.seconds


def _disturb(trial: Trial, chance: random.Random, longest: float, other: Fault) -> None:
    """Kill nights until one gets through or the round has had its share; one of the other faults comes among them."""
    kills, other_at = 0, chance.randrange(_KILLS_A_ROUND // 3)
    while kills < _KILLS_A_ROUND:
        if kills == other_at:
            other_at = -1
            if other.disturb is not harness.fill_disk or trial.disk:
                do(trial, other, chance=chance, longest=longest)
        ended = do(trial, Fault("kill", harness.kill_anywhere, ends=_ANY), chance=chance, longest=longest)
        kills += ended.how == "killed"
        if ended.how != "killed":
            return


@pytest.fixture
def houses(
    tmp_path: Path, returns: Path, server: LocalServer, parsed: Callable[..., Path]
) -> Iterator[tuple[House, House]]:
    """Two houses of whole DAG runs over the returns of the first night."""
    made = []
    for name in ("left-alone", "killed"):
        home = tmp_path / name
        parsed(home / "dbt", "asms")
        shutil.copytree(returns / "first", tmp_path / f"drop-{name}")
        variables = {
            "ASMS_DROP": str(tmp_path / f"drop-{name}"),
            "ASMS_SOURCES": "katottg,population",
            "ASMS_POPULATION_URL": server.urls["population"],
            "ASMS_LOCK_TIMEOUT_SECONDS": "600",
        }
        made.append(House(home, variables))
    yield made[0], made[1]
    for house in made:
        embedded.stop(house.home)


def test_whole_dag_runs_killed_at_random_moments_end_as_if_undisturbed(
    houses: tuple[House, House], returns: Path
) -> None:
    """As above with ``make nightly``. In the first round two nights run at once, and both come to their end."""
    chance, begin = random.Random(SEED + 1), time.monotonic()  # noqa: S311 - moments, no secrets
    counts: Counter[str] = Counter()
    calm, killed = houses
    round_no = 0
    while counts["kills of whole DAG runs"] < DAG_KILLS:
        for house in houses:
            _send(Path(house.variables["ASMS_DROP"]), returns, round_no)
        started = time.monotonic()
        code, printed = calm.nightly()
        assert code == 0, printed
        longest = _WITHIN * (time.monotonic() - started)
        if round_no == 0:
            together = [killed.start(), killed.start()]
            printed_by = [process.communicate()[0] for process in together]
            assert [process.returncode for process in together] == [0, 0], printed_by
            counts["nights at once"] += 2
        else:
            _kill_nights(killed, chance, longest, counts)
            code, printed = killed.nightly()
            assert code == 0, printed
        assert killed.marts() == calm.marts()
        assert killed.query("select count(*) from marts.dim_release where is_current") == [(1,)]
        assert _told(killed) >= _told(calm)
        round_no += 1
        _tell(f"DAG round {round_no}", counts, time.monotonic() - begin)


def _told(house: House) -> Counter[str]:
    """How many mails each recipient got: what finding ids are made of tells the two drops apart, so the digests differ."""
    return Counter(mail.name.partition("-")[2] for mail in house.mails())


def _kill_nights(house: House, chance: random.Random, longest: float, counts: Counter[str]) -> None:
    for _ in range(_DAG_KILLS_A_ROUND):
        process = house.start()
        timer = threading.Timer(chance.uniform(1, longest), _kill, (process,))
        timer.start()
        process.communicate()
        timer.cancel()
        counts["kills of whole DAG runs"] += process.returncode == -signal.SIGKILL
        if process.returncode != -signal.SIGKILL:
            return


def _kill(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
