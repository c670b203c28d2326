"""The mail that tells staff that a candidate waits for a person to publish it: how much it changes, and what to do."""

import hashlib
from pathlib import Path

from asms.notify.compose import Letter, clean, render
from asms.notify.outbox import queue_letter
from asms.notify.recipients import load_recipients
from asms.warehouse.connection import Warehouse
from asms.warehouse.difference import Difference, compare_candidate
from asms.warehouse.release import NoReleaseError

_SHOWN = 10


def tell_candidate(
    warehouse: Warehouse, build_id: int, manifest: Path, *, in_airflow: bool, recipients: Path | None = None
) -> Difference | None:
    """Compare the held build with the release in force, queue the mail about it, and return the difference; None: no release yet.

    Raises as ``queue_candidate``.
    """
    try:
        found = compare_candidate(warehouse, manifest)
    except NoReleaseError:  # the first release has nothing to be compared with
        found = None
    queue_candidate(warehouse, build_id, found, in_airflow=in_airflow, recipients=recipients)
    return found


def queue_candidate(
    warehouse: Warehouse,
    build_id: int,
    difference: Difference | None,
    *,
    in_airflow: bool,
    recipients: Path | None = None,
) -> int:
    """Put a mail to the staff about the held build into the outbox; return how many are new: each candidate is told once.

    ``difference`` None: there is no release to compare it with. ``in_airflow`` tells that a person is asked there.

    Raises:
        RecipientsError: the list of recipients cannot be used.
    """
    letter = compose_candidate(build_id, difference, in_airflow=in_airflow, is_sample=warehouse.is_sample)
    digest = hashlib.sha256(f"candidate|{build_id}".encode()).hexdigest()
    with warehouse.connect("gate") as connection:
        return queue_letter(connection, digest, load_recipients(recipients).staff, letter, build_id)


def compose_candidate(build_id: int, difference: Difference | None, *, in_airflow: bool, is_sample: bool) -> Letter:
    """Compose the mail; the same candidate gives the same letter."""
    count = f"{difference.value_count}" if difference else "—"
    subject = clean(
        f"АСМС: збірка {build_id} чекає на публікацію, змін {count} / build {build_id} waits to be published"
    )
    given = {
        "build_id": build_id,
        "found": difference,
        "indicators": difference.indicators[:_SHOWN] if difference else [],
        "values": difference.values[:_SHOWN] if difference else [],
        "figure": _figure,
        "clean": clean,
        "in_airflow": in_airflow,
        "is_sample": is_sample,
        "subject": subject,
    }
    return Letter(subject, render("candidate.txt.j2", given), render("candidate.html.j2", given))


def _figure(value: float | None, status: str | None) -> str:
    if value is None:
        return "приховано / hidden (C)" if status == "C" else status or "—"
    return f"{value:,.10g}".replace(",", " ")
