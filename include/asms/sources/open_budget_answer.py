"""One answer of localBudgetData: semicolon-separated text, cut into months of rows as found. Pure functions.

What belongs: the header, the form of a row. What does not: numbers and dates as such (dbt staging), asking (``open_budget``).
"""

import csv
import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from math import fsum
from typing import Literal, TypeVar

from asms.findings import Finding
from asms.sources import SourceError, TransientSourceError
from asms.warehouse.copy import format_columns

_Value = TypeVar("_Value")
BudgetItem = Literal["INCOMES", "EXPENSES", "FINANCING_DEBTS", "CREDITS"]

Column = Literal[
    "rep_period", "fund_typ", "cod_budget", "classification_code", "classification_name", "zat_amt", "plans_amt", "fakt_amt",
    "functional_code", "functional_name", "economic_code",
]  # fmt: skip
"""A column of raw.open_budget_row that the service fills."""

_COMMON: Mapping[Column, str] = {
    "rep_period": "REP_PERIOD",
    "fund_typ": "FUND_TYP",
    "cod_budget": "COD_BUDGET",
    "zat_amt": "ZAT_AMT",
    "fakt_amt": "FAKT_AMT",
}


@dataclass(frozen=True)
class Kind:
    """What is asked about a budget, and the titles under which the service answers.

    ``optional`` columns are read where the answer has them; any other that is missing blocks the answer.
    """

    budget_item: BudgetItem
    classification_type: str
    """'' where the item has none."""
    titles: Mapping[Column, str] = field(hash=False)
    optional: Mapping[Column, str] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """As settings spell it: INCOMES, EXPENSES:PROGRAM."""
        return f"{self.budget_item}:{self.classification_type}".rstrip(":")


# Expenses by function are not asked for: the service's answer to that question carries plans only. Each row by programme names
# its function, and staging adds those up.
KINDS: tuple[Kind, ...] = (
    Kind(
        "INCOMES",
        "",
        {**_COMMON, "plans_amt": "PLANS_AMT", "classification_code": "COD_INCO", "classification_name": "NAME_INC"},
    ),
    Kind(
        "EXPENSES",
        "ECONOMIC",
        {
            **_COMMON,
            "plans_amt": "PLANS_AMT",
            "classification_code": "COD_CONS_EK",
            "classification_name": "COD_CONS_EK_NAME",
        },
    ),
    Kind(
        "EXPENSES",
        "PROGRAM",
        {
            **_COMMON,
            "plans_amt": "PLANS_AMT",
            "classification_code": "COD_CONS_MB_PK",
            "classification_name": "COD_CONS_MB_PK_NAME",
            "functional_code": "COD_CONS_MB_FK",
            "functional_name": "COD_CONS_MB_FK_NAME",
        },
        {"economic_code": "COD_CONS_EK"},
    ),
    Kind(
        "FINANCING_DEBTS",
        "",
        {**_COMMON, "classification_code": "COD_FINA", "classification_name": "NAME_FIN"},
        {"plans_amt": "PLANS_AMT"},
    ),
    Kind(
        "CREDITS",
        "CREDIT",
        {**_COMMON, "plans_amt": "PLANS_AMT", "classification_code": "COD_CRED", "classification_name": "NAME_CRED"},
    ),
)

# Funds by origin and percentages, which nobody here reads.
_KNOWN_BESIDE = {
    "FAKT_V2MB_AMT", "FAKTSIK_AMT", "FAKTSIK_V2MB_AMT", "FAKTSPP_AMT", "FAKTSPP_V2MB_AMT", "FAKTSID_AMT",
    "FAKTSID_V2MB_AMT", "DONE_CORR_YEAR_PCT", "COD_CONS_EK_NAME",
}  # fmt: skip
_PERIOD = re.compile(r"(0[1-9]|1[0-2])\.\d{4}")
_AMOUNT = re.compile(r"(-?\d+([.,]\d+)?(E\d+)?)?")  # or nothing
_FUNDS = frozenset({"C", "S", "T"})
_AMOUNT_COLUMNS: tuple[Column, ...] = ("zat_amt", "plans_amt", "fakt_amt")
_MOST_BAD_ROWS = 50  # more than this in one answer is another format, not a slip


