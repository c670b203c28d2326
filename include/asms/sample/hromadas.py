"""The hromadas of the sample: facts, each with its source, from ``data/hromadas.csv``."""

import csv
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Hromada:
    """One hromada (or Kyiv, Sevastopol). Population in persons on 1 January 2022, area in km²; None where not known."""

    municipality_code: str
    name_uk: str
    type_uk: str
    oblast_uk: str
    oblast_en: str
    raion_uk: str
    raion_en: str
    population_name_uk: str
    population_name_en: str
    population_2022: int | None
    area_km2: float | None
    settlement_count: int | None
    budget_code_old: str
    budget_code_new: str
    has_return: bool

    @property
    def title_uk(self) -> str:
        """How the hromada calls itself in a return."""
        return self.name_uk if self.type_uk == "місто" else f"{self.name_uk} {self.type_uk} територіальна громада"


def read_hromadas() -> list[Hromada]:
    """All hromadas of the sample, in the order of their codes, Crimea and Sevastopol included."""
    text = files("asms.sample").joinpath("data/hromadas.csv").read_text(encoding="utf-8")
    return [_from_row(row) for row in csv.DictReader(text.splitlines())]


def _from_row(row: dict[str, str]) -> Hromada:
    return Hromada(
        municipality_code=row["municipality_code"],
        name_uk=row["name_uk"],
        type_uk=row["type_uk"],
        oblast_uk=row["oblast_uk"],
        oblast_en=row["oblast_en"],
        raion_uk=row["raion_uk"],
        raion_en=row["raion_en"],
        population_name_uk=row["population_name_uk"],
        population_name_en=row["population_name_en"],
        population_2022=int(row["population_2022"]) if row["population_2022"] else None,
        area_km2=float(row["area_km2"]) if row["area_km2"] else None,
        settlement_count=int(row["settlement_count"]) if row["settlement_count"] else None,
        budget_code_old=row["budget_code_old"],
        budget_code_new=row["budget_code_new"],
        has_return=row["has_return"] == "true",
    )
