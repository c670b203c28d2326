"""Load monthly budget execution from the Open Budget API into raw.

Виконання місцевих бюджетів за місяцями (openbudget.gov.ua). Back-fill: trigger with `period`. An answer equal to the one
before loads nothing. When it fails: docs/runbooks/source-failed.md.
"""

from airflow.sdk import Param, dag

from asms_airflow import policy, tasks


@dag(
    schedule=policy.schedule("open_budget", "0 23 * * *"),
    start_date=policy.START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=policy.default_args(),
    tags=policy.tags("ingest", "open_data"),
    doc_md=__doc__,
    params={
        "period": Param(
            None,
            type=["null", "string"],
            pattern=r"^\d{4}([,-]\d{4})*$",
            title="Years",
            description="Years to ask for: 2023, 2021,2023 or 2021-2023. Empty: the years that can still change.",
        ),
        "force": policy.force_param(
            "Book every answer as a new arrival although nothing changed, and accept an answer that has lost months it had "
            "before: those months then disappear. Changed answers are taken without it."
        ),
    },
)
def ingest_open_budget() -> None:
    tasks.ingest("open_budget")


ingest_open_budget()
