"""Load tenders and contracts of ProZorro into raw.

Закупівлі та договори за стрічкою змін ProZorro. Goes on from the last page read. When it fails: docs/runbooks/source-failed.md.
"""

from airflow.sdk import dag

from asms_airflow import policy, tasks


@dag(
    schedule=policy.schedule("prozorro", "0 22 * * *"),
    **policy.every_dag(),
    tags=policy.tags("ingest", "open_data"),
    doc_md=__doc__,
    params={"force": policy.force_param("Read the last page again, from the watermark before it.")},
)
def ingest_prozorro() -> None:
    tasks.ingest("prozorro")


ingest_prozorro()
