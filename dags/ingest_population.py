"""Load the present population of hromadas on 1 January 2022 into raw.

Чисельність наявного населення (Держстат). The figures are of one date and change only when the service corrects them.
When it fails: docs/runbooks/source-failed.md.
"""

from airflow.sdk import dag

from asms_airflow import policy, tasks


@dag(
    schedule=policy.schedule("population", "0 21 1 * *"),
    **policy.every_dag(),
    tags=policy.tags("ingest", "open_data"),
    doc_md=__doc__,
    params={"force": policy.force_param("Book the file as a new arrival although nothing changed.")},
)
def ingest_population() -> None:
    tasks.ingest("population")


ingest_population()
