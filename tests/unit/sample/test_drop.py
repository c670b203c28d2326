"""The sample's returns: equal bytes each time, plausible figures, the documented faults and no others."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from asms.catalogue import load_catalogue
from asms.intake.template import TemplateRow, write_template
from asms.returns import list_questions
from asms.sample import make_sample
from asms.sample.answers import Answer, make_answers
from asms.sample.drop import YEARS, file_name
from asms.sample.faults import read_faults
from asms.sample.hromadas import read_hromadas

HROMADAS = read_hromadas()
REPORTING = [one for one in HROMADAS if one.has_return]


@pytest.fixture(scope="module")
def rows() -> dict[int, list[TemplateRow]]:
    catalogue = load_catalogue()
    return {year: list_questions(catalogue, year) for year in YEARS}


@pytest.fixture(scope="module")
def drop(rows: dict[int, list[TemplateRow]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sample(
        tmp_path_factory.mktemp("sample") / "drop", write_template=write_template, rows=rows, catalogue_version="v1"
    )


def _hashes(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_every_oblast_is_in_the_list_and_kyiv_crimea_sevastopol() -> None:
    assert len({one.oblast_uk for one in HROMADAS}) == 27
    absent = {one.municipality_code for one in HROMADAS if not one.has_return}
    assert {"UA85000000000065278", "UA01160330000011827"} <= absent
    assert "UA80000000000093317" not in absent


def test_there_is_a_return_per_hromada_and_year(drop: Path) -> None:
    assert len(_hashes(drop)) == len(REPORTING) * len(YEARS) + 1  # one is sent twice


def test_a_second_call_makes_only_what_is_not_right_and_equal_bytes(
    rows: dict[int, list[TemplateRow]], drop: Path
) -> None:
    calls: list[Path] = []

    def counting(path: Path, **given: object) -> None:
        calls.append(path)
        write_template(path, **given)  # type: ignore[arg-type]

    def again() -> int:
        calls.clear()
        make_sample(drop, write_template=counting, rows=rows, catalogue_version="v1")
        return len(calls)

    before = _hashes(drop)
    assert again() == 1  # the probe
    files = sorted(drop.iterdir())
    for victim in (files[0], files[20], drop / "Вінниця 2024 (копія).xlsx"):
        victim.write_bytes(b"spoiled")
    files[40].unlink()
    assert again() == 5
    assert _hashes(drop) == before


def test_another_catalogue_makes_other_files(rows: dict[int, list[TemplateRow]], tmp_path: Path) -> None:
    def tiny(path: Path, **given: object) -> None:
        path.write_text(str(given["catalogue_version"]), encoding="utf-8")

    folder = tmp_path / "drop"
    make_sample(folder, write_template=tiny, rows=rows, catalogue_version="v1")
    first = _hashes(folder)
    make_sample(folder, write_template=tiny, rows=rows, catalogue_version="v2")
    assert set(_hashes(folder)) == set(first)
    assert _hashes(folder) != first


def test_every_question_of_the_catalogue_is_answered(rows: dict[int, list[TemplateRow]]) -> None:
    asked = {(row.code, sex) for row in rows[2023] for sex in ("TFM" if row.is_sex_split else "T")}
    given = make_answers(REPORTING[1], 2023)
    without_reason = {key for key in asked if key not in given and given.get((key[0], "T"), Answer(1)).reason is None}
    assert without_reason == set()
    assert set(given) <= asked


@pytest.mark.parametrize("year", YEARS)
def test_figures_keep_the_rules_where_no_fault_is_planted(year: int) -> None:
    """F + M = T; no part is above its whole; population near the register's."""
    parts = [
        ("TER.005", "TER.004"), ("POP.025", "POP.001"), ("REV.010", "REV.001"), ("EXP.010", "EXP.001"),
        ("EXP.035", "EXP.001"), ("LND.010", "LND.001"), ("LND.021", "TER.004"), ("HOU.002", "POP.001"),
        ("HOU.006", "HOU.005"), ("WAT.002", "WAT.001"), ("WAT.011", "WAT.010"), ("HEA.002", "HEA.001"),
        ("IMP.002", "IMP.001"), ("WST.002", "WST.001"), ("WST.005", "POP.001"), ("TRN.006", "TRN.005"),
        ("SOC.010", "HOU.002"), ("SPY.003", "POP.025"), ("GEN.002", "GOV.001"), ("DIG.002", "GOV.016"),
        ("INT.001", "INT.003"), ("SPY.012", "POP.001"), ("LAB.012", "POP.001"),
    ]  # fmt: skip
    for hromada in REPORTING:
        values = {key: answer.value for key, answer in make_answers(hromada, year).items()}
        for code, sex in [key for key in values if key[1] == "F" and key[0] != "LAB.006"]:
            assert values[code, sex] + values[code, "M"] == values[code, "T"], (hromada.name_uk, code)  # type: ignore[operator]
        for part, whole in parts:
            for sex in ("T", "F", "M"):
                small, large = values.get((part, sex)), values.get((whole, sex))
                if small is not None and large is not None:
                    assert small <= large, (hromada.name_uk, part, whole, sex)  # type: ignore[operator]
        assert hromada.population_2022
        assert 0.85 < values["POP.001", "T"] / hromada.population_2022 < 1.15  # type: ignore[operator]


def test_each_fault_is_in_the_file_it_names(drop: Path) -> None:
    names = {(one.municipality_code, year): file_name(one, year) for one in REPORTING for year in YEARS}
    faults = read_faults()
    assert 10 <= len(faults) <= 20
    for key, fault in faults.items():
        file = drop / names[key]
        if fault.keep_bytes is not None:
            assert file.stat().st_size == fault.keep_bytes
            assert not zipfile.is_zipfile(file)
            continue
        if fault.copy_as:
            assert (drop / fault.copy_as).read_bytes() == file.read_bytes()
        workbook = CalamineWorkbook.from_path(str(file))
        grids = {name: workbook.get_sheet_by_name(name).to_python() for name in workbook.sheet_names}
        cells = [cell for grid in grids.values() for line in grid for cell in line]
        for cell in fault.cells:
            assert cell.value is None or cell.value in cells, (fault.note, cell)
        for code in [one.as_ for one in fault.recode] + [one.code for one in fault.add]:
            assert code in cells
        for repeat in fault.repeat:
            assert sum(str(cell).strip() == repeat.code for cell in cells) == 2
        if fault.identity:
            assert ["municipality_name", fault.identity.name] in [line[:2] for line in grids["_asms"]]
