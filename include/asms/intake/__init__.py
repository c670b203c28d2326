"""Intake: returns that people send as workbooks, from the drop folder to ``raw.submission_cell``.

What belongs: landing bytes, the ledger of arrivals, form definitions, safe reading of workbooks, our own template.
What does not: typing values (dbt staging), rules on values (``quality.rule``), which code means which hromada
(``asms.geography``, whose ``resolve`` is passed in), open data (``asms.sources``).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asms.intake.deliveries import ReadResult, read_deliveries
    from asms.intake.landing import DropError, LandResult, land_drop

__all__ = ["DropError", "LandResult", "ReadResult", "land_drop", "read_deliveries"]

_DELIVERIES = ("ReadResult", "read_deliveries")


def __getattr__(name: str) -> object:
    """Import what is asked for: a process that only reads files needs neither the database's client nor the store's."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("asms.intake.deliveries" if name in _DELIVERIES else "asms.intake.landing"), name)
