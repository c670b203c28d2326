"""A build: one attempt to bring the published marts up to what was loaded. Decides what must be redone, and remembers how it ended."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import psycopg
from psycopg.types.json import Jsonb

from asms.paths import DBT_DIR, EXPECTATIONS_DIR, PROJECT_ROOT
from asms.warehouse.connection import Warehouse, read_number

BuildEnd = Literal["gate_closed", "published", "unchanged", "failed"]

# What geography is made of: the codifier's editions and the tables beside it.
_GEOGRAPHY = ("katottg", "koatuu_unit", "council", "council_membership", "boundary_event")

_MODEL_FOLDERS = ("models", "macros", "seeds", "dbt_project.yml")

# The embargoes that hold at a moment.
_HELD_EMBARGOES = """
select embargo_id from quality.embargo
where is_active and embargo_until > coalesce(%s::timestamptz, now())
order by embargo_id
"""

# What was loaded and is in no published release yet. An anti-join, never a watermark: a refused gate would otherwise
# hide its loads for ever. Failed loads count too, because the quality mart tells of them.
_UNPUBLISHED_LOADS = """
select load.load_id
from ops.load
left join ops.release_load on load.load_id = release_load.load_id
where release_load.load_id is null
"""

# By delivery and not by load: a delivery that is read anew may name another body, and the one it named before changes too.
_CHANGED_BY_SUBMISSIONS = """
insert into ops.changed_key (municipality_code, time_period, reason)
select distinct submission.municipality_code, left(submission.time_period, 4), 'submissions'
from ops.build_load
inner join raw.submission_delivery as arrived on build_load.load_id = arrived.load_id
inner join raw.submission_delivery as reading on arrived.delivery_id = reading.delivery_id
inner join raw.submission on reading.submission_id = submission.submission_id
where build_load.build_id = %(build_id)s
union
select withdrawal.municipality_code, left(withdrawal.time_period, 4), 'submissions'
from ops.build_load
inner join raw.submission_withdrawal as withdrawal on build_load.load_id = withdrawal.load_id
where build_load.build_id = %(build_id)s
on conflict do nothing
"""

# What staff decided (an explanation accepted, a finding waived, a correction made or taken back) and is in no published release
# yet: as with loads, an anti-join.
_UNPUBLISHED_DECISIONS = """
select decided.decision_no, decided.municipality_code, left(decided.time_period, 4) as time_period
from (
    select decision_no, municipality_code, time_period from quality.explanation where decision_no is not null
    union all
    select decision_no, municipality_code, time_period from quality.waiver
    union all
    select decision_no, municipality_code, time_period from quality.correction
) as decided
left join ops.release_decision on decided.decision_no = release_decision.decision_no
where release_decision.decision_no is null
"""

_CHANGED_BY_DECISIONS = f"""
insert into ops.changed_key (municipality_code, time_period, reason)
select distinct municipality_code, time_period, 'decisions'
from ({_UNPUBLISHED_DECISIONS}) as decision
where municipality_code is not null and time_period is not null
on conflict do nothing
"""  # noqa: S608 - both parts are constants

# By the question asked and not by the months that came: an answer that has lost one, or says nothing new, has none to show.
_CHANGED_BY_BUDGETS = """
insert into ops.changed_key (municipality_code, time_period, reason)
select distinct budget_code.area_code, open_budget_month.year, 'open_budget'
from ops.build_load
inner join ops.load as arrived on build_load.load_id = arrived.load_id
inner join raw.delivery as arrival on arrived.delivery_id = arrival.delivery_id
inner join raw.delivery as asked on arrival.channel = asked.channel and arrival.path = asked.path
inner join ops.load as answer on asked.delivery_id = answer.delivery_id
inner join raw.open_budget_month on answer.load_id = open_budget_month.load_id
inner join staging.budget_code on open_budget_month.budget_code = budget_code.budget_code
where build_load.build_id = %s and arrived.source = 'open_budget'
on conflict do nothing
"""

# Registers that are small and come once a year: every municipality of the years that the load tells of. Declarations count in
# December; the pupils that a year's subvention is reckoned on went to school in the year before.
_CHANGED_BY_REGISTERS = """
insert into ops.changed_key (municipality_code, time_period, reason)
select unit.unit_code, told.time_period, 'registers'
from (
    select left(declared.as_of_text, 4) as time_period
    from raw.health_declarations_row as declared
    inner join ops.build_load on declared.load_id = build_load.load_id
    where build_load.build_id = %(build_id)s and declared.as_of_text ~ '^[0-9]{4}-12'
    union
    select (value.time_period::int - 1)::text
    from raw.transfers_value as value
    inner join ops.build_load on value.load_id = build_load.load_id
    where build_load.build_id = %(build_id)s and value.time_period ~ '^[0-9]{4}$'
) as told
cross join staging.stg_katottg__unit as unit
where unit.category in ('H', 'K')
on conflict do nothing
"""

# A formula of period t that reads t+1 changes when t+1 does. Rules read no later year, so what was found in t stays, and what of it
# is accepted. What is found in t+1 may change with t: where such a rule rejects, what is accepted of t+1 changes too, and what formulas
# read of it.
_CHANGED_NEIGHBOURS = """
insert into ops.changed_key (municipality_code, time_period, reason)
select
    changed_key.municipality_code,
    (changed_key.time_period::int - formula_input.period_offset)::text,
    case when min(formula_input.period_offset) < 0 then 'neighbour' else 'formula' end
