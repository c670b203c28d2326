"""The tables beside the codifier: older codes (КОАТУУ), councils and the hromadas they joined, reforms that staff enter.

Each is a CSV file known by its name. A table that cannot be trusted as a whole (a column is missing, weights that do not add up,
a merge conflict left in it) is refused, and the one loaded before stands; single lines that contradict others become findings and
count for nothing.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from asms.findings import Finding
from asms.sources import SourceError
from asms.sources.ledger import Feed, Reading
from asms.sources.new_column import new_columns

_TOLERANCE = 1e-6  # of a sum of weights
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7})", re.MULTILINE)
_COUNCIL = re.compile(r"\d{9,10}")  # a spreadsheet drops the leading zero
_HROMADA = re.compile(r"UA(\d{2}|\d{17})")  # a city that is a region of its own may stand as its first digits
_CODE = re.compile(r"UA\d{17}|\d{10}")
EVENT_KINDS = ("created", "merged", "joined", "split", "part_transferred", "recoded")
"""Kinds of event that move territory from a code to a code; renamings follow from the editions of the codifier."""

Record = Mapping[str, str]


@dataclass(frozen=True)
class BoundaryFeed:
    """A file of this source: how the ledger knows it, and what cuts its bytes (and path) into rows."""

    feed: Feed
    read: Callable[[bytes, str], Reading]


def read_koatuu(data: bytes, path: str) -> Reading:
    """Rows of raw.koatuu_unit: as found, many units to one КОАТУУ code. Raises SourceError."""
    titles = {
        "unit": "кодифікатор",
        "koatuu": "код об'єкта коатуу",
        "category": "категорія об'єкта",
        "name": "назва об'єкта",
    }
    lines, findings = _read_table(data, path, titles)
    rows = [(no, line["unit"], line["koatuu"], line["category"], line["name"]) for no, line in lines]
    return Reading(rows, findings)


def read_councils(data: bytes, path: str) -> Reading:
    """Rows of raw.council; «NA» is empty. Raises SourceError."""
    names = ("rada_code", "rada_name", "hromada_code", "hromada_name", "rai_center", "oblast", "note")
    lines, findings = _read_table(data, path, {name: name for name in names})
    _refuse_codes(lines, path, {"rada_code": _COUNCIL})
    rows = [(no, *(None if line[name] in ("", "NA") else line[name] for name in names)) for no, line in lines]
    return Reading(rows, findings)


def read_memberships(data: bytes, path: str) -> Reading:
    """Rows of raw.council_membership, with a Finding where a council stands in two hromadas on one day. Raises SourceError."""
    names = ("date", "rada_code", "hromada_code")
    lines, findings = _read_table(data, path, {name: name for name in names})
    _refuse_codes(lines, path, {"rada_code": _COUNCIL, "hromada_code": _HROMADA})
    rows = [(no, _read_day(line["date"], path, no), line["rada_code"], line["hromada_code"]) for no, line in lines]
    where: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for no, day, council, hromada in rows:
        where[council, str(day)].append((no, hromada))
    for (council, text), places in sorted(where.items()):
        if len({hromada for _, hromada in places}) > 1:
            findings.append(_contradiction(council, text, places, path))
    return Reading(rows, findings)


def read_events(data: bytes, path: str) -> Reading:
    """Rows of raw.boundary_event.

    Columns: event_code, event_kind (one of ``EVENT_KINDS``), known_by (a date), act, predecessor_code, successor_code, weight: the
    share of the predecessor that goes to the successor, in (0, 1]. All weights of a predecessor are given and add up to 1, or none
    is; a part of it that stays is a line with its own code as successor. Raises SourceError, naming line or event.
    """
    names = ("event_code", "event_kind", "known_by", "act", "predecessor_code", "successor_code", "weight")
    lines, findings = _read_table(data, path, {name: name for name in names})
    _refuse_codes(lines, path, {"predecessor_code": _CODE, "successor_code": _CODE})
    rows = []
    for no, line in lines:
        if line["event_kind"] not in EVENT_KINDS:
            raise SourceError(
                f"{path}, line {no}: event_kind {line['event_kind']!r} is none of {', '.join(EVENT_KINDS)}"
            )
        day, weight = _read_day(line["known_by"], path, no), _read_weight(line["weight"], path, no)
        rows.append(
            (no, line["event_code"], line["event_kind"], day, line["act"] or None, line["predecessor_code"],
             line["successor_code"], weight)
        )  # fmt: skip
    _check_events(rows, path)
    return Reading(rows, findings)


def _check_events(rows: Sequence[tuple[int, str, str, date, str | None, str, str, float | None]], path: str) -> None:
    parts: dict[tuple[str, date], list[tuple[str, str, float | None]]] = defaultdict(list)
    days: dict[str, date] = {}
    for _, event, _, day, _, old, new, weight in rows:
        if days.setdefault(event, day) != day:
            raise SourceError(
                f"{path}: event {event} has two dates, {days[event]} and {day}; one event is known by one day"
            )
        if any(event == other and new == to for other, to, _ in parts[old, day]):
            raise SourceError(f"{path}: event {event} names {old} → {new} twice")
        parts[old, day].append((event, new, weight))
    ended: dict[str, tuple[date, str]] = {}
    for (old, day), shares in sorted(parts.items(), key=lambda item: item[0][1]):
        if len({event for event, _, _ in shares}) > 1:
            names = " and ".join(sorted({event for event, _, _ in shares}))
            raise SourceError(
                f"{path}: events {names} contradict: both say what became of {old} on {day}; write one event"
            )
        event = shares[0][0]
        if old in ended and ended[old][0] < day:
            raise SourceError(
                f"{path}: event {event} of {day} contradicts {ended[old][1]}, by which {old} had ceased to be"
            )
        weights = [weight for _, _, weight in shares if weight is not None]
        if weights and (len(weights) < len(shares) or abs(sum(weights) - 1) > _TOLERANCE):
            raise SourceError(
                f"{path}: weights of {old} in event {event} add up to {sum(weights):g} over {len(weights)} of {len(shares)} "
                "successors; they must add up to 1, or all be left empty where the shares are not known"
            )
        for _, new, _ in shares:
            ended.pop(new, None)
        if old not in {new for _, new, _ in shares}:
            ended[old] = (day, event)


def _read_table(data: bytes, path: str, titles: Mapping[str, str]) -> tuple[list[tuple[int, Record]], list[Finding]]:
    """Lines (number, values by key of ``titles``, ends trimmed) and a finding for each column that is not known."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1251", errors="replace")
    if conflict := _CONFLICT.search(text):
        line_no = text.count("\n", 0, conflict.start()) + 1
        raise SourceError(
            f"{path}, line {line_no}: a merge conflict was left in the file ({conflict[0]}); take the file anew"
        )
    reader = csv.reader(text.replace("\0", "").splitlines())
    try:
        header = [_fold(title) for title in next(reader, [])]
        lost = [title for title in titles.values() if title not in header]
        if lost:
            raise SourceError(
                f"{path}: its first line lacks the column {', '.join(lost)} (it names {', '.join(header)[:200]})"
            )
        places = {key: header.index(title) for key, title in titles.items()}
        lines: list[tuple[int, Record]] = []
        for cells in reader:
            if len(cells) != len(header):
                if not any(cell.strip() for cell in cells):
                    continue
                raise SourceError(f"{path}, line {reader.line_num}: {len(cells)} fields instead of {len(header)}")
            lines.append((reader.line_num, {key: cells[place].strip() for key, place in places.items()}))
    except csv.Error as error:
        raise SourceError(f"{path}, line {reader.line_num} is not CSV ({error})") from error
    if not lines:
        raise SourceError(f"{path} has no lines below its titles")
    return lines, new_columns(header, "katottg", titles.values(), path)


