"""What a run has to tell: how the build ended, failed checks, lost sources, open findings. Reads only."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from asms.warehouse.connection import Warehouse

EXAMPLES = 10
"""Examples told of one rule."""


@dataclass(frozen=True)
class Run:
    """How the build ended. ``status`` is that of ``ops.build``, or 'not_started' when there was no build at all."""

    build_id: int | None
    status: str
    closed_gate: str | None
    airflow_run: str | None
    release_id: int | None
    """The release that readers see now."""
    published_at: datetime | None

    @property
    def has_failed(self) -> bool:
        """Whether the run published nothing although it should have. A superseded build has a later one to tell of it."""
        return self.status in ("gate_closed", "failed", "not_started")


@dataclass(frozen=True)
class FailedCheck:
    """One failed expectation or dbt test; critical or warning."""

    gate: str
    engine: str
    dataset: str
    check_id: str
    severity: str
    message_uk: str
    message_en: str
    remedy_uk: str | None
    remedy_en: str | None
    unexpected_count: int | None
    observed_value: str | None
    failing_rows_sql: str | None


@dataclass(frozen=True)
class LostSource:
    """A source of open data that could not be loaded."""

    source: str
    message: str | None
    last_ok_at: datetime | None


@dataclass(frozen=True)
class Example:
    """One finding: where it is and what stands there. Where ``is_withheld``, values of a restricted indicator are left out."""

    file_name: str | None
    sheet: str | None
    cell: str | None
    municipality: str | None
    time_period: str | None
    indicator_code: str | None
    sex: str | None
    value_found: str | None
    value_expected: str | None
    detail_uk: str | None
    detail_en: str | None
    """What the reader said, where a reader found it."""
    remedy_uk: str | None
    remedy_en: str | None
    """What to do, where it differs from the rule's remedy."""
    is_withheld: bool


@dataclass(frozen=True)
class BrokenRule:
    """The open findings of one rule on one dataset: all counted, the first ones shown."""

    dataset: str
    rule_id: str
    severity: str
    title_uk: str
    title_en: str
    remedy_uk: str
    remedy_en: str
    count: int
    fingerprint: str
    """Hash of the ids of all its findings."""
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class News:
    """Everything one recipient is told, most severe first."""

    run: Run
    checks: tuple[FailedCheck, ...]
    sources: tuple[LostSource, ...]
    rules: tuple[BrokenRule, ...]
    is_whole: bool
    """False for those who are told of their own domains only."""

    @property
    def is_good(self) -> bool:
        """Whether there is nothing to tell."""
        has_failed = self.run.has_failed and self.is_whole
        return not (has_failed or self.checks or self.sources or self.rules)

    @property
    def is_urgent(self) -> bool:
        """Whether to tell it again although it was told of an earlier build."""
        has_fatal = any(rule.severity == "fatal" for rule in self.rules)
        has_critical = any(check.severity == "critical" for check in self.checks)
        return has_fatal or has_critical or bool(self.sources) or (self.is_whole and self.run.has_failed)

    @property
    def digest(self) -> str:
        """Hash of what is told, in the sense of news: the same news of another night has the same digest, unless urgent."""
        told = {
            "build": self.run.build_id if self.is_urgent else None,
            "release": self.run.release_id,
            "status": self.run.status if self.is_urgent else None,
            "checks": [(check.gate, check.dataset, check.check_id, check.unexpected_count) for check in self.checks],
            "sources": [(source.source, source.message) for source in self.sources],
            "rules": [(rule.dataset, rule.rule_id, rule.severity, rule.fingerprint) for rule in self.rules],
        }
        return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()

    def count(self, severity: str) -> int:
        """How many findings of ``severity`` are told."""
        return sum(rule.count for rule in self.rules if rule.severity == severity)


_RUN = """
select
    build.build_id, coalesce(build.status, 'not_started') as status, build.closed_gate, build.run_id as airflow_run,
    release.release_id, release.published_at
from (select %(build_id)s::bigint as build_id) as asked
left join ops.build on asked.build_id = build.build_id
left join ops.current_release on true
left join ops.release on current_release.release_id = release.release_id
"""

# A build that had nothing to do asked nothing: the checks of the last one that passed still stand.
_CHECKS = """
select
    gate_result.gate, gate_result.engine, gate_result.dataset, gate_result.check_id, gate_result.severity,
    gate_result.message_uk, gate_result.message_en, rule.remedy_uk, rule.remedy_en, gate_result.unexpected_count,
    gate_result.observed_value, gate_result.failing_rows_sql
from quality.gate_result
left join quality.rule on gate_result.check_id = rule.rule_id
where
    not gate_result.success
    and gate_result.severity in ('critical', 'warning')
    and gate_result.build_id = (
        select max(build.build_id)
        from ops.build
        where
            build.build_id = %(build_id)s and build.status <> 'unchanged'
            or build.status in ('published', 'unchanged')
            and build.build_id <= %(build_id)s
            and exists (select 1 from quality.gate_result as asked where asked.build_id = build.build_id)
    )
order by
    gate_result.severity,
    array_position(array['raw', 'staging', 'indicators', 'marts'], gate_result.gate),
    gate_result.dataset, gate_result.check_id
"""

