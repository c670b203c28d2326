"""Load the education subvention and the horizontal equalisation per budget into raw.

Освітня субвенція (МОН) і горизонтальне вирівнювання (Мінфін). The ministries publish a workbook a year at an address of its own:
ASMS_TRANSFERS_URL names them, parted by blanks. When it fails: docs/runbooks/source-failed.md.
"""

from airflow.sdk import dag

from asms_airflow import policy, tasks


@dag(
    schedule=policy.schedule("transfers", "30 21 1 * *"),
    **policy.every_dag(),
    tags=policy.tags("ingest", "open_data"),
    doc_md=__doc__,
    params={"force": policy.force_param("Book the workbooks as new arrivals although nothing changed.")},
)
def ingest_transfers() -> None:
    tasks.ingest("transfers")


ingest_transfers()
