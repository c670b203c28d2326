"""Load КАТОТТГ, the codifier of administrative units, into raw.

Комплект кодів адміністративно-територіальних одиниць і територій громад. Unchanged bytes load nothing and start no
build. When it fails: docs/runbooks/source-failed.md.
"""

from airflow.sdk import dag

from asms_airflow import policy, tasks


@dag(
    schedule=policy.schedule("katottg", "0 20 * * 0"),
    start_date=policy.START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=policy.default_args(),
    tags=policy.tags("ingest", "open_data"),
    doc_md=__doc__,
    params={"force": policy.force_param("Book the file as a new arrival although nothing changed.")},
)
def ingest_katottg() -> None:
    tasks.ingest("katottg")


ingest_katottg()
