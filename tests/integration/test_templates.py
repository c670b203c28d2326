"""Templates chunk by chunk, as the tasks of the DAG make them, and at the terminal."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from psycopg import conninfo

from asms.cli import cli
from asms.warehouse.connection import Warehouse
from asms_airflow import templates

HROMADAS = ("UA05020030000031457", "UA07080170000013585", "UA80000000000093317")


@pytest.fixture
def home(warehouse: Warehouse, pg_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose settings lead to the test's warehouse, in which nothing is published."""
    for name in ("ASMS_REPLAY", "ASMS_SOURCES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASMS_HOME", str(tmp_path))
    monkeypatch.setenv("ASMS_DROP", str(tmp_path / "drop"))
    monkeypatch.setenv("ASMS_CREDENTIALS", str(pg_home / "credentials.json"))
    monkeypatch.setenv("ASMS_WAREHOUSE_DSN", conninfo.make_conninfo("", **warehouse.params("admin")))
    return tmp_path


def _files(home: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (home / "templates" / "2025").iterdir()}


@pytest.mark.usefixtures("home")
def test_every_municipality_is_in_one_chunk() -> None:
    chunks = templates.plan({"year": 2025, "municipalities": None})
    covered = [position for one in chunks for position in range(one["first"], one["first"] + one["count"])]
    assert covered == list(range(1774))


def test_a_run_that_is_started_again_changes_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "_CHUNK", 2)
    params: dict[str, Any] = {"year": 2025, "municipalities": ", ".join(HROMADAS)}
    chunks = templates.plan(params)
    assert chunks == [{"first": 0, "count": 2}, {"first": 2, "count": 1}]
    made = [templates.make(params, chunk) for chunk in chunks]
    assert [(one["count"], one["unchanged_count"], one["without_last_year_count"]) for one in made] == [
        (2, 0, 2), (1, 0, 1),
    ]  # fmt: skip
    files = _files(home)
    assert sorted(name.split()[-2] for name in files) == sorted(HROMADAS)
    again = [templates.make(params, chunk) for chunk in chunks]
    assert [one["unchanged_count"] for one in again] == [2, 1]
    assert _files(home) == files


def test_at_the_terminal_it_says_what_it_lacks(home: Path) -> None:
    options = ["--municipality", HROMADAS[0], "--year", "2025", "--domain", "EDU"]
    done = CliRunner().invoke(cli, ["template", *options])
    assert done.exit_code == 0, done.output
    assert "without last year's values: there is no database with a release" in done.stderr
    assert [name.split()[-1] for name in _files(home)] == ["EDU.xlsx"]
    named = CliRunner().invoke(cli, ["template", *options, "--out", str(home / "a" / "EDU.xlsx"), "--json"])
    assert json.loads(named.stdout)["paths"] == [str(home / "a" / "EDU.xlsx")]
    assert (home / "a" / "EDU.xlsx").read_bytes() == next(iter(_files(home).values()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--municipality", "UA99", "--year", "2025"], "UA99"),
        (["--municipality", HROMADAS[0], "--year", "2025", "--domain", "XXX"], "no domain XXX"),
        (
            ["--municipality", HROMADAS[0], "--municipality", HROMADAS[1], "--year", "2025", "--out", "a.xlsx"],
            "a folder",
        ),
    ],
)
@pytest.mark.usefixtures("home")
def test_what_cannot_be_made_is_named(options: list[str], message: str) -> None:
    done = CliRunner().invoke(cli, ["template", *options])
    assert done.exit_code == 1
    assert message in done.stderr
