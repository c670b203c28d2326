"""The template that we write is the form that we read, and says when it is no longer the template that we wrote."""

import csv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape

from asms.geography.gazetteer import Gazetteer, make_unit
from asms.intake.form_definition import load_forms
from asms.intake.form_reading import Return, read_registers, read_return
from asms.intake.identity import Asked
from asms.intake.problem import ProblemError
from asms.intake.template import (
    LAST_YEAR_TITLES,
    MISSING_REASONS,
    NIL_CHOICE,
    NOT_ASKED,
    REGISTER_TITLES,
    TemplateAnswer,
    TemplateRow,
    write_template,
)
from asms.paths import DBT_DIR

CITY = "UA05020030010063857"
HROMADA = "UA05020030000031457"
ROWS = (
    TemplateRow(
        "TER.001", "TER", "Територія", "Площа", "Area", "км²", False, "Territory", "Площа громади.", 1, False, 0, 9
    ),
    TemplateRow("POP.001", "POP", "Населення", "Населення", "Population", "осіб", True, is_integer=True, min_value=0),
    TemplateRow("TER.002", "TER", "Територія", "Населені пункти", "Settlements", "од.", False, choices=("0", "1", "2")),
    TemplateRow("POP.002", "POP", "Населення", "Вік", "Age", "років", False, decimals=2),
)
ANSWERS = {
    ("TER.001", "T"): TemplateAnswer(256.6, remark="=HYPERLINK(1)"),
    ("TER.002", "T"): TemplateAnswer(None, reason=MISSING_REASONS["M_NC"]),
    ("POP.001", "T"): TemplateAnswer("387 439"),
    ("POP.001", "F"): TemplateAnswer("-"),
}
LAST_YEAR: dict[tuple[str, str], float | str] = {
    ("TER.001", "T"): 256.5,
    ("POP.001", "F"): 200001.0,
    ("TER.002", "T"): "конфіденційно (C)",
}
ASKED = Asked(
    "abc",
    (
        *(("ASMS", code, 2011, None) for code in ("TER.001", "TER.002", "POP.001", "POP.002", "EDU.001")),
        ("ASMS", "TER.003", 2025, None),
    ),
)


def _write(path: Path, **changes: Any) -> bytes:
    named: dict[str, Any] = {
        "indicators": ROWS,
        "municipality_code": HROMADA,
        "municipality_name": "Вінницька міська територіальна громада",
        "time_period": "2024",
        "catalogue_version": "abc",
        "answers": ANSWERS,
        "last_year": LAST_YEAR,
    }
    write_template(path, **(named | changes))
    return path.read_bytes()


def _read(data: bytes, asked: Asked | None = ASKED) -> Return:
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
    return read_return(data, "звіт.xlsx", load_forms(), gazetteer.resolve, asked)


def _edit(path: Path, change: Callable[[openpyxl.Workbook], None], **changes: Any) -> bytes:
    """A template as a spreadsheet program saves it after somebody changed it."""
    _write(path, **changes)
    workbook = load_workbook(path)
    change(workbook)
    workbook.save(path)
    return path.read_bytes()


def _told(found: Return) -> list[tuple[str, str | None]]:
    return [(problem.rule_id, problem.sheet) for problem in found.problems]


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
        ("POP.002", "T"): ("POP", "D6", None, "empty"),
    }
    assert cells["TER.001", "T"].remark_text == "=HYPERLINK(1)"
    assert cells["TER.002", "T"].reason_text == "не збирається (M_NC)"


def test_a_template_filled_in_by_a_program_gives_what_was_filled_in(tmp_path: Path) -> None:
    def fill(workbook: openpyxl.Workbook) -> None:
        for sheet, cell, value in (("TER", "D5", 7.5), ("TER", "F6", "конфіденційно (C)"), ("POP", "F5", 12)):
            assert not workbook[sheet][cell].protection.locked, cell
            workbook[sheet][cell] = value

    found = _read(_edit(tmp_path / "звіт.xlsx", fill, answers={}))
    given = {
        (c.indicator_code, c.sex): (c.value.text, c.reason_text) for c in found.cells if c.value.text or c.reason_text
    }
    assert found.problems == ()
    assert given == {
        ("TER.001", "T"): ("7.5", None),
        ("TER.002", "T"): (None, "конфіденційно (C)"),
        ("POP.001", "M"): ("12", None),
    }


