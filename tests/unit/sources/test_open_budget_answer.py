"""An answer is cut by the names in its header; what does not have its form is a finding, not a loss in silence."""

import pytest

from asms.sources import SourceError
from asms.sources.open_budget_answer import KINDS, NAMES, ROW_COLUMNS, Answer, Request, parse_answer

KIND = {kind.name: kind for kind in KINDS}
INCOMES = Request("0253600000", "UA05020030000031457", KIND["INCOMES"], 2023)
EXPENSES = Request("0253600000", "UA05020030000031457", KIND["EXPENSES:ECONOMIC"], 2023)
PROGRAMMES = Request("0253600000", "UA05020030000031457", KIND["EXPENSES:PROGRAM"], 2023)
DEBTS = Request("0253600000", "UA05020030000031457", KIND["FINANCING_DEBTS"], 2023)
HEADER = "REP_PERIOD;FUND_TYP;COD_BUDGET;COD_INCO;NAME_INC;ZAT_AMT;PLANS_AMT;FAKT_AMT\r\n"
GOOD = "01.2023;C;0253600000;11010100;Податок;10.00;;1.05\r\n"


def values(answer: Answer) -> list[dict[str, str | None]]:
    """The rows of an answer by column, with names for their keys."""
    rows = [dict(zip(ROW_COLUMNS, line.split("\t"), strict=True)) for line in answer.lines.to_pylist()]
    return [
        {
            column: None if value == "\\N" else answer.names[value] if column in NAMES else value
            for column, value in row.items()
        }
        for row in rows
    ]


def row_nos(answer: Answer) -> list[int]:
    return list(answer.row_nos.to_pylist())


def test_path_is_the_canonical_question() -> None:
    assert INCOMES.path == "budgetCode=0253600000&budgetItem=INCOMES&period=MONTH&year=2023"
    assert EXPENSES.path == (
        "budgetCode=0253600000&budgetItem=EXPENSES&classificationType=ECONOMIC&period=MONTH&year=2023"
    )


def test_rows_are_kept_as_found() -> None:
    answer = parse_answer(("\ufeff" + HEADER + GOOD).encode(), INCOMES)
    assert answer.findings == ()
    assert answer.periods == {"01.2023"}
    assert row_nos(answer) == [2]
    assert values(answer) == [
        {
            "rep_period": "01.2023", "fund_typ": "C", "cod_budget": "0253600000", "classification_code": "11010100",
            "classification_name": "Податок", "zat_amt": "10.00", "plans_amt": None, "fakt_amt": "1.05",
            "functional_code": None, "functional_name": None, "economic_code": None,
        }
    ]  # fmt: skip


def test_a_programme_names_its_function_and_perhaps_its_economy() -> None:
    header = (
        "REP_PERIOD;FUND_TYP;COD_BUDGET;COD_CONS_MB_PK;COD_CONS_MB_PK_NAME;COD_CONS_MB_FK;COD_CONS_MB_FK_NAME;{}ZAT_AMT;"
        "PLANS_AMT;FAKT_AMT\n"
    )
    line = "01.2023;T;0253600000;1010;Надання дошкільної освіти;0910;Дошкільна освіта;{}1;2;3\n"
    for title, field, found in (("", "", None), ("COD_CONS_EK;", "2111;", "2111")):
        answer = parse_answer((header.format(title) + line.format(field)).encode(), PROGRAMMES)
        (row,) = values(answer)
        assert answer.findings == ()
        assert (row["classification_code"], row["functional_code"], row["economic_code"]) == ("1010", "0910", found)


def test_debts_have_one_plan_only() -> None:
    text = "REP_PERIOD;FUND_TYP;COD_BUDGET;COD_FINA;NAME_FIN;ZAT_AMT;FAKT_AMT;DONE_CORR_YEAR_PCT\n" + (
        "01.2023;T;0253600000;402000;Погашення;-5;-1.50;30\n"
    )
    (row,) = values(parse_answer(text.encode(), DEBTS))
    assert (row["zat_amt"], row["plans_amt"], row["fakt_amt"]) == ("-5", None, "-1.50")


