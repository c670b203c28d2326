"""Load the war status of hromadas by date into raw: who can report for when.

Території бойових дій, окуповані та деокуповані, за датами, з порталу відкритих даних. ASMS_WAR_STATUS_URL names the dataset; a file
that the portal says is unchanged is not downloaded. When it fails: docs/runbooks/source-failed.md.
"""

from airflow.sdk import dag

from asms_airflow import policy, tasks


@dag(
    schedule=policy.schedule("war_status", "30 22 * * *"),
    **policy.every_dag(),
    tags=policy.tags("ingest", "open_data"),
    doc_md=__doc__,
    params={"force": policy.force_param("Download the file and book it as a new arrival although nothing changed.")},
)
def ingest_war_status() -> None:
    tasks.ingest("war_status")


ingest_war_status()