def test_a_figure_where_none_is_asked_is_kept_for_staging_to_judge(tmp_path: Path) -> None:
    def fill(workbook: openpyxl.Workbook) -> None:
        assert workbook["POP"]["E6"].value == NOT_ASKED
        workbook["POP"]["E6"] = 7

    found = _read(_edit(tmp_path / "звіт.xlsx", fill))
    assert [(cell.cell, cell.value.text) for cell in found.cells if cell.sex == "F"] == [("E5", "-"), ("E6", "7")]
    assert found.problems == ()


def test_rows_columns_and_sheets_may_be_moved_and_renamed(tmp_path: Path) -> None:
    def move(workbook: openpyxl.Workbook) -> None:
        workbook["POP"].insert_rows(3, 4)
        workbook["POP"].insert_cols(2)
        workbook["POP"]["A9"] = " рор , 001"  # Cyrillic letters, a comma, blanks
        workbook.move_sheet("POP", -1)
        workbook["TER"].title = "Територія громади"

    found = _read(_edit(tmp_path / "звіт.xlsx", move))
    moved = [(cell.sheet, cell.indicator_code, cell.cell, cell.value.text) for cell in found.cells]
    assert moved == [
        ("POP", "POP.001", "E9", "387 439"),
        ("POP", "POP.001", "F9", "-"),
        ("POP", "POP.001", "G9", None),
        ("POP", "POP.002", "E10", None),
        ("Територія громади", "TER.001", "D5", "256.6"),
        ("Територія громади", "TER.002", "D6", None),
    ]
    assert _told(found) == [("TEMPLATE_LAYOUT_CHANGED", "POP")]


def test_a_copy_of_a_sheet_is_told_and_not_read(tmp_path: Path) -> None:
    def copy(workbook: openpyxl.Workbook) -> None:
        workbook.copy_worksheet(workbook["TER"]).title = "чернетка"

    found = _read(_edit(tmp_path / "звіт.xlsx", copy))
    assert {cell.sheet for cell in found.cells} == {"TER", "POP"}
    assert _told(found) == [("SHEET_NOT_MAPPED", "чернетка")]


def test_lines_and_sheets_that_are_gone_are_told(tmp_path: Path) -> None:
    def cut(workbook: openpyxl.Workbook) -> None:
        workbook["POP"].delete_rows(5)
        del workbook["TER"]

    found = _read(_edit(tmp_path / "звіт.xlsx", cut))
    assert [cell.indicator_code for cell in found.cells] == ["POP.002"]
    assert _told(found) == [("TEMPLATE_CODES_CHANGED", "POP"), ("FORM_SHEET_MISSING", None)]
    assert "прочитано рядків 1, у шаблоні 2" in found.problems[0].message_uk
    assert "«TER»" in found.problems[1].message_uk


def test_a_gone_sheet_is_told_though_another_bears_its_name(tmp_path: Path) -> None:
    def cut(workbook: openpyxl.Workbook) -> None:
        del workbook["TER"]
        workbook["POP"].title = "TER"

    found = _read(_edit(tmp_path / "звіт.xlsx", cut))
    assert {(cell.sheet, cell.indicator_code) for cell in found.cells} == {("TER", "POP.001"), ("TER", "POP.002")}
    assert [(p.rule_id, p.value_found) for p in found.problems] == [("FORM_SHEET_MISSING", "TER")]


def test_a_sheet_without_its_lines_is_told_and_not_taken_as_blank(tmp_path: Path) -> None:
    def cut(workbook: openpyxl.Workbook) -> None:
        workbook["TER"].delete_rows(5, 2)

    found = _read(_edit(tmp_path / "звіт.xlsx", cut))
    assert {cell.sheet for cell in found.cells} == {"POP"}
    assert [(p.rule_id, p.sheet, p.value_found) for p in found.problems] == [("TEMPLATE_CODES_CHANGED", "TER", "0")]


