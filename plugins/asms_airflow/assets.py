"""The assets that join the DAGs, named once. An asset here is a set of raw tables that a source keeps filled."""

from airflow.sdk import Asset, AssetAny

from asms.settings import OPEN_SOURCES

SOURCES = {name: Asset(name=name, uri=f"asms://raw/{name}") for name in ("submissions", "members", *OPEN_SOURCES)}

# Any of them may start a build. A list would mean all of them, and a source of once a year would hold up the night.
ANY_SOURCE = AssetAny(*SOURCES.values())

# What the rules found in the returns. Filled before any gate but raw's: a build that a gate stops has answers for senders too.
FINDINGS = Asset(name="findings", uri="asms://quality/finding")
