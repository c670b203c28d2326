"""Formulas and checks compiled to SQL expressions over ``v[n]`` (values) and ``s[n]`` (statuses of the same inputs).

Both arrays are counted from 1, as PostgreSQL counts. Strict operators and ``nullif`` make a missing input or a zero
denominator NULL; the guard on every input keeps a number that no return may hold from overflowing, which would be an error.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from math import log10
from typing import assert_never

from asms.catalogue.cards import Card, Catalogue, CatalogueError, Rule, Sex
from asms.catalogue.grammar import (
    Call,
    Check,
    Expression,
    Negation,
    Number,
    Operation,
    Origin,
    Reference,
    parse_check,
    parse_formula,
    references,
)

STATUS_PRECEDENCE = ("C", "M_Q", "M_NR", "M_NC", "M_NA")
"""Reasons that a missing input gives its derived value, the strongest first. ``M_ND`` comes after all of them: it promises
that the value will come, so it may be said only when nothing else is lacking."""

LARGEST, SMALLEST = 1e15, 1e-15
"""Sizes that an input may have, unless it is zero; the rule CELL_OUT_OF_RANGE says the same."""

_EQUAL_DIGITS = 1e-9  # shares of the size that two doubles may differ by and still be the same number to a person


@dataclass(frozen=True, order=True)
class Input:
    """One place of the arrays."""

    origin: Origin
    indicator_code: str
    sex: Sex
    period_offset: int


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


@dataclass(frozen=True)
class Compiled:
    """``inputs[0]`` stands in slot 1."""

    inputs: tuple[Input, ...]
    formulas: tuple[CompiledFormula, ...]
    rules: tuple[CompiledRule, ...]


def compile_catalogue(catalogue: Catalogue) -> Compiled:
    """Compile all formulas and all rules that have an expression. Raises CatalogueError (see ``check_catalogue``)."""
    slots: dict[Input, int] = {}
    formulas = parse_formulas(catalogue)
    compiled_formulas = tuple(
        _compile_formula(code, sex, order, resolve_formula(catalogue, formulas, code, sex), slots)
        for order, code in enumerate(formulas, 1)
        for sex in catalogue.by_code[code].sexes
    )
    compiled_rules = tuple(
        compiled
        for rule in catalogue.rules
        if rule.expression is not None
        for compiled in _compile_rule(catalogue, formulas, rule, slots)
    )
    return Compiled(tuple(slots), compiled_formulas, compiled_rules)


def parse_formulas(catalogue: Catalogue) -> dict[str, Expression]:
    """Formulas of the derived cards by code, each after those that it refers to.

    Raises:
        CatalogueError: a formula cannot be read, or formulas go round in a circle (names the circle).
    """
    formulas = {
        card.indicator_code: parse_formula(card.formula, f"card {card.indicator_code}")
        for card in catalogue.indicators
        if card.formula is not None
    }
    graph = {
        code: sorted({reference.indicator_code for reference in references(formula)} & formulas.keys())
        for code, formula in formulas.items()
    }
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise CatalogueError(f"formulas go round in a circle: {circle}") from error
    return {code: formulas[code] for code in order}


def resolve_formula(
    catalogue: Catalogue, formulas: Mapping[str, Expression], code: str, sex: Sex, offset: int = 0
) -> Expression:
    """The formula of ``code`` with every sex and period settled and derived references put in full."""
    return resolve(catalogue, formulas, formulas[code], sex, offset, f"card {code}")


def resolve(
    catalogue: Catalogue,
    formulas: Mapping[str, Expression],
    expression: Expression,
    sex: Sex,
    offset: int,
    owner: str,
) -> Expression:
    """``expression`` as computed for ``sex`` in the period ``offset`` years away, down to reported inputs."""

    def settle(reference: Reference) -> Expression:
        card = catalogue.by_code.get(reference.indicator_code)
        if card is None:
            raise CatalogueError(f"{owner}: indicator {reference.indicator_code} is not in the catalogue")
        if reference.sex in ("F", "M") and not card.is_sex_split:
            raise CatalogueError(
                f"{owner}: {card.indicator_code} is not asked by sex, so [{reference.sex}] has no value"
            )
        of_sex: Sex = reference.sex or (sex if card.is_sex_split else "T")
        shifted = reference.period_offset + offset
        if card.indicator_code in formulas and reference.origin == "reported":
            return resolve_formula(catalogue, formulas, card.indicator_code, of_sex, shifted)
        return Reference(card.indicator_code, of_sex, shifted, reference.origin)

    return _replace(expression, settle)


def _replace(expression: Expression, change: Callable[[Reference], Expression]) -> Expression:
    match expression:
        case Reference():
            return change(expression)
        case Negation(operand):
            return Negation(_replace(operand, change))
        case Operation(operator, left, right):
            return Operation(operator, _replace(left, change), _replace(right, change))
        case Call(function, arguments):
            return Call(function, tuple(_replace(argument, change) for argument in arguments))
        case Number():
            return expression
    assert_never(expression)


def exponents(expression: Expression) -> tuple[float, float]:
    """Bounds of the decimal exponent of a non-zero result, given the sizes that inputs may have."""
    match expression:
        case Number(value):
            exponent = log10(abs(value)) if value else 0.0
            return exponent, exponent
        case Reference():
            return log10(SMALLEST), log10(LARGEST)
        case Negation(operand):
            return exponents(operand)
        case Call(_, arguments):
            return _sum_exponents([exponents(argument) for argument in arguments])
        case Operation(operator, left, right):
            return _operation_exponents(operator, exponents(left), exponents(right))
    assert_never(expression)


def _operation_exponents(operator: str, left: tuple[float, float], right: tuple[float, float]) -> tuple[float, float]:
    if operator == "*":
        return left[0] + right[0], left[1] + right[1]
    if operator == "/":
        return left[0] - right[1], left[1] - right[0]
    return _sum_exponents([left, right])


def _sum_exponents(bounds: list[tuple[float, float]]) -> tuple[float, float]:
    # two numbers that nearly cancel leave no less than one unit in the 16th digit of the smaller
    return min(low for low, _ in bounds) - 16, max(high for _, high in bounds) + len(bounds)


class _Sql:
    """SQL of expressions, with the slots that they take; a new input takes the next one."""

    def __init__(self, slots: dict[Input, int]) -> None:
        self._slots = slots

    def slot(self, reference: Reference) -> int:
        assert reference.sex is not None  # noqa: S101  # settled by resolve()
        key = Input(reference.origin, reference.indicator_code, reference.sex, reference.period_offset)
        return self._slots.setdefault(key, len(self._slots) + 1)

    def value(self, expression: Expression) -> str:
        match expression:
            case Number(value):
                return f"{_literal(value)}::float8"
            case Reference():
                return f"v[{self.slot(expression)}]"
            case Negation(operand):
                return f"(- {self.value(operand)})"
            case Operation("/", left, right) if any(True for _ in references(right)):
                return f"({self.value(left)} / nullif({self.value(right)}, 0))"
            case Operation(operator, left, right):
                return f"({self.value(left)} {operator} {self.value(right)})"
            case Call(function, arguments):
                total = " + ".join(self.value(argument) for argument in arguments)
                return f"(({total}) / {len(arguments)})" if function == "avg" else f"({total})"
        assert_never(expression)

    def guarded(self, sql: str, *expressions: Expression) -> str:
        """``sql``, or NULL when an input of ``expressions`` is missing or of a size that no return may have."""
        slots = self.slots_of(*expressions)
        if not slots:
            return sql
        tests = " and ".join(f"(v[{n}] = 0 or abs(v[{n}]) between {SMALLEST:g} and {LARGEST:g})" for n in slots)
        return f"case when {tests} then {sql} end"

    def slots_of(self, *expressions: Expression) -> list[int]:
        """Slots in the order of their first use."""
        return list(dict.fromkeys(self.slot(r) for expression in expressions for r in references(expression)))


def _compile_formula(
    code: str, sex: Sex, order: int, expression: Expression, slots: dict[Input, int]
) -> CompiledFormula:
    sql = _Sql(slots)
    value = sql.guarded(sql.value(expression), expression)
    used = sql.slots_of(expression)
    branches = [f"when ({value}) is not null then 'A'"]
    branches += [
        f"when ({sql.guarded(sql.value(denominator), denominator)}) = 0 then 'M_Z'"
        for denominator in dict.fromkeys(_denominators(expression))
    ]
    statuses = ", ".join(f"s[{n}]" for n in used)
    branches += [f"when '{status}' in ({statuses}) then '{status}'" for status in (*STATUS_PRECEDENCE, "M_ND")]
    any_missing = " or ".join(f"v[{n}] is null" for n in used)
    branches.append(f"when {any_missing} then 'M_NR'")
    # every input is there and no denominator is zero: the guard refused one for its size
    return CompiledFormula(code, sex, value, f"case {' '.join(branches)} else 'M_Q' end", order)


def _denominators(expression: Expression) -> Iterator[Expression]:
    match expression:
        case Operation(operator, left, right):
            yield from _denominators(left)
            yield from _denominators(right)
            if operator == "/" and any(True for _ in references(right)):
                yield right
        case Negation(operand):
            yield from _denominators(operand)
        case Call(_, arguments):
            for argument in arguments:
                yield from _denominators(argument)


def rule_sexes(rule: Rule, card: Card, check: Check) -> tuple[Sex, ...]:
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
    catalogue: Catalogue, formulas: Mapping[str, Expression], rule: Rule, slots: dict[Input, int]
) -> Iterator[CompiledRule]:
    owner = f"rule {rule.rule_id}"
    card = catalogue.by_code.get(rule.indicator_code or "")
    if card is None:
        raise CatalogueError(f"{owner}: a rule with an expression names its indicator_code, one of the catalogue")
    check = parse_check(rule.expression or "", owner)
    for sex in rule_sexes(rule, card, check):
        sides = tuple(resolve(catalogue, formulas, side, sex, 0, owner) for side in check.sides)
        settled = Check(sides, check.comparisons, check.tolerance, check.choices)
        sql = _Sql(slots)
        target = sql.slot(Reference(card.indicator_code, sex, 0))
        found, expected = _found_and_expected(sql, settled, rule.expression or "")
        yield CompiledRule(rule.rule_id, sex, target, sql.guarded(_test(sql, settled), *sides), found, expected)


def _test(sql: _Sql, check: Check) -> str:
    values = [sql.value(side) for side in check.sides]
    if check.choices:
        return f"{values[0]} in ({', '.join(_literal(choice) for choice in check.choices)})"
    parts = []
    for left, comparison, right in zip(values[:-1], check.comparisons, values[1:], strict=True):
        room = f"{_EQUAL_DIGITS:g} * greatest(abs({left}), abs({right}))"
        if check.tolerance:
            size = f"{_literal(check.tolerance.size)}"
            room += f" + {size} * abs({right})" if check.tolerance.is_relative else f" + {size}"
        parts.append(
            {
                "=": f"abs({left} - {right}) <= {room}",
                "<=": f"{left} <= {right} + {room}",
                ">=": f"{left} >= {right} - {room}",
                "<": f"{left} < {right} - {room}",
                ">": f"{left} > {right} + {room}",
            }[comparison]
        )
    return " and ".join(parts)


def _found_and_expected(sql: _Sql, check: Check, expression: str) -> tuple[str, str]:
    """Texts for a message: the side asked about (the middle one of a band), and what it is held against."""
    values = [sql.value(side) for side in check.sides]
    is_band = len(check.comparisons) > 1
    asked = check.sides[1 if is_band else 0]
    found = _as_text(sql, values[1 if is_band else 0], asked)
    if not isinstance(asked, Reference):
        found = f"{found} || {_quoted(f' ({_asked_text(expression, is_band)})')}"
    if check.choices:
        return found, _quoted(", ".join(_literal(choice) for choice in check.choices))
    if is_band:
        low, high = (_as_text(sql, values[i], check.sides[i]) for i in (0, 2))
        return found, f"{low} || ' … ' || {high}"
    right, limit = values[1], check.sides[1]
    if check.tolerance:
        size = f"{_literal(check.tolerance.size)}" + (f" * abs({right})" if check.tolerance.is_relative else "")
        low, high = (_as_text(sql, f"({right} {sign} {size})", limit) for sign in "-+")
        return found, f"{low} || ' … ' || {high}"
    mark = {"<=": "≤ ", ">=": "≥ ", "=": "= "}.get(check.comparisons[0], f"{check.comparisons[0]} ")
    return found, f"{_quoted(mark)} || {_as_text(sql, right, limit)}"


def _asked_text(expression: str, is_band: bool) -> str:
    return re.split(r"<=|>=|≤|≥|=|<|>|\bin\b", expression)[1 if is_band else 0].strip()


def _as_text(sql: _Sql, value: str, side: Expression) -> str:
    guarded = value if value.startswith("v[") else f"({sql.guarded(value, side)})"
    return f"trim_scale(round({guarded}::numeric, 6))::text"


def _literal(value: float) -> str:
    """The shortest text that PostgreSQL reads back as the same double."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
