"""Suites through Great Expectations: SQL runs in the database, only counts and a few examples come back.

Great Expectations is imported inside the functions: its import costs seconds of CPU. Version 1.24 sends no usage statistics
(it has no code for it any more); the switch is turned off all the same, on the context, so that no environment is needed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from asms.quality.suites import AskedBuild, Check, CheckSeverity, Suite
from asms.warehouse.connection import Warehouse, says_connection_lost

_LONGEST = 2000
"""Characters kept of an observed value or of an error's text."""
_EXAMPLES = 3
"""Failing rows or values kept as examples; the query of a check shows them all."""


@dataclass(frozen=True)
class CheckResult:
    """How one expectation stood: a row of ``quality.gate_result`` without build and gate."""

    dataset: str
    rule_id: str
    severity: CheckSeverity
    is_scoped: bool
    success: bool
    unexpected_count: int | None
    element_count: int | None
    observed_value: str | None
    failing_rows_sql: str | None
    message_uk: str
    message_en: str
    owner: str


def run_suites(warehouse: Warehouse, suites: Sequence[Suite], build: AskedBuild) -> list[CheckResult]:
    """Ask the expectations of ``suites``, all of one gate, as role ``gate``; results in the order of the files.

    The schema is asked first: where a column or the table is missing, the other expectations of that table are not asked, for
    Great Expectations would answer each with an error of its own. An error of any kind is a failed critical result with the
    error's text, never a pass.

    Raises:
        psycopg.OperationalError: the connection was lost, which says nothing about the data; the same again may succeed.
    """
    if not suites:
        return []
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from sqlalchemy import make_url

    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    # one gate looks at one schema, and naming it on the asset is deprecated in favour of the connection
    url = make_url(warehouse.sqlalchemy_url("gate")).update_query_dict(
        {"options": f"-csearch_path={suites[0].schema_name}"}
    )
    source = context.data_sources.add_postgres(
        "warehouse", connection_string=url.render_as_string(hide_password=False), create_temp_table=False
    )
    try:
        return [result for suite in suites for result in _run_suite(source, suite, build)]
    finally:
        source.get_engine().dispose()


def _run_suite(source: Any, suite: Suite, build: AskedBuild) -> list[CheckResult]:
    from great_expectations.datasource.fluent.interfaces import TestConnectionError

    schema_check, *others = suite.expectations
    try:
        asset = source.add_table_asset(suite.table, table_name=suite.table)
    except TestConnectionError as error:
        return [_broken(suite, schema_check, build, f"the table cannot be read: {error}")]
    batch = asset.add_batch_definition_whole_table("all")
    results = _validate(batch, suite, [schema_check], build)
    if results[0].success:
        results += _validate(batch, suite, others, build)
    return results


def _validate(batch: Any, suite: Suite, checks: Sequence[Check], build: AskedBuild) -> list[CheckResult]:
    """Ask ``checks`` in one validation, which shares metrics between them."""
    from great_expectations.core.expectation_suite import ExpectationSuite
    from great_expectations.validator.v1_validator import Validator

    from asms.quality.asked_once import EXPECTATIONS

    if not checks:
        return []
    by_rule = {check.rule_id: check for check in checks}
    asked = ExpectationSuite(
        name=suite.dataset,
        expectations=[
            {
                "type": EXPECTATIONS.get(check.type, check.type),
                "kwargs": check.arguments(build),
                "severity": check.severity,
                "meta": {"rule_id": check.rule_id},
            }
            for check in checks
        ],
    )
    wanted = {"result_format": "COMPLETE", "return_unexpected_index_query": True}
    answers: Any = Validator(batch, result_format=wanted).validate_expectation_suite(asked).results
    found: dict[str, CheckResult] = {}
    for answer in answers:  # in an order of their own
        check = by_rule[answer.expectation_config.meta["rule_id"]]
        error = _error_text(answer.exception_info)
        found[check.rule_id] = _broken(suite, check, build, error) if error else _answered(suite, check, build, answer)
    return [found.get(rule) or _broken(suite, by_rule[rule], build, "no answer came") for rule in by_rule]


def _answered(suite: Suite, check: Check, build: AskedBuild, answer: Any) -> CheckResult:
    told = answer.result
    query = check.query(suite.dataset, build)
    return CheckResult(
        dataset=suite.dataset,
        rule_id=check.rule_id,
        severity=check.severity,
        is_scoped=check.is_scoped,
        success=bool(answer.success),
        unexpected_count=told.get("observed_value") if query else told.get("unexpected_count"),
        element_count=told.get("element_count"),
        observed_value=None if answer.success else _observed(told),
        failing_rows_sql=None if answer.success else query or told.get("unexpected_index_query"),
        message_uk=check.message_uk,
        message_en=check.message_en,
        owner=suite.owner,
    )


def _broken(suite: Suite, check: Check, build: AskedBuild, error: str) -> CheckResult:
    if says_connection_lost(error):
        raise psycopg.OperationalError(f"{check.rule_id}: {error}")
    error = " ".join(error.split())[:_LONGEST]
    return CheckResult(
        dataset=suite.dataset,
        rule_id=check.rule_id,
        severity="critical",
        is_scoped=check.is_scoped,
        success=False,
        unexpected_count=None,
        element_count=None,
        observed_value=None,
        failing_rows_sql=check.query(suite.dataset, build),
        message_uk=f"{check.message_uk} Перевірку не вдалося виконати: {error}",
        message_en=f"{check.message_en} The check could not be made: {error}",
        owner=suite.owner,
    )


def _observed(told: Mapping[str, Any]) -> str | None:
    """What was seen, in a line: missing columns, the first failing rows or values, or the figure itself."""
    details = told.get("details") or {}
    seen = (
        (details.get("mismatched") or {}).get("missing")
        or (details.get("unexpected_rows") or [])[:_EXAMPLES]
        or (told.get("partial_unexpected_list") or [])[:_EXAMPLES]
        or told.get("observed_value")
    )
    return None if seen is None else json.dumps(seen, ensure_ascii=False, default=str)[:_LONGEST]


def _error_text(info: Mapping[str, Any]) -> str:
    """The first error among those of an expectation's metrics; empty when there was none."""
    for entry in [info, *(value for value in info.values() if isinstance(value, Mapping))]:
        if entry.get("raised_exception"):
            return str(entry.get("exception_message") or "unknown error")
    return ""
