"""Land the returns of hromadas from the drop and read their cells into raw.

Подання громад. A file is stored once under its content hash; a file that cannot be read becomes a finding and stops no
other. Municipalities are recognised by the codifier, so `ingest_katottg` must have run once. Back-fill: trigger with
`source` (another folder) or `force` (read again what was read). When it fails: docs/runbooks/source-failed.md.
"""

from airflow.sdk import CronTriggerTimetable, Param, dag

from asms_airflow import policy, tasks


@dag(
    schedule=CronTriggerTimetable("*/15 * * * *", timezone=policy.KYIV),
    **policy.every_dag(),
    tags=policy.tags("ingest", "submissions"),
    doc_md=__doc__,
    params={
        "source": Param(
            None,
            type=["null", "string"],
            title="Drop",
            description="Folder or URL to land returns from, in place of the configured drop (ASMS_DROP).",
        ),
        "force": policy.force_param("Read again returns that this version of their form has read."),
    },
)
def ingest_submissions() -> None:
    landed = tasks.land_drop()
    tasks.store_catalogue() >> landed
    tasks.read_deliveries(landed)


ingest_submissions()
