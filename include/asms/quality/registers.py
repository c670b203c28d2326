"""The rule against registers: an answer that differs from what an open register knows is to be explained.

Asked after the observations are accepted, which say of each answer whether it confirms or disputes the register's figure.
"""

import logging

from asms.quality.rule_sql import AS_TEXT, CREATE_FOUND, CREATE_VERDICTS
from asms.quality.rules import open_findings
from asms.warehouse.connection import Warehouse

logger = logging.getLogger(__name__)

_JUDGED = """
create temporary table judged_by_register as
select answer.*
from indicators.int_observation__accepted as answer
inner join indicators.int_register__value as register
    on
        answer.collection_code = register.collection_code
        and answer.municipality_code = register.municipality_code
        and answer.time_period = register.time_period
        and answer.indicator_code = register.indicator_code
        and answer.sex = register.sex
where
    register.is_compared
    and answer.obs_source in ('confirmed', 'disputed')
    and ({is_full} or (answer.municipality_code, answer.time_period) in (select municipality_code, time_period from ops.changed_key))
"""

# The register's figure is told as the template shows it, to the decimals that the indicator has.
_FIND = f"""
insert into found_now
select
    'REGISTER_DIFFERS', judged.load_id, judged.submission_id, judged.collection_code, judged.municipality_code,
    judged.time_period, judged.indicator_code, judged.sex, submission.file_name, judged.sheet, judged.cell,
    {AS_TEXT.format("judged.obs_value")},
    {AS_TEXT.format("floor(judged.register_value * power(10, indicator.decimals) + 0.5) / power(10, indicator.decimals)")}
from judged_by_register as judged
inner join catalogue.indicator as indicator on judged.indicator_code = indicator.indicator_code
left join raw.submission as submission on judged.submission_id = submission.submission_id
where judged.obs_source = 'disputed'
"""  # noqa: S608 - all parts are constants

_COUNT = """
insert into verdict_now
select 'REGISTER_DIFFERS', case obs_source when 'disputed' then 'fail' else 'pass' end as verdict, count(*)
from judged_by_register
group by obs_source
"""

_WAS_ASKED = (
    "(finding.municipality_code, finding.time_period) in (select municipality_code, time_period from ops.changed_key)"
)


def register_statements(*, is_full: bool) -> tuple[str, ...]:
    """The statements in their order. Like those of ``rule_sql`` they are also run on one workbook, so they keep to what both can."""
    return (_JUDGED.format(is_full=is_full), _FIND, _COUNT)


def apply_register_rule(warehouse: Warehouse, build_id: int, is_full: bool) -> dict[str, int]:
    """Bring the findings against registers up to the observations of this build; role ``gate``, one transaction.

    Asks of the keys that the build redoes, or of all when ``is_full``. Running it twice changes nothing.

    Returns how often each verdict was given.
    """
    with warehouse.connect("gate") as connection:
        for statement in (CREATE_FOUND, CREATE_VERDICTS, *register_statements(is_full=is_full)):
            connection.execute(statement.encode())
        asked = "true" if is_full else _WAS_ASKED
        opened, closed = open_findings(
            connection, build_id, asked, level_is="= 'register'", is_sample=warehouse.is_sample
        )
        counted = connection.execute("select verdict, target_count from verdict_now").fetchall()
    logger.info("build %d: against registers %d findings opened or renewed, %d closed", build_id, opened, closed)
    return dict(counted)
