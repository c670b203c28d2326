"""Reading everything that the warehouse knows about one published value."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from asms.catalogue.grammar import Call, Expression, Negation, Number, Operation, Reference, parse_formula
from asms.warehouse.connection import Warehouse
from asms.warehouse.release import check_release

_SIGNS = {"+": "+", "-": "−", "*": "×", "/": "÷"}
_DEEPEST = 6


class ExplainError(ValueError):
    """There is no such published value; the message says what was looked for and what to do."""


@dataclass(frozen=True)
class Arrival:
    """One delivery that carried the bytes; ``received_at`` in UTC."""

    channel: str
    path: str
    received_at: datetime


@dataclass(frozen=True)
class Source:
    """Where a reported figure stands, down to the cell."""

    file_name: str
    sha256: str
    """Name of the bytes in the landing store."""
    sheet: str | None
    cell: str | None
    value_text: str | None
    """As the sender wrote it."""
    reason_text: str | None
    remark_text: str | None
    sender: str
    form: str
    arrivals: tuple[Arrival, ...]


@dataclass(frozen=True)
class OpenDatum:
    """A row of open data that a register's figure is, or is added up from."""

    register: str
    channel: str
    request: str
    """What was asked of the service: the query, or the file that was fetched."""
    sha256: str
    """Hash of the response, its name in the landing store."""
    received_at: datetime
    load_id: str
    sheet: str | None
    row: int | None
    item: str
    value_text: str | None


@dataclass(frozen=True)
class Correction:
    """What staff put in place of what the return says."""

    action: str
    reported_value: float | None
    reported_status: str
    reason: str
    provider: str


@dataclass(frozen=True)
class Withdrawal:
    """A withdrawal of the return that the figure was in; ``release_id`` is the release that went by it first."""

    received_at: datetime
    reason: str
    withdrawn_by: str
    release_id: int | None


@dataclass(frozen=True)
class Verdict:
    """A rule and how it stands: ``failed``, ``failed_before`` (a closed finding) or ``no_finding``."""

    rule_id: str
    title_uk: str
    severity: str
    outcome: str
    message_uk: str | None


@dataclass(frozen=True)
class Explained:
    """What a sender wrote about a warning, and what staff decided."""

    rule_id: str
    text: str
    status: str
    decided_by: str | None


@dataclass(frozen=True)
class Vintage:
    """What the releases from ``release_from`` up to, not including, ``release_to`` show."""

    release_from: int
    release_to: int | None
    published_at: datetime
    obs_value: float | None
    obs_status: str


@dataclass(frozen=True)
class Certificate:
    """The birth certificate of one figure. Derived figures have a formula and inputs, reported ones a source."""

    municipality_code: str
    municipality_name: str | None
    indicator_code: str
    indicator_name: str | None
    time_period: str
    sex: str
    unit_measure: str | None
    release_id: int
    obs_value: float | None
    obs_status: str
    """As in docs/naming.md; ``withdrawn``, or ``not_published`` for an input that the release does not show."""
    obs_source: str | None
    """As in the marts: submitted, confirmed, disputed, register, derived."""
    register_value: float | None
    """What a register says of it, where one does."""
    formula: str | None
    formula_with_figures: str | None
    inputs: "tuple[Certificate, ...]"
    source: Source | None
    correction: Correction | None
    withdrawals: tuple[Withdrawal, ...]
    open_data: tuple[OpenDatum, ...]
    """The rows behind ``register_value``."""
    verdicts: tuple[Verdict, ...]
    explanations: tuple[Explained, ...]
    vintages: tuple[Vintage, ...]

    @property
    def is_computed(self) -> bool:
        return self.formula is not None


_FACTS: LiteralString = """
select
    fact.obs_value, fact.obs_status, fact.unit_measure, fact.is_derived, fact.submission_id, fact.collection_code,
    fact.obs_source, fact.register_value, fact.release_from, fact.release_to, release.published_at
from published.fct_indicator_value as fact
inner join ops.release on fact.release_from = release.release_id
where
    fact.municipality_code = %(body)s and fact.indicator_code = %(code)s and fact.time_period = %(period)s and fact.sex = %(sex)s
order by fact.release_from
"""

