"""Questions of a year from cards, and templates for municipalities."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from asms.catalogue import Card, Catalogue, load_catalogue
from asms.geography.gazetteer import Gazetteer, make_unit
from asms.intake.form_definition import load_forms
from asms.intake.form_reading import read_return
from asms.intake.identity import Asked
from asms.returns import (
    Body,
    UnknownMunicipalityError,
    choose_bodies,
    list_questions,
    make_templates,
    packaged_bodies,
    template_name,
)
from asms.sources.katottg import read_packaged_units


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def bodies() -> tuple[Body, ...]:
    return packaged_bodies()


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    rows = read_packaged_units()
    units = (make_unit(levels, category or "", name or "") for _, *levels, category, name in rows)
    return Gazetteer(unit for unit in units if unit.path)


def _with(catalogue: Catalogue, code: str, **changes: Any) -> Catalogue:
    cards = tuple(
        card.model_copy(update=changes) if card.indicator_code == code else card for card in catalogue.indicators
    )
    return replace(catalogue, indicators=cards)


def _question_of(catalogue: Catalogue, code: str, year: int = 2024) -> Any:
    return next((row for row in list_questions(catalogue, year) if row.code == code), None)


def test_questions_are_the_cards_that_are_submitted_and_valid_in_the_year(catalogue: Catalogue) -> None:
    def submitted(card: Card) -> bool:
        return card.collection_code == "ASMS" and not card.is_derived and card.valid_from <= 2024

    expected = [card.indicator_code for card in catalogue.indicators if submitted(card)]
    assert [row.code for row in list_questions(catalogue, 2024)] == expected
    later = _with(catalogue, "TER.001", valid_from=2024, valid_to=2024)
    assert [year for year in (2023, 2024, 2025) if _question_of(later, "TER.001", year)] == [2024]


def test_a_question_takes_what_its_card_says(catalogue: Catalogue) -> None:
    changed = _with(catalogue, "POP.001", min_value=5, max_value=7)
    question = _question_of(changed, "POP.001")
    assert (question.is_integer, question.min_value, question.max_value, question.choices) == (True, 5, 7, ())
    assert question.definition == catalogue.by_code["POP.001"].definition_uk
    assert not _question_of(_with(catalogue, "POP.001", decimals=1), "POP.001").is_integer
    assert not _question_of(_with(catalogue, "POP.001", unit_measure="т"), "POP.001").is_integer
    assert _question_of(catalogue, "GEN.005").choices == ("0", "1", "2")
    state = _with(catalogue, "TER.004", indicator_type="attribute", min_value=1, max_value=3)
    assert _question_of(state, "TER.004").choices == ("1", "2", "3")


def test_every_municipality_of_the_codifier_is_there_and_known_by_its_name(
    bodies: tuple[Body, ...], gazetteer: Gazetteer
) -> None:
    assert len(bodies) == 1774
    assert {"UA85000000000065278", "UA01160330000011827"} <= {body.municipality_code for body in bodies}
    for body in bodies:
        meant = {candidate.municipality_code for candidate in gazetteer.resolve(body.name_uk).candidates}
        assert body.municipality_code in meant, body  # two of a name in one raion stay two: the hidden code decides


def test_a_code_that_is_no_hromada_is_named(bodies: tuple[Body, ...]) -> None:
    assert choose_bodies(bodies, ["UA80000000000093317"]) == (Body("UA80000000000093317", "м. Київ"),)
    assert choose_bodies(bodies, []) == bodies
    with pytest.raises(UnknownMunicipalityError, match="UA99"):
        choose_bodies(bodies, ["UA80000000000093317", "UA99"])


def test_a_template_of_the_country_is_read_by_the_form_without_a_word(
    catalogue: Catalogue, gazetteer: Gazetteer, tmp_path: Path
) -> None:
    body = Body("UA46100110000018989", "Миколаївська громада, Стрийський район, Львівська область")
    questions = list_questions(catalogue, 2025)
    past = {body.municipality_code: {("TER.001", "T"): 12.5}}
    made = make_templates(tmp_path, [body], questions, 2025, catalogue.catalogue_version, past)
    assert (made.unchanged_count, made.bare_count) == (0, 0)
    asked = Asked(catalogue.catalogue_version, tuple(("ASMS", row.code, 2011, None) for row in questions))
    found = read_return(made.paths[0].read_bytes(), "звіт.xlsx", load_forms(), gazetteer.resolve, asked)
    assert (found.municipality_code, found.time_period, found.problems) == (body.municipality_code, "2025", ())
    expected = {(row.code, sex) for row in questions for sex in ("TFM" if row.is_sex_split else "T")}
    assert {(cell.indicator_code, cell.sex) for cell in found.cells} == expected
    assert openpyxl.load_workbook(made.paths[0])["TER"]["E5"].value == 12.5


def test_files_that_are_right_are_left_alone(catalogue: Catalogue, tmp_path: Path) -> None:
    bodies = [Body("UA01", "Перша громада"), Body("UA02", "Друга/«гро:мада»")]
    questions = [row for row in list_questions(catalogue, 2025) if row.domain_code == "TER"]

    def make() -> Any:
        return make_templates(tmp_path, bodies, questions, 2025, "v1", {})

    first = make()
    assert [path.name for path in first.paths] == [
        "Перша громада UA01 2025 TER.xlsx",
        "Друга «гро мада» UA02 2025 TER.xlsx",
    ]
    assert (first.unchanged_count, first.bare_count) == (0, 2)
    first.paths[0].write_bytes(b"spoiled")
    second = make()
    assert (second.paths, second.unchanged_count) == (first.paths, 1)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(path.name for path in first.paths)


def test_names_of_files_fit_every_file_system(catalogue: Catalogue, bodies: tuple[Body, ...]) -> None:
    questions = list_questions(catalogue, 2025)
    names = [template_name(body, questions, 2025) for body in bodies]
    assert len(set(names)) == len(names)
    assert max(len(name.encode()) for name in names) < 255
