"""The register of bodies that are members of the association or registered users of АСМС, from a CSV file that staff keep.

A line is one term of one body: ``municipality_code, is_member, registered_from, registered_to``, the first day of the term
included and ``registered_to`` not. A line without dates is a member that is no user. The file holds no other columns, so that
nothing about persons gets in. A wrong line becomes a finding and is left out; the others count.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Protocol

import fsspec

from asms.findings import Finding
from asms.settings import Settings
from asms.sources import SourceError, SourceNotSetError, SourceResult
from asms.sources.answers import Question, load_answers
from asms.sources.ledger import Feed, Reading, Store
from asms.warehouse.connection import Warehouse

COLUMNS = ("municipality_code", "is_member", "registered_from", "registered_to")
FEED = Feed(
    source="members",
    channel="file:members",
    reader_version="1",
    table="raw.members_body",
    columns=("row_no", "municipality_text", *COLUMNS),
)
RULE = "MEMBER_LINE_INVALID"
_PATH = "members.csv"
_LARGEST = 10 << 20  # bytes; the country's 1,774 bodies make a hundredth of it
_YES, _NO = {"так", "true", "1", "yes", "істина"}, {"ні", "false", "0", "no", "хибність"}
_ISO = re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})")
_UKRAINIAN = re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})")

Row = tuple[int, str, str, bool, date | None, date | None]


class Resolution(Protocol):
    @property
    def municipality_code(self) -> str | None: ...


Resolve = Callable[[str], Resolution]
"""``asms.geography.Gazetteer.resolve``."""


class _LineError(ValueError):
    """A line cannot be used: which column, and why in both languages."""

    def __init__(self, column: str, why_uk: str, why_en: str) -> None:
        super().__init__(why_en)
        self.column, self.why_uk, self.why_en = column, why_uk, why_en


def fetch(
    warehouse: Warehouse, settings: Settings, store: Store, resolve: Resolve, *, force: bool = False
) -> SourceResult:
    """Load ``raw.members_body`` from the file ``settings.members``; unchanged bytes are a no-op, but a new arrival with ``force``.

    Raises SourceNotSetError when no register is named, SourceError when the file is not there or is no such table; what was
    loaded before stands.
    """
    if settings.members is None:
        raise SourceNotSetError("ASMS_MEMBERS is not set: who is a member or a user is not known")
    register = settings.members
    question = Question(_PATH, lambda: _read_file(register), lambda data: read_register(data, resolve))
    return load_answers(warehouse, settings, store, FEED, [question], force=force)


def read_register(data: bytes, resolve: Resolve) -> Reading:
    """Cut the file into rows of raw.members_body (after ``load_id``), and a Finding for each line that cannot be used.

    UTF-8 or cp1251, parted by commas, semicolons or tabs, as spreadsheets save it; dates as 2024-03-31 or 31.03.2024.
    Raises SourceError when the columns are not those of ``COLUMNS``.
    """
    lines = _table(data)
    rows: list[Row] = []
    findings: list[Finding] = []
    places: list[str] | None = None
    for row_no, cells in lines:
        if places is None:
            places = _check_titles(cells)
            continue
        values = dict(zip(places, (cell.strip() for cell in cells), strict=False))
        try:
            if len(cells) != len(places):
                raise _LineError(COLUMNS[0], f"{len(cells)} полів замість 4", f"{len(cells)} fields, not 4")
            row = _read_line(row_no, values, resolve)
            _check_terms(row, rows)
        except _LineError as error:
            findings.append(_finding(row_no, places, values, error))
        else:
            rows.append(row)
    if places is None:
        raise SourceError(f"the file is empty; its first line names the columns {', '.join(COLUMNS)}")
    return Reading(rows, findings)


def _read_file(url: str) -> bytes:
    try:
        with fsspec.open(url, "rb") as stream:
            data: bytes = stream.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        raise SourceError(f"ASMS_MEMBERS names a file that cannot be read ({error})") from error
    if len(data) > _LARGEST:
        raise SourceError(f"the file is larger than {_LARGEST >> 20} MB, which is no register of municipalities")
    return data


def _table(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line that is not blank."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1251", errors="replace")
    text = text.replace("\0", "")  # PostgreSQL takes none, not even in what a finding quotes
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(text.splitlines(), delimiter=delimiter)
    try:
        yield from ((reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells))
    except csv.Error as error:
        raise SourceError(f"line {reader.line_num} is not CSV ({error}); save the table as «CSV UTF-8»") from error


def _check_titles(cells: Sequence[str]) -> list[str]:
    titles = [cell.strip().casefold() for cell in cells]
    if sorted(titles) != sorted(COLUMNS):
        raise SourceError(
            f"the first line names the columns {', '.join(titles)[:200]!r}; exactly {', '.join(COLUMNS)} are expected: "
            "a register of bodies holds nothing about persons"
        )
    return titles


def _read_line(row_no: int, values: Mapping[str, str], resolve: Resolve) -> Row:
    text = values["municipality_code"]
    code = resolve(text).municipality_code
    if code is None:
        raise _LineError(
            "municipality_code", f"«{text}» не є громадою кодифікатора", f"'{text}' is no hromada of the codifier"
        )
    answer = values["is_member"].casefold()
    if answer not in _YES | _NO:
        raise _LineError("is_member", f"«{answer}» не є ні «так», ні «ні»", f"'{answer}' is neither yes nor no")
    begin = _read_date("registered_from", values)
    end = _read_date("registered_to", values)
    if begin is None and end is not None:
        raise _LineError("registered_from", "строк має кінець, але не має початку", "the term ends but does not begin")
    if begin is not None and end is not None and end <= begin:
        raise _LineError("registered_to", "строк закінчується до початку", "the term ends before it begins")
    if begin is None and answer in _NO:
        raise _LineError("registered_from", "орган ні член, ні користувач", "the body is neither a member nor a user")
    return row_no, text, code, answer in _YES, begin, end


def _read_date(column: str, values: Mapping[str, str]) -> date | None:
    text = values[column]
    if not text:
        return None
    found = _ISO.fullmatch(text) or _UKRAINIAN.fullmatch(text)
    try:
        if found:
            return date(int(found["year"]), int(found["month"]), int(found["day"]))
    except ValueError:
        pass  # the 30th of February
    raise _LineError(column, f"«{text}» не є датою", f"'{text}' is no date")


def _check_terms(row: Row, before: Sequence[Row]) -> None:
    """A body has one line without dates at most, and its terms do not overlap: else a day would have two answers."""
    _, _, code, _, begin, end = row
    for other_no, _, other_code, _, other_begin, other_end in before:
        if code != other_code or (begin is None) != (other_begin is None):
            continue
        if (
            begin is None
            or other_begin is None
            or (begin < (other_end or date.max) and other_begin < (end or date.max))
        ):
            raise _LineError(
                "registered_from",
                f"строк перетинається з рядком {other_no}",
                f"the term overlaps that of line {other_no}",
            )


def _finding(row_no: int, places: Sequence[str], values: Mapping[str, str], error: _LineError) -> Finding:
    found = values.get(error.column, "")[:200]
    return Finding(
        rule_id=RULE,
        dataset="members",
        message_uk=f"Рядок {row_no}, {error.column}: {error.why_uk}",
        message_en=f"line {row_no}, {error.column}: {error.why_en}",
        file_name=_PATH,
        cell=f"{chr(ord('A') + places.index(error.column))}{row_no}",
        value_found=found,
    )