_NAMES: LiteralString = """
select
    (
        select card.name_uk from published.dim_indicator as card
        where card.indicator_code = %(code)s and card.release_from <= %(at)s and (card.release_to is null or card.release_to > %(at)s)
    ) as indicator_name,
    (
        select card.formula from published.dim_indicator_history as card
        where
            card.indicator_code = %(code)s and left(%(period)s, 4)::integer between card.valid_from and coalesce(card.valid_to, 9999)
            and card.release_from <= %(at)s and (card.release_to is null or card.release_to > %(at)s)
    ) as formula,
    (
        select card.is_sex_split from published.dim_indicator as card
        where card.indicator_code = %(code)s and card.release_from <= %(at)s and (card.release_to is null or card.release_to > %(at)s)
    ) as is_sex_split,
    (
        select body.name_uk from published.dim_municipality as body
        where
            body.municipality_code = %(body)s
            and body.release_from <= %(at)s and (body.release_to is null or body.release_to > %(at)s)
    ) as municipality_name
"""

_SOURCE: LiteralString = """
select file_name, sha256, sender, form, sheet, cell, value_text, reason_text, remark_text
from raw.cell_source
where submission_id = %(submission)s and indicator_code = %(code)s and sex = %(sex)s
order by is_blank, sheet, cell
limit 1
"""

_CORRECTION: LiteralString = """
select action, reported_value, reported_status, reason, provider
from published.fct_correction
where
    municipality_code = %(body)s and indicator_code = %(code)s and time_period = %(period)s and sex = %(sex)s and is_applied
    and release_from <= %(at)s and (release_to is null or release_to > %(at)s)
"""

_WITHDRAWALS: LiteralString = """
select delivery.received_at, withdrawal.reason, withdrawal.withdrawn_by, min(release_load.release_id) as release_id
from raw.submission_withdrawal as withdrawal
inner join raw.delivery on withdrawal.delivery_id = delivery.delivery_id
inner join catalogue.indicator on withdrawal.collection_code = indicator.collection_code
left join ops.release_load on withdrawal.load_id = release_load.load_id
where
    withdrawal.municipality_code = %(body)s and withdrawal.time_period = %(period)s and indicator.indicator_code = %(code)s
group by delivery.delivery_id, withdrawal.delivery_id
order by delivery.received_no
"""

_ARRIVALS: LiteralString = """
select delivery.channel, delivery.path, delivery.received_at
from raw.submission_delivery
inner join raw.delivery on submission_delivery.delivery_id = delivery.delivery_id
where submission_delivery.submission_id = %(submission)s
order by delivery.received_no
"""

_VERDICTS: LiteralString = """
with

failed as (

    select rule_id, bool_or(is_open) as is_open, (array_agg(message_uk order by is_open desc, finding_id))[1] as message_uk
    from quality.finding
    where submission_id = %(submission)s and indicator_code = %(code)s and coalesce(sex, %(sex)s) = %(sex)s
    group by rule_id

),

asked as (

    select compiled_rule.rule_id
    from catalogue.formula_input
    inner join catalogue.compiled_rule on formula_input.slot = any(compiled_rule.slots)
    where formula_input.indicator_code = %(code)s and formula_input.sex = %(sex)s and formula_input.period_offset = 0
    union
    select rule_id from failed

)

select
    rule.rule_id, rule.title_uk, rule.severity,
    case when failed.is_open then 'failed' when failed.rule_id is not null then 'failed_before' else 'no_finding' end as outcome,
    failed.message_uk
from asked
inner join quality.rule on asked.rule_id = rule.rule_id
left join failed on asked.rule_id = failed.rule_id
order by failed.is_open desc nulls last, failed.rule_id is null, rule.rule_id
"""

_EXPLANATIONS: LiteralString = """
select rule_id, text, status, decided_by
from quality.explanation
where municipality_code = %(body)s and time_period = %(period)s and indicator_code = %(code)s and coalesce(sex, %(sex)s) = %(sex)s
order by offered_at, explanation_id
"""

# Down from the figure to what it is computed of: what holds one of them back holds it back.
_EMBARGO: LiteralString = """
with recursive asked (indicator_code, time_period) as (
    select %(code)s::text, left(%(period)s, 4)
    union
    select formula_input.indicator_code, (asked.time_period::integer + formula_input.period_offset)::text
    from asked
    inner join catalogue.formula_term
        on
            asked.indicator_code = formula_term.indicator_code
            and asked.time_period >= left(formula_term.period_from, 4) and asked.time_period < formula_term.period_to
    inner join catalogue.formula_input on formula_term.slot = formula_input.slot
)

select asked.indicator_code, asked.time_period, embargo.embargo_until, embargo.reason, embargo.provider
from asked
inner join catalogue.indicator on asked.indicator_code = indicator.indicator_code
inner join quality.embargo
    on
        asked.time_period = embargo.time_period
        and (embargo.indicator_code = indicator.indicator_code or embargo.domain_code = indicator.domain_code)
inner join ops.build_embargo on embargo.embargo_id = build_embargo.embargo_id
inner join ops.release on build_embargo.build_id = release.build_id
where release.release_id = %(at)s
order by embargo.embargo_until desc, asked.indicator_code, asked.time_period
limit 1
"""

