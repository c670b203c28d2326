"""Killed at every step boundary and inside of steps, cut off, filled up, refused: the nights end as if undisturbed."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults import harness
from tests.faults.harness import Fault, do

if TYPE_CHECKING:
    from tests.faults.fixtures import Reference

pytest_plugins = ("tests.faults.fixtures",)
pytestmark = pytest.mark.timeout(1800)  # thirty nights: a machine that others use takes its time

_FAILED = ("OperationalError", "AdminShutdown", "TransientDbtError", "TransientSourceError", "DbtError")

_RETURN = "in the middle of a return"
_INSIDE = (
    Fault("disk full", harness.fill_disk, _RETURN, ends=(*_FAILED, "DiskFull", "StoreError")),
    Fault("server killed", harness.kill_server, _RETURN, ends=_FAILED),
    Fault("network cut", harness.cut_network, _RETURN, ends=_FAILED, by_relay=True),
    Fault("sessions ended", harness.end_sessions, _RETURN, ends=_FAILED),
)


def test_disturbed_again_and_again_the_nights_end_as_if_undisturbed(
    open_trial: Callable[..., Any], returns: Path, reference: "Reference"
) -> None:
    """One house that meets each fault in turn; each night finds done what the nights before it did.

    The first night is disturbed at what comes before its layers, the second, which builds what one late return changes, at
    all that follows; between them the clock is put back.
    """
    first, second = reference.first, reference.second
    at_first = list(dict.fromkeys(first[: first.index("gate_raw") + 1]))
    # a gate changes no table but its own results, so the first one stands for all four; and what a kill after the marts were
    # built leaves is what one leaves before they are published
    same = {"gate_staging", "gate_indicators", "gate_marts", "build_marts"}
    later = [step for step in dict.fromkeys(second[second.index("gate_raw") + 1 :]) if step not in same]
    assert {*at_first, *later} == set(first) - same
    with open_trial("disturbed", disk_megabytes=900) as trial:
        for moment in at_first:
            do(trial, Fault(f"kill at {moment}", harness.kill, moment))
            if moment == "fetch_open_budget":
                do(trial, Fault("landing store full", harness.limit_files, moment, ends=("StoreError",)))
                do(trial, Fault("second night", harness.meet_another_night, moment))
            if moment == "in the middle of a return":
                for fault in _INSIDE:
                    if fault.disturb is not harness.fill_disk or trial.disk:
                        do(trial, fault)
        trial.undisturbed()
        trial.turn_clock_back(3)
        shutil.copytree(returns / "second", trial.drop, dirs_exist_ok=True)
        for moment in later:
            if moment == "a mail sent, not noted yet":
                do(trial, Fault("mail refused", harness.refuse_mail, "make_feedback", ends=("NotifyError",)))
            do(
                trial,
                Fault(f"kill at {moment}", harness.kill_anywhere if "not noted" in moment else harness.kill, moment),
            )
            if moment == "publish before its commit":
                do(trial, Fault("server killed", harness.kill_server, moment, ends=_FAILED))
        trial.undisturbed()
        trial.check(reference.state)
        assert trial.counts["kills of the night"] >= 18  # whole DAG runs are killed in tests/e2e/test_sample.py
