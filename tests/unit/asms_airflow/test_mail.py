"""Mail leaves through Airflow's connection, if there is one."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message

from asms_airflow.mail import smtp_sender


class _Inbox(Message):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Any] = []

    def handle_message(self, message: Any) -> None:
        self.messages.append(message)


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Inbox]:
    handler = _Inbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    options = "disable_ssl=true&disable_tls=true&from_email=asms%40example.org"
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", f"smtp://127.0.0.1:{port}?{options}")
    yield handler
    controller.stop()


def test_a_message_arrives_whole(inbox: _Inbox) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Шлюз закрито", "nobody@example.org", "staff@example.org"
    message.set_content("Клітинка F12: від’ємне число")
    message.add_alternative("<p>Клітинка F12</p>", subtype="html")
    send = smtp_sender()
    assert send is not None
    send(message)
    (arrived,) = inbox.messages
    assert arrived["From"] == "asms@example.org"
    assert arrived["X-RcptTo"] == "staff@example.org"
    text, html = arrived.get_payload()
    assert "від’ємне" in text.get_payload(decode=True).decode()
    assert html.get_content_type() == "text/html"


def test_a_server_that_hangs_up_is_a_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        options = "disable_ssl=true&disable_tls=true&from_email=asms%40example.org&retry_limit=1"
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", f"smtp://127.0.0.1:{listener.getsockname()[1]}?{options}")
        send = smtp_sender()
        assert send is not None
        with pytest.raises(ConnectionError, match="Unable to connect"):
            send(EmailMessage())
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("greeting", [b"", b"220 here\r\n"])
def test_a_silent_server_is_waited_for_once(monkeypatch: pytest.MonkeyPatch, greeting: bytes) -> None:
    """One that takes the connection and says nothing, or greets and says no more."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(listener.accept()[0])
                    taken[-1].sendall(greeting)

        threading.Thread(target=take, daemon=True).start()
        port = listener.getsockname()[1]
        monkeypatch.setenv(
            "AIRFLOW_CONN_SMTP_DEFAULT", f"smtp://127.0.0.1:{port}?disable_ssl=true&disable_tls=true&timeout=1"
        )
        send = smtp_sender()
        assert send is not None
        message = EmailMessage()
        message["From"], message["To"] = "asms@example.org", "staff@example.org"
        with pytest.raises(TimeoutError, match=f"mail server 127.0.0.1:{port} was silent for 1 s"):
            send(message)
        listener.shutdown(socket.SHUT_RDWR)
    assert len(taken) == 1
    taken[0].close()


def test_without_a_connection_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT", raising=False)
    assert smtp_sender() is None
