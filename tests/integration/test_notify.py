"""Mail out of a real database: who is told, once, what the message is, and what a kill leaves."""

import email
import email.policy
import smtplib
import socket
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import AsyncMessage

from asms.catalogue import store_catalogue
from asms.findings import Finding, insert_findings
from asms.notify import NotifyError, notify, send_waiting
from asms.notify.compose import Letter
from asms.notify.outbox import queue_letter
from asms.settings import Settings
from asms.warehouse.connection import Warehouse
from asms.warehouse.status import read_status

BODY = "UA05020030000031457"


@pytest.fixture
def told(warehouse: Warehouse) -> Warehouse:
    """The shipped catalogue, and build 1 that published release 1."""
    store_catalogue(warehouse)
    with warehouse.connect("publisher") as connection:
        connection.execute("insert into ops.build (status, is_full, reason) values ('published', true, 'test')")
        connection.execute(
            "insert into ops.release (release_id, build_id, fact_count, code_version, catalogue_version, is_sample)"
            " values (1, 1, 10, 'a', 'b', true)"
        )
        connection.execute("insert into ops.current_release (release_id) values (1)")
    return warehouse


@pytest.fixture
def recipients(tmp_path: Path) -> Path:
    file = tmp_path / "recipients.yaml"
    file.write_text(
        "sender: АСМС <asms@example.org>\nstaff: [staff@example.org]\ndomains: {LAB: [labour@example.org]}\n",
        encoding="utf-8",
    )
    return file


def find(
    warehouse: Warehouse, number: int, *, code: str = "POP.001", value: str = "сорок", rule: str = "CELL_NOT_A_NUMBER",
    delivery_id: str | None = None,
) -> None:  # fmt: skip
    """Open one finding in cell D<number>."""
    finding = Finding(
        rule, "submissions", f"Знайдено: {value}", f"Found: {value}", collection_code="ASMS", municipality_code=BODY,
        time_period="2024", indicator_code=code, sex="T", file_name="звіт.xlsx", sheet="POP", cell=f"D{number}",
        value_found=value, delivery_id=delivery_id,
    )  # fmt: skip
    with warehouse.connect("loader") as connection:
        insert_findings(connection, [finding], is_sample=True)


def start_build(warehouse: Warehouse, status: str, closed_gate: str | None = None) -> int:
    with warehouse.connect("publisher") as connection:
        row = connection.execute(
            "insert into ops.build (status, is_full, reason, closed_gate) values (%s, false, 'test', %s) returning build_id",
            (status, closed_gate),
        ).fetchone()
    assert row is not None
    return int(row[0])


def check(warehouse: Warehouse, build_id: int, severity: str) -> None:
    with warehouse.connect("gate") as connection:
        connection.execute(
            "insert into quality.gate_result (build_id, gate, engine, dataset, check_id, severity, success,"
            " unexpected_count, message_uk, message_en, owner) values (%s, 'staging', 'gx', 'staging.t', 'GX_T', %s, false, 3,"
            " 'Фонди не збігаються.', 'Funds differ.', 'x')",
            (build_id, severity),
        )


def messages(settings: Settings) -> dict[str, EmailMessage]:
    """Messages of the outbox by recipient."""
    parsed = [
        email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        for file in settings.outbox.glob("*.eml")
    ]
    return {str(message["To"]): message for message in parsed}


