"""The outbox: a mail is a row of ``quality.alert`` before it is sent, so that none is lost and none is told twice.

Sent at least once: a kill between sending and the note of it sends the mail again, with the same Message-ID.
"""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from smtplib import SMTPConnectError, SMTPException

import psycopg
from psycopg.rows import class_row

from asms.notify.compose import Letter, compose
from asms.notify.news import read_news
from asms.notify.recipients import load_recipients
from asms.settings import Settings
from asms.warehouse.connection import Warehouse

logger = logging.getLogger(__name__)

# Non-ASCII bodies are encoded, so that no server on the way needs to take eight bits.
_POLICY = SMTP.clone(cte_type="7bit")

_TRIES_TO_REACH = 3
"""Mails in a row that find no server before the others are left for the next run."""

_QUEUE = """
insert into quality.alert (digest, recipient, build_id, subject, body_text, body_html) values (%s, %s, %s, %s, %s, %s)
on conflict (digest, recipient) do nothing
"""

_NEXT_UNSENT = """
select digest, recipient, subject, body_text, body_html, created_at
from quality.alert
where sent_at is null and (created_at, digest, recipient) > (%s, %s, %s)
order by created_at, digest, recipient
limit 1
for update skip locked
"""

_SENT = "update quality.alert set sent_at = now(), sent_via = %s where digest = %s and recipient = %s"


class NotifyError(RuntimeError):
    """Some mail could not be sent; it stays in the outbox and goes out first at the next call."""


@dataclass(frozen=True)
class NotifyResult:
    """What a call did."""

    mail_count: int
    """Mails sent or written now, those left over from before among them."""
    already_told: int
    """Recipients who were told the very same news before, and so not again."""
    paths: tuple[str, ...]
    """Files written to the outbox, where there was no mail server."""


@dataclass(frozen=True)
class _Alert:
    digest: str
    recipient: str
    subject: str
    body_text: str
    body_html: str
    created_at: datetime


def notify(
    warehouse: Warehouse,
    settings: Settings,
    build_id: int | None,
    send: Callable[[EmailMessage], object] | None = None,
    *,
    recipients: Path | None = None,
) -> NotifyResult:
    """Tell people what build ``build_id`` has to tell: one mail per recipient, none when all is good.

    The staff are told everything, those of a domain the findings of their domain. News that were told before are not told
    again, unless they are urgent (a closed gate, a lost source, a fatal finding): then each build tells them once.
    ``build_id`` is None when the run did not get as far as a build. ``send`` hands a message to a mail server; without it each
    becomes an ``.eml`` file in ``settings.outbox``. ``recipients`` replaces the package's list.

    Raises:
        NotifyError: a mail could not be sent. The others went out.
        RecipientsError: the list of recipients cannot be used.
    """
    known = load_recipients(recipients)
    already_told = 0
    for recipient, domains in known.scopes.items():
        news = read_news(warehouse, build_id, domains)
        if news.is_good:
            continue
        letter = compose(news, is_sample=warehouse.is_sample)
        with warehouse.connect("gate") as connection:
            already_told += not queue_letter(connection, news.digest, [recipient], letter, build_id)
    count, paths = _send_all(warehouse, settings.outbox, known.sender, send)
    result = NotifyResult(count, already_told, paths)
    logger.info("mail: %d sent, %d told before", count, already_told)
    return result


def send_waiting(
    warehouse: Warehouse, settings: Settings, send: Callable[[EmailMessage], object] | None = None
) -> tuple[int, tuple[str, ...]]:
    """Send what is in the outbox and unsent; return how many mails, and the files written where there is no ``send``.

    Raises:
        NotifyError: a mail could not be sent. The others went out.
        RecipientsError: the list of recipients, which names the sender, cannot be used.
    """
    return _send_all(warehouse, settings.outbox, load_recipients(settings.recipients).sender, send)


def queue_letter(
    connection: psycopg.Connection, digest: str, addresses: Iterable[str], letter: Letter, build_id: int | None = None
) -> int:
    """Put ``letter`` into the outbox for each of ``addresses``, in the caller's transaction; return how many are new.

    ``digest`` tells what it is about: an address is told once of each.
    """
    return sum(
        connection.execute(_QUEUE, (digest, address, build_id, letter.subject, letter.text, letter.html)).rowcount
        for address in addresses
    )


def _send_all(
    warehouse: Warehouse, outbox: Path, sender: str, send: Callable[[EmailMessage], object] | None
) -> tuple[int, tuple[str, ...]]:
    """Send what is unsent, oldest first, each noted in a transaction of its own.

    A mail that is refused holds up no other. A server that several mails in a row did not reach is not there: each more would
    wait for its time-out.
    """
    paths: list[str] = []
    errors: list[OSError] = []
    count = unreached = 0
    last: tuple[datetime | str, str, str] = ("-infinity", "", "")
    while unreached < _TRIES_TO_REACH:
        with warehouse.connect("gate") as connection:
            alert = connection.cursor(row_factory=class_row(_Alert)).execute(_NEXT_UNSENT, last).fetchone()
            if alert is None:
                break
            last = (alert.created_at, alert.digest, alert.recipient)
            message = _message(alert, sender)
            try:
                via = _write(outbox, alert, message) if send is None else _hand_over(send, message)
            except (OSError, SMTPException) as error:
                logger.warning("mail to %s was not sent: %s", alert.recipient, error)
                errors.append(error)
                has_answered = isinstance(error, SMTPException) and not isinstance(error, SMTPConnectError)
                unreached = 0 if has_answered else unreached + 1
                continue
            connection.execute(_SENT, (via, alert.digest, alert.recipient))
        count += 1
        unreached = 0
        if send is None:
            paths.append(via)
    if errors:
        raise NotifyError(
            f"{len(errors)} of {count + len(errors)} mails were not sent ({errors[0]}); "
            + ("the server cannot be reached, so no more were tried; " if unreached == _TRIES_TO_REACH else "")
            + "they wait in quality.alert and go out at the next run: check the SMTP connection"
        ) from errors[0]
    return count, tuple(paths)


def _hand_over(send: Callable[[EmailMessage], object], message: EmailMessage) -> str:
    send(message)
    return "smtp"


def _write(outbox: Path, alert: _Alert, message: EmailMessage) -> str:
    """Write the message whole or not at all, under a name that follows from what it tells and to whom."""
    address = re.sub(r"[^A-Za-z0-9@.+-]+", "_", alert.recipient)
    outbox.mkdir(parents=True, exist_ok=True)
    file = outbox / f"{alert.digest[:16]}-{address[:100]}.eml"
    part = file.with_name(file.name + ".part")
    part.write_bytes(message.as_bytes())
    part.replace(file)
    return str(file)


def _message(alert: _Alert, sender: str) -> EmailMessage:
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = alert.recipient
    message["Subject"] = alert.subject
    message["Date"] = format_datetime(alert.created_at)
    message["Message-ID"] = f"<{alert.digest[:32]}.{sha256(alert.recipient.encode()).hexdigest()[:12]}@asms.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(alert.body_text)
    message.add_alternative(alert.body_html, subtype="html")
    return message
