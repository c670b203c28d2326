"""Load the register of members of the association and users of АСМС into raw.

Реєстр органів: члени АМУ та користувачі АСМС. The file is named by ASMS_MEMBERS; without it the task is skipped and counts of
members and users stay empty. Bodies are recognised by the codifier, so `ingest_katottg` must have run once. A wrong line
becomes a finding and the others count. When it fails: docs/runbooks/source-failed.md.
"""

from airflow.sdk import CronTriggerTimetable, dag

from asms_airflow import policy, tasks


@dag(
    schedule=CronTriggerTimetable("30 23 * * *", timezone=policy.KYIV),
    **policy.every_dag(),
    tags=policy.tags("ingest", "submissions"),
    doc_md=__doc__,
    params={"force": policy.force_param("Book the file as a new arrival although nothing changed.")},
)
def ingest_members() -> None:
    tasks.ingest("members", by_codifier=True)


ingest_members()