@dataclass(frozen=True)
class Request:
    """One question to the service."""

    budget_code: str
    area_code: str
    kind: Kind
    year: int

    @property
    def params(self) -> dict[str, str]:
        """Query parameters, in alphabetical order."""
        given = {"budgetCode": self.budget_code, "budgetItem": str(self.kind.budget_item)}
        if self.kind.classification_type:
            given["classificationType"] = self.kind.classification_type
        return {**given, "period": "MONTH", "year": str(self.year)}

    @property
    def path(self) -> str:
        """The question as one canonical text: the path of its deliveries."""
        return "&".join(f"{key}={value}" for key, value in self.params.items())

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The question as the columns of raw.open_budget_row and raw.open_budget_month tell it."""
        return self.budget_code, self.kind.budget_item, self.kind.classification_type, str(self.year)

    def __str__(self) -> str:
        return f"{self.budget_code} {self.kind.name} {self.year}"


ROW_COLUMNS: tuple[Column, ...] = (
    "rep_period", "fund_typ", "cod_budget", "classification_code", "classification_name", "zat_amt", "plans_amt", "fakt_amt",
    "functional_code", "functional_name", "economic_code",
)  # fmt: skip
_FUND, _FACT = ROW_COLUMNS.index("fund_typ"), ROW_COLUMNS.index("fakt_amt")


@dataclass(frozen=True)
class Month:
    """The rows of one month of an answer, as found.

    ``columns`` are those of ``ROW_COLUMNS``, '' where a row has nothing, and ``row_nos`` the lines of the rows in the answer (the
    header is line 1).
    """

    rep_period: str
    row_nos: Sequence[int]
    columns: Sequence[Sequence[str]]

    @cached_property
    def lines(self) -> list[str]:
        """The rows as COPY takes them, without line ends."""
        return format_columns(map(_none_for_nothing, self.columns))

    @cached_property
    def sha256(self) -> str:
        """Hash of the rows in any order, without their line numbers: what stands before a month does not change it."""
        return hashlib.sha256("\n".join(sorted(self.lines)).encode()).hexdigest()

    @cached_property
    def total_amount(self) -> float | None:
        """Sum of fund T in UAH; None where an amount cannot be read."""
        amounts = zip(self.columns[_FACT], self.columns[_FUND], strict=True)
        try:
            return round(fsum([float((amount or "0").replace(",", ".")) for amount, fund in amounts if fund == "T"]), 2)
        except ValueError:
            return None


@dataclass(frozen=True)
class Answer:
    """The months of an answer in the order of their first rows, and what is wrong with some rows."""

    months: tuple[Month, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def periods(self) -> frozenset[str]:
        return frozenset(month.rep_period for month in self.months)


def is_month(rep_period: str) -> bool:
    """Whether a period is written as the service writes a month."""
    return _PERIOD.fullmatch(rep_period) is not None


def check_whole(body: bytes) -> None:
    """Refuse a body that breaks off: the service ends every line, the last one too.

    Raises TransientSourceError, since asking again mends it. A body whose frame was cut with it (a proxy) has a
    Content-Length that agrees, so the transport alone does not notice.
    """
    if not body.endswith(b"\n"):
        raise TransientSourceError(f"the answer breaks off in the middle of a line (after {len(body)} bytes)")


def parse_answer(body: bytes, request: Request) -> Answer:
    """Cut ``body`` into months of rows, by the names in its header.

    A row with another number of fields than the header is left out, a row with a strange period, fund or amount is kept as
    found; both give a Finding, and so does a column that was not there before.

    Raises:
        SourceError: the text is not UTF-8, a column is missing, or more than 50 rows are wrong.
    """
    try:
        text = body.decode("utf-8-sig")  # the service's header says windows-1251; its bytes are UTF-8
    except UnicodeDecodeError as error:
        raise SourceError(f"the answer to {request} is not UTF-8 text ({error})") from error
    bad: list[Finding] = []
    header, numbers, found = _cut(text, request, bad)
    places = _find_columns(header, request)
    nothing = [""] * len(numbers)
    columns = [nothing if place is None else found[place] for place in places]
    bad += _odd_values(request, numbers, columns)
    if len(bad) > _MOST_BAD_ROWS:
        raise SourceError(
            f"the answer to {request} has more than {_MOST_BAD_ROWS} rows that do not have its agreed form, "
            f"first: {bad[0].message_en}"
        )
    return Answer(_by_month(numbers, columns), (*bad, *_new_columns(request, header)))


def _cut(text: str, request: Request, bad: list[Finding]) -> tuple[list[str], Sequence[int], Sequence[Sequence[str]]]:
    """Header, line numbers and columns; what is left out is told in ``bad``."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";")
    header = [title.strip() for title in next(reader, [])]
    numbers: list[int] = []
    lines: list[list[str]] = []
    width, line_no = len(header), reader.line_num + 1
    for fields in reader:
        if len(fields) == width:
            numbers.append(line_no)
            lines.append(fields)
        elif fields:
            bad.append(_left_out(request, line_no, fields, width))
        line_no = reader.line_num + 1
    return header, numbers, list(zip(*lines, strict=True)) or [()] * width