def test_months_are_told_apart_and_hashed_without_order_or_place() -> None:
    other, later = GOOD.replace("11010100", "11010500"), GOOD.replace("01.2023", "02.2023").replace("C;", "T;")
    first = parse_answer((HEADER + GOOD + other + later).encode(), INCOMES).months
    again = parse_answer((HEADER + later + other + GOOD).encode(), INCOMES).months
    assert [month.rep_period for month in first] == ["01.2023", "02.2023"]
    assert {month.sha256 for month in first} == {month.sha256 for month in again}
    assert [month.total_amount for month in first] == [0, 1.05]
    restated = parse_answer((HEADER + GOOD + later.replace("1.05", "1.06")).encode(), INCOMES).months
    assert restated[1].sha256 != first[1].sha256


def test_columns_are_found_by_name_and_new_ones_inform() -> None:
    text = (
        "NEW;FAKT_AMT;COD_BUDGET;FUND_TYP;REP_PERIOD;COD_CONS_EK;COD_CONS_EK_NAME;ZAT_AMT;PLANS_AMT\n"
        "?;5;0253600000;T;02.2023;2111;Заробітна плата;7;8\n"
    )
    answer = parse_answer(text.encode(), EXPENSES)
    (row,) = values(answer)
    assert (row["fakt_amt"], row["plans_amt"], row["rep_period"]) == ("5", "8", "02.2023")
    (finding,) = answer.findings
    assert (finding.rule_id, finding.value_found) == ("OPEN_BUDGET_COLUMN_NEW", "NEW")


def test_a_name_may_hold_the_separator_quotes_and_line_ends() -> None:
    text = HEADER + '01.2023;C;0253600000;41051100;"Субвенція ""А"";\r\nчастина";1;;1\r\n' + GOOD
    answer = parse_answer(text.encode(), INCOMES)
    assert answer.findings == ()
    assert values(answer)[1]["classification_name"] == 'Субвенція "А";\r\nчастина'
    assert row_nos(answer) == [4, 2]  # in the order of their codes


@pytest.mark.parametrize("lost", ["FAKT_AMT", "REP_PERIOD", "COD_INCO"])
def test_a_lost_column_is_named(lost: str) -> None:
    with pytest.raises(SourceError, match=f"lacks the column\\(s\\) {lost}"):
        parse_answer(HEADER.replace(lost, "XXX").encode(), INCOMES)


def test_a_header_alone_is_an_answer_without_rows() -> None:
    assert parse_answer(HEADER.encode(), INCOMES).months == ()


def test_a_row_of_another_width_is_left_out_with_a_finding() -> None:
    answer = parse_answer((HEADER + "01.2023;C;0253600000;1\r\n" + GOOD).encode(), INCOMES)
    assert row_nos(answer) == [3]
    (finding,) = answer.findings
    assert (finding.rule_id, finding.cell, finding.file_name) == ("OPEN_BUDGET_ROW_UNREADABLE", "2", INCOMES.path)
    assert finding.value_found == "01.2023;C;0253600000;1"


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        ("13.2023;C;0253600000;1;x;1;1;1\r\n", "REP_PERIOD", "13.2023"),
        ("2023-01-31;C;0253600000;1;x;1;1;1\r\n", "REP_PERIOD", "2023-01-31"),
        ("01.2022;C;0253600000;1;x;1;1;1\r\n", "REP_PERIOD", "01.2022"),
        ("01.2023;Q;0253600000;1;x;1;1;1\r\n", "FUND_TYP", "Q"),
        ("01.2023;C;0253600000;1;x;1;1;багато\r\n", "FAKT_AMT", "багато"),
    ],
)
def test_an_odd_value_is_kept_and_found(row: str, column: str, value: str) -> None:
    answer = parse_answer((HEADER + row).encode(), INCOMES)
    assert len(values(answer)) == 1
    (finding,) = answer.findings
    assert (finding.rule_id, finding.sheet, finding.value_found) == ("OPEN_BUDGET_VALUE_INVALID", column, value)


@pytest.mark.parametrize("amount", ["0", "-12.50", "1234567.89", "5,5", "1.5E7"])
def test_amounts_of_any_usual_writing_pass(amount: str) -> None:
    answer = parse_answer((HEADER + f"01.2023;C;0253600000;1;x;{amount};{amount};{amount}\r\n").encode(), INCOMES)
    assert answer.findings == ()


def test_many_bad_rows_are_another_format() -> None:
    with pytest.raises(SourceError, match="more than 50 rows"):
        parse_answer((HEADER + "2023-01-31;C;0253600000;1;x;1;1;1\r\n" * 51).encode(), INCOMES)


def test_text_in_another_encoding_is_refused() -> None:
    with pytest.raises(SourceError, match="not UTF-8"):
        parse_answer((HEADER + GOOD).encode("cp1251"), INCOMES)
