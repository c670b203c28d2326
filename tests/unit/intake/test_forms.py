"""Form definitions: what they accept, and that a new form is a YAML file and nothing else."""

import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from openpyxl import Workbook as NewWorkbook

from asms.intake.form_definition import FormError, load_forms
from asms.intake.form_reading import Return, read_return
from asms.intake.problem import ProblemError
from asms.intake.spelling import fold_code

THIRD_FORM = """
form_code: ROADS-Q
form_version: "2"
collection_code: ROADS
name_uk: Квартальний звіт про дороги
name_en: Quarterly return on roads
recognise:
  - {sheet: Дороги, cell: A1, equals: "Звіт про дороги:"}
municipality:
  - {sheet: Дороги, cell: B2}
freq: Q
time_period:
  - {file_name: true}
tables:
  - sheets: "Дороги( \\\\d)?"
    code: {titles: [Шифр рядка], pattern: "R\\\\d{3}"}
    values:
      - {titles: [За квартал, Квартал], sex: T}
    remark: {titles: [Пояснення]}
    ends_at: Разом
"""


@dataclass(frozen=True)
class Town:
    municipality_code: str
    label: str


@dataclass(frozen=True)
class Answer:
    municipality_code: str | None
    candidates: tuple[Town, ...]


def resolve(text: str, *, region: str | None = None) -> Answer:
    """A gazetteer of three towns, two of one name."""
    towns = {
        "Луцьк": (Town("UA07", "Луцьк"),),
        "Одеса": (Town("UA51", "Одеса"),),
        "Городок": (Town("UA46", "Городок, Львівська область"), Town("UA68", "Городок, Хмельницька область")),
    }.get(text, ())
    if region:
        towns = tuple(town for town in towns if region in town.label)
    return Answer(towns[0].municipality_code if len(towns) == 1 else None, towns)


@pytest.fixture
def forms(tmp_path: Path) -> Path:
    folder = tmp_path / "forms"
    folder.mkdir()
    (folder / "roads.yaml").write_text(THIRD_FORM, encoding="utf-8")
    return folder


def _book(sheets: dict[str, list[list[object]]]) -> bytes:
    workbook = NewWorkbook()
    workbook.remove(workbook.worksheets[0])
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()


def _roads(town: str = "Луцьк", header: str = "Шифр рядка", value: str = "Квартал") -> bytes:
    return _book(
        {
            "Дороги": [
                ["ЗВІТ ПРО  ДОРОГИ"],
                ["Громада", town],
                [],
                ["Назва", header, "Пояснення", value],
                ["Дороги загального користування", "Розділ 1", None, None],
                ["Довжина", "R001", "уточнено", 12.5],
                ["Площа", "R 002", None, None],
                ["Без шифру", None, None, 3],
                ["Разом", "РАЗОМ:", None, 99],
                ["Після підсумку", "R003", None, 1],
            ],
            "Інше": [["R004", 5]],
        }
    )


def _read(data: bytes, forms: Path, path: str = "roads 2024-Q3.xlsx") -> Return:
    return read_return(data, path, load_forms(forms), resolve)


def test_a_third_form_needs_yaml_only(forms: Path) -> None:
    found = _read(_roads(), forms)
    assert (found.form.collection_code, found.municipality_code, found.time_period) == ("ROADS", "UA07", "2024-Q3")
    assert [
        (cell.indicator_code, cell.code_text, cell.cell, cell.value.text, cell.remark_text) for cell in found.cells
    ] == [
        ("R001", "R001", "D6", "12.5", "уточнено"),
        ("R002", "R 002", "D7", None, None),
    ]
    assert [(problem.rule_id, problem.sheet, problem.cell, problem.value_found) for problem in found.problems] == [
        ("CODE_ROW_WITHOUT_CODE", "Дороги", "D8", "3")
    ]


