"""The way of most sources: ask a few questions, book each answer as a load of its own, tell how the source stands.

What belongs: which failure stops what, and the words in which it is told. What does not: what an answer means (the source's
module), ids and transactions (``ledger``).
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from asms.settings import Settings
from asms.sources import SourceError, SourceResult, TransientSourceError
from asms.sources.ledger import Feed, Reading, Store, book, next_batch, record_status
from asms.warehouse.connection import Warehouse

logger = logging.getLogger(__name__)

_GIVE_UP_AFTER = 3  # questions in a row that were not answered: the service is down
_MOST_NAMED = 5


@dataclass(frozen=True)
class Question:
    """One question of a source.

    ``path`` names it for ever and without a host: answers on one path are revisions of each other. ``ask`` brings the bytes,
    ``read`` cuts them into rows (None: there is nothing in the answer to load); both raise SourceError.
    """

    path: str
    ask: Callable[[], bytes]
    read: Callable[[bytes], Reading | None]


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
        batch_no = next_batch(connection, feed.source)
        try:
            for question in questions:
                path = question.path
                if silent >= _GIVE_UP_AFTER:
                    failures[path] = TransientSourceError("not asked: the service does not answer")
                    continue
                try:
                    data = question.ask()
                    booking = book(
                        connection, feed, path, data, lambda: question.read(data),  # noqa: B023 - called at once
                        store=store, batch_no=batch_no, is_sample=settings.is_sample, force=force,
                    )  # fmt: skip
                    outcomes[booking.outcome] += 1
                    rows += booking.row_count
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
