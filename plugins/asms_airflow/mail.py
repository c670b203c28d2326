"""Sending mail through Airflow's SMTP connection, where one is configured."""

import smtplib
from collections.abc import Callable
from email.message import EmailMessage
from typing import cast

CONNECTION_ID = "smtp_default"


def smtp_sender() -> Callable[[EmailMessage], None] | None:
    """Return a function that sends a message through connection ``smtp_default``; None when there is no such connection.

    The connection's ``from_email``, if it has one, is the sender.
    """
    from airflow.providers.smtp.hooks.smtp import SmtpHook
    from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

    try:
        SmtpHook.get_connection(CONNECTION_ID)
    except AirflowNotFoundException:
        return None

    def send(message: EmailMessage) -> None:
        hook = SmtpHook(smtp_conn_id=CONNECTION_ID)
        try:
            hook.get_conn()
        except AirflowException as error:  # the hook's word for a server that hangs up
            raise ConnectionError(str(error)) from error
        with hook:
            if hook.from_email:
                del message["From"]
                message["From"] = hook.from_email
            # the hook's own sending builds a message without a text part, so its open client is used
            cast("smtplib.SMTP", hook._smtp_client).send_message(message)

    return send
