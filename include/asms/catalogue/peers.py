"""Rules against peers: which figures are held against those of similar bodies, and how far they may be from them.

They follow from cards and ``data/peers.yaml``: every ratio with a denominator and every reported mean is compared, unless it is
restricted. The figures are compared in the warehouse (``asms.quality.peers``), which has the other bodies.
"""

import importlib.resources
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asms.catalogue.cards import Card, Catalogue, CatalogueError, Rule, Sex, Text
from asms.catalogue.grammar import Reference, references
from asms.catalogue.resolve import parse_formulas, resolve_formula

_PREFIX = "PEER."


@dataclass(frozen=True)
class PeerLimit:
    """One line of ``catalogue.peer_limit``."""

    rule_id: str
    indicator_code: str
    target_code: str
    target_sex: Sex
    peer_group_kind: str
    least_count: int
    least_spread: float
    z_limit: float


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    units: tuple[str, ...] = ()
    z: Annotated[float, Field(gt=0)]


class _Settings(BaseModel):
    """The file ``peers.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: Literal["size", "type", "oblast", "country"]
    least_count: Annotated[int, Field(ge=3)]
    least_spread: Annotated[float, Field(ge=0)]
    severity: Literal["info", "warning"]
    z: tuple[_Line, ...]
    not_asked: tuple[str, ...]
    title_uk: Text
    title_en: Text
    remedy_uk: Text
    remedy_en: Text

    def z_of(self, unit: str) -> float:
        """The limit of figures in ``unit``: of the first line that names it, or that names none."""
        return next(line.z for line in self.z if unit in line.units or not line.units)


def peer_rules(versions: Mapping[str, Sequence[Card]]) -> Iterator[Rule]:
    """The rules of all cards, in their order, asked since the first version of each.

    Raises CatalogueError for a ``peers.yaml`` that does not fit.
    """
    settings = _read_settings()
    for first, card in ((cards[0], cards[-1]) for cards in versions.values()):
        if not _is_comparable(card) or card.indicator_code in settings.not_asked:
            continue
        named = {"code": card.indicator_code, "name_uk": card.name_uk, "name_en": card.name_en}
        inputs = card.formula or card.indicator_code
        yield Rule(
            rule_id=f"{_PREFIX}{card.indicator_code}",
            engine="sql",
            level="peers",
            severity=settings.severity,
            title_uk=settings.title_uk.format(**named),
            title_en=settings.title_en.format(**named),
            remedy_uk=settings.remedy_uk.format(inputs=inputs),
            remedy_en=settings.remedy_en.format(inputs=inputs),
            owner=card.domain_code,
            indicator_code=card.indicator_code,
            valid_from=first.valid_from,
            valid_to=card.valid_to,
        )


def peer_limits(catalogue: Catalogue) -> Iterator[PeerLimit]:
    """The limits of the rules of ``catalogue`` that compare with peers. Raises CatalogueError (see ``check_catalogue``)."""
    formulas = parse_formulas(catalogue)
    settings = _read_settings()
    for rule in catalogue.rules:
        if rule.level != "peers":
            continue
        card = catalogue.by_code.get(rule.indicator_code or "")
        if card is None:
            raise CatalogueError(f"rule {rule.rule_id}: a rule against peers names its indicator_code")
        target = Reference(card.indicator_code, "T", 0)
        if card.is_derived:
            # what is counted stands before what it is divided by
            inputs = references(resolve_formula(catalogue, formulas, card.indicator_code, "T"))
            target = next((reference for reference in inputs if reference.period_offset == 0), target)
        yield PeerLimit(
            rule.rule_id, card.indicator_code, target.indicator_code, target.sex or "T", settings.group,
            settings.least_count, settings.least_spread, settings.z_of(card.unit_measure),
        )  # fmt: skip


def _read_settings() -> _Settings:
    file = importlib.resources.files("asms.catalogue").joinpath("data/peers.yaml")
    try:
        settings = _Settings.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise CatalogueError(f"peers.yaml: {error}") from error
    if not settings.z or settings.z[-1].units:
        raise CatalogueError("peers.yaml: z: the last line is for all other units, so it names none")
    return settings


def _is_comparable(card: Card) -> bool:
    """A median of secret figures would tell of them, so restricted ones are not compared."""
    is_ratio = card.indicator_type == "ratio" and card.denominator is not None
    return (is_ratio or card.indicator_type == "mean") and card.conf_status != "restricted"
