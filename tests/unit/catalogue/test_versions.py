"""Several versions of one card: every year keeps the definition by which its values were made."""

import csv
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from asms.catalogue import Catalogue, check_catalogue, load_catalogue
from asms.catalogue.audit import audit_catalogue, count_domains
from asms.catalogue.compile import compile_catalogue
from asms.catalogue.description import asked_cards, changes_as_markdown, describe_form, list_changes
from asms.catalogue.limits import cell_limits
from asms.catalogue.store import catalogue_rows
from asms.intake.form_reading import MappedCell
from asms.offline import SentReturn, check_returns
from asms.paths import PROJECT_ROOT

DATA = PROJECT_ROOT / "include" / "asms" / "catalogue" / "data"
NEW_PLACES = {
    "definition_uk": "Кількість місць у закладах дошкільної освіти громади за ліцензованим обсягом на кінець звітного року.",
    "max_value": "5000",
    "checks": "warning: EDU.002 <= EDU.006",
}
NEW_DENSITY = {"formula": "avg(POP.001, POP.001[t−1]) / TER.001"}

Edit = Callable[[str, dict[str, str], dict[str, str]], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "data"))


@pytest.fixture
def revise(folder: Path) -> Edit:
    """Do what a person does in the spreadsheet: close the line of a code and put the new version below."""

    def edit(code: str, old: dict[str, str], new: dict[str, str]) -> None:
        file = folder / "indicators" / f"{code[:3]}.csv"
        with file.open(encoding="utf-8", newline="") as lines:
            cards = list(csv.DictReader(lines))
        number = next(number for number, card in enumerate(cards) if card["indicator_code"] == code)
        cards.insert(number + 1, cards[number] | {"version": "2", "valid_from": "2024"} | new)
        cards[number] |= {"valid_to": "2023"} | old
        with file.open("w", encoding="utf-8", newline="") as lines:
            writer = csv.DictWriter(lines, list(cards[0]))
            writer.writeheader()
            writer.writerows(cards)

    return edit


@pytest.fixture
def revised(folder: Path, revise: Edit) -> Catalogue:
    revise("EDU.002", {}, NEW_PLACES)
    revise("TER.D01", {}, NEW_DENSITY)
    return load_catalogue(folder)


def test_versions_are_sound_and_count_once(revised: Catalogue) -> None:
    assert check_catalogue(revised) == []
    assert audit_catalogue(revised) == []
    planned = [count.found for count in count_domains(revised) if count.planned]
    assert tuple(map(sum, zip(*planned, strict=True))) == (850, 134, 310)
    assert [card.version for card in revised.versions["EDU.002"]] == [1, 2]
    assert revised.by_code["EDU.002"].version == 2
    assert revised.catalogue_version != load_catalogue().catalogue_version


def test_a_code_that_ended_counts_no_more(folder: Path) -> None:
    file = folder / "indicators" / "TER.csv"
    text = file.read_text(encoding="utf-8")
    file.write_text(re.sub(r"(?m)^(TER\.004,.*),$", r"\1,2023", text, count=1), encoding="utf-8")
    assert audit_catalogue(load_catalogue(folder))[0].startswith("domain TER: (17, 0, 2) indicators")


def test_the_form_of_a_year_asks_by_its_version(revised: Catalogue) -> None:
    asked = {
        year: next(card for card in asked_cards(revised, "ASMS", year) if card.indicator_code == "EDU.002")
        for year in (2011, 2023, 2024, 2030)
    }
    assert {year: card.version for year, card in asked.items()} == {2011: 1, 2023: 1, 2024: 2, 2030: 2}
    assert asked[2024].definition_uk == NEW_PLACES["definition_uk"]
    checks = {
        year: [
            c["rule_id"] for d in describe_form(revised, "ASMS", year).domains for q in d.questions for c in q.checks
        ]
        for year in (2023, 2024)
    }
    assert set(checks[2024]) - set(checks[2023]) == {"CHK.EDU.002.1.V2"}
    assert len(asked_cards(revised, "ASMS", 2023)) == len(asked_cards(load_catalogue(), "ASMS", 2023))


def test_the_changelog_tells_of_a_new_version(revised: Catalogue) -> None:
    (change,) = list_changes(revised, "ASMS", 2023, 2024).changes
    assert change.code == "EDU.002"
    assert [field.field for field in change.fields] == ["version", "definition_uk", "max_value", "checks"]
    assert "  * version: 1 → 2" in changes_as_markdown(list_changes(revised, "ASMS", 2023, 2024)).splitlines()
    assert list_changes(revised, "ASMS", 2024, 2025).changes == ()


def test_checks_of_a_version_are_rules_of_its_years(folder: Path, revise: Edit) -> None:
    before = {rule.rule_id: rule for rule in load_catalogue().rules}
    revise("EDU.001", {}, {"checks": "warning: EDU.001 <= EDU.002"})
    after = {rule.rule_id: rule for rule in load_catalogue(folder).rules}
    old, new = after["CHK.EDU.001.1"], after["CHK.EDU.001.1.V2"]
    assert after.keys() - before.keys() == {"CHK.EDU.001.1.V2"}
    assert (old.expression, old.valid_from, old.valid_to) == (before["CHK.EDU.001.1"].expression, None, 2023)
    assert (new.expression, new.valid_from, new.valid_to) == ("EDU.001 <= EDU.002", 2024, None)


