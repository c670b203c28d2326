"""Load official exchange rates of the National Bank into raw.

Офіційні курси НБУ за днями, для порівняння сум за роки. Back-fill: trigger with `period`. When it fails:
docs/runbooks/source-failed.md.
"""

from airflow.sdk import dag

from asms_airflow import policy, tasks


@dag(
    schedule=policy.schedule("currency", "0 19 * * *"),
    **policy.every_dag(),
    tags=policy.tags("ingest", "open_data"),
    doc_md=__doc__,
    params={
        "period": policy.years_param(),
        "force": policy.force_param("Book every answer as a new arrival although nothing changed."),
    },
)
def ingest_currency() -> None:
    tasks.ingest("currency")


ingest_currency()
