"""The mail that tells a coordinator that a report on his municipality's return is ready: counts, and no values.

Addresses are personal data: they stay in a file that a setting names and in the outbox, and enter no mart.
"""

import csv
import hashlib
import importlib.resources
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from pydantic import TypeAdapter, ValidationError

from asms.notify.compose import Letter, clean, render
from asms.notify.outbox import queue_letter
from asms.notify.recipients import Address, RecipientsError

_COLUMNS = ("municipality_code", "address")
_ADDRESS: TypeAdapter[str] = TypeAdapter(Address)


@dataclass(frozen=True)
class ReadyReport:
    """A report that was made. ``counts`` are of findings by severity; ``report_name`` is the workbook's file name."""

    about_id: str
    findings_hash: str
    municipality_code: str
    municipality_name: str
    time_period: str
    file_name: str
    report_name: str
    counts: Mapping[str, int]


def load_coordinators(file: Path | None, *, is_sample: bool) -> Mapping[str, tuple[str, ...]]:
    """Addresses of the coordinators by municipality, from a CSV file with columns municipality_code and address.

    Without a file nobody is known, but in a sample run the package's example, whose addresses reach nobody. Raises
    RecipientsError naming the line.
    """
    if file is None and not is_sample:
        return {}
    source = file or importlib.resources.files("asms.notify").joinpath("coordinators.csv")
    try:
        lines = list(csv.reader(source.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipientsError(f"the list of coordinators {source.name} cannot be read: {error}") from error
    if not lines or tuple(lines[0]) != _COLUMNS:
        raise RecipientsError(f"the list of coordinators {source.name}: its first line must be {','.join(_COLUMNS)}")
    known: defaultdict[str, list[str]] = defaultdict(list)
    for number, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        if len(line) != len(_COLUMNS) or not re.fullmatch(r"UA\d{17}", line[0].strip()):
            raise RecipientsError(
                f"the list of coordinators {source.name}, line {number}: UA and 17 digits, then an address"
            )
        try:
            known[line[0].strip()].append(_ADDRESS.validate_python(line[1].strip()))
        except ValidationError as error:
            message = error.errors()[0]["msg"]
            raise RecipientsError(f"the list of coordinators {source.name}, line {number}: {message}") from error
    return {code: tuple(dict.fromkeys(addresses)) for code, addresses in known.items()}


def queue_ready_report(
    connection: psycopg.Connection, report: ReadyReport, addresses: Sequence[str], *, is_sample: bool
) -> int:
    """Put a mail for each of ``addresses`` into the outbox, in the caller's transaction; return how many are new.

    The same findings of the same file are told once.
    """
    letter = compose_ready_report(report, is_sample=is_sample)
    digest = hashlib.sha256(f"feedback|{report.about_id}|{report.findings_hash}".encode()).hexdigest()
    return queue_letter(connection, digest, addresses, letter)


def compose_ready_report(report: ReadyReport, *, is_sample: bool) -> Letter:
    """Compose the mail; the same report gives the same letter."""
    name = report.municipality_name or report.municipality_code
    total = sum(report.counts.values())
    subject = clean(
        f"АСМС: звіт про перевірку готовий, зауважень {total} ({name}, {report.time_period}) / report is ready"
    )
    given = {
        "report": {**report.__dict__, **{key: clean(getattr(report, key)) for key in
                   ("municipality_name", "file_name", "report_name")}, "counts": dict(report.counts)},
        "total": total,
        "is_sample": is_sample,
        "subject": subject,
    }  # fmt: skip
    return Letter(subject, render("feedback.txt.j2", given), render("feedback.html.j2", given))
