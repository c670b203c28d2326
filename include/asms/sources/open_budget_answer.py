"""One answer of localBudgetData: semicolon-separated text, cut into months of rows as found. Pure functions.

What belongs: the header, the form of a row. What does not: numbers and dates as such (dbt staging), asking (``open_budget``).
"""

import csv
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, reduce
from math import isnan
from typing import TYPE_CHECKING, Literal

from asms.findings import Finding
from asms.sources import SourceError, TransientSourceError

if TYPE_CHECKING:
    import pyarrow as pa

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
NAMES: frozenset[Column] = frozenset({"classification_name", "functional_name"})
_MONTH_OF = r"(0[1-9]|1[0-2])\."
_PERIOD = re.compile(_MONTH_OF + r"\d{4}")
_AMOUNTS: tuple[Column, ...] = ("zat_amt", "plans_amt", "fakt_amt")
_PLAIN_AMOUNT = r"^-?[0-9]{1,12}([.][0-9]{1,2})?$"
_AMOUNT = (r"^(-?[0-9]+([.,][0-9]+)?(E[0-9]+)?)?$", "123.45")  # or nothing
_FORMS: Mapping[Column, tuple[str, str]] = {
    "rep_period": (f"^{_MONTH_OF}YEAR$", "MM.YEAR"),
    "fund_typ": ("^[CST]$", "C, S, T"),
    **dict.fromkeys(_AMOUNTS, _AMOUNT),
}
"""What a value looks like, as a regular expression and as staff are told it; YEAR is the one that was asked."""
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"), ("\0", ""))
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


@dataclass(frozen=True)
class Month:
    """One month of an answer: its rows are those of ``Answer`` from ``begin`` up to ``end``."""

    rep_period: str
    begin: int
    end: int
    sha256: str
    """Hash of the lines in any order, without their numbers: what stands before a month does not change it."""
    total_amount: float | None
    """Sum of fund T in UAH; None where an amount cannot be read."""

    @property
    def row_count(self) -> int:
        return self.end - self.begin


@dataclass(frozen=True)
class Answer:
    """The rows of an answer, its months, its names by key, and what is wrong with some rows."""

    row_nos: "pa.Array"
    """Lines of the rows in the answer; the header is line 1."""
    lines: "pa.Array"
    """The columns of ``ROW_COLUMNS`` as COPY takes them, as found, and of a name its key in ``names``."""
    months: tuple[Month, ...]
    names: Mapping[str, str]
    has_plain_amounts: bool
    """Whether every amount is written as the database reads it, and is no larger than it takes."""
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
    bad: list[Finding] = []
    header = _read_header(body, request)
    titles = _find_titles(header, request)
    cut = _cut_at_once(body, titles) or _cut_by_line(body, request, header, titles, bad)
    bad += _odd_values(request, cut)
    if len(bad) > _MOST_BAD_ROWS:
        raise SourceError(
            f"the answer to {request} has more than {_MOST_BAD_ROWS} rows that do not have its agreed form, "
            f"first: {bad[0].message_en}"
        )
    names: dict[str, str] = {}
    row_nos, lines, months = _by_month(cut, _spell(cut, names))
    return Answer(row_nos, lines, months, names, cut.has_plain_amounts, (*bad, *_new_columns(request, header)))


@dataclass(frozen=True)
class _Cut:
    """Rows by column: ``values`` are null where a row has nothing, and lack columns that this kind of answer has not."""

    row_nos: "pa.Array"
    values: Mapping[Column, "pa.Array"]
    has_escapes: bool

    @cached_property
    def has_plain_amounts(self) -> bool:
        """Whether every amount is written as the database reads it, and is no larger than it takes."""
        import pyarrow.compute as pc

        amounts = (self.values[name] for name in _AMOUNTS if name in self.values)
        return all(pc.all(pc.match_substring_regex(values, _PLAIN_AMOUNT)).as_py() is not False for values in amounts)


