"""Load transactions and reports of the Treasury into raw.

Трансакції та звіти розпорядників (spending.gov.ua) для платників зі списку. Goes on from the last day answered; back-fill: trigger
with `period`. When it fails: docs/runbooks/source-failed.md.
"""

from airflow.sdk import dag

from asms_airflow import policy, tasks


@dag(
    schedule=policy.schedule("treasury", "30 22 * * *"),
    **policy.every_dag(),
    tags=policy.tags("ingest", "open_data"),
    doc_md=__doc__,
    params={
        "period": policy.years_param(),
        "force": policy.force_param("Accept an answer that has lost a day it had before: that day is retracted."),
    },
)
def ingest_treasury() -> None:
    tasks.ingest("treasury")


ingest_treasury()
