"""Withdrawal of a return: a tombstone that arrives as a return does, and says that what arrived before it is said no more."""

import json
from dataclasses import dataclass

import psycopg

from asms.intake.landing import LEDGER_LOCK, SOURCE, LandingStore, delivery_id_of, load_id_of, next_batch
from asms.settings import Settings
from asms.warehouse.connection import Warehouse

_CHANNEL = "staff"
_READER = "withdrawal-1"
_KEY = ("collection_code", "municipality_code", "time_period")


class WithdrawalError(ValueError):
    """There is nothing to withdraw, or not so; the message says what to do."""


@dataclass(frozen=True)
class Withdrawal:
    """``is_new`` False: it stood withdrawn already, by the withdrawal named."""

    delivery_id: str
    is_new: bool
    collection_code: str
    municipality_code: str
    time_period: str
    reason: str
    withdrawn_by: str


# The batch of the newest return, and the newest withdrawal. Trials are no returns.
_LATEST = """
select
    (
        select max(delivery.batch_no)
        from raw.submission
        inner join raw.submission_delivery on submission.submission_id = submission_delivery.submission_id
        inner join raw.delivery on submission_delivery.delivery_id = delivery.delivery_id
        where
            (submission.collection_code, submission.municipality_code, submission.time_period)
            = (%(collection_code)s, %(municipality_code)s, %(time_period)s)
            and not delivery.is_test
    ),
    withdrawn.*
from (values (1)) as one (row)
left join (
    select delivery.batch_no, withdrawal.delivery_id, withdrawal.reason, withdrawal.withdrawn_by
    from raw.submission_withdrawal as withdrawal
    inner join raw.delivery on withdrawal.delivery_id = delivery.delivery_id
    where
        (withdrawal.collection_code, withdrawal.municipality_code, withdrawal.time_period)
        = (%(collection_code)s, %(municipality_code)s, %(time_period)s)
    order by delivery.batch_no desc
    limit 1
) as withdrawn on true
"""


def withdraw_return(
    warehouse: Warehouse,
    settings: Settings,
    municipality_code: str,
    time_period: str,
    *,
    reason: str,
    by: str,
    collection_code: str = "ASMS",
) -> Withdrawal:
    """Book that what a body has sent for a period is withdrawn; role ``loader``.

    The next build makes it so. Withdrawing what stands withdrawn changes nothing.

    Raises:
        WithdrawalError: no reason, or no return to withdraw.
    """
    if not reason.strip():
        raise WithdrawalError("a withdrawal needs a reason: --reason TEXT")
    said = (collection_code, municipality_code, time_period)
    store = LandingStore(settings.landing)
    with warehouse.connect("loader") as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (LEDGER_LOCK,))
        row = connection.execute(_LATEST, dict(zip(_KEY, said, strict=True))).fetchone()
        arrived, withdrawn_in, delivery_id, old_reason, old_by = row or (None,) * 5
        if arrived is None:
            raise WithdrawalError(
                f"no return of {municipality_code} for {time_period} ({collection_code}) has arrived, so there is none to "
                "withdraw"
            )
        if withdrawn_in is not None and withdrawn_in > arrived:
            return Withdrawal(delivery_id, False, *said, old_reason, old_by)
        return _book(connection, store, said, reason.strip(), by, is_sample=warehouse.is_sample)


def _book(
    connection: psycopg.Connection,
    store: LandingStore,
    said: tuple[str, str, str],
    reason: str,
    by: str,
    *,
    is_sample: bool,
) -> Withdrawal:
    document = json.dumps(
        {**dict(zip(_KEY, said, strict=True)), "reason": reason, "withdrawn_by": by}, ensure_ascii=False, indent=1
    ).encode()
    sha256 = store.put(document)
    path = "/".join(("withdrawals", *said)) + ".json"
    row = connection.execute(
        "select coalesce(max(path_seq), 0) + 1 from raw.delivery where channel = %s and path = %s", (_CHANNEL, path)
    ).fetchone()
    path_seq = row[0] if row else 1
    delivery_id = delivery_id_of(_CHANNEL, path, path_seq, sha256)
    load_id = load_id_of(delivery_id, _READER)
    connection.execute(
        "insert into raw.delivery (delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, is_sample) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (delivery_id, SOURCE, _CHANNEL, path, path_seq, sha256, len(document), next_batch(connection), is_sample),
    )
    connection.execute(
        "insert into ops.load (load_id, source, delivery_id, reader_version, status, row_count, is_sample) "
        "values (%s, %s, %s, %s, 'loaded', 1, %s)",
        (load_id, SOURCE, delivery_id, _READER, is_sample),
    )
    connection.execute(
        "insert into raw.submission_withdrawal values (%s, %s, %s, %s, %s, %s, %s)",
        (delivery_id, load_id, *said, reason, by),
    )
    return Withdrawal(delivery_id, True, *said, reason, by)
