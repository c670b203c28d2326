"""Load declarations with family doctors by hromada, by sex and age, into raw.

Декларації з лікарями первинної допомоги за статтю та віком (НСЗУ), з порталу відкритих даних. ASMS_HEALTH_DECLARATIONS_URL names the
dataset; a file that the portal says is unchanged is not downloaded. When it fails: docs/runbooks/source-failed.md.
"""

from airflow.sdk import dag

from asms_airflow import policy, tasks


@dag(
    schedule=policy.schedule("health_declarations", "0 22 5 * *"),
    **policy.every_dag(),
    tags=policy.tags("ingest", "open_data"),
    doc_md=__doc__,
    params={"force": policy.force_param("Download the file and book it as a new arrival although nothing changed.")},
)
def ingest_health_declarations() -> None:
    tasks.ingest("health_declarations")


ingest_health_declarations()
