"""Load the lists of budget codes (КДБ, ТПКВКМБ, КЕКВ, КФКВ) into raw.

Переліки кодів бюджетної класифікації з теки файлів. A list changes with an order of the Ministry of Finance, a few times a year.
When it fails: docs/runbooks/source-failed.md.
"""

from airflow.sdk import dag

from asms_airflow import policy, tasks


@dag(
    schedule=policy.schedule("budget_classification", "30 20 * * 0"),
    **policy.every_dag(),
    tags=policy.tags("ingest", "open_data"),
    doc_md=__doc__,
    params={"force": policy.force_param("Book every file as a new arrival although nothing changed.")},
)
def ingest_budget_classification() -> None:
    tasks.ingest("budget_classification")


ingest_budget_classification()
