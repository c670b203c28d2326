"""The form in words, and what changes from year to year."""

import json
from dataclasses import replace

import pytest
import yaml

from asms.catalogue import Catalogue, load_catalogue
from asms.catalogue.description import (
    as_data,
    changes_as_markdown,
    describe_form,
    form_as_markdown,
    list_changes,
)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The catalogue with an area that is asked until 2024, a count that begins in 2025, and an area asked otherwise."""
    found = load_catalogue()
    cards, superseded = [], []
    for card in found.indicators:
        if card.indicator_code == "TER.001":
            superseded.append(card.model_copy(update={"valid_to": 2024}))
            new = {"valid_from": 2025, "version": 2, "definition_uk": "Площа | <b> громади.", "decimals": 2}
            cards.append(card.model_copy(update=new))
        elif card.indicator_code == "TER.004":
            cards.append(card.model_copy(update={"valid_from": 2025}))
        elif card.indicator_code == "TER.005":
            cards.append(card.model_copy(update={"valid_to": 2024}))
        else:
            cards.append(card)
    return replace(found, indicators=tuple(cards), superseded=tuple(superseded))


def test_the_description_has_every_question_of_the_year_and_its_checks(catalogue: Catalogue) -> None:
    form = describe_form(catalogue, "ASMS", 2025)
    questions = {question.code: question for domain in form.domains for question in domain.questions}
    assert form.question_count == len(questions)
    assert form.cell_count == sum(3 if question.is_sex_split else 1 for question in questions.values())
    assert "TER.005" not in questions
    assert (questions["TER.001"].version, questions["TER.001"].decimals) == (2, 2)
    assert questions["GEN.005"].choices == ("0", "1", "2")
    assert "SUM.POP.001" in {check["rule_id"] for check in questions["POP.001"].checks}
    assert describe_form(catalogue, "ASMS", 2024).question_count == form.question_count


def test_data_and_markdown_say_the_same(catalogue: Catalogue) -> None:
    form = describe_form(catalogue, "ASMS", 2025)
    data = as_data(form)
    assert yaml.safe_load(yaml.safe_dump(data, allow_unicode=True)) == json.loads(json.dumps(data)) == data
    text = form_as_markdown(form)
    for domain in data["domains"]:
        for question in domain["questions"]:
            assert text.count(f"\n| {question['code']} | ") == 1
    assert "Площа \\| &lt;b> громади." in text


def test_the_changelog_tells_added_gone_and_changed(catalogue: Catalogue) -> None:
    found = list_changes(catalogue, "ASMS", 2024, 2025)
    assert [(change.code, change.kind, [one.field for one in change.fields]) for change in found.changes] == [
        ("TER.001", "changed", ["version", "definition_uk", "decimals"]),
        ("TER.004", "added", []),
        ("TER.005", "gone", []),
    ]
    text = changes_as_markdown(found)
    for line in ("## Додано / Added: 1", "## Вилучено / Gone: 1", "## Змінено / Changed: 1", "  * decimals: 1 → 2"):
        assert line in text.splitlines()
    back = list_changes(catalogue, "ASMS", 2025, 2024)
    assert [change.kind for change in back.changes] == ["changed", "gone", "added"]


def test_a_changelog_is_written_also_when_nothing_changed(catalogue: Catalogue) -> None:
    found = list_changes(catalogue, "ASMS", 2023, 2024)
    assert found.changes == ()
    assert "Форма не змінилася" in changes_as_markdown(found)
    assert as_data(found)["changes"] == []