_SOURCES = "select source, message, last_ok_at from ops.source_status where not is_ok order by source"

# A value is withheld when its indicator is restricted, when its rule holds it against a restricted one, or when its code is
# unknown and may be a slip for a restricted code of the same domain.
_FINDINGS = """
with

restricted as (
    select indicator_code, domain_code from catalogue.indicator where conf_status = 'restricted'
),

names as (
    select distinct on (code) code, name
    from (
        select
            coalesce(level5_code, level4_code, level3_code, level2_code, level1_code) as code,
            katottg_unit.name,
            edition.edition_from,
            load.loaded_at
        from raw.katottg_unit
        inner join ops.load on katottg_unit.load_id = load.load_id and load.status = 'loaded'
        left join raw.katottg_edition as edition on load.load_id = edition.load_id
    ) as units
    order by code, edition_from desc nulls last, loaded_at desc
),

told as (
    select
        finding.*,
        rule.title_uk,
        rule.title_en,
        rule.remedy_uk as rule_remedy_uk,
        rule.remedy_en as rule_remedy_en,
        rule.engine,
        coalesce(indicator.domain_code, split_part(finding.indicator_code, '.', 1)) as domain_code,
        case
            when indicator.indicator_code is not null
                then exists (
                    select 1
                    from restricted
                    where
                        restricted.indicator_code = indicator.indicator_code
                        or strpos(rule.expression, restricted.indicator_code) > 0
                )
            else split_part(finding.indicator_code, '.', 1) in (select restricted.domain_code from restricted)
        end as is_withheld
    from quality.open_finding as finding
    inner join quality.rule on finding.rule_id = rule.rule_id
    left join catalogue.indicator on finding.indicator_code = indicator.indicator_code
    where finding.severity in ('fatal', 'error', 'warning')
),

placed as (
    select
        told.*,
        row_number() over (
            partition by dataset, rule_id, severity
            order by municipality_code, time_period, file_name, sheet, length(cell), cell, finding_id
        ) as place
    from told
    where %(domains)s::text[] is null or domain_code = any(%(domains)s)
)

select
    dataset, rule_id, severity, min(title_uk) as title_uk, min(title_en) as title_en,
    min(rule_remedy_uk) as remedy_uk, min(rule_remedy_en) as remedy_en, count(*) as count,
    encode(sha256(convert_to(string_agg(finding_id, ',' order by finding_id), 'UTF8')), 'hex') as fingerprint,
    jsonb_agg(
        jsonb_build_object(
            'file_name', file_name, 'sheet', sheet, 'cell', cell, 'time_period', time_period,
            'municipality', nullif(concat_ws(' ', names.name, municipality_code), ''),
            'indicator_code', indicator_code, 'sex', sex,
            'value_found', case when not coalesce(is_withheld, false) then value_found end,
            'value_expected', case when not coalesce(is_withheld, false) then value_expected end,
            'detail_uk', case when engine = 'reader' and not coalesce(is_withheld, false) then message_uk end,
            'detail_en', case when engine = 'reader' and not coalesce(is_withheld, false) then message_en end,
            'remedy_uk', nullif(remedy_uk, rule_remedy_uk), 'remedy_en', nullif(remedy_en, rule_remedy_en),
            'is_withheld', coalesce(is_withheld, false)
        )
        order by place
    ) filter (where place <= %(examples)s) as examples
from placed
left join names on placed.municipality_code = names.code and placed.place <= %(examples)s
group by dataset, rule_id, severity
order by array_position(array['fatal', 'error', 'warning'], severity), dataset, count(*) desc, rule_id
"""


def read_news(warehouse: Warehouse, build_id: int | None, domains: Sequence[str] | None = None) -> News:
    """Gather what build ``build_id`` has to tell, role ``gate``; ``domains`` leaves only the findings of these domains."""
    with warehouse.connect("gate") as connection:
        asked = {"build_id": build_id}
        run = _one(connection, _RUN, asked)
        rules = connection.cursor(row_factory=dict_row).execute(
            _FINDINGS, {"domains": None if domains is None else list(domains), "examples": EXAMPLES}
        )
        broken = tuple(_broken_rule(row) for row in rules)
        if domains is not None:
            return News(run, (), (), broken, is_whole=False)
        checks = connection.cursor(row_factory=class_row(FailedCheck)).execute(_CHECKS, asked).fetchall()
        sources = connection.cursor(row_factory=class_row(LostSource)).execute(_SOURCES).fetchall()
    return News(run, tuple(checks), tuple(sources), broken, is_whole=True)


def _one(connection: psycopg.Connection, query: str, parameters: dict[str, Any]) -> Run:
    row = connection.cursor(row_factory=class_row(Run)).execute(query, parameters).fetchone()
    assert row is not None  # noqa: S101 - the query starts from one row
    return row


def _broken_rule(row: dict[str, Any]) -> BrokenRule:
    return BrokenRule(**{**row, "examples": tuple(Example(**example) for example in row["examples"])})