from ops.changed_key
cross join catalogue.formula_input
where formula_input.period_offset != 0 and changed_key.reason in ('submissions', 'decisions', 'open_budget', 'registers')
group by 1, 2
on conflict do nothing
"""
_CHANGED_BY_REJECTION = """
insert into ops.changed_key (municipality_code, time_period, reason)
select distinct
    changed_key.municipality_code,
    (changed_key.time_period::int - formula_input.period_offset)::text,
    'formula'
from ops.changed_key
cross join catalogue.formula_input
where
    formula_input.period_offset != 0
    and changed_key.reason = 'neighbour'
    and exists (
        select 1
        from quality.rule
        left join catalogue.compiled_rule on rule.rule_id = compiled_rule.rule_id
        left join catalogue.formula_input as asked on asked.slot = any(compiled_rule.slots)
        where
            rule.severity in ('fatal', 'error')
            and rule.is_active
            and (asked.period_offset != 0 or rule.rule_id in ('YEAR_JUMP', 'YEAR_UNIT_SLIP'))
    )
on conflict do nothing
"""


@dataclass(frozen=True)
class Build:
    """What a build has to do."""

    build_id: int
    is_needed: bool
    """False when nothing was loaded and nothing else changed: there is nothing to do."""
    is_full: bool
    """Every key is redone, because something that all of them depend on changed."""
    changed_key_count: int
    load_count: int
    reason: str


class SupersededError(RuntimeError):
    """Another build started after this one, so this one may not go on."""


def start_build(
    warehouse: Warehouse, run_id: str | None = None, *, force: bool = False, moment: datetime | None = None
) -> Build:
    """Fix what this build publishes and write ``ops.changed_key``; one transaction.

    ``moment`` says which embargoes hold; None is now, and it is asked here alone. A build after one that held others is full.

    A build that was running before, or held for a person, is marked superseded: its steps check and stop.
    ``force`` redoes every key even when nothing changed.
    """
    with warehouse.connect("publisher") as connection:
        connection.execute("select ops.refresh_statistics()")
        connection.execute(
            "update ops.build set status = 'superseded', finished_at = now() where status in ('running', 'held')"
        )
        inputs = current_inputs(connection)
        embargoes = [str(row[0]) for row in connection.execute(_HELD_EMBARGOES, (moment,)).fetchall()]
        inputs["embargoes"] = hashlib.sha256(" ".join(embargoes).encode()).hexdigest()[:12]
        reasons = _full_reasons(connection, inputs, force=force)
        loads = connection.execute(_UNPUBLISHED_LOADS).fetchall()
        is_full = bool(reasons)
        decisions = connection.execute(_UNPUBLISHED_DECISIONS).fetchall()
        is_needed = is_full or bool(loads) or bool(decisions)
        news = [f"{len(loads)} new loads"] * bool(loads) + [f"{len(decisions)} decisions"] * bool(decisions)
        reason = ", ".join(reasons or news) or "nothing new"
        row = connection.execute(
            "insert into ops.build (status, run_id, is_full, reason, inputs, finished_at) "
            "values (%s, %s, %s, %s, %s, case when %s then null else now() end) returning build_id",
            ("running" if is_needed else "unchanged", run_id, is_full, reason, Jsonb(inputs), is_needed),
        ).fetchone()
        assert row is not None  # noqa: S101 - `returning` of an insert of one row
        build_id = int(row[0])
        connection.execute(
            f"insert into ops.build_load (build_id, load_id) select %s, load_id from ({_UNPUBLISHED_LOADS}) as unpublished",  # noqa: S608 - both parts are constants
            (build_id,),
        )
        connection.cursor().executemany(
            "insert into ops.build_decision (build_id, decision_no) values (%s, %s)",
            [(build_id, decision_no) for decision_no, *_ in decisions],
        )
        connection.cursor().executemany(
            "insert into ops.build_embargo (build_id, embargo_id) values (%s, %s)",
            [(build_id, embargo_id) for embargo_id in embargoes],
        )
        connection.execute("delete from ops.changed_key")
        if is_full:
            # From here on the layers hold what these inputs make. Should this build not be published and the inputs be put back,
            # the next one must be full as well, or it would publish what it did not redo.
            connection.execute("delete from ops.input_version")
        if is_needed and not is_full:
            connection.execute(_CHANGED_BY_SUBMISSIONS, {"build_id": build_id})
            connection.execute(_CHANGED_BY_BUDGETS, (build_id,))
            connection.execute(_CHANGED_BY_REGISTERS, {"build_id": build_id})
            connection.execute(_CHANGED_BY_DECISIONS)
            connection.execute(_CHANGED_NEIGHBOURS)
            connection.execute(_CHANGED_BY_REJECTION)
        count = read_number(connection, "select count(*) from ops.changed_key")
        connection.execute("update ops.build set changed_key_count = %s where build_id = %s", (count, build_id))
    return Build(build_id, is_needed, is_full, count, len(loads), reason)


def check_build(warehouse: Warehouse, build_id: int) -> None:
    """Raise SupersededError unless ``build_id`` is the running build and its inputs are as it found them.

    Each step of a build asks first: a codifier or catalogue that changes half way would make halves that do not fit.
    """
    with warehouse.connect("publisher") as connection:
        row = connection.execute("select status, inputs from ops.build where build_id = %s", (build_id,)).fetchone()
        if row is None or row[0] not in ("running", "held"):
            raise SupersededError(
                f"build {build_id} is {row[0] if row else 'unknown'}: a later build took over, or it ended; start a new run"
            )
        now = current_inputs(connection)
    changed = sorted(name for name in now if now[name] != row[1].get(name))
    if changed:
        raise SupersededError(f"build {build_id} began before {', '.join(changed)} changed; start a new run")


def end_build(warehouse: Warehouse, build_id: int, status: BuildEnd, *, closed_gate: str | None = None) -> None:
    """Write how a running build ended; a build that has ended already keeps its end."""
    with warehouse.connect("publisher") as connection:
        connection.execute(
            "update ops.build set status = %s, closed_gate = %s, finished_at = now() "
            "where build_id = %s and status = 'running'",
            (status, closed_gate, build_id),
        )


def hold_build(warehouse: Warehouse, build_id: int) -> None:
    """Let a finished build wait for a person (``asms release publish``). Raises SupersededError as ``check_build`` does."""
    check_build(warehouse, build_id)
    with warehouse.connect("publisher") as connection:
        connection.execute(
            "update ops.build set status = 'held' where build_id = %s and status in ('running', 'held')", (build_id,)
        )


def held_build(warehouse: Warehouse) -> int | None:
    """The candidate that waits to be published; None when there is none."""
    with warehouse.connect("publisher") as connection:
        row = connection.execute("select build_id from ops.build where status = 'held'").fetchone()
    return int(row[0]) if row else None


def current_inputs(connection: psycopg.Connection) -> dict[str, str]:
    """Fingerprints of what every published figure depends on beside its own loads."""
    inputs = {"models": hash_files(_model_files())}
    row = connection.execute(
        "select catalogue_version, rule_version, deadline_version from catalogue.version"
    ).fetchone()
    if row:
        inputs["catalogue"], inputs["rules"], inputs["deadlines"] = map(str, row)
    # every edition counts, and not which came last: the newest is in force, the others are history
    for source in (*_GEOGRAPHY, "population", "population_sdmx", "war_status"):
        loads = connection.execute(
            "select string_agg(latest.load_id, ' ' order by latest.path, latest.load_id) from ("
            "  select distinct on (case when %(source)s = 'katottg' then delivery.path end) load.load_id, delivery.path"
            "  from ops.load inner join raw.delivery on load.delivery_id = delivery.delivery_id"
            "  where load.source = %(source)s and load.status = 'loaded'"
            "  order by case when %(source)s = 'katottg' then delivery.path end,"
            "  delivery.received_no desc, load.loaded_at desc, load.load_id"
            ") as latest",
            {"source": source},
        ).fetchone()
        if loads and loads[0]:
            inputs[source] = hashlib.sha256(str(loads[0]).encode()).hexdigest()[:12]
    return inputs


def code_version() -> str:
    """Fingerprint (12 hex digits) of the code and declarations that make the marts."""
    files = [*_model_files(), *EXPECTATIONS_DIR.rglob("*.yaml")]
    for package in ("include", "plugins"):
        files += [
            file for file in (PROJECT_ROOT / package).rglob("*") if file.suffix in (".py", ".sql", ".csv", ".yaml")
        ]
    return hash_files(files)


def hash_files(files: Iterable[Path]) -> str:
    """Fingerprint (12 hex digits) of names and contents; the order given does not matter."""
    digest = hashlib.sha256()
    for file in sorted(set(files)):
        digest.update(str(file.relative_to(PROJECT_ROOT)).encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _full_reasons(connection: psycopg.Connection, inputs: dict[str, str], *, force: bool) -> list[str]:
    """Why every key must be redone; empty when the changed keys are enough."""
    reasons = ["asked for"] if force else []
    if connection.execute("select 1 from ops.current_release").fetchone() is None:
        return [*reasons, "no release yet"]
    before: dict[str, str] = dict(connection.execute("select input, version from ops.input_version").fetchall())
    if not before:
        return [*reasons, "the last full build was not published"]
    changed = sorted(name for name, version in inputs.items() if before.get(name) != version)
    return reasons + [f"{name} changed" for name in changed]


def _model_files() -> list[Path]:
    files: list[Path] = []
    for name in _MODEL_FOLDERS:
        entry = DBT_DIR / name
        files += [file for file in entry.rglob("*") if file.is_file()] if entry.is_dir() else [entry]
    return files
