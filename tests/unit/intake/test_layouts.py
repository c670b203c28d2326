"""CSV and JSON as people and programs send them: read by a form definition alone, each refused line named."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from asms.intake.form_definition import load_forms
from asms.intake.form_reading import Return, read_return
from asms.intake.problem import ProblemError
from asms.intake.template import NIL_CHOICE, TemplateAnswer, TemplateRow, write_template
from asms.intake.workbook import Workbook
from tests.unit.intake.test_forms import resolve

HEAD = [["form", "ASMS-ANNUAL"], ["municipality_code", "Луцьк"], ["time_period", "2024"]]
TITLES = ["code", "sex", "value", "reason", "remark"]
ANSWERS = [
    ["POP.001", "T", "215 986", "", ""],
    ["POP.001", "жінки", "115986", "", "перепис"],
    ["POP.001", "ч", "100000", "", ""],
    ["ter.001", "", "33,5", "", ""],
    ["TER.002", "", "", "не збирається (M_NC)", ""],
]
READ = [
    ("POP.001", "T", "215 986", None, None),
    ("POP.001", "F", "115986", None, "перепис"),
    ("POP.001", "M", "100000", None, None),
    ("TER.001", "T", "33,5", None, None),
    ("TER.002", "T", None, "не збирається (M_NC)", None),
]


def _csv(rows: Sequence[Sequence[str]], delimiter: str = ";", encoding: str = "utf-8") -> bytes:
    target = io.StringIO()
    csv.writer(target, delimiter=delimiter).writerows(rows)
    return target.getvalue().encode(encoding)


def _read(data: bytes, path: str = "звіт.csv") -> Return:
    return read_return(data, path, load_forms(), resolve)


def _answers(found: Return) -> list[tuple[str, str, str | None, str | None, str | None]]:
    return [(c.indicator_code, c.sex, c.value_text, c.reason_text, c.remark_text) for c in found.cells]


def _problems(found: Return) -> list[tuple[str, str | None]]:
    return [(problem.rule_id, problem.cell) for problem in found.problems]


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
def test_a_csv_is_read_in_any_delimiter_and_encoding(delimiter: str, encoding: str) -> None:
    lines = [*HEAD, TITLES, *ANSWERS]
    found = _read(_csv([*([*row, "", "", ""][:5] for row in lines)], delimiter, encoding))
    assert (found.form.form_code, found.municipality_code, found.time_period) == ("ASMS-ANNUAL-CSV", "UA07", "2024")
    assert _answers(found) == READ
    assert [cell.cell for cell in found.cells] == ["5:3", "6:3", "7:3", "8:3", "9:3"]
    assert found.problems == ()


def test_a_delimiter_may_be_named_as_excel_names_it() -> None:
    found = _read(b"sep=;\r\n" + _csv([*HEAD, TITLES, *ANSWERS]))
    assert _answers(found) == READ
    assert found.cells[0].cell == "6:3"


def test_a_line_number_counts_the_lines_inside_of_quotes() -> None:
    found = _read(_csv([*HEAD, TITLES, ["TER.001", "", "1", "", "два\nрядки"], ["TER.002", "", "2", "", ""]]))
    assert [cell.cell for cell in found.cells] == ["5:3", "7:3"]


def test_every_line_may_say_whose_it_is() -> None:
    titles = ["form", "municipality_code", "time_period", *TITLES]
    lines = [["ASMS-ANNUAL", "Луцьк", "2024", *answer] for answer in ANSWERS]
    found = _read(_csv([titles, *lines]))
    assert (found.form.form_code, found.municipality_code) == ("ASMS-ANNUAL-CSV-COLUMNS", "UA07")
    assert _answers(found) == READ
    lines[2][1] = "Одеса"
    with pytest.raises(ProblemError) as refusal:
        _read(_csv([titles, *lines]))
    assert (refusal.value.rule_id, refusal.value.cell, refusal.value.value_found) == ("RETURN_MIXED", "4:2", "Одеса")


def test_a_decimal_comma_between_commas_is_never_cut_in_two() -> None:
    text = "form,ASMS-ANNUAL,,,\nmunicipality_code,Луцьк,,,\ntime_period,2024,,,\ncode,sex,value,reason,remark\n"
    text += 'TER.001,T,12,5,,\nTER.002,T,"12,5",,\nTER.003,T,12,5\nTER.004,T,7,,\n'
    found = _read(text.encode())
    assert _answers(found) == [("TER.002", "T", "12,5", None, None), ("TER.004", "T", "7", None, None)]
    assert _problems(found) == [("LINE_FIELD_COUNT", "5:6"), ("LINE_FIELD_COUNT", "7:4")]
    assert found.problems[0].value_found == "TER.001,T,12,5,,"


def test_a_line_of_no_known_sex_is_named_and_the_others_are_read() -> None:
    found = _read(_csv([*HEAD, TITLES, ["POP.001", "Q", "1", "", ""], ["POP.001", "T", "2", "", ""]]))
    assert _answers(found) == [("POP.001", "T", "2", None, None)]
    assert _problems(found) == [("SEX_NOT_RECOGNISED", "5:2")]


def test_a_sheet_saved_as_csv_in_cp1251_with_semicolons(tmp_path: Path) -> None:
    rows = (
        TemplateRow("POP.001", "POP", "Населення", "Населення, осіб; усього", "Population", "осіб", True),
        TemplateRow("POP.002", "POP", "Населення", "Площа", "Area", "км²", False),
    )
    write_template(
        tmp_path / "звіт.xlsx",
        indicators=rows,
        municipality_code="UA07",
        municipality_name="Луцьк",
        time_period="2024",
        catalogue_version="test",
        answers={("POP.001", "T"): TemplateAnswer("215 986"), ("POP.002", "T"): TemplateAnswer("33,5")},
    )
    grid = [list(row) for row in Workbook((tmp_path / "звіт.xlsx").read_bytes()).sheet("POP").grid]
    target = io.StringIO()
    csv.writer(target, delimiter=";").writerows(grid)
    found = _read(target.getvalue().encode("cp1251", "replace"))
    assert (found.form.form_code, found.municipality_code, found.time_period) == (
        "ASMS-ANNUAL-CSV-SHEET",
        "UA07",
        "2024",
    )
    assert [answer[:3] for answer in _answers(found)] == [
        ("POP.001", "T", "215 986"),
        ("POP.001", "F", None),
        ("POP.001", "M", None),
        ("POP.002", "T", "33,5"),
    ]
    grid[2][1] = NIL_CHOICE
    target = io.StringIO()
    csv.writer(target, delimiter=";").writerows(grid)
    found = _read(target.getvalue().encode("cp1251", "replace"))
    assert [answer[1:4] for answer in _answers(found)][:2] == [("T", "215 986", None), ("F", None, NIL_CHOICE)]


def _json(answers: object, **changes: object) -> bytes:
    whole = {"form": "ASMS-ANNUAL", "municipality_code": "Луцьк", "time_period": 2024, "answers": answers} | changes
    return json.dumps(whole, ensure_ascii=False).encode()


def test_json_is_read_with_pointers_for_addresses() -> None:
    found = _read(
        _json(
            [
                {"code": "POP.001", "sex": "F", "value": 115986, "remark": "перепис"},
                {"code": "TER.001", "value": 33.5},
                {"code": "TER.002", "value": None, "reason": "не збирається (M_NC)"},
                {"code": "TER.003", "value": True},
                {"code": "TER.004", "value": "12,5 км²"},
                {"code": "TER.005", "value": [1, 2]},
            ]
        ),
        "звіт.json",
    )
    assert (found.form.form_code, found.municipality_code, found.time_period) == ("ASMS-ANNUAL-JSON", "UA07", "2024")
    assert [(cell.cell, cell.sex, cell.value_text, cell.value_type) for cell in found.cells] == [
        ("/answers/0/value", "F", "115986", "number"),
        ("/answers/1/value", "T", "33.5", "number"),
        ("/answers/2/value", "T", None, "empty"),
        ("/answers/3/value", "T", "TRUE", "boolean"),
        ("/answers/4/value", "T", "12,5 км²", "text"),
        ("/answers/5/value", "T", "[1, 2]", "text"),
    ]


def test_entries_of_json_that_are_no_answers_are_named() -> None:
    found = _read(
        _json([{"code": "TER.001", "value": 1}, "TER.002", {"value": 3}, {"code": "TER.003", "sex": 1, "value": 4}])
    )
    assert [cell.indicator_code for cell in found.cells] == ["TER.001"]
    assert _problems(found) == [
        ("JSON_ENTRY_NOT_OBJECT", "/answers/1"),
        ("CODE_ROW_WITHOUT_CODE", "/answers/2/value"),
        ("SEX_NOT_RECOGNISED", "/answers/3/sex"),
    ]


@pytest.mark.parametrize(
    ("data", "rule_id", "cell"),
    [
        (b'{"form": "ASMS-ANNUAL",\n "answers": [}', "FILE_BROKEN_JSON", "2:14"),
        (b"[1, 2]", "FILE_BROKEN_JSON", None),
        (b'{"a":' * 100_000, "FILE_BROKEN_JSON", None),
        (b'{"form": "\\ud800"}', "FILE_BROKEN_JSON", None),
        (b'{"form": 1, "form": 2}', "JSON_DUPLICATE_KEY", None),
        (_json([]), "FORM_SHEET_MISSING", None),
        (_json([], form="OTHER"), "FORM_NOT_RECOGNISED", None),
        (_csv([["a", "b"], ["1", "2"]]), "FORM_NOT_RECOGNISED", None),
        (_csv([*HEAD, TITLES])[:-10] + b"\x98\x00", "FILE_TEXT_UNREADABLE", None),
        (b"\xff\xfe\x00", "FILE_TEXT_UNREADABLE", None),
        (b"x" * 200_000 + b";1\n2;3\n", "FILE_TEXT_UNREADABLE", "1:1"),
        ((b";" * 20_000 + b"\n") * 300, "SHEET_TOO_LARGE", "250:20001"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(data: bytes, rule_id: str, cell: str | None) -> None:
    with pytest.raises(ProblemError) as refusal:
        _read(data)
    assert (refusal.value.rule_id, refusal.value.cell) == (rule_id, cell)


def test_a_number_that_no_double_holds_stays_as_it_was_written() -> None:
    text = '{"form": "ASMS-ANNUAL", "municipality_code": "Луцьк", "time_period": "2024", "answers": '
    text += '[{"code": "TER.001", "value": 1e400}, {"code": "TER.002", "value": 12345678901234567890}, '
    text += '{"code": "TER.003", "value": -0.0}]}'
    assert [cell.value for cell in _read(text.encode()).cells] == [
        ("1e400", "text"),
        ("12345678901234567890", "text"),
        ("0", "number"),
    ]


def test_hostile_text_comes_as_text() -> None:
    texts = ['=HYPERLINK("http://x")', "<script>alert(1)</script>", "@SUM(A1)", "x" * 32_000, "a\\b\tc"]
    found = _read(_csv([*HEAD, TITLES, *([f"TER.{n:03}", "", text, "", ""] for n, text in enumerate(texts))]))
    assert [cell.value for cell in found.cells] == [(text, "text") for text in texts]