_REGISTER: LiteralString = """
select time_period, population
from staging.stg_population__municipality
where municipality_code = %(body)s and time_period <= %(period)s
order by time_period desc
limit 1
"""

# The rows that the release's figure is, or is added up from, as the models name them. `offset 0` keeps the rows of the registers from
# being joined as a whole: asked for one load, each register answers by its index.
_OPEN_DATA: LiteralString = """
select
    known.register_code as register, delivery.channel, delivery.path as request, delivery.sha256, delivery.received_at, line.load_id,
    line.sheet, line.row_no as row, line.item, line.value_text
from published.fct_register_value as known
cross join lateral (
    select *
    from raw.register_row as given
    where
        given.register = known.register_code and given.load_id = known.load_id and given.sheet is not distinct from known.sheet
        and given.row_no = any(string_to_array(known.row_nos, ',')::integer[])
    offset 0
) as line
inner join ops.load on line.load_id = load.load_id
inner join raw.delivery on load.delivery_id = delivery.delivery_id
where
    known.municipality_code = %(body)s and known.indicator_code = %(code)s and known.time_period = %(period)s and known.sex = %(sex)s
    and known.release_from <= %(at)s and (known.release_to is null or known.release_to > %(at)s)
    and line.measure = (
        select min(measure) from catalogue.register_source where indicator_code = %(code)s and sex = %(sex)s
    )
order by known.register_code, line.load_id, line.sheet, line.row_no, line.item
"""


def explain_value(
    warehouse: Warehouse,
    municipality_code: str,
    indicator_code: str,
    time_period: str,
    sex: str = "T",
    release_id: int | None = None,
) -> Certificate:
    """Tell where one published figure comes from; role ``gate``, reads only.

    ``release_id`` None is the current release. What is told of rules and explanations is what is known now.

    Raises:
        ExplainError: the release has no such value, or does not show it yet.
        NoReleaseError, ReleasePrunedError: the release cannot be read.
    """
    with warehouse.connect("gate") as connection:
        if release_id is None:
            row = connection.execute("select release_id from ops.current_release").fetchone()
            if row is None:
                raise ExplainError("there is no release yet: run make nightly")
            release_id = int(row[0])
        check_release(connection, release_id)
        found = _explain(connection, (municipality_code, indicator_code, time_period, sex), release_id, 0)
        place = {"code": indicator_code, "period": time_period, "at": release_id}
        held = connection.execute(_EMBARGO, place).fetchone() if found.obs_status == "not_published" else None
    if held:
        code, period, until, reason, provider = held
        raise ExplainError(
            f"{indicator_code} {time_period}: під ембарго до {until:%Y-%m-%d %H:%M %Z} (через {code} {period}): {reason} "
            f"({provider}) / under embargo until then, because of {code} {period}; release {release_id} does not show it, the "
            "first one made after that moment does"
        )
    if found.obs_status == "not_published":
        raise ExplainError(
            f"release {release_id} has no value of {indicator_code} ({sex}) for {municipality_code} in {time_period}: look for "
            "the codes in marts.dim_indicator and marts.dim_municipality; restricted indicators are not published"
        )
    return found


