"""Reading landed deliveries into ``raw``: processes read, one writer books them in batches, and what cannot be read is a finding."""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import psycopg

from asms.findings import Finding, insert_findings
from asms.intake.book import MAX_FILE_BYTES
from asms.intake.edits import find_edits
from asms.intake.explanations import store_explanations
from asms.intake.form_definition import Form, load_forms
from asms.intake.form_reading import Resolve, Scan, settle
from asms.intake.identity import read_asked
from asms.intake.landing import SOURCE, LandingStore, load_id_of
from asms.intake.problem import ProblemError
from asms.intake.reading_pool import Answer, Limits, ReadingPool, Unforeseen
from asms.intake.table_reading import MappedCell
from asms.settings import Settings
from asms.warehouse.connection import Warehouse
from asms.warehouse.copy import copy_blocks, prefix_lines

logger = logging.getLogger(__name__)

_CELL_COLUMNS = (
    "submission_id", "sheet", "cell", "indicator_code", "code_text", "sex", "value_text", "value_type", "reason_text",
    "remark_text",
)  # fmt: skip
_LONGEST_TOLD = 2_000
"""Characters of any one text of a finding: a cell may hold 32 thousand."""
_BATCH_FILES = 50  # a transaction's worth: what a kill costs, and what the writer holds in memory


@dataclass(frozen=True)
class ReadResult:
    """What one reading did. ``new_submission_count`` and ``cell_count`` count what was not in raw before."""

    read_count: int
    failed_count: int
    new_submission_count: int
    cell_count: int
    finding_count: int


@dataclass(frozen=True)
class _Delivery:
    delivery_id: str
    path: str
    sha256: str
    size_bytes: int
    is_sample: bool
    is_test: bool
    twin_path: str | None
    """Path of an earlier file of the same scan with the same bytes."""


@dataclass(frozen=True)
class _Ready:
    """A return to be booked; ``block`` are its cells in the text format of COPY, without the submission's id."""

    scan: Scan
    municipality_code: str
    municipality_text: str
    block: str
    cell_count: int

    @property
    def form(self) -> Form:
        return self.scan.form

    @property
    def time_period(self) -> str:
        return self.scan.time_period


_Outcome = _Ready | ProblemError


@dataclass
class _Counts:
    read: int = 0
    failed: int = 0
    new: int = 0
    cells: int = 0
    findings: int = 0


def read_deliveries(
    warehouse: Warehouse,
    settings: Settings,
    resolve: Resolve,
    delivery_ids: Sequence[str] | None = None,
    force: bool = False,
    *,
    forms: Sequence[Form] | None = None,
    limits: Limits | None = None,
) -> ReadResult:
    """Read every landed return that no present form version has read yet, or those of ``delivery_ids``.

    A delivery that could not be read is tried again each time, until a newer file stands on its path: forms are added and
    the codifier changes. ``force`` reads again what was read; equal results change nothing. ``forms`` replaces the
    project's own. A file that cannot be read, or not within ``limits``, leaves a finding and a failed load, and the others
    go on. A batch of files is one transaction: killed, the next call goes on after the last one.

    Raises:
        LookupError: the rules of the findings are not in ``quality.rule``; store the catalogue first.
        psycopg.OperationalError: the database is gone; what was read before is kept.
        OSError: the landing store cannot be read; what was read before is kept.
        ReaderError: the processes that read files cannot be started.
    """
    known = load_forms() if forms is None else tuple(forms)
    store = LandingStore(settings.landing)
    counts = _Counts()
    with warehouse.connect("loader", autocommit=True) as connection:
        deliveries = _find_unread(connection, known, delivery_ids, force=force)
        with ReadingPool(known, read_asked(connection), file_count=len(deliveries), limits=limits) as pool:
            outcomes = _read(pool, store, deliveries, resolve)
            done = 0
            while batch := list(islice(outcomes, _BATCH_FILES)):
                _book_batch(connection, batch, known, counts)
                done += len(batch)
                logger.info("read %d of %d files", done, len(deliveries))
        _close_superseded(connection)
    result = ReadResult(counts.read, counts.failed, counts.new, counts.cells, counts.findings)
    logger.info("returns: %s", result)
    return result


def _find_unread(
    connection: psycopg.Connection, forms: Sequence[Form], delivery_ids: Sequence[str] | None, *, force: bool
) -> list[_Delivery]:
    rows = connection.execute(
        _DELIVERIES,
        {
            "source": SOURCE,
            "versions": [form.reader_version for form in forms],
            "delivery_ids": None if delivery_ids is None else list(delivery_ids),
            "force": force,
        },
    )
    return [_Delivery(*row) for row in rows]


