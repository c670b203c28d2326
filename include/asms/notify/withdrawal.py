"""The mail that tells a coordinator that his municipality's return was withdrawn: why, and what to do now."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from asms.notify.compose import Letter, clean, render
from asms.notify.outbox import queue_letter


@dataclass(frozen=True)
class WithdrawnReturn:
    """What was withdrawn. ``delivery_id`` is the withdrawal's own, so that it is told once."""

    delivery_id: str
    municipality_code: str
    municipality_name: str
    time_period: str
    reason: str


def queue_withdrawal(
    connection: psycopg.Connection, withdrawn: WithdrawnReturn, addresses: Sequence[str], *, is_sample: bool
) -> int:
    """Put a mail for each of ``addresses`` into the outbox, in the caller's transaction; return how many are new."""
    letter = compose_withdrawal(withdrawn, is_sample=is_sample)
    digest = hashlib.sha256(f"withdrawal|{withdrawn.delivery_id}".encode()).hexdigest()
    return queue_letter(connection, digest, addresses, letter)


def compose_withdrawal(withdrawn: WithdrawnReturn, *, is_sample: bool) -> Letter:
    """Compose the mail; the same withdrawal gives the same letter."""
    name = withdrawn.municipality_name or withdrawn.municipality_code
    subject = clean(f"АСМС: звіт відкликано ({name}, {withdrawn.time_period}) / return withdrawn")
    given = {
        "withdrawn": {key: clean(value) for key, value in withdrawn.__dict__.items()},
        "is_sample": is_sample,
        "subject": subject,
    }
    return Letter(subject, render("withdrawal.txt.j2", given), render("withdrawal.html.j2", given))