def _explain(
    connection: psycopg.Connection, place: tuple[str, str, str, str], release_id: int, depth: int
) -> Certificate:
    body, code, period, sex = place
    asked: dict[str, Any] = {"body": body, "code": code, "period": period, "sex": sex, "at": release_id}
    with connection.cursor(row_factory=dict_row) as cursor:
        facts = cursor.execute(_FACTS, asked).fetchall()
        names = cursor.execute(_NAMES, asked).fetchone() or {}
        shown = next((fact for fact in facts if _stands(fact, release_id)), None)
        withdrawals = [Withdrawal(**row) for row in cursor.execute(_WITHDRAWALS, asked).fetchall()]
        is_withdrawn = shown is None and any(w.release_id and w.release_id <= release_id for w in withdrawals)
        told = next((f for f in reversed(facts) if f["release_from"] <= release_id), None) if is_withdrawn else shown
        submission = {**asked, "submission": told["submission_id"] if told else None}
        source = _source(cursor, submission) if told and told["submission_id"] else None
        verdicts = cursor.execute(_VERDICTS, submission).fetchall() if source else []
        is_known = shown is not None and shown["register_value"] is not None
        is_corrected = shown is not None and shown["obs_source"] == "corrected"
        correction = cursor.execute(_CORRECTION, asked).fetchone() if is_corrected else None
        open_data = cursor.execute(_OPEN_DATA, asked).fetchall() if is_known else []
        explanations = cursor.execute(_EXPLANATIONS, asked).fetchall()
    formula = names.get("formula") if shown and shown["is_derived"] and depth < _DEEPEST else None
    inputs: list[Certificate] = []
    figures = None
    if formula:
        expression = parse_formula(formula, code)
        figures = _spell(expression, lambda reference: _figure(connection, reference, place, release_id, depth, inputs))
    return Certificate(
        municipality_code=body,
        municipality_name=names.get("municipality_name"),
        indicator_code=code,
        indicator_name=names.get("indicator_name"),
        time_period=period,
        sex=sex,
        unit_measure=shown["unit_measure"] if shown else None,
        release_id=release_id,
        obs_value=shown["obs_value"] if shown else None,
        obs_status=shown["obs_status"] if shown else "withdrawn" if is_withdrawn else "not_published",
        obs_source=shown["obs_source"] if shown else None,
        register_value=shown["register_value"] if shown else None,
        formula=formula,
        formula_with_figures=figures,
        inputs=tuple(inputs),
        source=source,
        correction=Correction(**correction) if correction else None,
        withdrawals=tuple(withdrawals),
        open_data=tuple(OpenDatum(**row) for row in open_data),
        verdicts=tuple(Verdict(**row) for row in verdicts),
        explanations=tuple(Explained(**row) for row in explanations),
        vintages=tuple(
            Vintage(f["release_from"], f["release_to"], f["published_at"], f["obs_value"], f["obs_status"])
            for f in facts
        ),
    )


def _stands(fact: dict[str, Any], release_id: int) -> bool:
    return fact["release_from"] <= release_id and (fact["release_to"] is None or fact["release_to"] > release_id)


def _source(cursor: psycopg.Cursor[dict[str, Any]], asked: dict[str, Any]) -> Source | None:
    row = cursor.execute(_SOURCE, asked).fetchone()
    if row is None:
        return None
    arrivals = cursor.execute(_ARRIVALS, asked).fetchall()
    return Source(**row, arrivals=tuple(Arrival(**arrival) for arrival in arrivals))


def _figure(
    connection: psycopg.Connection,
    reference: Reference,
    place: tuple[str, str, str, str],
    release_id: int,
    depth: int,
    inputs: list[Certificate],
) -> str:
    """Explain one reference of a formula, keep it in ``inputs`` once, and return its figure or status."""
    body, _, period, sex = place
    year = str(int(period[:4]) + reference.period_offset)
    if reference.origin == "register":
        row = connection.execute(_REGISTER, {"body": body, "period": year}).fetchone()
        return f"{row[1]:,} [{reference.indicator_code}, реєстр {row[0]}]" if row else "M_NR"
    is_split = connection.execute(
        _NAMES, {"body": body, "code": reference.indicator_code, "period": year, "at": release_id}
    ).fetchone()
    asked = (body, reference.indicator_code, year, reference.sex or (sex if is_split and is_split[2] else "T"))
    known = next((i for i in inputs if (body, i.indicator_code, i.time_period, i.sex) == asked and i.vintages), None)
    if known is None:
        known = _explain(connection, asked, release_id, depth + 1)
        inputs.append(known)
    return spell_value(known.obs_value, known.obs_status, is_computed=known.is_computed)


_IN_WORDS = {"withdrawn": "відкликано", "C": "приховано (C)"}


def spell_value(value: float | None, status: str, *, is_computed: bool = False) -> str:
    """A figure as people read it, or the status that stands in its place.

    A computed one to six significant digits, and never less than whole units; another as it was written.
    """
    if value is None:
        return _IN_WORDS.get(status, status)
    if is_computed and value:
        value = round(value, max(0, 5 - math.floor(math.log10(abs(value)))))
    return f"{value:,.15g}".replace(",", " ").replace(".", ",")


def _spell(expression: Expression, figure: Any) -> str:
    match expression:
        case Number(value):
            return f"{value:g}"
        case Reference():
            return str(figure(expression))
        case Negation(operand):
            return f"−{_spell(operand, figure)}"
        case Operation(operator, left, right):
            return f"({_spell(left, figure)} {_SIGNS[operator]} {_spell(right, figure)})"
        case Call(function, arguments):
            return f"{function}({', '.join(_spell(argument, figure) for argument in arguments)})"
