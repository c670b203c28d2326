"""What a formula refers to, settled: order without circles, every sex and year named, derived references put in full."""

from collections.abc import Callable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import assert_never

from asms.catalogue.cards import Catalogue, CatalogueError, Sex
from asms.catalogue.grammar import Call, Expression, Negation, Number, Operation, Reference, parse_formula, references


def parse_formulas(catalogue: Catalogue) -> dict[str, Expression]:
    """Formulas of the derived cards by code, each after those that it refers to.

    Raises:
        CatalogueError: a formula cannot be read or is a mere number, or formulas go round in a circle (names the circle).
    """
    formulas = {
        card.indicator_code: parse_formula(card.formula, f"card {card.indicator_code}")
        for card in catalogue.indicators
        if card.formula is not None
    }
    for code, formula in formulas.items():
        if not any(True for _ in references(formula)):
            raise CatalogueError(f"card {code}: its formula names no indicator")
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
