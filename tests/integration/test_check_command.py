"""`asms check FILE`: exit codes, places and remedies, without a server."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from asms.catalogue import load_catalogue
from asms.cli import cli
from asms.intake.template import TemplateAnswer, TemplateRow, write_template


def _write(
    path: Path,
    answers: dict[tuple[str, str], object],
    year: str = "2024",
    last_year: Mapping[tuple[str, str], float | str] | None = None,
) -> Path:
    catalogue = load_catalogue()
    names = {domain.domain_code: domain.name_uk for domain in catalogue.domains}
    rows = [
        TemplateRow(
            c.indicator_code, c.domain_code, names[c.domain_code], c.name_uk, c.name_en, c.unit_measure, c.is_sex_split
        )
        for c in catalogue.indicators
        if c.collection_code == "ASMS" and not c.is_derived
    ]
    write_template(
        path,
        indicators=rows,
        municipality_code="UA05020030000031457",
        municipality_name="Вінницька",
        time_period=year,
        catalogue_version="test",
        answers={key: TemplateAnswer(value) for key, value in answers.items()},
        last_year=last_year,
    )
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which nothing may appear: no server is started."""
    monkeypatch.setenv("ASMS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_clean_return_exits_0_and_starts_nothing(tmp_path: Path, home: Path) -> None:
    file = _write(tmp_path / "a.xlsx", {("WAT.001", "T"): 12.5, ("WAT.002", "T"): 11})
    result = CliRunner().invoke(cli, ["check", str(file)])
    assert result.exit_code == 0, result.output
    assert "помилка (error) 0" in result.output
    assert not home.exists()


def test_errors_exit_2_and_name_place_found_expected_and_remedy(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.xlsx", {("WAT.001", "T"): 12, ("WAT.002", "T"): 13, ("POP.001", "T"): "сто"})
    result = CliRunner().invoke(cli, ["check", str(file)])
    assert result.exit_code == 2
    assert "ПОМИЛКА a.xlsx WAT D6 WAT.002 T [CHK.WAT.002.1]" in result.output
    assert "знайдено / found: 13; очікувалося / expected: ≤ 12" in result.output
    assert "[CELL_NOT_A_NUMBER]" in result.output
    assert "як виправити / how to mend: Впишіть саме число" in result.output


def test_last_year_decides_what_one_file_cannot(tmp_path: Path) -> None:
    before = _write(tmp_path / "2023.xlsx", {("WAT.001", "T"): 12000}, "2023")
    now = _write(tmp_path / "2024.xlsx", {("WAT.001", "T"): 12})
    alone = json.loads(CliRunner().invoke(cli, ["check", str(now), "--json"]).output)
    assert alone["verdicts"]["YEAR_UNIT_SLIP"].get("fail") is None
    both = CliRunner().invoke(cli, ["check", str(now), "--last-year", str(before), "--json"])
    told = json.loads(both.output)["breaches"]
    by_year = [b for b in told if b["rule_id"] in ("YEAR_UNIT_SLIP", "CHK.WAT.001.YEAR")]
    assert sorted((b["rule_id"], b["file_name"], b["found"]) for b in by_year) == [
        ("CHK.WAT.001.YEAR", "2024.xlsx", "12"),
        ("YEAR_UNIT_SLIP", "2024.xlsx", "12"),
    ]
    assert both.exit_code == 0


def test_a_file_that_cannot_be_read_exits_1(tmp_path: Path) -> None:
    file = tmp_path / "a.xlsx"
    file.write_bytes(b"no workbook")
    result = CliRunner().invoke(cli, ["check", str(file)])
    assert result.exit_code == 1
    assert "FORM_NOT_RECOGNISED" in result.output


def test_what_the_sheet_shows_of_last_year_decides_too(tmp_path: Path) -> None:
    """The column beside is last year's; a reason in it is no value, and a file of last year goes before it."""
    shown = {("WAT.001", "T"): 12000, ("WAT.003", "T"): "не збирається (M_NC)", ("POP.001", "F"): 400}
    answers: dict[tuple[str, str], object] = {("WAT.001", "T"): 12, ("WAT.003", "T"): 5}
    file = _write(tmp_path / "2024.xlsx", answers, last_year=shown)
    told = json.loads(CliRunner().invoke(cli, ["check", str(file), "--json"]).output)
    by_year = [b for b in told["breaches"] if b["rule_id"] in ("YEAR_UNIT_SLIP", "CHK.WAT.001.YEAR")]
    assert sorted((b["rule_id"], b["file_name"], b["time_period"], b["expected"]) for b in by_year) == [
        ("CHK.WAT.001.YEAR", "2024.xlsx", "2024", "8400 … 15600"),
        ("YEAR_UNIT_SLIP", "2024.xlsx", "2024", "≈ 12000"),
    ]
    assert {b["time_period"] for b in told["breaches"]} == {"2024"}
    assert told["verdicts"]["YEAR_UNIT_SLIP"]["fail"] == 1
    assert told["verdicts"]["PEER.WAT.D06"] == {"no_data": 1}
    before = _write(tmp_path / "2023.xlsx", {("WAT.001", "T"): 12.1}, "2023")
    other = CliRunner().invoke(cli, ["check", str(file), "--last-year", str(before), "--json"])
    assert json.loads(other.output)["verdicts"]["YEAR_UNIT_SLIP"].get("fail") is None
