"""Load monthly budget execution from the Open Budget API into raw.

Виконання місцевих бюджетів за місяцями (openbudget.gov.ua). Back-fill: trigger with `period`. An answer equal to the one
before loads nothing. When it fails: docs/runbooks/source-failed.md.
"""

from airflow.sdk import dag

from asms_airflow import policy, tasks


@dag(
    schedule=policy.schedule("open_budget", "0 23 * * *"),
    **policy.every_dag(),
    tags=policy.tags("ingest", "open_data"),
    doc_md=__doc__,
    params={
        "period": policy.years_param(),
        "force": policy.force_param(
            "Book every answer as a new arrival although nothing changed, and accept an answer that has lost months it had "
            "before: those months then disappear. Changed answers are taken without it."
        ),
    },
)
def ingest_open_budget() -> None:
    tasks.ingest("open_budget")


ingest_open_budget()
