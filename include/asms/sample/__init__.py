"""The shipped sample: real hromadas, invented answers, and the local server that speaks like the open-data services.

What belongs: facts with their sources (``data/hromadas.csv``), figures made from them by a seed, workbooks with the faults
that people make (``data/faults.yaml``), replaying recorded answers. What does not: anything that a run on real data needs,
except the replay server. Figures other than the cited facts are invented and say nothing about the places named.
"""

from pathlib import Path

from asms.sample.drop import make_sample

MEMBERS_FILE = Path(__file__).parent / "data" / "members.csv"
PAYERS_FILE = Path(__file__).parent / "data" / "payers.csv"
SPENDING_SINCE = "2023-12-01"
"""The sample's register of members and users, invented like its answers."""

__all__ = ["MEMBERS_FILE", "PAYERS_FILE", "SPENDING_SINCE", "make_sample"]
