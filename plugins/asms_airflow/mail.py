"""Sending mail through Airflow's SMTP connection, where one is configured."""

from collections.abc import Callable
from email.message import EmailMessage

CONNECTION_ID = "smtp_default"


def smtp_sender() -> Callable[[EmailMessage], None] | None:
    """Return a function that sends a message through connection ``smtp_default``; None when there is no such connection."""
    from airflow.providers.smtp.hooks.smtp import SmtpHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        SmtpHook.get_connection(CONNECTION_ID)
    except AirflowNotFoundException:
        return None

    def send(message: EmailMessage) -> None:
        with SmtpHook(smtp_conn_id=CONNECTION_ID) as hook:
            hook.get_conn().send_message(message)

    return send
