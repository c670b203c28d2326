"""What registers know already: which figure of which register answers a question, as ``data/registers.csv`` says.

A figure is taken as it is (``population``, ``health_declarations``, ``transfers``) or added up from the budget's lines of
December (``open_budget``): of a code stand those that begin as it does without its closing zeros.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from asms.catalogue.cards import Card, Catalogue

MEASURES = {
    "population": ("present_population",),
    "open_budget": ("actual", "plan"),
    "health_declarations": ("declarations", "declarations_female", "declarations_male"),
    "transfers": ("PUPILS",),
}
"""What can be read of each register: ``int_register__value`` knows how."""
_SOURCES = {"declarations": "health_declarations", "state_register": "transfers"}
"""Which register is meant by ``prefilled:…`` of a card, where it bears another name."""
_CODE = re.compile(r"(КДБ|КЕКВ|ТПКВКМБ) ([0-9]{8}|[0-9]{4})")
_CLASSIFIERS = {"КДБ": ("INCOMES", "NONE"), "КЕКВ": ("EXPENSES", "ECONOMIC"), "ТПКВКМБ": ("EXPENSES", "PROGRAM")}


class RegisterLine(BaseModel):
    """One line of the file. ``codes`` as in a card's ``classification``; ``factor`` turns the register's unit into the card's."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    indicator_code: str
    sex: Literal["T", "F", "M"]
    register_code: Annotated[str, Field(alias="register")]
    measure: str
    codes: str | None
    fund_type: Literal["C", "S", "T"] | None
    factor: Annotated[float, Field(gt=0)]
    tolerance: Annotated[float, Field(ge=0, lt=1)] | None


@dataclass(frozen=True)
class RegisterSource:
    """One row of ``catalogue.register_source``."""

    indicator_code: str
    sex: str
    register: str
    measure: str
    budget_item: str
    classification_type: str
    code_prefix: str
    fund_type: str
    factor: float
    tolerance: float | None


def register_sources(catalogue: "Catalogue") -> Iterator[RegisterSource]:
    """The rows to store: one per code that no other code of the line includes."""
    for line in catalogue.registers:
        named = _CODE.findall(line.codes or "")
        found = [(*_CLASSIFIERS[kind], code_prefix(kind, code)) for kind, code in named] or [("", "", "")]
        for item, classifier, prefix in dict.fromkeys(found):
            if any(prefix != other and prefix.startswith(other) for _, _, other in found):
                continue
            yield RegisterSource(
                line.indicator_code, line.sex, line.register_code, line.measure, item, classifier, prefix,
                line.fund_type or "", line.factor, line.tolerance,
            )  # fmt: skip


def code_prefix(kind: str, code: str) -> str:
    """What all codes below ``code`` begin with: КДБ has levels of 1, 2 and then two digits each, the others of one digit."""
    if kind != "КДБ":
        return code.rstrip("0")
    while code.endswith("00"):
        code = code[:-2]
    return code[0] if len(code) == len("10") and code.endswith("0") else code


def register_problems(catalogue: "Catalogue") -> Iterator[str]:
    """What does not fit in ``registers.csv``, each a sentence that names the line."""
    seen: set[tuple[str, str]] = set()
    for line in catalogue.registers:
        name = f"registers.csv, {line.indicator_code} {line.sex}"
        if (line.indicator_code, line.sex) in seen:
            yield f"{name}: it is there twice"
        seen.add((line.indicator_code, line.sex))
        card = catalogue.by_code.get(line.indicator_code)
        if card is None:
            yield f"{name}: the indicator is not in the catalogue"
            continue
        yield from (f"{name}: {problem}" for problem in _line_problems(line, card))


def _line_problems(line: RegisterLine, card: "Card") -> Iterator[str]:
    source = card.source.removeprefix("prefilled:")
    if not card.is_prefilled or _SOURCES.get(source, source) != line.register_code:
        yield f"register is {line.register_code!r}, but the card's source is {card.source!r}"
    if line.measure not in MEASURES.get(line.register_code, ()):
        yield f"register {line.register_code!r} has no measure {line.measure!r}; known are {MEASURES}"
    if line.sex not in card.sexes:
        yield "the card is not split by sex"
    if card.conf_status != "free":
        yield "only a free indicator is taken from an open register"
    if line.register_code != "open_budget":
        if line.codes or line.fund_type:
            yield "codes and fund_type belong to open_budget alone"
        return
    codes = [code.strip() for code in (line.codes or "").split(";")]
    if not all(_CODE.fullmatch(code) for code in codes) or len({code.split()[0] for code in codes}) != 1:
        yield f"codes {line.codes!r}: write codes of one classifier, like «КДБ 11010000; КДБ 11020000»"
    if not line.fund_type:
        yield "fund_type is missing: C, S or T"
    if abs(line.factor * 10**card.unit_mult - 1) > 1e-9 or "грн" not in card.unit_measure:  # noqa: PLR2004
        yield f"factor {line.factor:g} does not turn hryvnias into {card.unit_measure!r}"
