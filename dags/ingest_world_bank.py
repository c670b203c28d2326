"""Load indicators of the World Bank for Ukraine and its neighbours into raw.

Показники Світового банку для порівняння з сусідами. When it fails: docs/runbooks/source-failed.md.
"""

from airflow.sdk import dag

from asms_airflow import policy, tasks


@dag(
    schedule=policy.schedule("world_bank", "0 18 3 * *"),
    **policy.every_dag(),
    tags=policy.tags("ingest", "open_data"),
    doc_md=__doc__,
    params={"force": policy.force_param("Book every answer as a new arrival although nothing changed.")},
)
def ingest_world_bank() -> None:
    tasks.ingest("world_bank")


ingest_world_bank()
