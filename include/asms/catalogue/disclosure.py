"""Disclosure control: which cells are hidden when they are small, and which equations could give them away.

It follows from the cards of the class ``suppress_small`` and ``data/disclosure.yaml``. What is hidden is decided in the warehouse
(the models ``int_disclosure__…``), which has the figures.
"""

import importlib.resources
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asms.catalogue.cards import SEXES, Card, Catalogue, CatalogueError, Sex

Tier = Literal["T", "S"]


@dataclass(frozen=True)
class DisclosureCell:
    """One line of ``catalogue.disclosure_cell``: a cell of a card that is reported.

    Cells of a group that are in one equation are hidden together: ``tier`` T is the total, S all that it is made of.
    """

    group_code: str
    indicator_code: str
    sex: Sex
    tier: Tier
    least_count: int
    largest_share: float | None
    least_contributors: int | None


@dataclass(frozen=True)
class DisclosureTerm:
    """One line of ``catalogue.disclosure_term``: the terms of one equation add up to zero, each with its sign."""

    group_code: str
    equation_code: str
    indicator_code: str
    sex: Sex
    sign: Literal[1, -1]


class _Exception(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    least_count: Annotated[int, Field(ge=2)] | None = None
    largest_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    least_contributors: Annotated[int, Field(ge=2)] | None = None


class _Settings(BaseModel):
    """The file ``disclosure.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    least_count: Annotated[int, Field(ge=2)]
    indicators: dict[str, _Exception]
    parts: dict[str, tuple[str, ...]]


def disclosure_cells(catalogue: Catalogue) -> Iterator[DisclosureCell]:
    """The cells that may have to be hidden, in the order of the cards. Raises CatalogueError for a file that does not fit."""
    settings = _read_settings()
    for card in _small(catalogue):
        group = _group_of(card.indicator_code, catalogue)
        own = settings.indicators.get(card.indicator_code, _Exception())
        for sex in card.sexes:
            is_total = sex == "T" and card.indicator_code == group
            yield DisclosureCell(
                group, card.indicator_code, sex, "T" if is_total else "S", own.least_count or settings.least_count,
                own.largest_share if is_total else None, own.least_contributors if is_total else None,
            )  # fmt: skip


def disclosure_terms(catalogue: Catalogue) -> Iterator[DisclosureTerm]:
    """The equations: women and men are the total, and parts are what they are parts of. Raises as ``disclosure_cells`` does."""
    for card in _small(catalogue):
        group = _group_of(card.indicator_code, catalogue)
        if card.is_sex_split:
            for sex in SEXES:
                yield DisclosureTerm(group, card.indicator_code, card.indicator_code, sex, 1 if sex == "T" else -1)
        parts = [part for part in _read_settings().parts.get(card.indicator_code, ()) if part in catalogue.by_code]
        for sex in card.sexes if parts else ():
            for code in (card.indicator_code, *parts):
                yield DisclosureTerm(group, f"{group} {sex}", code, sex, 1 if code == group else -1)


def disclosure_problems(catalogue: Catalogue) -> Iterator[str]:
    """What is wrong with the cards of ``catalogue`` that ``disclosure.yaml`` names, or that are of the class that it is about."""
    settings, named = _read_settings(), named_codes()
    for card in catalogue.indicators:
        if card.indicator_code in named and (card.conf_status != "suppress_small" or card.is_derived):
            yield f"disclosure.yaml: {card.indicator_code} is not a reported card of the class suppress_small"
        if card.conf_status == "suppress_small" and card.aggregation.startswith("weighted"):
            yield f"card {card.indicator_code}: a mean tells of the figures that it is made of, so it cannot be suppress_small"
    for code, parts in settings.parts.items():
        split = {catalogue.by_code[each].is_sex_split for each in (code, *parts) if each in catalogue.by_code}
        if len(split) > 1:
            yield f"disclosure.yaml: parts of {code}: all of them are split by sex, or none"


def named_codes() -> set[str]:
    """The codes that ``disclosure.yaml`` names."""
    settings = _read_settings()
    return {*settings.indicators, *settings.parts, *(part for parts in settings.parts.values() for part in parts)}


def _small(catalogue: Catalogue) -> Iterator[Card]:
    return (card for card in catalogue.indicators if card.conf_status == "suppress_small" and not card.is_derived)


def _group_of(code: str, catalogue: Catalogue) -> str:
    """The total that ``code`` is a part of, or itself."""
    totals = (total for total, parts in _read_settings().parts.items() if code in parts and total in catalogue.by_code)
    return next(totals, code)


@lru_cache(maxsize=1)
def _read_settings() -> _Settings:
    file = importlib.resources.files("asms.catalogue").joinpath("data/disclosure.yaml")
    try:
        return _Settings.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise CatalogueError(f"disclosure.yaml: {error}") from error
