"""Sending mail through Airflow's SMTP connection, where one is configured."""

import smtplib
from collections.abc import Callable
from email.message import EmailMessage
from typing import cast

CONNECTION_ID = "smtp_default"


def smtp_sender() -> Callable[[EmailMessage], None] | None:
    """Return a function that sends a message through connection ``smtp_default``; None when there is no such connection.

    The connection's ``from_email``, if it has one, is the sender; its ``timeout`` (30 s unless set) bounds each answer. The
    function raises TimeoutError for a server that says nothing for so long, ConnectionError for one that hangs up at once.
    """
    from airflow.providers.smtp.hooks.smtp import SmtpHook
    from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

    try:
        SmtpHook.get_connection(CONNECTION_ID)
    except AirflowNotFoundException:
        return None

    class Hook(SmtpHook):
        @property
        def smtp_retry_limit(self) -> int:
            """None unless asked for: the outbox tries again, and a silent server would cost five more time-outs a mail."""
            return int(self.conn.extra_dejson.get("retry_limit", 0))

    def send(message: EmailMessage) -> None:
        hook = Hook(smtp_conn_id=CONNECTION_ID)
        try:
            with hook:
                if hook.from_email:
                    del message["From"]
                    message["From"] = hook.from_email
                # the hook's own sending builds a message without a text part, so its open client is used
                cast("smtplib.SMTP", hook._smtp_client).send_message(message)
        except (OSError, AirflowException) as error:  # smtplib's errors are OSErrors
            server = f"{hook.host}:{hook.port}"
            if _is_timeout(error):
                raise TimeoutError(f"the mail server {server} was silent for {hook.timeout} s") from error
            if isinstance(error, AirflowException):  # the hook's word for a server that hangs up
                raise ConnectionError(f"the mail server {server} hung up: {error}") from error
            raise

    return send


def _is_timeout(error: BaseException | None) -> bool:
    """Whether a time-out is behind ``error``: smtplib and the hook have words of their own for it."""
    while error is not None and not isinstance(error, TimeoutError):
        error = error.__cause__ or error.__context__
    return error is not None
