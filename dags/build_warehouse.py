"""Build the marts from raw, layer by layer through the gates, publish them and tell staff.

Збирання вітрин: сирі дані → staging → показники → вітрини → публікація. A closed gate stops the build there and the last
release keeps serving (docs/runbooks/gate-closed.md). Any source that brought something new starts a build, and so does
02:00 in Kyiv; a build with nothing to do publishes nothing. `force` redoes every key. With `ASMS_APPROVAL=required` a person
approves before publishing.
"""

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag

from asms_airflow import policy, tasks
from asms_airflow.assets import ANY_SOURCE


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 2 * * *", timezone=policy.KYIV),
        assets=ANY_SOURCE,
    ),
    **policy.every_dag(),
    tags=policy.tags("build"),
    doc_md=__doc__,
    params={"force": policy.force_param("Redo every key although nothing changed.")},
)
def build_warehouse() -> None:
    started = tasks.start_build()
    tasks.store_catalogue() >> tasks.store_corrections() >> tasks.store_embargoes() >> started
    build = tasks.go_on_if_needed(started)
    build = tasks.check_gate.override(task_id="gate_raw")("raw", build)
    build = tasks.build_layer.override(task_id="build_staging")("staging", build)
    build = tasks.apply_rules(build)
    build = tasks.check_gate.override(task_id="gate_staging")("staging", build)
    build = tasks.build_layer.override(task_id="build_indicators")("indicators", build)
    build = tasks.apply_register_rule(build)
    build = tasks.apply_peer_rules(build)
    build = tasks.check_gate.override(task_id="gate_indicators")("indicators", build)
    build = tasks.build_layer.override(task_id="build_marts")("marts", build)
    build = tasks.check_gate.override(task_id="gate_marts")("marts", build)
    # Two ends. The teardown runs however the build ended, and would hide a failure if it were the only one.
    tasks.publish_as_settled(build) >> tasks.notify(started).as_teardown(on_failure_fail_dagrun=True)


build_warehouse()