def _read_header(body: bytes, request: Request) -> list[str]:
    first_line = body[: body.find(b"\n") + 1] or body
    return [title.strip() for title in next(csv.reader([_decode(first_line, request)], delimiter=";"), [])]


def _decode(body: bytes, request: Request) -> str:
    try:
        return body.decode("utf-8-sig")  # the service's header says windows-1251; its bytes are UTF-8
    except UnicodeDecodeError as error:
        raise SourceError(f"the answer to {request} is not UTF-8 text ({error})") from error


def _find_titles(header: Sequence[str], request: Request) -> dict[Column, str]:
    """The title of each column that the answer has."""
    titles = request.kind.titles
    missing = sorted(set(titles.values()) - set(header))
    if missing:
        raise SourceError(
            f"the answer to {request} lacks the column(s) {', '.join(missing)}; "
            f"its header is {';'.join(header)[:200] or '(empty)'}: the service has changed, and the reader must follow"
        )
    return {**titles, **{name: title for name, title in request.kind.optional.items() if title in header}}


def _cut_at_once(body: bytes, titles: Mapping[Column, str]) -> _Cut | None:
    """The rows of an answer whose rows all have the header's width; None for another, whose lines are looked at one by one."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv as arrow_csv

    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(body),
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=len(body) + 1),  # one piece
            parse_options=arrow_csv.ParseOptions(delimiter=";", newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=list(titles.values()),
                column_types=dict.fromkeys(titles.values(), pa.string()),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None
    values = {name: _in_one_piece(table[title]) for name, title in titles.items()}
    row_nos, line_count = pa.arange(2, table.num_rows + 2).cast(pa.int32()), body.count(b"\n") - 1
    if table.num_rows != line_count:  # names have line ends, or there are blank lines
        breaks = reduce(
            pc.add, (pc.count_substring(values[name].fill_null(""), "\n") for name in NAMES & values.keys())
        )
        row_nos = pc.add(row_nos, pc.subtract(pc.cumulative_sum(breaks), breaks))
        if table.num_rows + pc.sum(breaks).as_py() != line_count:
            return None
    return _Cut(row_nos, values, has_escapes=any(sign in body for sign in (b"\\", b"\t", b"\0")))


def _in_one_piece(values: "pa.ChunkedArray") -> "pa.Array":
    # combine_chunks copies a piece that is alone, too
    return values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()


def _cut_by_line(
    body: bytes, request: Request, header: Sequence[str], titles: Mapping[Column, str], bad: list[Finding]
) -> _Cut:
    """The rows of the header's width; what is left out is told in ``bad``."""
    import pyarrow as pa

    reader = csv.reader(io.StringIO(_decode(body, request), newline=""), delimiter=";")
    next(reader, None)
    row_nos: list[int] = []
    rows: list[list[str]] = []
    line_no = reader.line_num + 1
    for fields in reader:
        if len(fields) == len(header):
            row_nos.append(line_no)
            rows.append(fields)
        elif fields:
            bad.append(_left_out(request, line_no, fields, len(header)))
        line_no = reader.line_num + 1
    values = {
        name: pa.array([fields[place] or None for fields in rows], pa.string())
        for name, place in ((name, header.index(title)) for name, title in titles.items())
    }
    return _Cut(pa.array(row_nos, pa.int32()), values, has_escapes=True)


