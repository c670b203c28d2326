"""The file of corrections: what is read, and what is said of lines that cannot be."""

from pathlib import Path

import pytest

from asms.quality.corrections import COLUMNS, read_corrections
from asms.quality.declared import DeclaredError

_BODY = "UA05020030000031457"
_GOOD = f"ASMS,{_BODY},TER.001,2023,T,set,70,700,,пропущено нуль,рада"


def _write(folder: Path, *lines: str) -> Path:
    file = folder / "corrections.csv"
    file.write_text("\n".join([",".join(COLUMNS), *lines]), encoding="utf-8")
    return file


def test_lines_are_read_as_spreadsheets_write_them(tmp_path: Path) -> None:
    file = tmp_path / "corrections.csv"
    line = f"ASMS;{_BODY};TER.001;2023;T;set;1 070,5;700;;«пропущено; нуль»;рада".replace(
        "«пропущено; нуль»", '"пропущено; нуль"'
    )
    file.write_text("﻿" + ";".join(COLUMNS) + f"\n\n{line}\n;;;;;;;;;;\n", encoding="utf-8")
    ((number, found),) = read_corrections(file).items()
    assert (number, found.expected_value, found.new_value, found.reason) == (3, 1070.5, 700.0, "пропущено; нуль")
    (same,) = read_corrections(
        _write(tmp_path, _GOOD.replace(",70,", ",1070.5,").replace("пропущено нуль", '"пропущено; нуль"'))
    ).values()
    assert same.fingerprint == found.fingerprint


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (_GOOD.replace(",T,", ",X,"), r"line 2, column sex: Input should be 'T', 'F' or 'M' \('X' is written\)"),
        (_GOOD.replace(",set,", ",put,"), r"line 2, column action: Input should be 'drop', 'set', 'scale' or 'flag'"),
        (_GOOD.replace(",70,", ",сімдесят,"), r"line 2, column expected_value: .*valid number.*'сімдесят'"),
        (_GOOD.replace(",700,", ",,"), r"line 2: new_value must be given for set"),
        (_GOOD.replace("set,70,700,", "drop,70,700,"), r"line 2: new_value must be empty for drop"),
        (_GOOD.replace("set,70,700,", "flag,70,,"), r"line 2: new_status must be given for flag"),
        (_GOOD.replace("set,70,", "scale,,"), r"line 2: expected_value must be given for scale"),
        (_GOOD.replace("2023", "23"), r"line 2, column time_period: a period is expected: 2024, 2024-Q1 or 2024-03"),
        (_GOOD.replace("UA05", "05"), r"line 2, column municipality_code: UA and 17 digits"),
        (_GOOD.replace("пропущено нуль", ""), r"line 2, column reason: it must be given"),
        (_GOOD + ",зайве", r"line 2: 12 columns; 11 are expected"),
        (f"{_GOOD}\n{_GOOD}", r"line 3: line 2 corrects this value already"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_with_its_column(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(DeclaredError, match=rf"corrections\.csv, {said}"):
        read_corrections(_write(tmp_path, line))


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "corrections.csv"
    with pytest.raises(DeclaredError, match="cannot be read"):
        read_corrections(file)
    file.write_text("a,b\n")
    with pytest.raises(DeclaredError, match="line 1: the columns must be collection_code,"):
        read_corrections(file)
