"""Reading landed deliveries into ``raw``: one transaction a delivery, and a finding for each that cannot be read."""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg

from asms.findings import Finding, insert_findings
from asms.intake.explanations import store_explanations
from asms.intake.form_definition import Form, load_forms
from asms.intake.form_reading import Resolve, Return, read_return
from asms.intake.identity import Asked, read_asked
from asms.intake.landing import SOURCE, LandingStore
from asms.intake.problem import ProblemError
from asms.intake.workbook import MAX_FILE_BYTES
from asms.settings import Settings
from asms.warehouse.connection import Warehouse
from asms.warehouse.copy import copy_rows

logger = logging.getLogger(__name__)

_CELL_COLUMNS = (
    "submission_id", "sheet", "cell", "indicator_code", "code_text", "sex", "value_text", "value_type", "reason_text",
    "remark_text",
)  # fmt: skip
_PROGRESS_EVERY = 50


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
    twin_path: str | None
    """Path of an earlier file of the same scan with the same bytes."""


@dataclass(frozen=True)
class _Booked:
    is_new: bool
    cell_count: int
    finding_count: int


def read_deliveries(
    warehouse: Warehouse,
    settings: Settings,
    resolve: Resolve,
    delivery_ids: Sequence[str] | None = None,
    force: bool = False,
    *,
    forms: Sequence[Form] | None = None,
) -> ReadResult:
    """Read every landed return that no present form version has read yet, or those of ``delivery_ids``.

    A delivery that could not be read is tried again each time, until a newer file stands on its path: forms are added and
    the codifier changes. ``force`` reads again what was read; equal results change nothing. ``forms`` replaces the
    project's own. A file that cannot be read leaves a finding and a failed load, and the others go on.

    Raises:
        LookupError: the rules of the findings are not in ``quality.rule``; store the catalogue first.
        psycopg.OperationalError: the database is gone; what was read before is kept.
    """
    known = load_forms() if forms is None else tuple(forms)
    store = LandingStore(settings.landing)
    counts = [0, 0, 0, 0, 0]
    with warehouse.connect("loader", autocommit=True) as connection:
        deliveries = _find_unread(connection, known, delivery_ids, force=force)
        asked = read_asked(connection)
        for number, delivery in enumerate(deliveries, start=1):
            outcome = _read(store, delivery, known, resolve, asked)
            booked = _book_outcome(connection, delivery, outcome, known)
            is_failed = isinstance(outcome, ProblemError)
            figures = (not is_failed, is_failed, booked.is_new, booked.cell_count, booked.finding_count)
            counts = [total + figure for total, figure in zip(counts, figures, strict=True)]
            if number % _PROGRESS_EVERY == 0:
                logger.info("read %d of %d files", number, len(deliveries))
        _close_superseded(connection)
    result = ReadResult(*counts)
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
    store: LandingStore, delivery: _Delivery, forms: Sequence[Form], resolve: Resolve, asked: Asked | None
) -> Return | ProblemError:
    """Read one delivery. Whatever goes wrong inside is a fact about this one file, and told as one."""
    try:
        if delivery.size_bytes > MAX_FILE_BYTES:
            size = delivery.size_bytes >> 20
            return ProblemError(
                "FILE_TOO_LARGE",
                f"Файл має {size} МБ; приймаються файли до {MAX_FILE_BYTES >> 20} МБ",
                f"The file has {size} MB; files up to {MAX_FILE_BYTES >> 20} MB are taken",
                value_found=f"{delivery.size_bytes} B",
            )
        return read_return(store.read(delivery.sha256), delivery.path, forms, resolve, asked)
    except ProblemError as problem:
        logger.warning("%s: %s", delivery.path, problem)
        return problem
    except Exception as error:
        logger.exception("%s cannot be read", delivery.path)
        return _unforeseen(error)


def _unforeseen(error: Exception) -> ProblemError:
    name = type(error).__name__
    return ProblemError(
        "FILE_UNREADABLE",
        f"Файл не вдалося прочитати через непередбачену помилку {name}: {error}",
        f"The file could not be read because of an unforeseen error, {name}: {error}",
        value_found=name,
    )


def _book_outcome(
    connection: psycopg.Connection, delivery: _Delivery, outcome: Return | ProblemError, forms: Sequence[Form]
) -> _Booked:
    """Store what was read, or why nothing was, in one transaction."""
    if isinstance(outcome, ProblemError):
        with connection.transaction():
            return _book_failure(connection, delivery, outcome, forms)
    try:
        with connection.transaction():
            return (_book_explanations if outcome.form.explanations else _book_return)(connection, delivery, outcome)
    except psycopg.DataError as error:
        logger.exception("%s holds what the database does not take", delivery.path)
        with connection.transaction():
            return _book_failure(connection, delivery, _unforeseen(error), forms)