def test_a_formula_is_computed_by_the_version_of_the_year(revised: Catalogue) -> None:
    formulas = {(formula.indicator_code, formula.sex): formula for formula in compile_catalogue(revised).formulas}
    plain = {(f.indicator_code, f.sex): f for f in compile_catalogue(load_catalogue()).formulas}
    assert formulas.keys() == plain.keys()
    value = formulas["TER.D01", "T"].value_sql
    assert re.fullmatch(r"case when time_period < '2024' then case .* end else case .* end end", value)
    assert sum("time_period" in formula.value_sql for formula in formulas.values()) == 1


def test_limits_hold_for_the_years_of_their_version(revised: Catalogue) -> None:
    limits = [limit for limit in cell_limits(revised.versions) if limit.indicator_code == "EDU.002"]
    assert [(limit.period_from, limit.period_to, limit.high) for limit in limits] == [
        ("", "2024", None),
        ("2024", "9999", 5000.0),
    ]
    assert {(limit.period_from, limit.period_to) for limit in cell_limits(load_catalogue().versions)} == {("", "9999")}


def test_old_values_are_held_against_the_old_version(revised: Catalogue) -> None:
    cell = MappedCell("EDU", "D6", "EDU.002", "EDU.002", "T", "6000", "number", None, None)
    sent = [SentReturn(f"{year}.xlsx", "ASMS", "UA1", str(year), [cell]) for year in (2023, 2024)]
    without_checks = tuple(rule for rule in revised.rules if not rule.expression)  # they take most of the time
    checked = check_returns(replace(revised, rules=without_checks), sent)
    found = [(b.rule_id, b.time_period) for b in checked.breaches if b.indicator_code == "EDU.002"]
    assert found == [("CELL_OUT_OF_BOUNDS", "2024")]
    counts = {verdict: count for (rule, verdict), count in checked.verdicts.items() if rule == "CELL_OUT_OF_BOUNDS"}
    assert counts == {"pass": 1, "fail": 1}, "each cell is held against one version"


def test_the_warehouse_gets_one_line_per_code_and_all_versions_beside(revised: Catalogue) -> None:
    tables = catalogue_rows(revised, compile_catalogue(revised))
    columns, lines = tables["indicator"]
    places = dict(zip(columns, next(line for line in lines if line[0] == "EDU.002"), strict=True))
    assert (places["version"], places["valid_from"], places["valid_to"]) == (2, 2011, None)
    assert len(lines) == 850 + 310 + 17
    _, versions = tables["indicator_version"]
    assert [(line[1], line[17], line[18]) for line in versions if line[0] == "EDU.002"] == [
        (1, 2011, 2023), (2, 2024, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "old", "new", "problem"),
    [
        ("EDU.002", {"valid_to": ""}, {}, "card EDU.002, version 2: it begins in 2024, but version 1 has no last year"),
        ("EDU.002", {"valid_to": "2024"}, {}, "card EDU.002, version 2: it begins in 2024, but version 1 ends in 2024"),
        ("EDU.002", {"valid_to": "2021"}, {}, "card EDU.002, version 2: it begins in 2024, but version 1 ends in 2021"),
        ("EDU.002", {"version": "3"}, {}, "card EDU.002, version 3: it begins in 2011, but version 2 has no last year"),
        ("EDU.002", {}, {"version": "1"}, "card EDU.002, version 1: it is there twice"),
        ("EDU.002", {}, {"unit_measure": "тис. од."}, "card EDU.002, version 2: unit_measure is 'тис. од.', but 'од.'"),
        ("EDU.002", {}, {"is_sex_split": "true"}, "card EDU.002, version 2: is_sex_split is True, but False"),
        ("SAF.002", {}, {"conf_status": "free"}, "card SAF.002, version 2: conf_status is 'free', but 'restricted'"),
        ("TER.D01", {"formula": "POP.001 / TER.004"}, {}, "card TER.D01: its formula gives"),
    ],
)
def test_versions_that_do_not_follow_each_other_are_problems(
    folder: Path, revise: Edit, code: str, old: dict[str, str], new: dict[str, str], problem: str
) -> None:
    revise(code, old, new)
    problems = check_catalogue(load_catalogue(folder))
    assert problems
    assert problems[0].startswith(problem), problems


@pytest.mark.parametrize("formula", ["TER.D01[t−1] / TER.D01 × 100", "EDU.D99[t−1] × 100"])
def test_a_changed_formula_cannot_be_read_for_another_year(revised: Catalogue, formula: str) -> None:
    """In 2024 the density of 2023 would be computed by the formula of 2024, also through another code."""
    density = revised.by_code["TER.D01"]
    between = density.model_copy(
        update={"indicator_code": "EDU.D99", "formula": "TER.D01 × 2 / 2", "unit_measure": "%"}
    )
    cards = [
        card.model_copy(update={"formula": formula}) if card.indicator_code == "TER.D02" else card
        for card in revised.indicators
    ]
    problems = check_catalogue(replace(revised, indicators=(*cards, between)))
    read = "TER.D01" if "TER" in formula else "EDU.D99"
    assert problems[0].startswith(f"card TER.D02: it reads {read} of another year, whose formula changes"), problems
