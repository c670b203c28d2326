"""Load the present population of oblasts, Kyiv and Sevastopol by year into raw.

Чисельність наявного населення регіонів за роками (Держстат, SDMX). When it fails: docs/runbooks/source-failed.md.
"""

from airflow.sdk import dag

from asms_airflow import policy, tasks


@dag(
    schedule=policy.schedule("population_sdmx", "30 21 2 * *"),
    **policy.every_dag(),
    tags=policy.tags("ingest", "open_data"),
    doc_md=__doc__,
    params={"force": policy.force_param("Book the answer as a new arrival although nothing changed.")},
)
def ingest_population_sdmx() -> None:
    tasks.ingest("population_sdmx")


ingest_population_sdmx()
