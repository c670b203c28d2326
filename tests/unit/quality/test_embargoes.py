"""The file of embargoes: what is read, and what is said of lines that cannot be."""

from pathlib import Path

import pytest

from asms.quality.declared import DeclaredError
from asms.quality.embargoes import COLUMNS, read_embargoes

_GOOD = ",TER.001,2024,2025-06-01T09:00+03:00,спершу комітет,Мінрозвитку"


def _write(folder: Path, *lines: str) -> Path:
    file = folder / "embargoes.csv"
    file.write_text("\n".join([",".join(COLUMNS), *lines]), encoding="utf-8")
    return file


def test_a_moment_is_one_moment_however_its_zone_is_written(tmp_path: Path) -> None:
    first, second = read_embargoes(_write(tmp_path, _GOOD, _GOOD.replace("09:00+03:00", "06:00Z"))).values()
    assert first.embargo_until == second.embargo_until
    assert (first.domain_code, first.indicator_code) == (None, "TER.001")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (_GOOD.replace("+03:00", ""), r"line 2, column embargo_until: a moment with its zone is expected"),
        (_GOOD.replace("2025-06-01T09:00", "скоро"), r"line 2, column embargo_until: .*'скоро\+03:00' is written"),
        ("TER" + _GOOD, r"line 2: either domain_code or indicator_code"),
        (_GOOD.replace("TER.001", ""), r"line 2: either domain_code or indicator_code"),
        (_GOOD.replace("2024", "2024-Q1"), r"line 2, column time_period: a year is expected: 2024"),
        (_GOOD.replace("Мінрозвитку", "—"), r"line 2, column provider: write why, and who asked for it"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_with_its_column(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(DeclaredError, match=rf"embargoes\.csv, {said}"):
        read_embargoes(_write(tmp_path, line))