def test_sheets_may_be_put_in_another_order_and_renamed_all(tmp_path: Path) -> None:
    def change(workbook: openpyxl.Workbook) -> None:
        workbook.move_sheet("_asms", -2)
        workbook.move_sheet("POP", -1)
        for number, name in enumerate(("POP", "TER")):
            workbook[name].title = f"Аркуш {number}"

    def cells(found: Return) -> set[tuple[str, str, str, str | None]]:
        return {(cell.indicator_code, cell.sex, cell.cell, cell.value_text) for cell in found.cells}

    found = _read(_edit(tmp_path / "звіт.xlsx", change))
    assert found.problems == ()
    assert cells(found) == cells(_read(_write(tmp_path / "as it was.xlsx")))


def test_a_workbook_without_any_of_its_sheets_is_refused_by_their_names(tmp_path: Path) -> None:
    def cut(workbook: openpyxl.Workbook) -> None:
        workbook.create_sheet("нотатки", 0)["A2"] = "Вінницька міська територіальна громада"
        workbook["нотатки"]["D2"] = "2024"
        del workbook["TER"], workbook["POP"]

    with pytest.raises(ProblemError, match="FORM_SHEET_MISSING") as refusal:
        _read(_edit(tmp_path / "звіт.xlsx", cut))
    assert "«TER, POP»" in refusal.value.message_uk


def test_staging_knows_every_reason_that_a_template_offers() -> None:
    with (DBT_DIR / "seeds" / "missing_reason.csv").open(encoding="utf-8", newline="") as stream:
        known = {row["reason_text"]: row["obs_status"] for row in csv.DictReader(stream)}
    offered = {text.rpartition(" (")[0]: status for status, text in MISSING_REASONS.items()} | {NIL_CHOICE: "M_NA"}
    assert {text: known.get(text) for text in offered} == offered


@pytest.mark.parametrize("choice", [NIL_CHOICE, " Послуги  немає (нульова звітність)"])
def test_a_nil_return_answers_every_blank_cell_of_its_sheet(tmp_path: Path, choice: str) -> None:
    def choose(workbook: openpyxl.Workbook) -> None:
        workbook["TER"]["B3"] = choice
        workbook["TER"]["F5"] = MISSING_REASONS["C"]

    found = _read(_edit(tmp_path / "звіт.xlsx", choose, answers={}))
    assert {cell.indicator_code: cell.reason_text for cell in found.cells} == {
        "TER.001": "конфіденційно (C)",
        "TER.002": NIL_CHOICE,
        "POP.001": None,
        "POP.002": None,
    }
    assert found.problems == ()


def test_figures_stand_beside_a_nil_return_and_are_told(tmp_path: Path) -> None:
    def choose(workbook: openpyxl.Workbook) -> None:
        workbook["POP"]["B3"] = NIL_CHOICE
        workbook["POP"]["D5"], workbook["POP"]["E5"], workbook["POP"]["F5"] = 5, 0, None

    found = _read(_edit(tmp_path / "звіт.xlsx", choose))
    pop = [(cell.cell, cell.value.text, cell.reason_text) for cell in found.cells if cell.sheet == "POP"]
    assert pop == [("D5", "5", None), ("E5", "0", None), ("F5", None, NIL_CHOICE), ("D6", None, NIL_CHOICE)]
    assert [(p.rule_id, p.cell) for p in found.problems] == [("NIL_RETURN_CONTRADICTED", "D5")]


def test_another_word_in_the_choice_of_a_nil_return_is_told_and_means_nothing(tmp_path: Path) -> None:
    def choose(workbook: openpyxl.Workbook) -> None:
        workbook["TER"]["B3"] = "так"

    found = _read(_edit(tmp_path / "звіт.xlsx", choose, answers={}))
    assert {cell.reason_text for cell in found.cells} == {None}
    assert [(p.rule_id, p.sheet, p.cell, p.value_found) for p in found.problems] == [
        ("NIL_RETURN_UNCLEAR", "TER", "B3", "так")
    ]


def test_a_template_of_another_version_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asms.intake.template.FORM_VERSION", "1")
    with pytest.raises(ProblemError, match="RETURN_OTHER_VERSION") as refusal:
        _read(_write(tmp_path / "звіт.xlsx"))
    assert "за версією 1 форми ASMS-ANNUAL, а приймається версія 2" in refusal.value.message_uk


