"""One answer of localBudgetData: semicolon-separated text, cut into rows as found. Pure functions.

What belongs: the header, the form of a row. What does not: numbers and dates as such (dbt staging), asking (``open_budget``).
"""

import csv
import io
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from asms.findings import Finding
from asms.sources import SourceError, TransientSourceError

logger = logging.getLogger(__name__)

BudgetItem = Literal["INCOMES", "EXPENSES"]

# Where each column of raw.open_budget_row comes from, by item. The service has more columns for expenses (funds by origin).
_COMMON = {
    "rep_period": "REP_PERIOD",
    "fund_typ": "FUND_TYP",
    "cod_budget": "COD_BUDGET",
    "zat_amt": "ZAT_AMT",
    "plans_amt": "PLANS_AMT",
    "fakt_amt": "FAKT_AMT",
}
COLUMNS: Mapping[BudgetItem, Mapping[str, str]] = {
    "INCOMES": {**_COMMON, "classification_code": "COD_INCO", "classification_name": "NAME_INC"},
    "EXPENSES": {**_COMMON, "classification_code": "COD_CONS_EK", "classification_name": "COD_CONS_EK_NAME"},
}
_KNOWN_BESIDE = {
    "FAKT_V2MB_AMT", "FAKTSIK_AMT", "FAKTSIK_V2MB_AMT", "FAKTSPP_AMT", "FAKTSPP_V2MB_AMT", "FAKTSID_AMT",
    "FAKTSID_V2MB_AMT",
}  # fmt: skip
_CLASSIFICATION_TYPES: Mapping[BudgetItem, str] = {"INCOMES": "", "EXPENSES": "ECONOMIC"}
_PERIOD = re.compile(r"(0[1-9]|1[0-2])\.(\d{4})")
_AMOUNT = re.compile(r"-?\d+([.,]\d+)?(E\d+)?")
_FUNDS = ("C", "S", "T")
_AMOUNT_COLUMNS = ("zat_amt", "plans_amt", "fakt_amt")
_MOST_BAD_ROWS = 50  # more than this in one answer is another format, not a slip


@dataclass(frozen=True)
class Request:
    """One question to the service."""

    budget_code: str
    area_code: str
    budget_item: BudgetItem
    year: int

    @property
    def classification_type(self) -> str:
        return _CLASSIFICATION_TYPES[self.budget_item]

    @property
    def params(self) -> dict[str, str]:
        """Query parameters, in alphabetical order."""
        given = {"budgetCode": self.budget_code, "budgetItem": self.budget_item}
        if self.classification_type:
            given["classificationType"] = self.classification_type
        return {**given, "period": "MONTH", "year": str(self.year)}

    @property
    def path(self) -> str:
        """The question as one canonical text: the path of its deliveries."""
        return "&".join(f"{key}={value}" for key, value in self.params.items())

    def __str__(self) -> str:
        return f"{self.budget_code} {self.budget_item} {self.year}"


@dataclass(frozen=True)
class Row:
    """One row of an answer, as found; ``row_no`` is its line in the answer (the header is line 1)."""

    row_no: int
    values: Mapping[str, str | None]


@dataclass(frozen=True)
class Answer:
    """The rows of an answer, and what is wrong with some of them."""

    rows: tuple[Row, ...]
    findings: tuple[Finding, ...] = field(default=())

    @property
    def periods(self) -> frozenset[str]:
        return frozenset(period for row in self.rows if (period := row.values["rep_period"]))


def check_whole(body: bytes) -> None:
    """Refuse a body that breaks off: the service ends every line, the last one too.

    Raises TransientSourceError, since asking again mends it. A body whose frame was cut with it (a proxy) has a
    Content-Length that agrees, so the transport alone does not notice.
    """
    if not body.endswith(b"\n"):
        raise TransientSourceError(f"the answer breaks off in the middle of a line (after {len(body)} bytes)")


def parse_answer(body: bytes, request: Request) -> Answer:
    """Cut ``body`` into rows, by the names in its header.

    A row with another number of fields than the header is left out, a row with a strange period, fund or amount is kept as
    found; both give a Finding.

    Raises:
        SourceError: the text is not UTF-8, a column is missing, or more than 50 rows are wrong.
    """
    try:
        text = body.decode("utf-8-sig")  # the service's header says windows-1251; its bytes are UTF-8
    except UnicodeDecodeError as error:
        raise SourceError(f"the answer to {request} is not UTF-8 text ({error})") from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";")
    header = [title.strip() for title in next(reader, [])]
    positions = _find_columns(header, request)
    rows: list[Row] = []
    findings: list[Finding] = []
    line_no = reader.line_num + 1
    for fields in reader:
        first_line, line_no = line_no, reader.line_num + 1
        if not fields:
            continue
        if len(fields) != len(header):
            findings.append(_left_out(request, first_line, fields, len(header)))
        else:
            row = Row(first_line, {name: fields[position] or None for name, position in positions.items()})
            rows.append(row)
            findings.extend(_check_row(request, row))
        if len(findings) > _MOST_BAD_ROWS:
            raise SourceError(
                f"the answer to {request} has more than {_MOST_BAD_ROWS} rows that do not have its agreed form, "
                f"first: {findings[0].message_en}"
            )
    return Answer(tuple(rows), tuple(findings))


def _find_columns(header: Sequence[str], request: Request) -> dict[str, int]:
    wanted = COLUMNS[request.budget_item]
    missing = sorted(set(wanted.values()) - set(header))
    if missing:
        raise SourceError(
            f"the answer to {request} lacks the column(s) {', '.join(missing)}; "
            f"its header is {';'.join(header)[:200] or '(empty)'}: the service has changed, and the reader must follow"
        )
    new = sorted(set(header) - set(wanted.values()) - _KNOWN_BESIDE)
    if new:
        logger.info("open_budget: new column(s) %s in the answer to %s are left unread", ", ".join(new), request)
    return {name: header.index(title) for name, title in wanted.items()}


def _check_row(request: Request, row: Row) -> list[Finding]:
    values = row.values
    found: list[Finding] = []
    period = _PERIOD.fullmatch(values["rep_period"] or "")
    if not period or period.group(2) != str(request.year):
        found.append(_odd_value(request, row, "rep_period", f"MM.{request.year}"))
    if values["fund_typ"] not in _FUNDS:
        found.append(_odd_value(request, row, "fund_typ", "C, S, T"))
    found.extend(
        _odd_value(request, row, name, "123.45")
        for name in _AMOUNT_COLUMNS
        if values[name] is not None and not _AMOUNT.fullmatch(values[name] or "")
    )
    return found


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


def _odd_value(request: Request, row: Row, name: str, expected: str) -> Finding:
    title = COLUMNS[request.budget_item][name]
    value = row.values[name]
    return Finding(
        rule_id="OPEN_BUDGET_VALUE_INVALID",
        dataset="open_budget",
        message_uk=f"Рядок {row.row_no}, {title}: «{value or ''}», очікується {expected}; рядок не використано",
        message_en=f"line {row.row_no}, {title}: '{value or ''}', expected {expected}; the row is not used",
        time_period=str(request.year),
        file_name=request.path,
        sheet=title,
        cell=str(row.row_no),
        value_found=value,
        value_expected=expected,
    )