def _spell(cut: _Cut, names: dict[str, str]) -> "pa.Array":
    """The rows as COPY takes them, with a key for each name, which is added to ``names``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    spelled = []
    for column in ROW_COLUMNS:
        values = cut.values.get(column)
        if values is None:
            values = pa.scalar(None, pa.string())
        elif column in NAMES:
            values = _keys(values, names)
        elif cut.has_escapes:
            for plain, escaped in _ESCAPES:
                values = pc.replace_substring(values, plain, escaped)
        spelled.append(values)
    return pc.binary_join_element_wise(*spelled, "\t", null_handling="replace", null_replacement="\\N")


def _keys(values: "pa.Array", names: dict[str, str]) -> "pa.Array":
    """What stands for each name in the rows: the beginning of its hash."""
    import pyarrow as pa

    told = values.dictionary_encode()
    texts = [text.replace("\0", "") for text in told.dictionary.to_pylist()]
    keys = list(map(_key_of, texts))
    names.update(zip(keys, texts, strict=True))
    return pa.array(keys, pa.string()).take(told.indices)


@lru_cache(maxsize=10_000)
def _key_of(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _by_month(cut: _Cut, lines: "pa.Array") -> tuple["pa.Array", "pa.Array", tuple[Month, ...]]:
    """Numbers and lines of the rows in the order of lines, in which those of a month, with which each begins, are beside each other."""
    import numpy as np
    import pyarrow.compute as pc

    order = pc.sort_indices(lines)
    row_nos, lines, amounts = (values.take(order) for values in (cut.row_nos, lines, _amounts_of_total(cut)))
    runs = pc.run_end_encode(cut.values["rep_period"].fill_null("").take(order))
    ends = runs.run_ends.to_numpy()
    begins = ends - np.diff(ends, prepend=0)
    whole = _joined(lines)
    line_ends = pc.cumulative_sum(pc.add(pc.binary_length(lines), 1)).to_numpy()
    totals = np.add.reduceat(amounts.to_numpy(zero_copy_only=False), begins) if len(lines) else begins
    months = tuple(
        Month(
            period,
            begin,
            end,
            hashlib.sha256(whole[line_ends[begin - 1] if begin else 0 : line_ends[end - 1] - 1]).hexdigest(),
            None if isnan(total) else round(total, 2),
        )
        for period, begin, end, total in zip(
            runs.values.to_pylist(), begins.tolist(), ends.tolist(), totals.tolist(), strict=True
        )
    )
    return row_nos, lines, months


def _amounts_of_total(cut: _Cut) -> "pa.Array":
    """Amounts of fund T, 0 in other rows; null where an amount cannot be read."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = cut.values["fakt_amt"].fill_null("0")
    if not cut.has_plain_amounts:
        readable = pc.if_else(pc.match_substring_regex(texts, _AMOUNT[0]), texts, None)
        texts = pc.replace_substring(readable, ",", ".")
    return pc.if_else(pc.equal(cut.values["fund_typ"].fill_null(""), "T"), texts.cast(pa.float64()), 0.0)


def block_of(answer: Answer, months: Sequence[Month], before: str) -> memoryview:
    """The rows of ``months`` as COPY takes them, each behind ``before`` and its number, without the end of the last line."""
    import pyarrow as pa
    import pyarrow.compute as pc

    row_nos, lines = answer.row_nos, answer.lines
    if len(months) < len(answer.months):
        row_nos, lines = (
            pa.concat_arrays([values[month.begin : month.end] for month in months]) for values in (row_nos, lines)
        )
    return _joined(pc.binary_join_element_wise(before.removesuffix("\t"), row_nos.cast(pa.string()), lines, "\t"))


def _joined(lines: "pa.Array") -> memoryview:
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
    return memoryview(pc.binary_join(whole, "\n")[0].as_buffer())


def _odd_values(request: Request, cut: _Cut) -> list[Finding]:
    """Findings on values of an unexpected form, in the order of lines."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found: list[tuple[int, Finding]] = []
    for column, forms in _FORMS.items():
        form, expected = (text.replace("YEAR", str(request.year)) for text in forms)
        values = cut.values.get(column)
        if values is None or (column in _AMOUNTS and cut.has_plain_amounts):
            continue
        values = values.fill_null("")
        wrong = [value for value in values.unique().to_pylist() if not re.fullmatch(form, value)]
        if not wrong:
            continue
        places = pc.indices_nonzero(pc.is_in(values, pa.array(wrong)))
        found += [
            (row_no, _odd_value(request, row_no, column, value, expected))
            for row_no, value in zip(cut.row_nos.take(places).to_pylist(), values.take(places).to_pylist(), strict=True)
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