@pytest.mark.parametrize(
    ("data", "path", "rule_id"),
    [
        (_roads(header="Номер"), "2024-Q3.xlsx", "FORM_CODE_COLUMN_MISSING"),
        (_roads(value="Рік"), "2024-Q3.xlsx", "FORM_VALUE_COLUMN_MISSING"),
        (_roads(town="Атлантида"), "2024-Q3.xlsx", "MUNICIPALITY_NOT_FOUND"),
        (_roads(town="Городок"), "2024-Q3.xlsx", "MUNICIPALITY_AMBIGUOUS"),
        (_roads(town=""), "2024-Q3.xlsx", "MUNICIPALITY_NOT_FOUND"),
        (_roads(), "дороги.xlsx", "PERIOD_NOT_FOUND"),
        (_book({"Інше": [["Звіт про дороги"]]}), "2024-Q3.xlsx", "FORM_NOT_RECOGNISED"),
    ],
)
def test_what_a_form_cannot_use_is_named(forms: Path, data: bytes, path: str, rule_id: str) -> None:
    with pytest.raises(ProblemError) as refusal:
        _read(data, forms, path)
    assert refusal.value.rule_id == rule_id


def test_a_form_that_reads_a_cell_twice_is_told(tmp_path: Path) -> None:
    table = THIRD_FORM[THIRD_FORM.index("  - sheets:") :]
    (tmp_path / "twice.yaml").write_text(THIRD_FORM + table, encoding="utf-8")
    with pytest.raises(ProblemError) as refusal:
        _read(_roads(), tmp_path)
    assert refusal.value.rule_id == "FORM_MAPS_TWICE"


@pytest.mark.parametrize("period", ["2024-01", "2024-01-15", "2024-Q3", "2044", "1999", "1024"])
def test_a_period_that_the_form_cannot_be_for_is_refused(forms: Path, period: str) -> None:
    text = THIRD_FORM.replace("freq: Q\n", "").replace(
        "{file_name: true}", "{file_name: true}\n  - {sheet: Дороги, cell: A2}"
    )
    (forms / "roads.yaml").write_text(text, encoding="utf-8")

    def book(cell: str) -> bytes:
        return _book({"Дороги": [["Звіт про дороги"], [cell, "Луцьк"], ["Шифр рядка", "Квартал"], ["R001", 1]]})

    assert _read(book("2024"), forms, "шлях 0412, 2024.xlsx").time_period == "2024"
    with pytest.raises(ProblemError) as refusal:
        _read(book(period), forms, "2024.xlsx")
    assert (refusal.value.rule_id, refusal.value.cell) == ("PERIOD_NOT_FOUND", "A2")


@pytest.mark.parametrize("period", ["2024", "2024-07"])
def test_a_quarterly_form_takes_quarters_only(forms: Path, period: str) -> None:
    with pytest.raises(ProblemError, match="PERIOD_NOT_FOUND"):
        _read(_roads(), forms, f"roads {period}.xlsx")


def test_an_ambiguous_name_lists_its_candidates(forms: Path) -> None:
    with pytest.raises(ProblemError) as refusal:
        _read(_roads(town="Городок"), forms)
    assert "Львівська область" in refusal.value.message_uk
    assert "Хмельницька область" in refusal.value.message_en
    assert refusal.value.value_found == "Городок"


def test_a_broken_sheet_leaves_the_others_standing(forms: Path) -> None:
    good = [["Звіт про дороги"], ["Громада", "Луцьк"], ["Шифр рядка", "Квартал"], ["R001", 1]]
    found = _read(_book({"Дороги": good, "Дороги 2": [["Рядок", "Квартал"], ["R002", 2]]}), forms)
    assert [cell.indicator_code for cell in found.cells] == ["R001"]
    assert [(problem.rule_id, problem.sheet) for problem in found.problems] == [
        ("FORM_CODE_COLUMN_MISSING", "Дороги 2")
    ]


@pytest.mark.parametrize("name", ["pop", "POP (2)", "РОР", "рор (3)", "POP "])
def test_a_sheet_is_known_by_its_look(forms: Path, name: str) -> None:
    text = THIRD_FORM.replace('"Дороги( \\\\d)?"', '"[A-Z]{3}"')
    assert text != THIRD_FORM
    (forms / "roads.yaml").write_text(text, encoding="utf-8")
    head = [["Звіт про дороги"], ["Громада", "Луцьк"]]
    table = [["Шифр рядка", "Квартал"], ["R001", 1]]
    found = _read(_book({"дoроги ": head, "TER": table, name: table, "ВСЕ": [["Шифр", 1]]}), forms)
    assert [cell.sheet for cell in found.cells] == ["TER", name]
    assert found.problems == ()


