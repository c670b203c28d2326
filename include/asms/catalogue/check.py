"""Is the catalogue fit to be stored? Everything that a person who edited the files could have got wrong."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from math import log10
from typing import assert_never

from asms.catalogue.cards import Card, Catalogue, CatalogueError
from asms.catalogue.compile import Compiled, Era, compile_catalogue, split_eras
from asms.catalogue.disclosure import disclosure_problems
from asms.catalogue.expression_sql import LARGEST, SMALLEST
from asms.catalogue.grammar import Call, Expression, Negation, Number, Operation, Reference, parse_check, references
from asms.catalogue.registers import register_problems
from asms.catalogue.resolve import resolve_formula
from asms.catalogue.units import check_units, parse_unit

_SAME_IN_A_SERIES = (
    "domain_code", "collection_code", "unit_measure", "indicator_type", "aggregation", "is_derived", "is_sex_split",
    "conf_status",
)  # fmt: skip
"""What all versions of a card have in common: values of different years stand in one column and are compared."""
_STRICTNESS = {"free": 0, "suppress_small": 1, "restricted": 2}
REGISTER_CODE = "POP.001"
"""The one indicator that ``register()`` may ask for: the population register's figure stands in the input arrays."""
_WIDEST_EXPONENT = 290  # a double reaches 1e308; a wider formula could overflow, which PostgreSQL makes an error


def check_catalogue(catalogue: Catalogue) -> list[str]:
    """Problems of ``catalogue``, each one sentence naming the card, rule or file; empty when it can be stored."""
    return [*_problems(catalogue)]


@lru_cache(maxsize=2)
def _problems(catalogue: Catalogue) -> tuple[str, ...]:
    problems = [*_unknown_and_repeated(catalogue), *_version_problems(catalogue), *register_problems(catalogue)]
    problems += disclosure_problems(catalogue)
    for card in (*catalogue.superseded, *catalogue.indicators):
        problems += _card_problems(catalogue, card)
    try:
        if not problems:
            compiled = compile_catalogue(catalogue)
            problems += _register_problems(compiled)
            eras = split_eras(catalogue)
            problems += _shifted_problems(catalogue, eras)
            for era in eras:
                problems += [problem for problem in _formula_problems(era) if problem not in problems]
                problems += [problem for problem in _unit_problems(era) if problem not in problems]
    except CatalogueError as error:
        problems.append(str(error))
    return tuple(problems)


def _unknown_and_repeated(catalogue: Catalogue) -> Iterator[str]:
    names = {
        "collection": [collection.collection_code for collection in catalogue.collections],
        "domain": [domain.domain_code for domain in catalogue.domains],
        "indicator": [card.indicator_code for card in catalogue.indicators],
        "rule": [rule.rule_id for rule in catalogue.rules],
        "deadline": [f"{deadline.collection_code} {deadline.time_period}" for deadline in catalogue.deadlines],
    }
    for kind, codes in names.items():
        yield from (f"{kind} {code} is there {n} times" for code, n in Counter(codes).items() if n > 1)
    for domain in catalogue.domains:
        if domain.collection_code not in names["collection"]:
            yield f"domain {domain.domain_code}: collection {domain.collection_code} is not in collections.csv"
    for deadline in catalogue.deadlines:
        name = f"deadline {deadline.collection_code} {deadline.time_period}"
        if deadline.collection_code not in names["collection"]:
            yield f"{name}: collection {deadline.collection_code} is not in collections.csv"
        if deadline.time_period.isdecimal() and deadline.due_date.year <= int(deadline.time_period):
            yield f"{name}: due_date {deadline.due_date} is before the year is over"
    for rule in catalogue.rules:
        if rule.engine != "sql" and rule.indicator_code:
            yield f"rule {rule.rule_id}: only a rule of engine sql is asked about an indicator"
        if rule.level == "peers" and rule.severity not in ("warning", "info"):
            # it is asked after values were accepted, and being unlike others is no error
            yield f"rule {rule.rule_id}: a rule against peers is a warning or an info"


def _version_problems(catalogue: Catalogue) -> Iterator[str]:
    """A version begins the year after the one before it ended, and only a new code can be what the old one is not."""
    for code, versions in catalogue.versions.items():
        for older, newer in pairwise(versions):
            name = f"card {code}, version {newer.version}"
            if newer.version == older.version:
                yield f"{name}: it is there twice"
            elif older.valid_to is None or newer.valid_from != older.valid_to + 1:
                yield (
                    f"{name}: it begins in {newer.valid_from}, but version {older.version} "
                    f"{'has no last year' if older.valid_to is None else f'ends in {older.valid_to}'}; a version begins the "
                    "year after the one before it ended"
                )
            for field in _SAME_IN_A_SERIES:
                before, after = getattr(older, field), getattr(newer, field)
                if before != after:
                    yield (
                        f"{name}: {field} is {after!r}, but {before!r} in version {older.version}; what cannot stand in one "
                        "series gets a code of its own"
                    )