def _read(
    pool: ReadingPool, store: LandingStore, deliveries: Sequence[_Delivery], resolve: Resolve
) -> Iterator[tuple[_Delivery, _Outcome]]:
    """Read each delivery, in their order. Whatever goes wrong inside is a fact about one file, and told as one."""

    def load(delivery: _Delivery) -> tuple[str, bytes] | ProblemError:
        try:
            return _too_large(delivery) or (delivery.path, store.read(delivery.sha256))
        except OSError:
            raise  # the store cannot be reached: no file is to blame, and the next call reads them all
        except Exception as error:
            logger.exception("%s cannot be read", delivery.path)
            return _unforeseen(type(error).__name__, str(error))

    for delivery, answer in pool.map(deliveries, load):
        outcome = _settle(delivery, answer, resolve)
        if isinstance(outcome, ProblemError):
            logger.warning("%s: %s", delivery.path, outcome)
        yield delivery, outcome


def _settle(delivery: _Delivery, answer: Answer, resolve: Resolve) -> _Outcome:
    if isinstance(answer, ProblemError):
        return answer
    if isinstance(answer, Unforeseen):
        logger.error("%s cannot be read\n%s", delivery.path, answer.traceback)
        return _unforeseen(answer.name, answer.text)
    scan = answer.scan
    try:
        code, text = settle(scan, resolve)
    except ProblemError as problem:
        return problem
    except Exception as error:
        logger.exception("%s cannot be read", delivery.path)
        return _unforeseen(type(error).__name__, str(error))
    return _Ready(scan, code, text, answer.block, answer.cell_count)


def _too_large(delivery: _Delivery) -> ProblemError | None:
    if delivery.size_bytes <= MAX_FILE_BYTES:
        return None
    size = delivery.size_bytes >> 20
    return ProblemError(
        "FILE_TOO_LARGE",
        f"Файл має {size} МБ; приймаються файли до {MAX_FILE_BYTES >> 20} МБ",
        f"The file has {size} MB; files up to {MAX_FILE_BYTES >> 20} MB are taken",
        value_found=f"{delivery.size_bytes} B",
    )


def _unforeseen(name: str, text: str) -> ProblemError:
    return ProblemError(
        "FILE_UNREADABLE",
        f"Файл не вдалося прочитати через непередбачену помилку {name}: {text}",
        f"The file could not be read because of an unforeseen error, {name}: {text}",
        value_found=name,
    )


def _book_batch(
    connection: psycopg.Connection,
    batch: Sequence[tuple[_Delivery, _Outcome]],
    forms: Sequence[Form],
    counts: _Counts,
) -> None:
    """Store what was read, or why nothing was, in one transaction; file by file where the database does not take the whole."""
    try:
        with connection.transaction():
            booked = _book(connection, batch, forms)
    except psycopg.DataError as error:
        if len(batch) > 1:
            for one in batch:
                _book_batch(connection, [one], forms, counts)
            return
        delivery = batch[0][0]
        logger.exception("%s holds what the database does not take", delivery.path)
        with connection.transaction():
            booked = _book(connection, [(delivery, _unforeseen(type(error).__name__, str(error)))], forms)
    counts.read += booked.read
    counts.failed += booked.failed
    counts.new += booked.new
    counts.cells += booked.cells
    counts.findings += booked.findings


