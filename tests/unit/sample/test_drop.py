"""The sample's returns: equal bytes each time, plausible figures, the documented faults and no others."""

import csv
import hashlib
import zipfile
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from asms.catalogue import load_catalogue
from asms.intake.template import TemplateRow, write_template
from asms.returns import list_questions
from asms.sample import make_sample
from asms.sample.answers import Answer, leave_blank, make_answers
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
    for hromada in REPORTING:
        given = make_answers(hromada, 2023)
        without_reason = {
            key for key in asked if key not in given and given.get((key[0], "T"), Answer(1)).reason is None
        }
        assert without_reason == set()
        assert set(given) <= asked


def test_the_lines_stand_in_the_order_of_the_catalogue_with_its_decimals() -> None:
    text = files("asms.sample").joinpath("data/answers.csv").read_text(encoding="utf-8")
    lines = [(row["indicator_code"], int(row["decimals"])) for row in csv.DictReader(text.splitlines())]
    assert lines == [
        (card.indicator_code, card.decimals)
        for card in load_catalogue().indicators
        if card.collection_code == "ASMS" and not card.is_derived
    ]


@pytest.mark.parametrize("year", YEARS)
def test_figures_keep_to_their_cards(year: int) -> None:
    """Bounds; F + M = T of counts; population near the register's. The rules are asked in tests/integration."""
    cards = load_catalogue().by_code
    for hromada in REPORTING:
        values = {
            key: float(str(answer.value))
            for key, answer in make_answers(hromada, year).items()
            if answer.value is not None
        }
        for (code, sex), value in values.items():
            card = cards[code]
            assert card.min_value is None or value >= card.min_value, (hromada.name_uk, code, sex)
            assert card.max_value is None or value <= card.max_value, (hromada.name_uk, code, sex)
            if sex == "F" and card.indicator_type != "mean":
                assert value + values[code, "M"] == values[code, "T"], (hromada.name_uk, code)
        assert hromada.population_2022
        assert 0.85 < values["POP.001", "T"] / hromada.population_2022 < 1.15


def test_few_answers_are_missing_for_no_reason_of_the_place() -> None:
    reasons = Counter(
        answer.reason for hromada in REPORTING[1:-1] for (_, sex), answer in make_answers(hromada, 2023).items()
        if sex == "T"
    )  # fmt: skip
    assert 0.001 < reasons["не збирається (M_NC)"] / reasons.total() < 0.02


def test_some_hromadas_answer_all_most_nearly_all_and_some_leave_domains_out() -> None:
    domains_left = []
    shares = []
    for hromada in REPORTING:
        all_answers = make_answers(hromada, 2024)
        given = leave_blank(all_answers, hromada, 2024)
        assert given == leave_blank(all_answers, hromada, 2024)
        assert given.items() <= all_answers.items()
        codes = {code for code, _ in given}
        shares.append(len(codes) / len({code for code, _ in all_answers}))
        domains_left.append(24 - len({code.partition(".")[0] for code in codes}))
        assert {"TER.001", "POP.001"} <= codes
    assert shares.count(1) >= 3
    assert sum(0.9 < share < 1 for share in shares) >= 10
    assert 2 <= sum(count > 0 for count in domains_left) <= 8


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
