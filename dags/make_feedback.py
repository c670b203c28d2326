"""Answer senders: a report on each return whose findings changed, and a mail to its coordinator that it is ready.

Звіти про перевірку подань: книга з позначеними клітинками, сторінка і JSON у теці ASMS_HOME/feedback. Runs after the rules have
been asked of the returns, also when a gate stopped that build, and at 06:00 in Kyiv for what staff decided meanwhile. Nothing
depends on it: a failure here hurts no release, and what could not be made is tried again. When it fails: the log names the
returns; docs/runbooks/gate-closed.md tells what staff can do about findings.
"""

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag

from asms_airflow import policy, tasks
from asms_airflow.assets import FINDINGS


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 6 * * *", timezone=policy.KYIV),
        assets=FINDINGS,
    ),
    **policy.every_dag(),
    tags=policy.tags("feedback", "submissions"),
    doc_md=__doc__,
)
def make_feedback() -> None:
    made = tasks.make_feedback()
    made >> tasks.mail_feedback()
    tasks.report_feedback(made)


make_feedback()