def _none_for_nothing(column: Sequence[str]) -> Sequence[str | None]:
    return [value or None for value in column] if "" in column else column


def _find_columns(header: Sequence[str], request: Request) -> list[int | None]:
    """Where each of ROW_COLUMNS stands in the answer; None for one that this kind of answer has not."""
    titles = request.kind.titles
    missing = sorted(set(titles.values()) - set(header))
    if missing:
        raise SourceError(
            f"the answer to {request} lacks the column(s) {', '.join(missing)}; "
            f"its header is {';'.join(header)[:200] or '(empty)'}: the service has changed, and the reader must follow"
        )
    named = {**request.kind.optional, **titles}
    return [header.index(named[name]) if named.get(name) in header else None for name in ROW_COLUMNS]


def _by_month(numbers: Sequence[int], columns: Sequence[Sequence[str]]) -> tuple[Month, ...]:
    runs: dict[str, list[slice]] = {}
    begin = 0
    for period, run in groupby(columns[0]):  # the service sorts by month
        end = begin + sum(1 for _ in run)
        runs.setdefault(period, []).append(slice(begin, end))
        begin = end
    return tuple(
        Month(period, _take(numbers, places), [_take(column, places) for column in columns])
        for period, places in runs.items()
    )


def _take(values: Sequence[_Value], places: Sequence[slice]) -> Sequence[_Value]:
    return values[places[0]] if len(places) == 1 else [value for place in places for value in values[place]]


def _odd_values(request: Request, numbers: Sequence[int], columns: Sequence[Sequence[str]]) -> list[Finding]:
    """Findings on values of an unexpected form, in the order of lines."""
    checks: dict[Column, tuple[Callable[[str], object], str]] = {
        "rep_period": (lambda value: is_month(value) and value.endswith(f".{request.year}"), f"MM.{request.year}"),
        "fund_typ": (_FUNDS.__contains__, "C, S, T"),
        **{name: (_AMOUNT.fullmatch, "123.45") for name in _AMOUNT_COLUMNS},
    }
    found: list[tuple[int, Finding]] = []
    for name, (is_right, expected) in checks.items():
        values = columns[ROW_COLUMNS.index(name)]
        wrong = {value for value in set(values) if not is_right(value)}
        if wrong:
            found += [
                (row_no, _odd_value(request, row_no, name, value, expected))
                for row_no, value in zip(numbers, values, strict=True)
                if value in wrong
            ]
    return [finding for _, finding in sorted(found, key=lambda pair: pair[0])]


def _new_columns(request: Request, header: Sequence[str]) -> list[Finding]:
    known = {*request.kind.titles.values(), *request.kind.optional.values()} | _KNOWN_BESIDE
    new = sorted(set(header) - known)
    if not new:
        return []
    names = ", ".join(new)
    return [
        Finding(
            rule_id="OPEN_BUDGET_COLUMN_NEW",
            dataset="open_budget",
            message_uk=f"Нові стовпці, яких сховище не читає: {names}",
            message_en=f"new columns, which the warehouse does not read: {names}",
            time_period=str(request.year),
            file_name=request.path,
            value_found=names[:200],
        )
    ]


def _left_out(request: Request, line_no: int, fields: Sequence[str], expected: int) -> Finding:
    return Finding(
        rule_id="OPEN_BUDGET_ROW_UNREADABLE",
        dataset="open_budget",
        message_uk=f"Рядок {line_no}: полів {len(fields)}, а у заголовку {expected}; рядок не завантажено",
        message_en=f"line {line_no} has {len(fields)} fields and the header {expected}; the row was left out",
        time_period=str(request.year),
        file_name=request.path,
        cell=str(line_no),
        value_found=";".join(fields)[:200],
        value_expected=str(expected),
    )


def _odd_value(request: Request, row_no: int, name: Column, value: str, expected: str) -> Finding:
    title = {**request.kind.optional, **request.kind.titles}[name]
    return Finding(
        rule_id="OPEN_BUDGET_VALUE_INVALID",
        dataset="open_budget",
        message_uk=f"Рядок {row_no}, {title}: «{value}», очікується {expected}; рядок не використано",
        message_en=f"line {row_no}, {title}: '{value}', expected {expected}; the row is not used",
        time_period=str(request.year),
        file_name=request.path,
        sheet=title,
        cell=str(row_no),
        value_found=value or None,
        value_expected=expected,
    )