def test_a_sheet_of_codes_that_is_not_read_is_told(forms: Path) -> None:
    table = [["Шифр рядка", "Квартал"], ["R001", 1]]
    good = [["Звіт про дороги"], ["Громада", "Луцьк"], *table]
    found = _read(_book({"Дороги": good, "ДОРОГИ (2)": table, "Мости": [[]] * 9 + table, "Нотатки": [["x"]]}), forms)
    assert [cell.sheet for cell in found.cells] == ["Дороги"]
    assert [(problem.rule_id, problem.sheet) for problem in found.problems] == [
        ("SHEET_NOT_MAPPED", "ДОРОГИ (2)"),
        ("SHEET_NOT_MAPPED", "Мости"),
    ]


def test_the_folder_names_the_region(forms: Path) -> None:
    text = THIRD_FORM.replace("time_period:", "region: {folder: true}\ntime_period:")
    (forms / "roads.yaml").write_text(text, encoding="utf-8")
    assert _read(_roads(town="Городок"), forms, "Львівська/2024-Q3.xlsx").municipality_code == "UA46"


def test_two_places_that_name_two_bodies_or_years_are_refused(forms: Path) -> None:
    text = THIRD_FORM.replace("{sheet: Дороги, cell: B2}", "{sheet: Дороги, cell: B2}\n  - {folder: true}").replace(
        "  - {file_name: true}", "  - {file_name: true}\n  - {sheet: Дороги, cell: A2}"
    )
    (forms / "roads.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ProblemError, match="MUNICIPALITY_CONTRADICTION"):
        _read(_roads(), forms, "Одеса/2024-Q3.xlsx")
    assert _read(_roads(), forms, "Луцьк/2024-Q3.xlsx").municipality_code == "UA07"
    other_year = _book({"Дороги": [["Звіт про дороги"], ["2023-Q3", "Луцьк"], ["Шифр рядка", "Квартал"], ["R001", 1]]})
    with pytest.raises(ProblemError, match="PERIOD_CONTRADICTION"):
        _read(other_year, forms, "Луцьк/2024-Q3.xlsx")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("name_uk", "nameuk"), "nameuk"),
        (("cell: B2", "cell: 2B"), "municipality.0.cell"),
        (("{file_name: true}", "{file_name: true, folder: true}"), "exactly one"),
        (("sheet: Дороги, cell: B2", "cell: B2"), "sheet goes with"),
        (("sex: T", "sex: X"), "sex"),
        (("titles: [Шифр рядка]", "column: A"), "first_row"),
        (('"R\\\\d{3}"', '"R("'), "regular expression"),
        (("form_code: ROADS-Q", "form_code: [["), "not YAML"),
    ],
)
def test_a_definition_that_does_not_fit_is_refused_with_its_place(
    forms: Path, change: tuple[str, str], message: str
) -> None:
    assert change[0] in THIRD_FORM
    (forms / "roads.yaml").write_text(THIRD_FORM.replace(*change), encoding="utf-8")
    with pytest.raises(FormError, match=r"roads\.yaml") as refusal:
        load_forms(forms)
    assert message in str(refusal.value)


def test_one_form_in_one_version_is_defined_once(forms: Path) -> None:
    (forms / "roads2.yaml").write_text(THIRD_FORM, encoding="utf-8")
    with pytest.raises(FormError, match="defined already"):
        load_forms(forms)


def test_the_forms_that_ship() -> None:
    assert [(form.kind, form.reader_version) for form in load_forms()] == [
        ("xlsx", "ASMS-ANNUAL/2"),
        ("csv", "ASMS-ANNUAL-CSV/1"),
        ("csv", "ASMS-ANNUAL-CSV-COLUMNS/1"),
        ("csv", "ASMS-ANNUAL-CSV-SHEET/1"),
        ("json", "ASMS-ANNUAL-JSON/1"),
        ("xlsx", "ASMS-FEEDBACK/1"),
        ("xlsx", "TC2018/1"),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [("А16135", "A16135"), (" тер.001 ", "TEP.001"), ("TER, 001", "TER.001"), ("TER.001.", "TER.001"), ("ter.001", "TER.001"),
     ("POP\u00a0.001", "POP.001"), ("РОР.001", "POP.001"), ("GOV.Ｄ01", "GOV.D01")],
)  # fmt: skip
def test_codes_are_folded_to_latin(text: str, code: str) -> None:
    assert fold_code(text) == code
