"""The template that we write is the form that we read."""

from pathlib import Path

import pytest
from openpyxl import load_workbook

from asms.geography.gazetteer import Gazetteer, make_unit
from asms.intake.form_definition import load_forms
from asms.intake.form_reading import Return, read_return
from asms.intake.template import MISSING_REASONS, NOT_ASKED, TemplateAnswer, TemplateRow, write_template

CITY = "UA05020030010063857"
HROMADA = "UA05020030000031457"
ROWS = (
    TemplateRow("TER.001", "TER", "Територія", "Площа", "Area", "км²", False),
    TemplateRow("POP.001", "POP", "Населення", "Населення", "Population", "осіб", True),
    TemplateRow("TER.002", "TER", "Територія", "Населені пункти", "Settlements", "од.", False),
)
ANSWERS = {
    ("TER.001", "T"): TemplateAnswer(256.6, remark="=HYPERLINK(1)"),
    ("TER.002", "T"): TemplateAnswer(None, reason=MISSING_REASONS["M_NC"]),
    ("POP.001", "T"): TemplateAnswer("387 439"),
    ("POP.001", "F"): TemplateAnswer("-"),
}


def _write(path: Path) -> bytes:
    write_template(
        path,
        indicators=ROWS,
        municipality_code=HROMADA,
        municipality_name="Вінницька міська територіальна громада",
        time_period="2024",
        catalogue_version="abc",
        answers=ANSWERS,
    )
    return path.read_bytes()


def _read(data: bytes) -> Return:
    levels = ["UA05000000000010236", "UA05020000000026686", HROMADA, CITY]
    gazetteer = Gazetteer(
        make_unit(levels[:depth], category, name)
        for depth, category, name in (
            (1, "O", "Вінницька"),
            (2, "P", "Вінницький"),
            (3, "H", "Вінницька "),
            (4, "M", "Вінниця"),
        )
    )
    return read_return(data, "звіт.xlsx", load_forms(), gazetteer.resolve)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    found = _read(_write(tmp_path / "звіт.xlsx"))
    assert (found.form.form_code, found.municipality_code, found.time_period) == ("ASMS-ANNUAL", HROMADA, "2024")
    assert found.problems == ()
    cells = {(cell.indicator_code, cell.sex): cell for cell in found.cells}
    assert {key: (cell.sheet, cell.cell, cell.value.text, cell.value.type) for key, cell in cells.items()} == {
        ("TER.001", "T"): ("TER", "D5", "256.6", "number"),
        ("TER.002", "T"): ("TER", "D6", None, "empty"),
        ("POP.001", "T"): ("POP", "D5", "387 439", "text"),
        ("POP.001", "F"): ("POP", "E5", "-", "text"),
        ("POP.001", "M"): ("POP", "F5", None, "empty"),
    }
    assert cells["TER.001", "T"].remark_text == "=HYPERLINK(1)"
    assert cells["TER.002", "T"].reason_text == "не збирається (M_NC)"


def test_a_figure_where_none_is_asked_is_kept_for_staging_to_judge(tmp_path: Path) -> None:
    _write(tmp_path / "звіт.xlsx")
    workbook = load_workbook(tmp_path / "звіт.xlsx")
    assert workbook["TER"]["E5"].value == NOT_ASKED
    workbook["TER"]["E5"] = 7
    workbook.save(tmp_path / "звіт.xlsx")
    found = _read((tmp_path / "звіт.xlsx").read_bytes())
    assert [(cell.cell, cell.value.text) for cell in found.cells if cell.sex == "F" and cell.sheet == "TER"] == [
        ("E5", "7")
    ]


def test_rows_and_columns_may_be_moved(tmp_path: Path) -> None:
    _write(tmp_path / "звіт.xlsx")
    workbook = load_workbook(tmp_path / "звіт.xlsx")
    for merged in list(workbook["POP"].merged_cells.ranges):
        workbook["POP"].unmerge_cells(str(merged))
    workbook["POP"].insert_rows(3, 4)
    workbook["POP"].insert_cols(2)
    workbook["POP"]["A9"] = " рор , 001"  # Cyrillic letters, a comma, blanks
    workbook.save(tmp_path / "звіт.xlsx")
    found = _read((tmp_path / "звіт.xlsx").read_bytes())
    moved = [(cell.indicator_code, cell.cell, cell.value.text) for cell in found.cells if cell.sheet == "POP"]
    assert moved == [("POP.001", "E9", "387 439"), ("POP.001", "F9", "-"), ("POP.001", "G9", None)]


def test_text_that_looks_like_a_formula_is_never_one(tmp_path: Path) -> None:
    _write(tmp_path / "звіт.xlsx")
    workbook = load_workbook(tmp_path / "звіт.xlsx")
    for sheet, cell in (("TER", "H5"), ("POP", "E5")):
        assert (workbook[sheet][cell].data_type, workbook[sheet][cell].quotePrefix) == ("s", True)


def test_equal_arguments_give_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _write(tmp_path / "a.xlsx")
    monkeypatch.setattr("zipfile.time.localtime", lambda *_: (2030, 1, 2, 3, 4, 5, 0, 0, 0))
    assert _write(tmp_path / "b.xlsx") == first
    assert b"1980-01-01" in __import__("zipfile").ZipFile(tmp_path / "b.xlsx").read("docProps/core.xml")


def test_what_people_fill_in_by_is_there(tmp_path: Path) -> None:
    _write(tmp_path / "звіт.xlsx")
    workbook = load_workbook(tmp_path / "звіт.xlsx")
    assert workbook.sheetnames == ["TER", "POP", "_asms"]
    assert workbook["_asms"].sheet_state == "hidden"
    assert workbook["TER"].freeze_panes == "D5"
    (validation,) = workbook["TER"].data_validations.dataValidation
    assert (str(validation.sqref), validation.type) == ("G5:G6", "list")
    assert all(reason in validation.formula1 for reason in MISSING_REASONS.values())
