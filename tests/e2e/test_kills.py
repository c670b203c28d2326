"""Killed at every step boundary and in the middle of steps, run again: the same marts as without the kill."""

import multiprocessing
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from asms.sample.server import LocalServer, serve
from asms.settings import Settings
from asms.warehouse import embedded
from asms_airflow.inputs import make_shipped_sample
from tests.e2e.conftest import House
from tests.e2e.night import PRELOAD, be_killed, night_settings, run_through

# Two hromadas in two years, and one file of those that cannot be read.
_RETURNS = ("Вінницька міська ТГ", "Бучанська міська ТГ", "Нетішинська міська ТГ 2023")

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(PRELOAD)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def returns(tmp_path_factory: pytest.TempPathFactory, server: LocalServer) -> Path:
    """A small drop, taken from the shipped sample."""
    home = tmp_path_factory.mktemp("all-returns")
    make_shipped_sample(night_settings(home, server.base_url, server.urls["population"]))
    drop = tmp_path_factory.mktemp("few-returns") / "drop"
    drop.mkdir()
    for file in sorted((home / "sample" / "drop").rglob("*.xlsx")):
        if file.stem.startswith(_RETURNS):
            shutil.copyfile(file, drop / file.name)
    assert len(list(drop.iterdir())) == 5
    return drop


def _settings(home: Path, returns: Path, server: LocalServer) -> Settings:
    shutil.copytree(returns, home / "sample" / "drop")
    return night_settings(home, server.base_url, server.urls["population"])


def _child(target: object, *arguments: object) -> int:
    process = _context.Process(target=target, args=arguments)  # type: ignore[arg-type]
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, returns: Path, server: LocalServer
) -> Iterator[tuple[list[str], dict[str, tuple[int, str]]]]:
    """The moments of a night that nobody disturbs, and the marts it makes."""
    home = tmp_path_factory.mktemp("undisturbed")
    settings = _settings(home, returns, server)
    assert _child(run_through, settings, home / "steps") == 0, (home / "night.log").read_text()[-3000:]
    yield (home / "steps").read_text(encoding="utf-8").splitlines(), House(home, {}).marts()
    embedded.stop(home)


def test_killed_again_and_again_the_night_ends_as_if_undisturbed(
    tmp_path: Path, returns: Path, server: LocalServer, undisturbed: tuple[list[str], dict[str, tuple[int, str]]]
) -> None:
    """One house, killed at each kind of moment in turn; each night finds done what the nights before it did."""
    steps, expected = undisturbed
    # a gate changes no table but its own results, so the first one stands for all four
    moments = [step for step in dict.fromkeys(steps) if not step.startswith("gate_") or step == "gate_raw"]
    assert len(moments) >= 15
    settings = _settings(tmp_path / "killed", returns, server)
    for moment in moments:
        assert _child(be_killed, settings, moment, "process") == -signal.SIGKILL, moment
    assert _child(run_through, settings, tmp_path / "steps") == 0, (settings.home / "night.log").read_text()[-3000:]
    house = House(settings.home, {})
    try:
        assert house.marts() == expected
        assert house.query("select count(*) from marts.dim_release where is_current") == [(1,)]
    finally:
        embedded.stop(settings.home)


@pytest.mark.parametrize("step", ["in the middle of a return", "publish before its commit"])
def test_the_server_killed_under_the_night(
    step: str,
    tmp_path: Path,
    returns: Path,
    server: LocalServer,
    undisturbed: tuple[list[str], dict[str, tuple[int, str]]],
) -> None:
    _, expected = undisturbed
    settings = _settings(tmp_path / "killed", returns, server)
    try:
        # 0 where the backend still gets its commit through before it hears that its server is gone
        assert _child(be_killed, settings, step, "server") in (0, 1)
        assert _child(run_through, settings, tmp_path / "steps") == 0, (settings.home / "night.log").read_text()[-3000:]
        assert House(settings.home, {}).marts() == expected
    finally:
        embedded.stop(settings.home)