def _book(
    connection: psycopg.Connection, batch: Sequence[tuple[_Delivery, _Outcome]], forms: Sequence[Form]
) -> _Counts:
    loads, arrivals, findings = [], [], []
    returns: dict[str, tuple[str, _Delivery, _Ready]] = {}
    failed_version = _digest(*(form.reader_version for form in forms))[:12]
    counts = _Counts()
    for delivery, outcome in batch:
        if isinstance(outcome, ProblemError):
            load_id = load_id_of(delivery.delivery_id, failed_version)
            found = [_finding(delivery, load_id, outcome)]
            loads.append(_load_row(delivery, load_id, failed_version, "failed", 0, 1, _storable(outcome.message_uk)))
            counts.failed += 1
        elif outcome.form.explanations:
            version = outcome.form.reader_version
            load_id, row_count = load_id_of(delivery.delivery_id, version), len(outcome.scan.explanations)
            found = _book_explanations(connection, delivery, load_id, outcome)
            loads.append(
                _load_row(delivery, load_id, version, "loaded", row_count, len(found), None, source="explanations")
            )
            counts.read += 1
        else:
            version = outcome.form.reader_version
            load_id, submission_id = load_id_of(delivery.delivery_id, version), _submission_id(delivery, outcome)
            found = _find_problems(delivery, load_id, submission_id, outcome)
            loads.append(_load_row(delivery, load_id, version, "loaded", outcome.cell_count, len(found), None))
            returns.setdefault(submission_id, (load_id, delivery, outcome))
            arrivals.append((delivery.delivery_id, submission_id, load_id))
            counts.read += 1
        findings += found
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT_LOAD, loads)
        new = _insert_submissions(cursor, returns)
        cursor.executemany(
            "insert into raw.submission_delivery (delivery_id, submission_id, load_id) values (%s, %s, %s) "
            "on conflict (delivery_id, submission_id) do nothing",
            arrivals,
        )
    if new:
        blocks = (prefix_lines(returns[submission_id][2].block, submission_id) for submission_id in new)
        copy_blocks(connection, "raw.submission_cell", _CELL_COLUMNS, blocks)
    insert_findings(connection, findings, is_sample=batch[0][0].is_sample)
    _close_failures(connection, [delivery.delivery_id for delivery, _ in batch], findings)
    counts.new = len(new)
    counts.cells = sum(returns[submission_id][2].cell_count for submission_id in new)
    counts.findings = len(findings)
    return counts


def _insert_submissions(cursor: psycopg.Cursor, returns: dict[str, tuple[str, _Delivery, _Ready]]) -> list[str]:
    """Insert the submissions that are not there; return their ids."""
    rows = [
        (
            submission_id, load_id, delivery.sha256, delivery.path, ready.form.form_code, ready.form.form_version,
            ready.form.collection_code, ready.municipality_code, ready.municipality_text, ready.time_period,
            ready.cell_count,
        )
        for submission_id, (load_id, delivery, ready) in returns.items()
    ]  # fmt: skip
    if not rows:
        return []
    cursor.execute(_INSERT_SUBMISSIONS, [list(column) for column in zip(*rows, strict=True)])
    return [submission_id for (submission_id,) in cursor.fetchall()]


def _submission_id(delivery: _Delivery, ready: _Ready) -> str:
    form = ready.form
    return _digest(delivery.sha256, form.form_code, form.form_version, ready.municipality_code, ready.time_period)[:32]


def _find_problems(delivery: _Delivery, load_id: str, submission_id: str, ready: _Ready) -> list[Finding]:
    place = {
        "submission_id": submission_id,
        "collection_code": ready.form.collection_code,
        "municipality_code": ready.municipality_code,
        "time_period": ready.time_period,
    }
    problems = (*ready.scan.problems, *([_twin(delivery.twin_path)] if delivery.twin_path else ()))
    return [_finding(delivery, load_id, problem, **place) for problem in problems]


def _book_explanations(
    connection: psycopg.Connection, delivery: _Delivery, load_id: str, ready: _Ready
) -> list[Finding]:
    """Store what a feedback workbook brought back; it is no return, so nothing of it enters raw. A trial is only checked."""
    scan = ready.scan
    new_count, problems = store_explanations(
        connection, delivery.delivery_id, ready.municipality_code, scan.explanations, is_trial=delivery.is_test
    )
    if scan.form.explanations is not None:
        shown = map(MappedCell._make, scan.rows)
        problems += find_edits(
            connection, scan.about_id, ready.municipality_code, scan.form.explanations.shows, list(shown)
        )
    place = {
        "collection_code": ready.form.collection_code,
        "municipality_code": ready.municipality_code,
        "time_period": ready.time_period,
    }
    logger.info("%s: %d explanations, %d of them new", delivery.path, len(scan.explanations), new_count)
    return [_finding(delivery, load_id, problem, **place) for problem in problems]


def _load_row(
    delivery: _Delivery,
    load_id: str,
    reader_version: str,
    status: str,
    row_count: int,
    finding_count: int,
    message: str | None,
    *,
    source: str = SOURCE,
) -> tuple[object, ...]:
    return (
        load_id, source, delivery.delivery_id, reader_version, status, row_count, finding_count, message,
        delivery.is_sample,
    )  # fmt: skip


def _twin(path: str) -> ProblemError:
    return ProblemError(
        "FILE_DUPLICATE_BYTES",
        f"Такий самий файл надійшов тоді ж під назвою {path}",
        f"The same file came in the same scan under the name {path}",
        value_found=path,
    )