def _book_return(connection: psycopg.Connection, delivery: _Delivery, found: Return) -> _Booked:
    form = found.form
    load_id = _load_id(delivery, form.reader_version)
    submission_id = _digest(
        delivery.sha256, form.form_code, form.form_version, found.municipality_code, found.time_period
    )[:32]
    place = {
        "submission_id": submission_id,
        "collection_code": form.collection_code,
        "municipality_code": found.municipality_code,
        "time_period": found.time_period,
    }
    findings = [_finding(delivery, load_id, problem, **place) for problem in found.problems]
    if delivery.twin_path is not None:
        findings.append(_finding(delivery, load_id, _twin(delivery.twin_path), **place))
    _insert_load(connection, delivery, load_id, form.reader_version, "loaded", len(found.cells), len(findings), None)
    inserted = connection.execute(
        """
        insert into raw.submission (
            submission_id, load_id, sha256, file_name, form_code, form_version, collection_code, municipality_code,
            municipality_text, time_period, cell_count
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (submission_id) do nothing
        """,
        (
            submission_id, load_id, delivery.sha256, delivery.path, form.form_code, form.form_version,
            form.collection_code, found.municipality_code, found.municipality_text, found.time_period, len(found.cells),
        ),
    )  # fmt: skip
    is_new = inserted.rowcount == 1
    if is_new:
        copy_rows(
            connection,
            "raw.submission_cell",
            _CELL_COLUMNS,
            (
                (submission_id, cell.sheet, cell.cell, cell.indicator_code, cell.code_text, cell.sex, cell.value.text,
                 cell.value.type, cell.reason_text, cell.remark_text)
                for cell in found.cells
            ),
        )  # fmt: skip
    connection.execute(
        "insert into raw.submission_delivery (delivery_id, submission_id, load_id) values (%s, %s, %s) "
        "on conflict (delivery_id, submission_id) do nothing",
        (delivery.delivery_id, submission_id, load_id),
    )
    insert_findings(connection, findings, is_sample=delivery.is_sample)
    _close_failures(connection, delivery, findings)
    return _Booked(is_new, len(found.cells) if is_new else 0, len(findings))


def _book_explanations(connection: psycopg.Connection, delivery: _Delivery, found: Return) -> _Booked:
    """Store what a feedback workbook brought back; it is no return, so nothing of it enters raw."""
    form = found.form
    load_id = _load_id(delivery, form.reader_version)
    new_count, problems = store_explanations(
        connection, delivery.delivery_id, found.municipality_code, found.explanations
    )
    place = {
        "collection_code": form.collection_code,
        "municipality_code": found.municipality_code,
        "time_period": found.time_period,
    }
    findings = [_finding(delivery, load_id, problem, **place) for problem in problems]
    _insert_load(
        connection, delivery, load_id, form.reader_version, "loaded", len(found.explanations), len(findings), None,
        source="explanations",
    )  # fmt: skip
    insert_findings(connection, findings, is_sample=delivery.is_sample)
    _close_failures(connection, delivery, findings)
    logger.info("%s: %d explanations, %d of them new", delivery.path, len(found.explanations), new_count)
    return _Booked(False, 0, len(findings))


def _book_failure(
    connection: psycopg.Connection, delivery: _Delivery, problem: ProblemError, forms: Sequence[Form]
) -> _Booked:
    version = _digest(*(form.reader_version for form in forms))[:12]
    load_id = _load_id(delivery, version)
    finding = _finding(delivery, load_id, problem)
    _insert_load(connection, delivery, load_id, version, "failed", 0, 1, problem.message_uk)
    insert_findings(connection, [finding], is_sample=delivery.is_sample)
    _close_failures(connection, delivery, [finding])
    return _Booked(False, 0, 1)


def _insert_load(  # noqa: PLR0913 - the columns of a row
    connection: psycopg.Connection,
    delivery: _Delivery,
    load_id: str,
    reader_version: str,
    status: str,
    row_count: int,
    finding_count: int,
    message: str | None,
    *,
    source: str = SOURCE,
) -> None:
    connection.execute(
        """
        insert into ops.load
            (load_id, source, delivery_id, reader_version, status, row_count, finding_count, message, is_sample)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (load_id) do update
        set row_count = excluded.row_count, finding_count = excluded.finding_count, message = excluded.message
        """,
        (
            load_id, source, delivery.delivery_id, reader_version, status, row_count, finding_count, message,
            delivery.is_sample,
        ),
    )  # fmt: skip


def _twin(path: str) -> ProblemError:
    return ProblemError(
        "FILE_DUPLICATE_BYTES",
        f"Такий самий файл надійшов тоді ж під назвою {path}",
        f"The same file came in the same scan under the name {path}",
        value_found=path,
    )


def _finding(delivery: _Delivery, load_id: str, problem: ProblemError, **place: str) -> Finding:
    return Finding(
        rule_id=problem.rule_id,
        dataset=SOURCE,
        message_uk=problem.message_uk,
        message_en=problem.message_en,
        load_id=load_id,
        delivery_id=delivery.delivery_id,
        file_name=delivery.path,
        sheet=problem.sheet,
        cell=problem.cell,
        value_found=problem.value_found,
        **place,
    )


def _close_failures(connection: psycopg.Connection, delivery: _Delivery, standing: Iterable[Finding]) -> None:
    """Close what earlier readings of this delivery found and this one did not."""
    connection.execute(
        """
        update quality.finding
        set is_open = false, closed_at = now()
        where delivery_id = %s and is_open and not finding_id = any(%s)
            and rule_id in (select rule_id from quality.rule where engine = 'reader')
            and load_id in (select load_id from ops.load where delivery_id = %s)
        """,
        (delivery.delivery_id, [finding.finding_id for finding in standing], delivery.delivery_id),
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


def _load_id(delivery: _Delivery, reader_version: str) -> str:
    return f"{SOURCE}-{_digest(delivery.delivery_id, reader_version)[:24]}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


# A delivery is done when a present version of a form has read it. One that failed is tried again while it is the last
# on its path.
_DELIVERIES = """
select
    delivery.delivery_id, delivery.path, delivery.sha256, delivery.size_bytes, delivery.is_sample,
    (
        select min(twin.path)
        from raw.delivery as twin
        where twin.source = delivery.source and twin.batch_no = delivery.batch_no and twin.sha256 = delivery.sha256
            and twin.received_no < delivery.received_no
    ) as twin_path
from raw.delivery
where delivery.source = %(source)s
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
