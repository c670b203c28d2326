"""Make the annual return's template for every municipality, with last year's values beside.

Шаблони річного звіту для громад. Triggered by hand when a year opens: `year`, and `municipalities` for a few of them. The
files are in ASMS_HOME/templates/<year>; files that are right already are left alone, so a run that was killed is simply
started again (docs/runbooks/locked-or-killed.md). docs/cookbooks/make-templates.md tells what is in a template.
"""

from airflow.sdk import Param, dag

from asms_airflow import policy, tasks


@dag(
    schedule=None,
    **policy.every_dag(),
    tags=policy.tags("templates"),
    doc_md=__doc__,
    params={
        "year": Param(
            type="integer", minimum=2011, maximum=2035, title="Year", description="Year that the return is for."
        ),
        "municipalities": Param(
            None,
            type=["null", "string"],
            pattern=r"^UA\d{17}([, ]+UA\d{17})*$",
            title="Municipalities",
            description="КАТОТТГ codes parted by commas. Empty: all municipalities.",
        ),
    },
)
def make_templates() -> None:
    made = tasks.make_templates.expand(chunk=tasks.plan_templates())
    tasks.report_templates(made)


make_templates()
