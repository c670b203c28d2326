"""Making the reports that are due: files first, then the ledger and the mail in one transaction.

A kill between the two leaves files that no ledger names; the next call makes the same bytes under the same names.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path

import psycopg

from asms.catalogue import Catalogue, load_catalogue
from asms.feedback.gather import DueGroup, find_due, read_reports
from asms.feedback.page import write_page
from asms.feedback.report import Report
from asms.feedback.workbook import Grid, write_workbook
from asms.geography import Gazetteer, NoCodifierError
from asms.intake.book import Book, CellValue
from asms.intake.form_reading import open_book
from asms.intake.landing import LandingStore
from asms.intake.template import FORM_CODE, TemplateRow
from asms.notify.feedback import ReadyReport, load_coordinators, queue_ready_report
from asms.returns import list_questions
from asms.settings import Settings
from asms.warehouse.connection import Warehouse

logger = logging.getLogger(__name__)

_CHUNK = 50
_MOST_CELLS = 20_000
"""Cells shown of one sheet of a form that is not ours."""

_TOLD_BEFORE = """
select about_id, findings_hash, is_latest
from quality.feedback
where about_id = any(%(ids)s) or (collection_code, municipality_code, time_period) in (
    select * from unnest(%(collections)s::text[], %(municipalities)s::text[], %(periods)s::text[])
)
"""

_LEDGER = """
insert into quality.feedback (
    about_id, findings_hash, collection_code, municipality_code, time_period, file_name, fatal_count, error_count,
    warning_count, info_count, workbook_path, html_path, json_path, is_latest
)
values (
    %(about_id)s, %(findings_hash)s, %(collection_code)s, %(municipality_code)s, %(time_period)s, %(file_name)s, %(fatal)s,
    %(error)s, %(warning)s, %(info)s, %(xlsx)s, %(html)s, %(json)s, true
)
on conflict (about_id, findings_hash) do update set is_latest = true, made_at = now()
"""

_STATE = """
insert into quality.feedback_state (group_key, state_hash) values (%s, %s)
on conflict (group_key) do update set state_hash = excluded.state_hash
"""

_KEPT = 2
"""Reports kept of each return: the newest, and the one before it, which its receiver may still be working with."""

_OLD = """
select workbook_path, html_path, json_path
from (
    select
        workbook_path, html_path, json_path,
        row_number() over (partition by about_id order by is_latest desc, made_at desc, findings_hash asc) as age
    from quality.feedback
) as aged
where age > %s
"""


class FeedbackError(RuntimeError):
    """Some reports could not be made; the others were, and these are tried again at the next call."""


@dataclass
class MadeFeedback:
    """What one call did."""

    looked_at_count: int = 0
    """Bodies and files that had changed."""
    report_count: int = 0
    """Reports made; each is a workbook, a page and a JSON file."""
    finding_count: int = 0
    mail_count: int = 0
    """Mails put into the outbox."""
    removed_count: int = 0
    """Old reports whose files were removed; the ledger keeps their lines."""
    unaddressed_count: int = 0
    """Reports for whose municipality no coordinator is known."""
    cpu_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


def make_feedback(
    warehouse: Warehouse,
    settings: Settings,
    *,
    catalogue: Catalogue | None = None,
    after_files: Callable[[Report], None] | None = None,
) -> MadeFeedback:
    """Make a report for each file whose findings changed since its last one, and put the mails about them into the outbox.

    A file that never had a finding gets none. Of the reports on one return the files of the two newest are kept.
    ``after_files`` is called between the files of a report and its ledger (tests kill the process there).

    Raises:
        FeedbackError: some report could not be made; what was made stands.
        RecipientsError: the list of coordinators cannot be used.
    """
    begin = time.process_time()
    maker = _Maker(warehouse, settings, catalogue or load_catalogue(), after_files or (lambda _report: None))
    with warehouse.connect("gate", autocommit=True) as connection:
        due = find_due(connection)
        for chunk in _chunks(due):
            maker.answer(connection, chunk)
            logger.info(
                "feedback: %d of %d, %d reports made", maker.made.looked_at_count, len(due), maker.made.report_count
            )
        maker.made.removed_count = _remove_old(connection, settings.home)
    maker.made.cpu_seconds = round(time.process_time() - begin, 2)
    if maker.made.failures:
        raise FeedbackError(
            f"{len(maker.made.failures)} reports could not be made ({maker.made.report_count} were): "
            f"{'; '.join(maker.made.failures[:5])}"
        )
    return maker.made


class _Maker:
    def __init__(
        self, warehouse: Warehouse, settings: Settings, catalogue: Catalogue, after_files: Callable[[Report], None]
    ) -> None:
        self.made = MadeFeedback()
        self._warehouse, self._settings, self._catalogue, self._after_files = (
            warehouse,
            settings,
            catalogue,
            after_files,
        )
        self._coordinators = load_coordinators(settings.coordinators, is_sample=warehouse.is_sample)
        self._store = LandingStore(settings.landing)
        self._questions = cache(lambda year: list_questions(catalogue, year))
        self._name_of = cache(_namer(warehouse))

    def answer(self, connection: psycopg.Connection, groups: Sequence[DueGroup]) -> None:
        """Answer ``groups``, each in a transaction of its own."""
        for group, reports in read_reports(connection, groups, self._name_of, self._catalogue.catalogue_version):
            self.made.looked_at_count += 1
            try:
                self._answer_group(connection, group, reports)
            except psycopg.OperationalError:
                raise
            except Exception as error:
                logger.exception("no report on %s", group.group_key)
                self.made.failures.append(f"{group.group_key}: {error}")

    def _answer_group(self, connection: psycopg.Connection, group: DueGroup, reports: Sequence[Report]) -> None:
        latest = _read_ledger(connection, reports)
        was_told = bool(latest)
        new = [
            report
            for report in reports
            if latest.get(report.about_id) != report.findings_hash and (report.items or was_told)
        ]
        paths = [self._write_files(report) for report in new]
        with connection.transaction():
            for report, places in zip(new, paths, strict=True):
                self._book(connection, report, places)
            connection.execute(_STATE, (group.group_key, group.state_hash))

    def _write_files(self, report: Report) -> Mapping[str, str]:
        """Write the three files of ``report``; return their paths below the home."""
        contents = {
            "xlsx": write_workbook(report, self._questions_of(report), self._grid_of(report)),
            "html": write_page(report).encode(),
            "json": (json.dumps(report.as_json(), ensure_ascii=False, indent=1) + "\n").encode(),
        }
        paths = {kind: Path("feedback") / f"{report.stem}.{kind}" for kind in contents}
        for kind, content in contents.items():
            _write_whole(self._settings.home / paths[kind], content)
        self._after_files(report)
        return {kind: str(path) for kind, path in paths.items()}

    def _questions_of(self, report: Report) -> list[TemplateRow]:
        is_ours = report.form_code == FORM_CODE and report.time_period is not None
        return self._questions(int(str(report.time_period)[:4])) if is_ours else []

    def _grid_of(self, report: Report) -> Grid | None:
        """The sheets of a form that is not ours, from the file itself; nothing of a file that could not be read."""
        if report.form_code == FORM_CODE:
            return None
        if report.form_code is None:
            return {}
        book = open_book(self._store.read(report.sha256))
        names = dict.fromkeys(cell.sheet for cell in report.cells)
        return {name: list(islice(_filled(book, name), _MOST_CELLS)) for name in names}

    def _book(self, connection: psycopg.Connection, report: Report, paths: Mapping[str, str]) -> None:
        connection.execute("update quality.feedback set is_latest = false where about_id = %s", (report.about_id,))
        connection.execute(
            _LEDGER,
            {
                "about_id": report.about_id,
                "findings_hash": report.findings_hash,
                "collection_code": report.collection_code,
                "municipality_code": report.municipality_code,
                "time_period": report.time_period,
                "file_name": report.file_name,
                **report.counts,
                **paths,
            },
        )
        self.made.report_count += 1
        self.made.finding_count += len(report.items)
        if report.municipality_code is None:
            return  # whose it is is not known, so staff answer: their mail names the file
        addresses = self._coordinators.get(report.municipality_code, ())
        self.made.unaddressed_count += not addresses
        ready = ReadyReport(
            report.about_id, report.findings_hash, report.municipality_code, report.municipality_name or "",
            report.time_period or "", report.file_name, Path(paths["xlsx"]).name, report.counts,
        )  # fmt: skip
        self.made.mail_count += queue_ready_report(connection, ready, addresses, is_sample=self._warehouse.is_sample)


def _remove_old(connection: psycopg.Connection, home: Path) -> int:
    """Remove the files of reports that newer ones replaced; return of how many. What a kill leaves goes at the next call."""
    count = 0
    for paths in connection.execute(_OLD, (_KEPT,)):
        there = [home / path for path in paths if (home / path).exists()]
        for file in there:
            file.unlink(missing_ok=True)
        count += bool(there)
    return count


def _read_ledger(connection: psycopg.Connection, reports: Sequence[Report]) -> dict[str, str]:
    """Hash of what was told last, by what it was about: of these files, and of other files of the same bodies and periods."""
    rows = connection.execute(
        _TOLD_BEFORE,
        {
            "ids": [report.about_id for report in reports],
            "collections": [report.collection_code for report in reports],
            "municipalities": [report.municipality_code for report in reports],
            "periods": [report.time_period for report in reports],
        },
    )
    return {about_id: findings_hash for about_id, findings_hash, is_latest in rows if is_latest}


def _filled(book: Book, name: str) -> Iterator[tuple[int, int, str, CellValue]]:
    """Row, column, address and value of each cell that holds something."""
    sheet = book.sheet(name)
    for row in range(1, sheet.row_count + 1):
        for column in range(1, sheet.column_count + 1):
            value = sheet.value(row, column)
            if value.text is not None:
                yield row, column, sheet.address(row, column), value


def _namer(warehouse: Warehouse) -> Callable[[str], str]:
    """From a municipality's code to its name, as the codifier has it; '' while no codifier is loaded."""

    @cache
    def gazetteer() -> Gazetteer | None:
        with warehouse.connect("gate") as connection:
            try:
                return Gazetteer.from_warehouse(connection)
            except NoCodifierError:
                return None

    def name_of(code: str) -> str:
        found = gazetteer()
        candidates = found.resolve(code).candidates if found else ()
        return candidates[0].label.removesuffix(f" ({code})") if candidates else ""

    return name_of


def _write_whole(file: Path, content: bytes) -> None:
    """Write ``content`` whole or not at all; leave alone a file that holds it."""
    if file.exists() and file.read_bytes() == content:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    part.write_bytes(content)
    part.replace(file)


def _chunks(groups: Sequence[DueGroup]) -> Iterator[Sequence[DueGroup]]:
    for first in range(0, len(groups), _CHUNK):
        yield groups[first : first + _CHUNK]
