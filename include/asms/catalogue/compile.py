"""Every formula and every rule of a catalogue, compiled to SQL expressions over one array of inputs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from asms.catalogue.cards import Card, Catalogue, CatalogueError, Rule, Sex
from asms.catalogue.expression_sql import ExpressionSql, Input, check_sql, found_and_expected, status_sql, value_sql
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


@lru_cache(maxsize=2)
def compile_catalogue(catalogue: Catalogue) -> Compiled:
    """Compile all formulas and all rules that have an expression. Raises CatalogueError (see ``check_catalogue``).

    Checking and storing ask for the same compiled catalogue, so the last ones are kept.
    """
    slots: dict[Input, int] = {}
    formulas = parse_formulas(catalogue)
    sql = ExpressionSql(slots)
    compiled_formulas = []
    for order, code in enumerate(formulas, 1):
        for sex in catalogue.by_code[code].sexes:
            expression = resolve_formula(catalogue, formulas, code, sex)
            value, status = value_sql(sql, expression), status_sql(sql, expression)
            compiled_formulas.append(CompiledFormula(code, sex, value, status, order))
    compiled_rules: list[CompiledRule] = []
    for rule in catalogue.rules:
        if rule.engine == "sql" and rule.expression is not None:
            compiled_rules += _compile_rule(catalogue, formulas, rule, sql, len(compiled_rules) + 1)
    return Compiled(tuple(slots), tuple(compiled_formulas), tuple(compiled_rules))


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
    catalogue: Catalogue, formulas: Mapping[str, Expression], rule: Rule, sql: ExpressionSql, first_no: int
) -> Iterator[CompiledRule]:
    owner = f"rule {rule.rule_id}"
    card = catalogue.by_code.get(rule.indicator_code or "")
    if card is None:
        raise CatalogueError(f"{owner}: a rule with an expression names its indicator_code, one of the catalogue")
    check = parse_check(rule.expression or "", owner)
    for number, sex in enumerate(_rule_sexes(rule, card, check), first_no):
        sides = tuple(resolve(catalogue, formulas, side, sex, 0, owner) for side in check.sides)
        settled = Check(sides, check.comparisons, check.tolerance, check.choices)
        target = sql.slot(Reference(card.indicator_code, sex, 0))
        found, expected = found_and_expected(sql, settled, rule.expression or "")
        slots = sql.slots_of(*settled.sides)
        yield CompiledRule(rule.rule_id, sex, target, check_sql(sql, settled), found, expected, number, slots)
