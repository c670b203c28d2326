"""The assets that join the DAGs, named once. An asset here is a set of raw tables that a source keeps filled."""

from airflow.sdk import Asset

SUBMISSIONS = Asset(name="submissions", uri="asms://raw/submissions")
KATOTTG = Asset(name="katottg", uri="asms://raw/katottg")
POPULATION = Asset(name="population", uri="asms://raw/population")
OPEN_BUDGET = Asset(name="open_budget", uri="asms://raw/open_budget")

# Any of them may start a build. A list would mean all of them, and a source of once a year would hold up the night.
ANY_SOURCE = SUBMISSIONS | KATOTTG | POPULATION | OPEN_BUDGET

# What the rules found in the returns. Filled before any gate but raw's: a build that a gate stops has answers for senders too.
FINDINGS = Asset(name="findings", uri="asms://quality/finding")
