"""Every formula and every rule of a catalogue, compiled to SQL expressions over one array of inputs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from asms.catalogue.cards import Card, Catalogue, CatalogueError, Rule, Sex
from asms.catalogue.expression_sql import (
    ExpressionSql,
    Input,
    check_sql,
    found_and_expected,
    is_sum,
    status_sql,
    value_sql,
)
from asms.catalogue.grammar import Check, Expression, Reference, parse_check, references
from asms.catalogue.resolve import parse_formulas, resolve, resolve_formula


@dataclass(frozen=True)
class CompiledFormula:
    indicator_code: str
    sex: Sex
    value_sql: str
    status_sql: str
    compute_order: int


@dataclass(frozen=True)
class FormulaTerm:
    """An input that a formula reads in the periods from ``period_from`` up to, not including, ``period_to``."""

    indicator_code: str
    sex: Sex
    period_from: str
    period_to: str
    slot: int


@dataclass(frozen=True)
class CompiledRule:
    rule_id: str
    sex: Sex
    target_slot: int
    check_sql: str
    found_sql: str
    expected_sql: str
    rule_no: int
    slots: list[int]


@dataclass(frozen=True)
class Compiled:
    """``inputs[0]`` stands in slot 1."""

    inputs: tuple[Input, ...]
    formulas: tuple[CompiledFormula, ...]
    rules: tuple[CompiledRule, ...]
    terms: tuple[FormulaTerm, ...]


@lru_cache(maxsize=2)
def compile_catalogue(catalogue: Catalogue) -> Compiled:
    """Compile all formulas and all rules that have an expression. Raises CatalogueError (see ``check_catalogue``).

    Checking and storing ask for the same compiled catalogue, so the last ones are kept.
    """
    slots: dict[Input, int] = {}
    eras = split_eras(catalogue)
    sql = ExpressionSql(slots)
    compiled_formulas = []
    terms: list[FormulaTerm] = []
    for order, code in enumerate(eras[-1].formulas, 1):
        for sex in catalogue.by_code[code].sexes:
            resolved = [resolve_formula(era.catalogue, era.formulas, code, sex) for era in eras]
            value = _by_era(eras, [value_sql(sql, expression) for expression in resolved])
            status = _by_era(eras, [status_sql(sql, expression) for expression in resolved])
            compiled_formulas.append(CompiledFormula(code, sex, value, status, order))
            begins = ["", *(str(era.end) for era in eras[:-1])]
            for era, begin, expression in zip(eras, begins, resolved, strict=True):
                end = str(era.end or 9999)
                terms += [FormulaTerm(code, sex, begin, end, slot) for slot in sql.slots_of(expression)]
    compiled_rules: list[CompiledRule] = []
    for rule in catalogue.rules:
        if rule.engine == "sql" and rule.expression is not None:
            compiled_rules += _compile_rule(catalogue, eras, rule, sql, len(compiled_rules) + 1)
    return Compiled(tuple(slots), tuple(compiled_formulas), tuple(compiled_rules), tuple(terms))


@dataclass(frozen=True)
class Era:
    """Years in which every formula stays as it is: up to, not including, ``end``; None for the last era."""

    end: int | None
    catalogue: Catalogue
    formulas: Mapping[str, Expression]


def split_eras(catalogue: Catalogue) -> list[Era]:
    """The eras of ``catalogue``, the newest last: one, unless a formula has changed. Raises CatalogueError."""
    changes = {
        newer.valid_from
        for versions in catalogue.versions.values()
        for older, newer in pairwise(versions)
        if older.formula != newer.formula
    }
    then = [(end, catalogue.as_of(end - 1)) for end in sorted(changes)]
    return [Era(end, found, parse_formulas(found)) for end, found in [*then, (None, catalogue)]]


def _by_era(eras: Sequence[Era], texts: Sequence[str]) -> str:
    """The one SQL expression of all ``eras``, or a choice by the row's ``time_period``."""
    ways: list[tuple[int | None, str]] = []
    for era, text in zip(eras, texts, strict=True):
        if ways and ways[-1][1] == text:
            ways.pop()
        ways.append((era.end, text))
    choices = "".join(f" when time_period < '{end}' then {text}" for end, text in ways[:-1])
    return f"case{choices} else {ways[-1][1]} end" if choices else ways[-1][1]


def _rule_sexes(rule: Rule, card: Card, check: Check) -> tuple[Sex, ...]:
    """Sexes that a rule is asked for: those of its card, unless the check says which cell of the card it is about."""
    own = [
        reference
        for side in check.sides
        for reference in references(side)
        if _is_target(reference, card.indicator_code)
    ]
    if not own:
        raise CatalogueError(
            f"rule {rule.rule_id}: its expression does not ask about {card.indicator_code} of this period"
        )
    return (own[0].sex,) if own[0].sex else card.sexes


def _is_target(reference: Reference, code: str) -> bool:
    return reference.indicator_code == code and reference.period_offset == 0 and reference.origin == "reported"


def _compile_rule(
    catalogue: Catalogue, eras: Sequence[Era], rule: Rule, sql: ExpressionSql, first_no: int
) -> Iterator[CompiledRule]:
    owner = f"rule {rule.rule_id}"
    card = catalogue.by_code.get(rule.indicator_code or "")
    if card is None:
        raise CatalogueError(f"{owner}: a rule with an expression names its indicator_code, one of the catalogue")
    check = parse_check(rule.expression or "", owner)
    for number, sex in enumerate(_rule_sexes(rule, card, check), first_no):
        settled = [
            replace(
                check, sides=tuple(resolve(era.catalogue, era.formulas, side, sex, 0, owner) for side in check.sides)
            )
            for era in eras
        ]
        if any(reference.period_offset > 0 for one in settled for side in one.sides for reference in references(side)):
            raise CatalogueError(f"{owner}: it reads a later year, and is asked when the return comes")
        target = sql.slot(Reference(card.indicator_code, sex, 0))
        told = [
            found_and_expected(sql, one, rule.expression or "", _asked_decimals(era.catalogue, one))
            for era, one in zip(eras, settled, strict=True)
        ]
        found, expected = (_by_era(eras, texts) for texts in zip(*told, strict=True))
        slots = sql.slots_of(*(side for one in settled for side in one.sides))
        asked = _by_era(eras, [check_sql(sql, one) for one in settled])
        yield CompiledRule(rule.rule_id, sex, target, asked, found, expected, number, slots)


def _asked_decimals(catalogue: Catalogue, check: Check) -> int | None:
    """Decimals of what ``check`` asks about: of the cards that are added up in it; None of a ratio, which has no card."""
    asked = check.sides[1 if len(check.comparisons) > 1 else 0]
    if not is_sum(asked):
        return None
    return max(catalogue.by_code[reference.indicator_code].decimals for reference in references(asked))