def _finding(delivery: _Delivery, load_id: str, problem: ProblemError, **place: str) -> Finding:
    told = (problem.message_uk, problem.message_en, problem.sheet, problem.cell, problem.value_found)
    message_uk, message_en, sheet, cell, value_found = (_storable(text) for text in told)
    return Finding(
        rule_id=problem.rule_id,
        dataset=SOURCE,
        message_uk=message_uk or "",
        message_en=message_en or "",
        load_id=load_id,
        delivery_id=delivery.delivery_id,
        file_name=delivery.path,
        sheet=sheet,
        cell=cell,
        value_found=value_found,
        **place,
    )


def _storable(text: str | None) -> str | None:
    """``text`` of a stranger as a finding may hold it: cut, and without the character that the database does not store."""
    if text is None:
        return None
    cut = text if len(text) <= _LONGEST_TOLD else text[: _LONGEST_TOLD - 1] + "…"
    return cut.replace("\0", "")


def _close_failures(connection: psycopg.Connection, delivery_ids: Sequence[str], standing: Iterable[Finding]) -> None:
    """Close what earlier readings of these deliveries found and this one did not."""
    connection.execute(
        """
        update quality.finding
        set is_open = false, closed_at = now()
        where delivery_id = any(%s) and is_open and not finding_id = any(%s)
            and rule_id in (select rule_id from quality.rule where engine = 'reader')
            and load_id in (select load_id from ops.load where load.delivery_id = finding.delivery_id)
        """,
        (list(delivery_ids), [finding.finding_id for finding in standing]),
    )


def _close_superseded(connection: psycopg.Connection) -> None:
    """Close the reader's findings on files that the sender has replaced since.

    A return that was read stays in use until its replacement is read too, and so do its findings.
    """
    connection.execute(
        """
        update quality.finding
        set is_open = false, closed_at = now()
        from ops.load, raw.delivery
        where finding.load_id = load.load_id and finding.is_open
            and finding.rule_id in (select rule_id from quality.rule where engine = 'reader')
            and load.delivery_id = delivery.delivery_id and delivery.source = %s
            and exists (
                select from raw.delivery as newer
                where newer.channel = delivery.channel and newer.path = delivery.path
                    and newer.path_seq > delivery.path_seq
                    and (
                        load.status = 'failed'
                        or exists (
                            select from ops.load as reading
                            where reading.delivery_id = newer.delivery_id and reading.status = 'loaded'
                        )
                    )
            )
        """,
        (SOURCE,),
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


_INSERT_LOAD = """
insert into ops.load
    (load_id, source, delivery_id, reader_version, status, row_count, finding_count, message, is_sample)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (load_id) do update
set row_count = excluded.row_count, finding_count = excluded.finding_count, message = excluded.message
"""

_INSERT_SUBMISSIONS = """
insert into raw.submission (
    submission_id, load_id, sha256, file_name, form_code, form_version, collection_code, municipality_code,
    municipality_text, time_period, cell_count
)
select *
from unnest(
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::int[]
)
on conflict (submission_id) do nothing
returning submission_id
"""

# A delivery is done when a present version of a form has read it. One that failed is tried again while it is the last
# on its path.
_DELIVERIES = """
select
    delivery.delivery_id, delivery.path, delivery.sha256, delivery.size_bytes, delivery.is_sample,
    delivery.is_test,
    (
        select min(twin.path)
        from raw.delivery as twin
        where twin.source = delivery.source and twin.batch_no = delivery.batch_no and twin.sha256 = delivery.sha256
            and twin.received_no < delivery.received_no
    ) as twin_path
from raw.delivery
where delivery.source = %(source)s
    and not exists (select from raw.submission_withdrawal where submission_withdrawal.delivery_id = delivery.delivery_id)
    and (%(delivery_ids)s::text[] is null or delivery.delivery_id = any(%(delivery_ids)s))
    and (
        %(force)s
        or not exists (
            select from ops.load
            where load.delivery_id = delivery.delivery_id and load.status = 'loaded'
                and load.reader_version = any(%(versions)s)
        )
    )
    and (
        not exists (select from ops.load where load.delivery_id = delivery.delivery_id and load.status = 'failed')
        or not exists (
            select from raw.delivery as newer
            where newer.channel = delivery.channel and newer.path = delivery.path and newer.path_seq > delivery.path_seq
        )
    )
order by delivery.received_no
"""
