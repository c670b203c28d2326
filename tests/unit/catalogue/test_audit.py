"""The catalogue is all that its plan asks for, and the audit sees what is lacking."""

from dataclasses import replace

import pytest

from asms.catalogue import Catalogue, load_catalogue
from asms.catalogue.audit import audit_catalogue, count_domains


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def test_the_catalogue_is_complete(catalogue: Catalogue) -> None:
    planned = [count for count in count_domains(catalogue) if count.planned]
    assert audit_catalogue(catalogue) == []
    assert len(planned) == 24
    assert [sum(column) for column in zip(*(count.found for count in planned), strict=True)] == [850, 134, 310]


def test_the_plan_is_the_associations(catalogue: Catalogue) -> None:
    plans = [count.planned for count in count_domains(catalogue) if count.planned]
    assert [sum(column) for column in zip(*plans, strict=True)] == [850, 134, 310]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name_uk": "Кількисть шкіл"}, "card POP.001: the word «Кількисть» is in no dictionary"),
        ({"definition_uk": "Кількість осіб"}, "card POP.001: its definition is no full sentence"),
        ({"domain_code": "TER"}, "domain POP: "),
    ],
)
def test_what_is_lacking_is_named(catalogue: Catalogue, change: dict[str, str], problem: str) -> None:
    before = set(audit_catalogue(catalogue))
    cards = tuple(c.model_copy(update=change) if c.indicator_code == "POP.001" else c for c in catalogue.indicators)
    news = [line for line in audit_catalogue(replace(catalogue, indicators=cards)) if line not in before]
    assert any(line.startswith(problem) for line in news), news