@pytest.mark.parametrize(
    ("key", "value", "rule_id"),
    [
        ("municipality_code", "UA07080170000013585", "TEMPLATE_IDENTITY_EDITED"),
        ("time_period", "2023", "TEMPLATE_IDENTITY_EDITED"),
        ("sheet TER", None, "TEMPLATE_IDENTITY_EDITED"),
        ("checksum", None, "TEMPLATE_IDENTITY_EDITED"),
        ("form_version", None, "RETURN_OTHER_VERSION"),
        ("form_code", None, "FORM_NOT_RECOGNISED"),
    ],
)
def test_an_edited_hidden_sheet_is_refused(tmp_path: Path, key: str, value: str | None, rule_id: str) -> None:
    def edit(workbook: openpyxl.Workbook) -> None:
        row = next(row for row in workbook["_asms"].iter_rows() if row[0].value == key)
        row[1].value = value

    with pytest.raises(ProblemError, match=rule_id):
        _read(_edit(tmp_path / "звіт.xlsx", edit))


def test_last_years_template_for_a_new_year_is_refused(tmp_path: Path) -> None:
    def edit(workbook: openpyxl.Workbook) -> None:
        workbook["TER"]["D2"] = "2025"

    with pytest.raises(ProblemError, match="PERIOD_CONTRADICTION"):
        _read(_edit(tmp_path / "звіт.xlsx", edit))


def test_a_template_of_another_catalogue_is_read_only_while_the_year_asks_all_of_it(tmp_path: Path) -> None:
    old = _write(tmp_path / "звіт.xlsx", catalogue_version="old")
    assert _told(_read(old)) == []  # nothing that matters has changed
    (problem,) = _read(_write(tmp_path / "звіт.xlsx", catalogue_version="old", time_period="2025")).problems
    assert problem.rule_id == "TEMPLATE_OLDER_CATALOGUE"
    assert "TER.003" in problem.message_uk
    assert "EDU.001" not in problem.message_uk, "a template of some domains is not asked for the others"
    gone = Asked("abc", tuple(question for question in ASKED.questions if question[1] != "TER.002"))
    with pytest.raises(ProblemError, match="TEMPLATE_OTHER_CATALOGUE") as refusal:
        _read(old, gone)
    assert "2024" in refusal.value.message_uk
    assert "TER.002" in refusal.value.message_uk


def test_a_line_that_somebody_added_does_not_make_it_another_catalogue(tmp_path: Path) -> None:
    def add(workbook: openpyxl.Workbook) -> None:
        workbook["TER"]["A7"], workbook["TER"]["D7"] = "TER.999", 1

    found = _read(_edit(tmp_path / "звіт.xlsx", add, catalogue_version="old"))
    assert "TER.999" in {cell.indicator_code for cell in found.cells}
    assert _told(found) == [("TEMPLATE_CODES_CHANGED", "TER")]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "<r><t>x</t></r>", "<b>&amp;</b>", "http://a.b"]
)
def test_text_is_never_a_formula_a_link_or_markup(tmp_path: Path, text: str) -> None:
    _write(
        tmp_path / "звіт.xlsx", municipality_name=text, last_year={("TER.001", "T"): text},
        answers={("POP.001", "T"): TemplateAnswer(text, text, text)},
    )  # fmt: skip
    workbook = load_workbook(tmp_path / "звіт.xlsx", rich_text=False)
    cells = [workbook["POP"][name] for name in ("A2", "D5", "J5", "K5")] + [workbook["TER"]["E5"]]
    for cell in cells:
        assert (unescape(cell.value), cell.data_type, cell.hyperlink) == (text, "s", None), cell.coordinate
    if text[0] in "=+-@\t\r":
        assert all(workbook["POP"][name].quotePrefix for name in ("D5", "J5", "K5"))


def test_equal_arguments_give_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _write(tmp_path / "a.xlsx")
    monkeypatch.setattr("zipfile.time.localtime", lambda *_: (2030, 1, 2, 3, 4, 5, 0, 0, 0))
    assert _write(tmp_path / "b.xlsx") == first
    with zipfile.ZipFile(tmp_path / "b.xlsx") as archive:
        assert archive.read("docProps/core.xml").count(b"1980-01-01") == 2
        assert {info.date_time[0] for info in archive.infolist()} == {1980}
    assert _write(tmp_path / "c.xlsx", time_period="2025") != first


