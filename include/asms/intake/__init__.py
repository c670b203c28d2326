"""Intake: returns that people send as workbooks, from the drop folder to ``raw.submission_cell``.

What belongs: landing bytes, the ledger of arrivals, form definitions, safe reading of workbooks, our own template.
What does not: typing values (dbt staging), rules on values (``quality.rule``), which code means which hromada
(``asms.geography``, whose ``resolve`` is passed in), open data (``asms.sources``).
"""

from asms.intake.deliveries import ReadResult, read_deliveries
from asms.intake.landing import DropError, LandResult, land_drop

__all__ = ["DropError", "LandResult", "ReadResult", "land_drop", "read_deliveries"]
