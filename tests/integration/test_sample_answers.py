"""The sample's answers before the planted faults, judged by the catalogue's own rules in the database."""

from dataclasses import replace

import pytest

from asms.catalogue import load_catalogue
from asms.catalogue.compile import compile_catalogue
from asms.catalogue.expression_sql import Input
from asms.sample.answers import Answer, make_answers
from asms.sample.drop import YEARS
from asms.sample.hromadas import Hromada, read_hromadas
from asms.warehouse.connection import Warehouse

REPORTING = [one for one in read_hromadas() if one.has_return]
WITH_NEIGHBOURS = range(min(YEARS) - 1, max(YEARS) + 2)

Return = tuple[str, list[float | None]]
Verdict = tuple[str, str, str | None, bool | None, str | None, str | None]


def _known(hromada: Hromada, given: dict[int, dict[tuple[str, str], Answer]], year: int, input_: Input) -> float | None:
    if input_.origin == "register":
        is_known = input_.indicator_code == "POP.001" and hromada.population_2022 is not None
        return float(hromada.population_2022 or 0) if is_known else None
    answer = given[year + input_.period_offset].get((input_.indicator_code, input_.sex))
    return None if answer is None or answer.value is None else float(str(answer.value))


@pytest.fixture(scope="module")
def returns() -> list[Return]:
    """Every return of the sample: its name, and its values in the order of the inputs."""
    inputs = compile_catalogue(load_catalogue()).inputs
    found = []
    for hromada in REPORTING:
        given = {year: make_answers(hromada, year) for year in WITH_NEIGHBOURS}
        for year in YEARS:
            values = [_known(hromada, given, year, input_) for input_ in inputs]
            found.append((f"{hromada.name_uk} {year}", values))
    return found


@pytest.fixture(scope="module")
def verdicts(template_warehouse: Warehouse, returns: list[Return]) -> list[Verdict]:
    """(rule, sex, return, verdict, found, expected) of every rule and return, in one statement."""
    asked = ", ".join(
        f"('{r.rule_id}', '{r.sex}', {r.check_sql}, {r.found_sql}, {r.expected_sql})"
        for r in compile_catalogue(load_catalogue()).rules
    )
    with replace(template_warehouse, database="postgres").connect("admin") as connection:
        connection.execute("set local jit = off")
        connection.execute("create temporary table input (name text, v float8[]) on commit drop")
        with connection.cursor().copy("copy input from stdin") as copy:
            for row in returns:
                copy.write_row(row)
        return connection.execute(
            f"""
            select rule.rule_id, rule.sex, input.name, rule.verdict, rule.found, rule.expected
            from input cross join lateral (values {asked}) as rule (rule_id, sex, verdict, found, expected)
            """  # SQL that the catalogue compiled
        ).fetchall()


def test_the_answers_break_no_rule(verdicts: list[Verdict], returns: list[Return]) -> None:
    assert len({name for _, _, name, *_ in verdicts}) == len(returns) == len(REPORTING) * len(YEARS)
    assert [verdict for verdict in verdicts if verdict[3] is False] == []


def test_every_rule_of_the_annual_form_can_be_decided(verdicts: list[Verdict]) -> None:
    owners = {rule.rule_id: rule.owner for rule in load_catalogue().rules}
    annual = {domain.domain_code for domain in load_catalogue().domains if domain.collection_code == "ASMS"}
    asked = {(rule_id, sex) for rule_id, sex, *_ in verdicts if owners[rule_id] in annual}
    decided = {(rule_id, sex) for rule_id, sex, _, verdict, *_ in verdicts if verdict is not None}
    assert len(asked) > 700
    assert asked - decided == set()