def test_what_people_fill_in_by_is_there(tmp_path: Path) -> None:
    _write(tmp_path / "звіт.xlsx")
    workbook = load_workbook(tmp_path / "звіт.xlsx")
    ter, pop = workbook["TER"], workbook["POP"]
    assert workbook.sheetnames == ["TER", "POP", "_asms"]
    assert workbook["_asms"].sheet_state == "hidden"
    assert ter.freeze_panes == "D5"
    assert ter["A1"].value == "TER. Територія / Territory"
    assert ter["B5"].value == "Площа\nArea"
    assert [cell.value.partition("\n")[0] for cell in ter[4]] == [
        "Код", "Показник", "Одиниця", "Усього", "Торік: усього", "Причина відсутності", "Примітка", "Визначення",
    ]  # fmt: skip
    assert [cell.value for cell in pop[4]][3:9] == [
        "Усього\nTotal", "Жінки\nWomen", "Чоловіки\nMen", *LAST_YEAR_TITLES.values(),
    ]  # fmt: skip
    assert (ter["E5"].value, ter["E6"].value, ter["H5"].value) == (256.5, "конфіденційно (C)", "Площа громади.")
    assert [pop.cell(5, column).value for column in (7, 8, 9)] == [None, 200001, None]
    assert [pop.cell(6, column).value for column in (5, 6, 8, 9)] == [NOT_ASKED] * 4


def test_each_cell_takes_what_its_question_asks(tmp_path: Path) -> None:
    _write(tmp_path / "звіт.xlsx")
    workbook = load_workbook(tmp_path / "звіт.xlsx")
    taken = {
        f"{sheet}!{check.sqref}": (check.type, check.formula1, check.formula2)
        for sheet in ("TER", "POP")
        for check in workbook[sheet].data_validations.dataValidation
    }
    reasons = f'"{",".join(MISSING_REASONS.values())}"'
    assert taken == {
        "TER!D5": ("decimal", "0", "9"),
        "TER!D6": ("list", '"0,1,2"', None),
        "TER!F5:F6": ("list", reasons, None),
        "TER!B3": ("list", f'"{NIL_CHOICE}"', None),
        "POP!D5:F5": ("whole", "0", "1000000000000000"),
        "POP!D6": ("decimal", "-1000000000000000", "1000000000000000"),
        "POP!J5:J6": ("list", reasons, None),
        "POP!B3": ("list", f'"{NIL_CHOICE}"', None),
    }


def test_only_what_is_to_be_filled_in_is_open(tmp_path: Path) -> None:
    _write(tmp_path / "звіт.xlsx")
    workbook = load_workbook(tmp_path / "звіт.xlsx")
    for sheet, expected in (
        ("TER", {"B3", "D5", "F5", "G5", "D6", "F6", "G6"}),
        ("POP", {"B3", "D5", "E5", "F5", "J5", "K5", "D6", "J6", "K6"}),
        ("_asms", set()),
    ):
        assert workbook[sheet].protection.sheet
        assert workbook[sheet].protection.password is None
        open_cells = {
            cell.coordinate for row in workbook[sheet].iter_rows() for cell in row if not cell.protection.locked
        }
        assert open_cells == expected


def test_what_a_register_knows_is_filled_in_and_stands_beside(tmp_path: Path) -> None:
    known = {("POP.001", "T"): 387439.4, ("POP.001", "F"): 200.0, ("TER.001", "T"): 5.0}
    data = _write(tmp_path / "t.xlsx", answers={("TER.001", "T"): TemplateAnswer(6.0)}, registers=known)
    book = load_workbook(tmp_path / "t.xlsx")
    cells = {
        (cell.indicator_code, cell.sex): cell.value_text for cell in _read(data).cells if cell.value_text is not None
    }
    assert cells == {("POP.001", "T"): "387439", ("POP.001", "F"): "200", ("TER.001", "T"): "6"}
    shown = read_registers(data, "t.xlsx", load_forms())
    assert shown == {("POP.001", "T"): 387439.0, ("POP.001", "F"): 200.0, ("TER.001", "T"): 5.0}
    last = book["POP"].max_column
    assert book["POP"].cell(4, last - 2).value == REGISTER_TITLES["T"]
    assert book["POP"].cell(5, last - 2).protection.locked
    assert read_registers(_write(tmp_path / "bare.xlsx"), "bare.xlsx", load_forms()) == {}