def _card_problems(catalogue: Catalogue, card: Card) -> Iterator[str]:
    name = f"card {card.indicator_code}"
    if (card.aggregation == "recompute") != card.is_derived:
        yield f"{name}: aggregation is 'recompute' exactly where there is a formula"
    weight = card.aggregation.partition(":")[2]
    if weight and weight not in catalogue.by_code:
        yield f"{name}: its weight {weight} is not in the catalogue"
    if card.valid_to is not None and card.valid_to < card.valid_from:
        yield f"{name}: valid_to {card.valid_to} is before valid_from {card.valid_from}"
    if card.is_derived != (card.source == "derived"):
        yield f"{name}: source is 'derived' exactly where there is a formula"
    if card.denominator and card.denominator not in catalogue.by_code:
        yield f"{name}: its denominator {card.denominator} is not in the catalogue"
    if card.min_value is not None and card.max_value is not None and card.min_value > card.max_value:
        yield f"{name}: min_value is above max_value"


def _shifted_problems(catalogue: Catalogue, eras: Sequence[Era]) -> Iterator[str]:
    """A derived code is put in full by the formula of the row's year, which is not that of another year when it has changed."""
    if len(eras) == 1:
        return
    changed = {
        code for code, versions in catalogue.versions.items() if len({version.formula for version in versions}) > 1
    }
    asked: list[tuple[str, Expression]] = []
    for era in eras:
        for code, formula in era.formulas.items():  # each after those that it refers to
            asked.append((f"card {code}", formula))
            if any(reference.indicator_code in changed for reference in references(formula)):
                changed.add(code)
    for rule in catalogue.rules:
        if rule.engine == "sql" and rule.expression:
            asked += [(f"rule {rule.rule_id}", side) for side in parse_check(rule.expression, rule.rule_id).sides]
    for name, expression in asked:
        for reference in references(expression):
            if reference.period_offset and reference.indicator_code in changed:
                yield (
                    f"{name}: it reads {reference.indicator_code} of another year, whose formula changes between versions; "
                    "write that formula out"
                )


def _formula_problems(era: Era) -> Iterator[str]:
    catalogue, formulas = era.catalogue, era.formulas
    for code in formulas:
        card = catalogue.by_code[code]
        for sex in card.sexes:
            expression = resolve_formula(catalogue, formulas, code, sex)
            if max(map(abs, _exponents(expression))) > _WIDEST_EXPONENT:
                yield f"card {code}: its formula could leave the range of numbers; divide it into smaller ones"
            for reference in references(expression):
                source = catalogue.by_code[reference.indicator_code]
                if _STRICTNESS[source.conf_status] > _STRICTNESS[card.conf_status]:
                    yield (
                        f"card {code}: it is {card.conf_status}, but {source.indicator_code} in its formula is "
                        f"{source.conf_status}; a figure is at least as secret as what it is made of"
                    )


def _register_problems(compiled: Compiled) -> Iterator[str]:
    for rule in compiled.rules:
        for place in (compiled.inputs[slot - 1] for slot in rule.slots):
            if place.origin == "register" and place.indicator_code != REGISTER_CODE:
                yield (
                    f"rule {rule.rule_id}: the warehouse has a register of {REGISTER_CODE} only, not of {place.indicator_code}"
                )


def _unit_problems(era: Era) -> Iterator[str]:
    units = {card.indicator_code: card.unit_measure for card in era.catalogue.indicators}
    for card in era.catalogue.indicators:
        try:
            parse_unit(card.unit_measure)
        except CatalogueError as error:
            yield f"card {card.indicator_code}: {error}"
    for code, formula in era.formulas.items():
        if problem := check_units(formula, units, units[code]):
            yield f"card {code}: {problem}"


def _exponents(expression: Expression) -> tuple[float, float]:
    """Bounds of the decimal exponent of a non-zero result, given the sizes that inputs may have."""
    match expression:
        case Number(value):
            exponent = log10(abs(value)) if value else 0.0
            return exponent, exponent
        case Reference():
            return log10(SMALLEST), log10(LARGEST)
        case Negation(operand):
            return _exponents(operand)
        case Call(_, arguments):
            return _sum_exponents([_exponents(argument) for argument in arguments])
        case Operation(operator, left, right):
            return _operation_exponents(operator, _exponents(left), _exponents(right))
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
