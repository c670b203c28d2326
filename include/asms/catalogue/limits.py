"""What single cells are held against: limits from the cards, and from ``data/limits.yaml`` where a card does not say."""

import importlib.resources
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from asms.catalogue.cards import Card, Sex


@dataclass(frozen=True)
class CellLimit:
    """One line of ``catalogue.cell_limit``; None is asked by no rule. It is asked of ``period_from`` up to, not including,
    ``period_to``; the first version of a card reaches back and the last one forward.
    """

    indicator_code: str
    sex: Sex
    period_from: str
    period_to: str
    is_whole: bool
    low: float | None
    high: float | None
    year_share: float | None
    year_floor: float | None
    slip_factors: list[float] | None
    slip_share: float | None


def cell_limits(versions: Mapping[str, Sequence[Card]]) -> Iterator[CellLimit]:
    """The limits of every cell that a return is asked for, by all versions of its card (the newest last)."""
    data = yaml.safe_load(
        importlib.resources.files("asms.catalogue").joinpath("data/limits.yaml").read_text(encoding="utf-8")
    )
    cells = ((cards, card, sex) for cards in versions.values() for card in cards for sex in card.sexes)
    for cards, card, sex in cells:
        if not card.is_derived:
            # women and men change with the total: what is told of it need not be told three times
            is_compared = sex == "T" and card.aggregation == "sum"
            year = _year_limit(data["year"], card.unit_measure) if is_compared else {}
            slip = data["slip"] if is_compared else {}
            is_energy = card.unit_measure in slip.get("energy_units", ())
            factors = slip.get("energy_factors" if is_energy else "factors")
            yield CellLimit(
                indicator_code=card.indicator_code,
                sex=sex,
                period_from="" if card is cards[0] else str(card.valid_from),
                period_to="9999" if card is cards[-1] else str((card.valid_to or card.valid_from) + 1),
                is_whole=card.decimals == 0 and card.indicator_type in ("stock", "flow", "attribute"),
                low=card.min_value,
                high=card.max_value,
                year_share=year.get("share"),
                year_floor=year.get("floor"),
                slip_factors=factors and [float(factor) for factor in factors],
                slip_share=slip.get("share"),
            )


def _year_limit(lines: list[dict[str, Any]], unit: str) -> dict[str, Any]:
    return next(line for line in lines if unit in line.get("units", (unit,)))
