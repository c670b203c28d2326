"""A gate: run the suites of one border, write how each expectation stood, and say whether the load may pass."""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg

from asms.quality.expectations import CheckResult, run_suites
from asms.quality.suites import AskedBuild, Gate, Suite, load_suites
from asms.warehouse.connection import Warehouse

logger = logging.getLogger(__name__)

_UPSERT_RULE = """
insert into quality.rule (
    rule_id, engine, level, severity, title_uk, title_en, remedy_uk, remedy_en, owner, expression, is_active
)
values (
    %(rule_id)s, 'gx', 'table', %(severity)s, %(title_uk)s, %(title_en)s, %(remedy_uk)s, %(remedy_en)s, %(owner)s,
    %(expression)s, true
)
on conflict (rule_id) do update set
    severity = excluded.severity, title_uk = excluded.title_uk, title_en = excluded.title_en,
    remedy_uk = excluded.remedy_uk, remedy_en = excluded.remedy_en, owner = excluded.owner,
    expression = excluded.expression, is_active = true
where rule.engine = 'gx'
"""

_INSERT_RESULT = """
insert into quality.gate_result (
    build_id, gate, engine, dataset, check_id, severity, success, unexpected_count, element_count, observed_value,
    failing_rows_sql, message_uk, message_en, owner, is_scoped
)
values (
    %(build_id)s, %(gate)s, 'gx', %(dataset)s, %(rule_id)s, %(severity)s, %(success)s, %(unexpected_count)s,
    %(element_count)s, %(observed_value)s, %(failing_rows_sql)s, %(message_uk)s, %(message_en)s, %(owner)s,
    %(is_scoped)s
)
"""

_FAILED = """
select severity, count(*) from quality.gate_result where build_id = %s and gate = %s and not success group by severity
"""

# A rule's severity is its consequence for a return; at a border a critical failure stops the load, as a fatal rule does.
_RULE_SEVERITY = {"critical": "fatal", "warning": "warning", "info": "info"}


@dataclass(frozen=True)
class GateResult:
    """How one gate stood for one build. Counts are of failed checks, Great Expectations' and dbt's together."""

    gate: Gate
    build_id: int
    passed: bool
    """False when anything critical failed."""
    critical: int
    warnings: int
    infos: int
    checked: int
    """Expectations asked by this call."""


def run_gate(warehouse: Warehouse, gate: Gate, build_id: int) -> GateResult:
    """Run the suites of ``gate`` and replace the build's rows in ``quality.gate_result``; role ``gate``, one transaction.

    The verdict counts failed dbt tests of the same build and gate too. An expectation that cannot be evaluated is a failed
    critical one. A closed gate is told in the result, not raised: stopping is the caller's.
    """
    suites = load_suites()
    with warehouse.connect("gate") as connection:
        row = connection.execute("select is_full from ops.build where build_id = %s", (build_id,)).fetchone()
    build = AskedBuild(int(build_id), is_full=row is None or bool(row[0]))
    results = run_suites(warehouse, [suite for suite in suites if suite.gate == gate], build)
    with warehouse.connect("gate") as connection:
        _store_rules(connection, suites)
        connection.execute(
            "delete from quality.gate_result where build_id = %s and gate = %s and engine = 'gx'", (build_id, gate)
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                _INSERT_RESULT, [{**result.__dict__, "build_id": build_id, "gate": gate} for result in results]
            )
        failed: Counter[str] = Counter(dict(connection.execute(_FAILED, (build_id, gate)).fetchall()))
    _log(gate, results)
    return GateResult(
        gate=gate,
        build_id=build_id,
        passed=failed["critical"] == 0,
        critical=failed["critical"],
        warnings=failed["warning"],
        infos=failed["info"],
        checked=len(results),
    )


def _store_rules(connection: psycopg.Connection, suites: Iterable[Suite]) -> None:
    """Write the suites' rules into ``quality.rule``, the only home of rule ids; those that are gone become inactive."""
    rules = [_rule(suite, index) for suite in suites for index in range(len(suite.expectations))]
    with connection.cursor() as cursor:
        cursor.executemany(_UPSERT_RULE, rules)
    connection.execute(
        "update quality.rule set is_active = false where engine = 'gx' and is_active and rule_id != all(%s)",
        ([rule["rule_id"] for rule in rules],),
    )


def _rule(suite: Suite, index: int) -> dict[str, Any]:
    check = suite.expectations[index]
    return {
        "rule_id": check.rule_id,
        "severity": _RULE_SEVERITY[check.severity],
        "title_uk": check.message_uk,
        "title_en": check.message_en,
        "remedy_uk": check.remedy_uk or suite.remedy_uk,
        "remedy_en": check.remedy_en or suite.remedy_en,
        "owner": suite.owner,
        "expression": f"{suite.dataset}: {check.type}",
    }


def _log(gate: Gate, results: Iterable[CheckResult]) -> None:
    for result in results:
        if not result.success:
            logger.warning("gate %s: %s failed (%s): %s", gate, result.rule_id, result.severity, result.message_en)