def _fold(title: str) -> str:
    return re.sub(r"[’ʼ‘`]", "'", title).strip().casefold()


def _refuse_codes(lines: Sequence[tuple[int, Record]], path: str, wanted: Mapping[str, re.Pattern[str]]) -> None:
    for no, line in lines:
        for column, pattern in wanted.items():
            if not pattern.fullmatch(line[column]):
                raise SourceError(f"{path}, line {no}: {column} is {line[column]!r}, which is no code")


def _read_day(text: str, path: str, line_no: int) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SourceError(f"{path}, line {line_no}: {text!r} is no date like 2020-08-16") from error


def _read_weight(text: str, path: str, line_no: int) -> float | None:
    if not text:
        return None
    try:
        weight = float(text.replace(",", "."))
    except ValueError:
        weight = 0.0
    if not 0 < weight <= 1 + _TOLERANCE:
        raise SourceError(
            f"{path}, line {line_no}: weight {text!r} is no share above 0 and up to 1; leave it empty if not known"
        )
    return weight


def _contradiction(council: str, day: str, places: Sequence[tuple[int, str]], path: str) -> Finding:
    hromadas = " / ".join(sorted({hromada for _, hromada in places}))
    lines = ", ".join(str(no) for no, _ in places)
    return Finding(
        rule_id="BOUNDARY_EVENT_CONTRADICTS",
        dataset="council_membership",
        message_uk=f"Рада {council} на {day} стоїть у двох громадах: {hromadas} (рядки {lines})",
        message_en=f"council {council} stands in two hromadas on {day}: {hromadas} (lines {lines})",
        file_name=path,
        cell=f"B{places[0][0]}",
        value_found=hromadas,
    )


def _feed(source: str, *columns: str) -> Feed:
    return Feed(source, "files:katottg", "1", f"raw.{source}", ("row_no", *columns))


BOUNDARY_FEEDS: Mapping[str, BoundaryFeed] = {
    "katottg_to_koatuu.csv": BoundaryFeed(
        _feed("koatuu_unit", "unit_code", "koatuu_code", "category", "name"), read_koatuu
    ),
    "rada_hromada.csv": BoundaryFeed(
        _feed("council", "council_code", "name", "hromada_code", "hromada_name", "centre_name", "oblast_name", "note"),
        read_councils,
    ),
    "time_rada.csv": BoundaryFeed(
        _feed("council_membership", "known_by", "council_code", "hromada_code"), read_memberships
    ),
    "boundary_events.csv": BoundaryFeed(
        _feed(
            "boundary_event",
            "event_code",
            "event_kind",
            "known_by",
            "act",
            "predecessor_code",
            "successor_code",
            "weight",
        ),
        read_events,
    ),
}
"""Files that are read when they lie beside the codifier, by name."""
