"""Faults that people make in returns, as data (``data/faults.yaml``), and how each is made in ours."""

from importlib.resources import files
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class CellFault(_Entry):
    """Another value in one cell: given, or the right one ``times`` or ``plus`` a number."""

    code: str
    sex: str = "T"
    value: Any = None
    times: float | None = None
    plus: float | None = None


class RecodeFault(_Entry):
    """The code of a row, written ``as_`` something else."""

    code: str
    as_: str = Field(alias="as")


class AddFault(_Entry):
    """A row too many, on the sheet of ``domain``."""

    code: str
    domain: str
    value: float


class RepeatFault(_Entry):
    """A row twice, with another value."""

    code: str
    value: float


class Identity(_Entry):
    """How the return names its body."""

    code: str
    name: str


class Fault(_Entry):
    """All that is wrong with one return."""

    hromada: str
    year: int
    note: str
    cells: tuple[CellFault, ...] = ()
    recode: tuple[RecodeFault, ...] = ()
    add: tuple[AddFault, ...] = ()
    repeat: tuple[RepeatFault, ...] = ()
    identity: Identity | None = None
    copy_as: str | None = None
    keep_bytes: int | None = None


def read_faults() -> dict[tuple[str, int], Fault]:
    """The faults by (municipality code, year)."""
    text = files("asms.sample").joinpath("data/faults.yaml").read_text(encoding="utf-8")
    return {(fault.hromada, fault.year): fault for fault in map(Fault.model_validate, yaml.safe_load(text))}
