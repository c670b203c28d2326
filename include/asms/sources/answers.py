"""The way of most sources: ask a few questions, book each answer as a load of its own, tell how the source stands.

What belongs: which failure stops what, and the words in which it is told. What does not: what an answer means (the source's
module), ids and transactions (``ledger``).
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import psycopg

from asms.settings import Settings
from asms.sources import SourceError, SourceResult, TransientSourceError
from asms.sources.ledger import Feed, Reading, Store, book, commit_without_waiting, next_batch, record_status
from asms.warehouse.connection import Warehouse

logger = logging.getLogger(__name__)

_GIVE_UP_AFTER = 3  # questions in a row that were not answered: the service is down
_MOST_NAMED = 5


@dataclass(frozen=True)
class Question:
    """One question of a source.

    ``path`` names it for ever and without a host: answers on one path are revisions of each other. ``ask`` brings the bytes,
    ``read`` cuts them into rows (None: there is nothing in the answer to load); both raise SourceError. ``tag`` is what the
    publisher calls the bytes, where he does: while it is that of the last answer, nothing is asked. ``feed`` is for an answer
    that goes elsewhere than the source's others. ``standing`` counts the rows in force, for a source that stores only what is
    new: an answer with nothing new in it is unchanged then.
    """

    path: str
    ask: Callable[[], bytes]
    read: Callable[[bytes], Reading | None]
    tag: str | None = None
    feed: Feed | None = None
    standing: Callable[[], int] | None = None


def load_answers(
    warehouse: Warehouse, settings: Settings, store: Store, feed: Feed, questions: Iterable[Question], *, force: bool
) -> SourceResult:
    """Ask ``questions`` one after the other and book their answers; ``ops.source_status`` says how it went.

    A question without a usable answer stops no other, and what it had brought before stands. Unchanged bytes are a no-op, but
    a new arrival with ``force``. ``questions`` may raise while it is gone through: what was booked by then stands too.

    Raises:
        TransientSourceError: some answers did not come, and all for reasons that pass.
        SourceError: some answers cannot be used.
    """
    outcomes: Counter[str] = Counter()
    failures: dict[str, SourceError] = {}
    rows = silent = 0
    with warehouse.connect("loader", autocommit=True) as connection:
        commit_without_waiting(connection)
        batch_no = next_batch(connection, feed.source)
        try:
            for question in questions:
                path = question.path
                if silent >= _GIVE_UP_AFTER:
                    failures[path] = TransientSourceError("not asked: the service does not answer")
                    continue
                try:
                    outcome, row_count = _answer(connection, feed, question, store, batch_no, settings.is_sample, force)
                    outcomes[outcome] += 1
                    rows += row_count
                    silent = 0
                except SourceError as error:
                    logger.warning("%s: %s: %s", feed.source, path, error)
                    failures[path] = error
                    silent = silent + 1 if isinstance(error, TransientSourceError) else 0
        except SourceError as error:  # which questions there are could not be found out
            failures[feed.source] = error
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    message = _explain(failures) if failures else f"{rows} rows ({counts})"
    result = SourceResult(
        feed.source, not failures, outcomes["new"], outcomes["unchanged"], len(failures), rows, message
    )
    record_status(warehouse, result)
    logger.info("%s: %s", feed.source, message)
    if failures:
        passes = all(isinstance(error, TransientSourceError) for error in failures.values())
        raise (TransientSourceError if passes else SourceError)(message) from next(iter(failures.values()))
    return result


def _answer(
    connection: psycopg.Connection,
    feed: Feed,
    question: Question,
    store: Store,
    batch_no: int,
    is_sample: bool,
    force: bool,
) -> tuple[str, int]:
    """Ask and book, unless the publisher says that nothing changed. Returns the outcome and how many rows are in force."""
    feed = question.feed or feed
    asked = (feed.channel, question.path, question.tag, feed.reader_version)
    if question.tag and not force:
        held = connection.execute(
            "select row_count from ops.source_tag where channel = %s and path = %s and tag = %s and reader_version = %s",
            asked,
        ).fetchone()
        if held:
            return "unchanged", int(held[0])
    data = question.ask()
    booking = book(
        connection, feed, question.path, data, lambda: question.read(data),
        store=store, batch_no=batch_no, is_sample=is_sample, force=force,
    )  # fmt: skip
    if booking.outcome == "nothing" and question.standing:
        return "unchanged", question.standing()
    if question.tag:
        connection.execute(
            "insert into ops.source_tag (channel, path, tag, reader_version, row_count) values (%s, %s, %s, %s, %s) "
            "on conflict (channel, path) do update set "
            "tag = excluded.tag, reader_version = excluded.reader_version, row_count = excluded.row_count",
            (*asked, booking.row_count),
        )
    return booking.outcome, booking.row_count


def _explain(failures: dict[str, SourceError]) -> str:
    """What failed and why, Ukrainian first; each reason once, with the first paths it stopped."""
    reasons: dict[str, list[str]] = {}
    for path, error in failures.items():
        reasons.setdefault(str(error), []).append(path)
    told = "; ".join(
        f"{', '.join(paths[:_MOST_NAMED])}{f' (+{len(paths) - _MOST_NAMED})' * (len(paths) > _MOST_NAMED)}: {reason}"
        for reason, paths in reasons.items()
    )
    return f"Не завантажено; діють попередні дані / not loaded, earlier data stands: {told}"