def text(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_good_run_tells_nobody(told: Warehouse, settings: Settings) -> None:
    find(told, 1, rule="FILE_DUPLICATE_BYTES")  # info
    assert notify(told, settings, 1).mail_count == 0
    assert not settings.outbox.exists()


def test_a_trial_is_told_to_its_sender_alone(told: Warehouse, settings: Settings) -> None:
    deliver = (
        "insert into raw.delivery (delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, is_sample, "
        "is_test) values (%s, 'submissions', 'test', %s, 1, 'x', 1, 1, true, %s)"
    )
    with told.connect("loader") as connection:
        connection.execute(deliver, ("trial", "_test/звіт.xlsx", True))
        connection.execute(deliver, ("return", "звіт.xlsx", False))
    find(told, 1, delivery_id="trial")
    assert notify(told, settings, 1).mail_count == 0
    assert read_status(told).open_findings == []
    find(told, 2, delivery_id="return")
    assert notify(told, settings, 1).mail_count > 0
    assert [row["open_count"] for row in read_status(told).open_findings] == [1]


def test_mail_is_a_file_that_mail_programs_read(told: Warehouse, settings: Settings, recipients: Path) -> None:
    find(told, 7)
    result = notify(told, settings, 1, recipients=recipients)
    assert (result.mail_count, result.already_told) == (1, 0)
    (path,) = result.paths
    assert Path(path).parent == settings.outbox and Path(path).read_bytes().isascii()
    message = messages(settings)["staff@example.org"]
    assert message.get_content_type() == "multipart/alternative"
    assert message["Subject"] == "АСМС: дані опубліковано, є зауваження; помилка 1 / published with findings"
    assert message["Message-ID"] and message["Date"] and message["From"] == "АСМС <asms@example.org>"
    for kind in ("plain", "html"):
        body = text(message, kind)
        for part in ("звіт.xlsx", "POP", "D7", "сорок", "У клітинці для числа стоїть текст", "Діє реліз 1", BODY):
            assert part in body, (kind, part)


def test_municipality_is_named_as_the_codifier_names_it_now(
    told: Warehouse, settings: Settings, recipients: Path
) -> None:
    with told.connect("loader") as connection:
        for number, name in enumerate(("Стара", "Нова")):
            connection.execute(
                "insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample, loaded_at)"
                " values (%s, 'katottg', 'd', '1', 'loaded', true, now() + %s * interval '1 s')",
                (name, number),
            )
            connection.execute(
                "insert into raw.katottg_unit (load_id, row_no, level1_code, level2_code, level3_code, name)"
                " values (%s, 1, 'O', 'R', %s, %s)",
                (name, BODY, name),
            )
    find(told, 7)
    notify(told, settings, 1, recipients=recipients)
    body = text(messages(settings)["staff@example.org"])
    assert f"Нова {BODY}, 2024, POP.001[T], файл «звіт.xlsx», аркуш «POP», клітинка D7" in body
    assert "Стара" not in body and "Кількість: 1" in body


def test_same_news_are_told_once_and_changed_news_again(told: Warehouse, settings: Settings, recipients: Path) -> None:
    find(told, 7)
    assert notify(told, settings, 1, recipients=recipients).mail_count == 1
    assert notify(told, settings, 1, recipients=recipients).already_told == 1
    later = start_build(told, "unchanged")
    again = notify(told, settings, later, recipients=recipients)
    assert (again.mail_count, again.already_told) == (0, 1)
    find(told, 8)
    assert notify(told, settings, later, recipients=recipients).mail_count == 1


def test_check_that_warned_still_stands_in_a_build_that_had_nothing_to_do(
    told: Warehouse, settings: Settings, recipients: Path
) -> None:
    """Or the second night of one and the same state would be news."""
    check(told, 1, "warning")
    assert notify(told, settings, 1, recipients=recipients).mail_count == 1
    assert "Фонди не збігаються." in text(messages(settings)["staff@example.org"])
    again = notify(told, settings, start_build(told, "unchanged"), recipients=recipients)
    assert (again.mail_count, again.already_told) == (0, 1)


def test_every_run_that_closed_a_gate_is_told_and_says_what_serves(
    told: Warehouse, settings: Settings, recipients: Path
) -> None:
    for _ in range(2):
        build_id = start_build(told, "gate_closed", "staging")
        check(told, build_id, "critical")
        assert notify(told, settings, build_id, recipients=recipients).mail_count == 1
        assert notify(told, settings, build_id, recipients=recipients).mail_count == 0, "a retry is no new run"
    body = text(messages(settings)["staff@example.org"])
    assert "Далі діє попередній реліз 1" in body and "Фонди не збігаються." in body and "Рядків: 3" in body


def test_lost_source_is_told_every_run_until_it_loads(told: Warehouse, settings: Settings, recipients: Path) -> None:
    with told.connect("loader") as connection:
        connection.execute(
            "insert into ops.source_status (source, is_ok, message) values ('open_budget', false, '429')"
        )
    for _ in range(2):
        assert notify(told, settings, start_build(told, "unchanged"), recipients=recipients).mail_count == 1
    with told.connect("loader") as connection:
        connection.execute("update ops.source_status set is_ok = true")
    assert notify(told, settings, start_build(told, "unchanged"), recipients=recipients).mail_count == 0


def test_run_without_a_build_and_a_broken_build_are_told(told: Warehouse, settings: Settings, recipients: Path) -> None:
    assert notify(told, settings, None, recipients=recipients).mail_count == 1
    assert "завантаження не почалося" in text(messages(settings)["staff@example.org"])
    assert notify(told, settings, start_build(told, "failed"), recipients=recipients).mail_count == 1


def test_owners_of_a_domain_are_told_of_their_domain_only(
    told: Warehouse, settings: Settings, recipients: Path
) -> None:
    find(told, 7)
    find(told, 9, code="LAB.001", value="двісті")
    check(told, start_build(told, "gate_closed", "staging"), "critical")
    assert notify(told, settings, 2, recipients=recipients).mail_count == 2
    owner, staff = (text(messages(settings)[f"{name}@example.org"]) for name in ("labour", "staff"))
    assert "двісті" in owner and "сорок" not in owner and "Фонди" not in owner and "помилка — 1;" in owner
    assert "двісті" in staff and "сорок" in staff and "Фонди" in staff and "помилка — 2;" in staff


def test_ten_examples_are_shown_and_all_are_counted(told: Warehouse, settings: Settings, recipients: Path) -> None:
    for number in range(1, 24):
        find(told, number)
    notify(told, settings, 1, recipients=recipients)
    body = text(messages(settings)["staff@example.org"]).split("-----")[0]
    assert body.count("звіт.xlsx") == 10 and "клітинка D10\n" in body and "клітинка D11\n" not in body
    assert "Кількість: 23" in body and "Ще зауважень за цим правилом: 13" in body and "усього — 23." in body


@pytest.mark.parametrize(
    ("code", "rule"), [("SAF.001", "CELL_NOT_A_NUMBER"), ("SAF.0O1", "CELL_UNKNOWN_CODE"), ("SAF.001", "READER_TEST")]
)
def test_restricted_values_stay_out_of_mail(
    told: Warehouse, settings: Settings, recipients: Path, code: str, rule: str
) -> None:
    """Whoever found it, and also where the code is mistyped."""
    with told.connect("loader") as connection:
        connection.execute(
            "insert into quality.rule (rule_id, engine, level, severity, title_uk, title_en, remedy_uk, remedy_en, owner)"
            " values ('READER_TEST', 'reader', 'cell', 'error', 'т', 't', 'з', 'd', 'intake')"
        )
    find(told, 5, code=code, value="424242", rule=rule)
    notify(told, settings, 1, recipients=recipients)
    for kind in ("plain", "html"):
        body = text(messages(settings)["staff@example.org"], kind)
        assert "424242" not in body and "приховано" in body and "withheld" in body and "D5" in body


def test_value_held_against_a_restricted_one_stays_out_too(
    told: Warehouse, settings: Settings, recipients: Path
) -> None:
    with told.connect("loader") as connection:
        connection.execute(
            "insert into quality.rule (rule_id, engine, level, severity, title_uk, title_en, remedy_uk, remedy_en, owner,"
            " expression) values ('CHK.T', 'sql', 'fields', 'error', 'т', 't', 'з', 'd', 'x', 'POP.001 >= SAF.001')"
        )
    find(told, 5, value="424242", rule="CHK.T")
    notify(told, settings, 1, recipients=recipients)
    assert "424242" not in text(messages(settings)["staff@example.org"])


def test_hostile_value_stays_a_value_all_the_way(told: Warehouse, settings: Settings, recipients: Path) -> None:
    find(told, 7, value="<script>x</script>{{ 1 }}\r\nBcc: thief@example.org\r\n\r\n" + "я" * 3000)
    notify(told, settings, 1, recipients=recipients)
    message = messages(settings)["staff@example.org"]
    assert message["Bcc"] is None and "thief" not in str(message["Subject"])
    assert "<script>" not in text(message, "html") and "&lt;script&gt;" in text(message, "html")
    assert "{{ 1 }}" in text(message) and not any(line.startswith("Bcc") for line in text(message).splitlines())


class _Box(AsyncMessage):
    """Keeps what it is handed."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[EmailMessage] = []

    async def handle_message(self, message: email.message.Message) -> None:
        self.kept.append(email.message_from_bytes(message.as_bytes(), policy=email.policy.default))


def test_mail_goes_through_a_real_server_and_what_it_refused_goes_out_next_time(
    told: Warehouse, settings: Settings, recipients: Path
) -> None:
    find(told, 7)
    find(told, 9, code="LAB.001")
    refused: list[str] = []

    def refuse_staff(message: EmailMessage) -> None:
        if "staff" in message["To"]:
            refused.append(str(message["Message-ID"]))
            raise smtplib.SMTPServerDisconnected("gone")
        send(message)

    def send(message: EmailMessage) -> None:
        with smtplib.SMTP(server.hostname, server.port) as client:
            client.send_message(message)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free_port = probe.getsockname()[1]
    box = _Box()
    server = Controller(box, hostname="127.0.0.1", port=free_port)
    server.start()
    try:
        with pytest.raises(NotifyError, match="1 of 2 mails were not sent"):
            notify(told, settings, 1, refuse_staff, recipients=recipients)
        result = notify(told, settings, 1, send, recipients=recipients)
    finally:
        server.stop()
    assert (result.mail_count, result.already_told, result.paths) == (1, 2, ())
    assert [str(message["To"]) for message in box.kept] == ["labour@example.org", "staff@example.org"]
    assert refused == [str(box.kept[1]["Message-ID"])], "the same mail, so a double could be recognised"
    assert "сорок" in text(box.kept[1]) and "сорок" in text(box.kept[1], "html")
    with told.connect("gate") as connection:
        assert connection.execute("select distinct sent_via from quality.alert").fetchall() == [("smtp",)]


def test_a_server_that_is_not_there_is_not_waited_for_by_every_mail(warehouse: Warehouse, settings: Settings) -> None:
    tried: list[str] = []

    def send(message: EmailMessage) -> None:
        tried.append(str(message["To"]))
        if message["To"].startswith("first"):
            raise smtplib.SMTPDataError(550, b"not this one")
        raise ConnectionRefusedError("nobody listens")

    with warehouse.connect("gate") as connection:
        for name in ("first", *"abcde"):
            queue_letter(connection, name, [f"{name}@example.org"], Letter("s", "t", "<p>t</p>"))
            connection.commit()  # each is queued at a moment of its own
    with pytest.raises(NotifyError, match=r"4 of 4 mails were not sent .* no more were tried"):
        send_waiting(warehouse, settings, send)
    assert tried == [f"{name}@example.org" for name in ("first", "a", "b", "c")]
    assert send_waiting(warehouse, settings)[0] == 6


class _KilledError(BaseException):
    """Stands for a kill: nothing may catch it."""


def test_mail_unsent_at_a_kill_goes_out_first_at_the_next_run(
    told: Warehouse, settings: Settings, recipients: Path
) -> None:
    find(told, 7)

    def die(_: EmailMessage) -> None:
        raise _KilledError

    with pytest.raises(_KilledError):
        notify(told, settings, 1, die, recipients=recipients)
    find(told, 8)
    sent: list[EmailMessage] = []
    assert notify(told, settings, 1, sent.append, recipients=recipients).mail_count == 2
    assert ["D8" in text(message) for message in sent] == [False, True]
    assert notify(told, settings, 1, sent.append, recipients=recipients).mail_count == 0
