"""What the catalogue consists of: collections and their deadlines, domains, cards of indicators, rules."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from asms.catalogue.registers import RegisterLine

Sex = Literal["T", "F", "M"]
Severity = Literal["fatal", "error", "warning", "info"]
Confidentiality = Literal["free", "suppress_small", "restricted"]
Text = Annotated[str, Field(min_length=1)]

SEXES: tuple[Sex, ...] = ("T", "F", "M")
_UNIT_MULTIPLIERS = {"тис.": 3, "млн": 6, "млрд": 9}


class CatalogueError(ValueError):
    """The catalogue's files cannot be used; the message names the file, the line or card, and what is wrong."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Collection(_Entry):
    """A questionnaire with codes of its own."""

    collection_code: Text
    name_uk: Text
    name_en: Text
    counts_for_completeness: bool


class Deadline(_Entry):
    """The last day, in Kyiv, on which a return of ``time_period`` (2024, 2024-Q1, 2024-03) is on time."""

    collection_code: Text
    time_period: Annotated[str, Field(pattern=r"^[0-9]{4}(-Q[1-4]|-(0[1-9]|1[0-2]))?$")]
    due_date: date


class Domain(_Entry):
    """A chapter of a collection, with the numbers of indicators that its plan asks for; None where there is no plan."""

    domain_code: Text
    collection_code: Text
    name_uk: Text
    name_en: Text
    sort_order: int
    submitted_count: int | None = None
    split_count: int | None = None
    derived_count: int | None = None


class Card(_Entry):
    """One indicator, reported or derived.

    ``denominator`` is the code that a ratio is divided by, ``direction`` which way is better, ``classification`` the codes of
    official classifiers that it stands for («КДБ 11010000; ISO 37120 5.1»), ``min_value`` and ``max_value`` the bounds that no
    true value leaves, in ``unit_measure``. ``valid_from`` and ``valid_to`` are years, both included.
    """

    domain_code: Text
    collection_code: Text
    indicator_code: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]*(\.[A-Z]?[0-9]+)?$")]
    version: Annotated[int, Field(ge=1)]
    name_uk: Text
    name_en: Text
    definition_uk: Text
    unit_measure: Text
    decimals: Annotated[int, Field(ge=0, le=9)]
    indicator_type: Literal["stock", "flow", "ratio", "mean", "attribute"]
    periodicity: Literal["A", "Q", "M"]
    is_sex_split: bool
    aggregation: Annotated[str, Field(pattern=r"^(sum|recompute|distinct|none|weighted:\S+)$")]
    denominator: Text | None
    direction: Literal["up", "down", "none"]
    source: Annotated[str, Field(pattern=r"^(submitted|derived|prefilled:[a-z_]+)$")]
    classification: Text | None
    min_value: float | None
    max_value: float | None
    formula: Text | None
    checks: Text | None
    conf_status: Confidentiality
    valid_from: int
    valid_to: int | None

    @property
    def is_derived(self) -> bool:
        return self.formula is not None

    @property
    def is_prefilled(self) -> bool:
        """Whether a register can fill it in: the part of ``source`` after ``prefilled:`` says which."""
        return self.source.startswith("prefilled:")

    @property
    def unit_mult(self) -> int:
        """Power of ten in the unit: 3 for «тис. грн»."""
        return _UNIT_MULTIPLIERS.get(self.unit_measure.split(maxsplit=1)[0], 0)

    @property
    def sexes(self) -> tuple[Sex, ...]:
        """Cells that the card asks for, or is computed for."""
        return SEXES if self.is_sex_split else ("T",)


class Rule(_Entry):
    """One line of ``quality.rule``. ``indicator_code`` says which card a rule with an expression is asked about.

    ``valid_from`` and ``valid_to`` are years, both included; None for no bound.
    """

    rule_id: Text
    engine: Literal["reader", "sql", "gx", "dbt"]
    level: Literal["file", "cell", "record", "fields", "periods", "source", "register", "peers", "table"]
    severity: Severity
    title_uk: Text
    title_en: Text
    remedy_uk: Text
    remedy_en: Text
    owner: Text
    expression: Text | None = None
    indicator_code: Text | None = None
    valid_from: int | None = None
    valid_to: int | None = None

    def is_asked(self, year: int) -> bool:
        return (self.valid_from is None or self.valid_from <= year) and (self.valid_to is None or year <= self.valid_to)


@dataclass(frozen=True)
class Catalogue:
    """Everything that the files say, in their order. ``rules`` holds those of the files and those that follow from cards.

    ``indicators`` has one card per code, its newest version; ``superseded`` the versions before, each of the years before the
    next one begins. What makes a code one series (unit, type, sex split …) is the same in all of them: see ``check_catalogue``.
    """

    collections: tuple[Collection, ...]
    domains: tuple[Domain, ...]
    indicators: tuple[Card, ...]
    rules: tuple[Rule, ...]
    deadlines: tuple[Deadline, ...] = ()
    superseded: tuple[Card, ...] = ()
    registers: tuple[RegisterLine, ...] = ()

    @cached_property
    def by_code(self) -> Mapping[str, Card]:
        return {card.indicator_code: card for card in self.indicators}

    @cached_property
    def versions(self) -> Mapping[str, tuple[Card, ...]]:
        """All versions of every code, the newest last."""
        found: dict[str, tuple[Card, ...]] = {card.indicator_code: () for card in self.indicators}
        for card in (*sorted(self.superseded, key=lambda card: card.version), *self.indicators):
            found[card.indicator_code] = (*found.get(card.indicator_code, ()), card)
        return found

    def as_of(self, year: int) -> "Catalogue":
        """The catalogue with the card of each code that governs ``year``: of a year before the first version, that one."""
        if not self.superseded:
            return self
        cards = (
            next((card for card in reversed(versions) if card.valid_from <= year), versions[0])
            for versions in self.versions.values()
        )
        return replace(self, indicators=tuple(cards), superseded=())

    @cached_property
    def catalogue_version(self) -> str:
        """Hash of collections, domains and cards, 12 hexadecimal digits; rules and deadlines have their own."""
        parts = [self.collections, self.domains, self.indicators, *([self.superseded] if self.superseded else [])]
        return content_hash([[entry.model_dump() for entry in part] for part in parts])

    @cached_property
    def deadline_version(self) -> str:
        """Hash of the deadlines, 12 hexadecimal digits: a moved one leaves the templates of the catalogue as they are."""
        return content_hash([entry.model_dump(mode="json") for entry in self.deadlines])


def content_hash(content: object) -> str:
    """Hash anything that JSON can hold; the same content gives the same 12 hexadecimal digits everywhere."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
