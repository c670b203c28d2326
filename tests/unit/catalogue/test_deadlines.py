"""Deadlines are lines of a file that staff edit."""

import shutil
from pathlib import Path

import pytest

from asms.catalogue import CatalogueError, check_catalogue, load_catalogue
from asms.paths import PROJECT_ROOT

DATA = PROJECT_ROOT / "include" / "asms" / "catalogue" / "data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the files that a test may spoil."""
    return Path(shutil.copytree(DATA, tmp_path / "data"))


def _write(folder: Path, *lines: str) -> None:
    (folder / "deadlines.csv").write_text("\n".join(["collection_code,time_period,due_date", *lines]), encoding="utf-8")


def test_a_moved_deadline_has_a_version_of_its_own(folder: Path) -> None:
    shipped = load_catalogue()
    _write(folder, "ASMS,2024,2025-06-02", "TC2018,2018,2019-01-31")
    edited = load_catalogue(folder)
    assert check_catalogue(edited) == []
    assert edited.deadline_version != shipped.deadline_version
    assert edited.catalogue_version == shipped.catalogue_version


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["NONE,2024,2025-06-01"], "deadline NONE 2024: collection NONE is not in collections.csv"),
        (["ASMS,2024,2025-06-01", "ASMS,2024,2025-06-02"], "deadline ASMS 2024 is there 2 times"),
        (["ASMS,2024,2024-06-01"], "deadline ASMS 2024: due_date 2024-06-01 is before the year is over"),
    ],
)
def test_what_cannot_be_meant_is_told(folder: Path, lines: list[str], problem: str) -> None:
    _write(folder, *lines)
    assert problem in check_catalogue(load_catalogue(folder))


@pytest.mark.parametrize("line", ["ASMS,24,2025-06-01", "ASMS,2024,01.06.2025", "ASMS,2024"])
def test_a_line_that_does_not_fit_is_named(folder: Path, line: str) -> None:
    _write(folder, line)
    with pytest.raises(CatalogueError, match=r"deadlines\.csv, line 2"):
        load_catalogue(folder)
