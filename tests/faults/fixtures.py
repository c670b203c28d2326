"""A small drop, the services it needs, and what two nights make of them that nobody disturbs."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from asms.catalogue import load_catalogue
from asms.intake.template import write_template
from asms.returns import list_questions
from asms.sample.drop import YEARS, make_sample
from asms.sample.server import LocalServer, serve
from asms.warehouse import embedded
from tests.faults.harness import Disk, Mailbox, State, Trial, small_disk
from tests.faults.night import night_settings

# Two hromadas in two years, and one file of those that cannot be read. For the second night one return comes late and one is
# corrected.
_RETURNS = ("Вінницька міська ТГ", "Бучанська міська ТГ", "Нетішинська міська ТГ 2023")
_SENDERS = ("Вінницька", "Бучанська", "Нетішинська")
_LATE = "Бучанська міська ТГ 2024.xlsx"
_CORRECTED = "Вінницька"
_CELL = ("CUL.001", "T")


@pytest.fixture(scope="session")
def server() -> Iterator[LocalServer]:
    with serve() as running:
        yield running


@pytest.fixture(scope="session")
def returns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small drop, taken from the shipped sample; the returns that it leaves out are not written.

    Folder ``first`` is what is there for the first night, ``second`` what comes for the second.
    """
    catalogue = load_catalogue()
    folder = tmp_path_factory.mktemp("few-returns")
    (folder / "second").mkdir()

    def write(path: Path, **given: Any) -> None:
        if given["municipality_name"].startswith(_SENDERS):
            write_template(path, **given)
            if given["municipality_name"].startswith(_CORRECTED) and str(given["time_period"]) == "2024":
                answer = replace(given["answers"][_CELL], value=given["answers"][_CELL].value * 2)
                corrected = {**given, "answers": {**given["answers"], _CELL: answer}}
                write_template(folder / "second" / "Вінницька міська ТГ 2024 (виправлено).xlsx", **corrected)
        else:
            path.write_bytes(b"")

    drop = make_sample(
        folder / "first",
        write_template=write,
        rows={year: list_questions(catalogue, year) for year in YEARS},
        catalogue_version=catalogue.catalogue_version,
    )
    for file in drop.iterdir():
        if not file.stem.startswith(_RETURNS):
            file.unlink()
    assert [file.stat().st_size > 0 for file in sorted(drop.iterdir())] == [True, True, True, True, False]
    (drop / _LATE).rename(folder / "second" / _LATE)
    assert len(list((folder / "second").iterdir())) == 2
    return folder


@dataclass(frozen=True)
class Reference:
    """The moments of two nights that nobody disturbs, and what the second leaves."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    state: State
    seconds: tuple[float, float]


@pytest.fixture(scope="session")
def open_trial(
    tmp_path_factory: pytest.TempPathFactory, returns: Path, server: LocalServer, parsed: Callable[..., Path]
) -> Callable[..., Any]:
    """``with open_trial(name) as trial``: a new house with the returns of the first night in its drop, on a disk of its own."""

    @contextmanager
    def open_house(name: str, *, disk_megabytes: int = 0) -> Iterator[Trial]:
        home = tmp_path_factory.mktemp(name)
        with small_disk(home, disk_megabytes) if disk_megabytes else nullcontext() as disk:
            yield from _furnish(home, disk)

    def _furnish(home: Path, disk: Disk | None) -> Iterator[Trial]:
        parsed(home / "dbt")
        shutil.copytree(returns / "first", home / "sample" / "drop")
        mailbox = Mailbox()
        with mailbox.open() as port:
            settings = night_settings(str(home), server.base_url, server.urls["population"])
            try:
                yield Trial(settings, mailbox, port, disk)
            finally:
                embedded.stop(home)

    return open_house


@pytest.fixture(scope="session")
def reference(open_trial: Callable[..., Any], returns: Path) -> Reference:
    """What two undisturbed nights make, the late return coming for the second."""
    with open_trial("undisturbed") as trial:
        first = trial.undisturbed()
        shutil.copytree(returns / "second", trial.drop, dirs_exist_ok=True)
        second = trial.undisturbed()
        state = trial.state()
        trial.check(state)
    return Reference(first.steps, second.steps, state, (first.seconds, second.seconds))
