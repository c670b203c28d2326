"""Killed at every step boundary and in the middle of steps, run again: the same marts as without the kill."""

import multiprocessing
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asms.catalogue import load_catalogue
from asms.intake.template import write_template
from asms.returns import list_questions
from asms.sample.drop import YEARS, make_sample
from asms.sample.server import LocalServer, serve
from asms.settings import Settings
from asms.warehouse import embedded
from tests.e2e.conftest import House
from tests.e2e.night import PRELOAD, be_killed, night_settings, run_through

# Two hromadas in two years, and one file of those that cannot be read. One return comes for the second night.
_RETURNS = ("Вінницька міська ТГ", "Бучанська міська ТГ", "Нетішинська міська ТГ 2023")
_SENDERS = ("Вінницька", "Бучанська", "Нетішинська")
_LATE = "Бучанська міська ТГ 2024.xlsx"

_SERVER_DIES = ("in the middle of a return", "publish before its commit")

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(PRELOAD)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def returns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small drop, taken from the shipped sample; the returns that it leaves out are not written."""
    catalogue = load_catalogue()

    def write(path: Path, **given: Any) -> None:
        if given["municipality_name"].startswith(_SENDERS):
            write_template(path, **given)
        else:
            path.write_bytes(b"")

    drop = make_sample(
        tmp_path_factory.mktemp("few-returns") / "drop",
        write_template=write,
        rows={year: list_questions(catalogue, year) for year in YEARS},
        catalogue_version=catalogue.catalogue_version,
    )
    for file in drop.iterdir():
        if not file.stem.startswith(_RETURNS):
            file.unlink()
    assert [file.stat().st_size > 0 for file in sorted(drop.iterdir())] == [True, True, True, True, False]
    return drop


def _settings(home: Path, returns: Path, server: LocalServer, parsed: Callable[..., Path]) -> Settings:
    parsed(home / "dbt")
    shutil.copytree(returns, home / "sample" / "drop", ignore=shutil.ignore_patterns(_LATE))
    return night_settings(home, server.base_url, server.urls["population"])


def _child(target: object, *arguments: object) -> int:
    process = _context.Process(target=target, args=arguments)  # type: ignore[arg-type]
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _run_through(settings: Settings) -> list[str]:
    """A night that nobody disturbs; the moments that it told."""
    steps = settings.home / "steps"
    assert _child(run_through, settings, steps) == 0, (settings.home / "night.log").read_text()[-3000:]
    return steps.read_text(encoding="utf-8").splitlines()


def _send_late(settings: Settings, returns: Path) -> None:
    shutil.copy(returns / _LATE, settings.home / "sample" / "drop")


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, returns: Path, server: LocalServer, parsed: Callable[..., Path]
) -> Iterator[tuple[list[str], list[str], dict[str, tuple[int, str]]]]:
    """The moments of two nights that nobody disturbs, and the marts they make."""
    settings = _settings(tmp_path_factory.mktemp("undisturbed"), returns, server, parsed)
    first = _run_through(settings)
    _send_late(settings, returns)
    second = _run_through(settings)
    yield first, second, House(settings.home, {}).marts()
    embedded.stop(settings.home)


def test_killed_again_and_again_the_nights_end_as_if_undisturbed(
    tmp_path: Path,
    returns: Path,
    server: LocalServer,
    undisturbed: tuple[list[str], list[str], dict[str, tuple[int, str]]],
    parsed: Callable[..., Path],
) -> None:
    """One house, killed at each kind of moment in turn; each night finds done what the nights before it did.

    The first night is killed at what comes before its layers, the second, which builds what one late return changes, at all
    that follows. Twice it is the server that dies, under a reader in the middle of a return and under a release that is not
    committed yet.
    """
    first, second, expected = undisturbed
    at_first = list(dict.fromkeys(first[: first.index("gate_raw") + 1]))
    # a gate changes no table but its own results, so the first one stands for all four
    later = [step for step in dict.fromkeys(second[second.index("gate_raw") + 1 :]) if not step.startswith("gate_")]
    assert {*at_first, *later} == {step for step in first if not step.startswith("gate_") or step == "gate_raw"}
    assert len(at_first) + len(later) >= 15
    assert set(_SERVER_DIES) <= {*at_first, *later}
    settings = _settings(tmp_path / "killed", returns, server, parsed)
    house = House(settings.home, {})
    try:
        _kill_at(settings, at_first)
        _run_through(settings)
        _send_late(settings, returns)
        _kill_at(settings, later)
        _run_through(settings)
        assert house.marts() == expected
        assert house.query("select release_id from marts.dim_release where is_current") == [(2,)]
    finally:
        embedded.stop(settings.home)


def _kill_at(settings: Settings, moments: list[str]) -> None:
    for moment in moments:
        assert _child(be_killed, settings, moment, "process") == -signal.SIGKILL, moment
        if moment in _SERVER_DIES:
            # 0: the backend got its commit through before it heard that its server is gone, so there is no moment after it
            code = _child(be_killed, settings, moment, "server")
            assert code in (0, 1), moment
            if code == 0:
                break
