"""The list of recipients is edited by hand."""

from pathlib import Path

import pytest

from asms.notify.recipients import RecipientsError, load_recipients


def write(folder: Path, text: str) -> Path:
    file = folder / "recipients.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_shipped_list_reaches_nobody_real() -> None:
    known = load_recipients()
    assert known.staff
    assert all(address.rpartition("@")[2] == "example.org" for address in known.scopes)


def test_address_of_several_domains_gets_one_mail_and_staff_get_everything(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "sender: a@example.org\nstaff: [boss@example.org]\n"
        "domains: {POP: [p@example.org, boss@example.org], EXP: [p@example.org]}\n",
    )
    assert load_recipients(file).scopes == {"boss@example.org": None, "p@example.org": ("EXP", "POP")}


@pytest.mark.parametrize(
    "text",
    [
        "sender: a@example.org",
        "sender: a@example.org\nstaff: [nobody]",
        "sender: a@example.org\nstaff: [b@example.org]\nteam: []",
        'sender: a@example.org\nstaff: ["b@example.org\\nBcc: c@example.org"]',
        "sender: [",
        "",
    ],
)
def test_unusable_list_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(RecipientsError, match=r"recipients\.yaml"):
        load_recipients(write(tmp_path, text))
