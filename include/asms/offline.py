"""The rules on returns asked of one workbook, without a server: what ``asms check`` does.

Stands beside ``asms.rebuild``, because it joins intake, catalogue and quality. The SQL is the warehouse's own: the dbt models
that type cells and choose the answer in force, and the statements of ``asms.quality.rule_sql``, put into DuckDB's dialect by
sqlglot. Last year is what the sheet shows of it beside, or a file of its own; what registers know is what the sheet shows of them.
What one file cannot tell (the population register, peers) comes out as "no data".
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asms.catalogue import Catalogue, Rule, load_catalogue
from asms.catalogue.compile import Compiled, compile_catalogue
from asms.catalogue.store import catalogue_rows
from asms.intake.form_definition import load_forms
from asms.intake.form_reading import read_last_year, read_registers, read_return
from asms.intake.problem import ProblemError
from asms.intake.table_reading import MappedCell
from asms.paths import DBT_DIR
from asms.quality.registers import register_statements
from asms.quality.rule_sql import CompiledCheck, finding_statements, run_statements, verdict_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from jinja2 import Environment

_SCHEMA = """
create schema raw; create schema staging; create schema indicators; create schema catalogue; create schema quality;
create schema ops;
create table ops.changed_key (municipality_code text, time_period text, reason text);
create table raw.submission (submission_id text, file_name text, municipality_code text, time_period text);
create table raw.submission_cell (
    submission_id text, sheet text, cell text, indicator_code text, sex text, value_text text, value_type text, reason_text text
);
create table staging.stg_submissions__delivery (
    delivery_id text, submission_id text, load_id text, collection_code text, municipality_code text, time_period text,
    batch_no bigint, received_no bigint, is_sample boolean, is_test boolean, is_withdrawal boolean
);
create view staging.stg_submissions__return as
select collection_code, municipality_code, time_period, bool_or(is_sample) as is_sample
from staging.stg_submissions__delivery group by all;
create table staging.missing_reason (reason_text text, obs_status text, status_reason text);
create table staging.stg_population__municipality (municipality_code text, time_period text, population bigint);
create table catalogue.collection (
    collection_code text, name_uk text, name_en text, counts_for_completeness boolean
);
create table catalogue.domain (
    domain_code text, collection_code text, name_uk text, name_en text, sort_order integer
);
create table catalogue.indicator (
    indicator_code text, version integer, collection_code text, domain_code text, name_uk text, name_en text,
    definition_uk text, unit_measure text, unit_mult integer, decimals integer, indicator_type text, is_derived boolean,
    is_sex_split boolean, aggregation text, formula text, conf_status text, is_prefilled boolean, valid_from integer,
    valid_to integer, periodicity text, denominator text, direction text, source text, classification text,
    min_value double, max_value double
);
create table catalogue.formula_input (
    slot integer, origin text, indicator_code text, sex text, period_offset integer
);
create table catalogue.compiled_rule (
    rule_id text, sex text, target_slot integer, check_sql text, found_sql text, expected_sql text, rule_no integer,
    slots integer[]
);
create table catalogue.cell_limit (
    indicator_code text, sex text, period_from text, period_to text, is_whole boolean, low double, high double,
    year_share double, year_floor double, slip_factors double[], slip_share double
);
create table catalogue.register_source (
    indicator_code text, sex text, register text, measure text, budget_item text, classification_type text, code_prefix text,
    fund_type text, factor double, tolerance double
);
create view staging.stg_catalogue__indicator as select * from catalogue.indicator;
create view staging.stg_catalogue__formula_input as
select place.*, indicator.collection_code
from catalogue.formula_input as place join catalogue.indicator as indicator using (indicator_code);
create table quality.rule (rule_id text, severity text, valid_from integer, valid_to integer);
create table shown_register (
    municipality_code text, time_period text, indicator_code text, sex text, register_value double
);
"""

# What the sheet shows of registers, as the model `int_register__value` has it, and what the rules have rejected so far.
_KNOWN = """
create table indicators.int_register__value as
select
    indicator.collection_code, shown.municipality_code, shown.time_period, shown.indicator_code, shown.sex,
    shown.register_value,
    {{ allowed_difference('shown.register_value', 'source.tolerance', 'indicator.decimals') }} as allowed_difference,
    source.tolerance is not null as is_compared
from shown_register as shown
inner join (select distinct indicator_code, sex, tolerance from catalogue.register_source) as source
    on shown.indicator_code = source.indicator_code and shown.sex = source.sex
inner join catalogue.indicator as indicator on shown.indicator_code = indicator.indicator_code
"""
FINDINGS = """
create table staging.stg_quality__finding as
select rule.severity, found_now.submission_id, found_now.indicator_code, found_now.sex
from found_now
inner join quality.rule as rule on found_now.rule_id = rule.rule_id;
create table indicators.int_observation__correction (
    correction_id text, collection_code text, municipality_code text, time_period text, indicator_code text, sex text,
    action text, is_applied boolean, corrected_value float8, corrected_status text
)
"""
"""The findings that are open and the corrections of staff: of a file alone, all that were made, and none."""

_MACROS = (
    "typing.sql",
    "typed_cells.sql",
    "cell_key.sql",
    "answers_in_batches.sql",
    "input_arrays.sql",
    "allowed_difference.sql",
)
_MODELS = (
    "stg_submissions__cell", "stg_submissions__sorted_cell", "stg_submissions__latest_cell", "stg_submissions__input",
)  # fmt: skip
_NOT_ASKED = (
    "compiled_formula", "formula_term", "indicator_version", "peer_limit", "disclosure_cell", "disclosure_term",
)  # fmt: skip
"""Tables of the catalogue of which a check of one file asks nothing."""
_ONLY = "offline"
_WIDE = 100_000  # characters of a statement that holds hundreds of expressions
_SLOTS = re.compile(r"\b([vm])\[(\d+)\]")
_FIGURES = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?(?:e[-+]?\d+)?)::float8")
_ALIKE = """
create temporary table check_line (shape_no integer, rule_no integer, slots integer[], figures double[]);
create temporary table check_verdict (municipality_code text, time_period text, rule_no integer, verdict integer);
pragma disable_optimizer;
"""
_VERDICTS = """
(
    select list(said.verdict order by said.rule_no)
    from check_verdict as said
    where said.municipality_code = input.municipality_code and said.time_period = input.time_period
)
"""


@dataclass(frozen=True)
class SentReturn:
    """A return as the form reads it, to be asked; ``file_name`` is told in findings.

    ``registers`` is what the sheet shows of open registers, by indicator code and sex.
    """

    file_name: str
    collection_code: str
    municipality_code: str
    time_period: str
    cells: Sequence[MappedCell]
    registers: Mapping[tuple[str, str], float] = field(default_factory=dict)


@dataclass(frozen=True)
class Breach:
    """A rule that a workbook breaks, and where. ``expected`` is None where the title says it all."""

    rule_id: str
    severity: str
    municipality_code: str
    time_period: str
    file_name: str | None
    sheet: str | None
    cell: str | None
    indicator_code: str | None
    sex: str | None
    found: str | None
    expected: str | None
    title_uk: str
    title_en: str
    remedy_uk: str
    remedy_en: str


@dataclass(frozen=True)
class Checked:
    """What the rules say: the breaches, and how many targets of each rule came to which verdict."""

    breaches: tuple[Breach, ...]
    verdicts: Mapping[tuple[str, str], int]

    @property
    def is_clean(self) -> bool:
        """No error and nothing fatal."""
        return all(breach.severity not in ("fatal", "error") for breach in self.breaches)


@dataclass(frozen=True)
class _AsNamed:
    """Offline no codifier is at hand: a body is what the workbook calls it."""

    municipality_code: str | None
    candidates: Sequence[Any] = ()


def _take_as_named(text: str, *, region: str | None = None) -> _AsNamed:  # noqa: ARG001 - the reader passes it
    return _AsNamed(text)


def check_file(path: Path, last_year: Path | None = None) -> Checked:
    """Ask the rules of the workbook at ``path``; reads no setting, starts nothing.

    The year before is the return ``last_year``, or what the workbook itself shows of it.

    Raises:
        OSError, ProblemError: a file cannot be read as a return; ProblemError says the rule and the place.
        CatalogueError: a formula or check of this installation's catalogue cannot be compiled; ``asms catalogue check`` says
            more, for it also proves what a file does not need, as the units.
    """
    sent, problems = read_sent(path)
    before = (
        replace(read_sent(last_year)[0], municipality_code=sent.municipality_code)
        if last_year
        else read_shown(path, sent)
    )
    sent = replace(sent, registers=read_registers(path.read_bytes(), path.name, load_forms()))
    catalogue = load_catalogue()
    checked = check_returns(catalogue, [sent, *([before] if before else [])], asked=[sent])
    rules = {rule.rule_id: rule for rule in catalogue.rules}
    told = [_problem_breach(rules[problem.rule_id], sent, problem) for problem in problems]
    return Checked((*told, *checked.breaches), checked.verdicts)


def read_sent(path: Path) -> tuple[SentReturn, tuple[ProblemError, ...]]:
    """The return in the workbook at ``path``, and what could not be used of it. Raises OSError, ProblemError."""
    found = read_return(path.read_bytes(), path.name, load_forms(), _take_as_named)
    collection = found.form.collection_code
    return SentReturn(path.name, collection, found.municipality_code, found.time_period, found.cells), found.problems


def read_shown(path: Path, sent: SentReturn) -> SentReturn | None:
    """The return of the year before ``sent`` as the workbook at ``path`` shows it beside; None where it shows nothing."""
    cells = read_last_year(path.read_bytes(), path.name, load_forms())
    if not cells or len(sent.time_period) != len("2024"):
        return None
    return replace(sent, time_period=str(int(sent.time_period) - 1), cells=cells)


def _problem_breach(rule: Rule, sent: SentReturn, problem: ProblemError) -> Breach:
    return Breach(
        rule.rule_id, rule.severity, sent.municipality_code, sent.time_period, sent.file_name, problem.sheet, problem.cell,
        None, None, problem.value_found, None, problem.message_uk, problem.message_en, rule.remedy_uk, rule.remedy_en,
    )  # fmt: skip


def check_returns(
    catalogue: Catalogue, sent: Sequence[SentReturn], asked: Sequence[SentReturn] | None = None
) -> Checked:
    """Ask the rules of ``catalogue`` of returns, each the only one of its body and year. Raises CatalogueError.

    Where ``asked`` is given, the others of ``sent`` are only looked back at.
    """
    import duckdb

    compiled = compile_catalogue(catalogue)
    with duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"}) as connection:
        connection.execute(_SCHEMA)
        _fill(connection, catalogue, compiled, sent)
        for model in _MODELS:
            connection.execute(f"create table staging.{model} as {_in_duckdb(render_model(model))}")
        checks = [CompiledCheck(r.check_sql, r.found_sql, r.expected_sql, r.slots) for r in compiled.rules]
        _insert(
            connection,
            "ops.changed_key",
            [(each.municipality_code, each.time_period, "submissions") for each in asked or ()],
        )

        def execute(statement: str) -> "DuckDBPyConnection":
            # nine hundred expressions over a row or two take a minute to optimise and no time to compute
            connection.execute(f"pragma {'disable' if len(statement) > _WIDE else 'enable'}_optimizer")
            return connection.execute(statement)

        statements = finding_statements(has_checks=bool(checks), is_full=asked is None, is_alone=True)
        _ask_alike(connection, checks)
        run_statements(map(_in_duckdb, statements), checks, execute, _VERDICTS)
        if any(each.registers for each in sent):
            _ask_registers(connection, is_full=asked is None)
        checked = _collect(connection, catalogue)
    return Checked(checked.breaches, {**checked.verdicts, **_undecided(catalogue, sent if asked is None else asked)})


def _ask_alike(connection: "DuckDBPyConnection", checks: Sequence[CompiledCheck]) -> None:
    """Put the verdicts of ``checks`` on all inputs into ``check_verdict``.

    To plan nine hundred expressions takes seconds. They have few shapes, which differ in slots and figures only, so each
    shape is asked once, of a table of these.
    """
    shapes: dict[str, list[tuple[int, list[int], list[float]]]] = {}
    for number, check in enumerate(checks, 1):
        slots: dict[int, int] = {}
        figures: dict[float, int] = {}
        shape = _SLOTS.sub(
            lambda at, known=slots: f"{at[1]}[slots[{known.setdefault(int(at[2]), len(known) + 1)}]]",  # type: ignore[misc]
            verdict_sql(check),
        )
        shape = _FIGURES.sub(
            lambda at, known=figures: f"figures[{known.setdefault(float(at[1]), len(known) + 1)}]",  # type: ignore[misc]
            shape,
        )
        shapes.setdefault(shape, []).append((number, [*slots], [*figures]))
    connection.execute(_ALIKE)
    lines = [(no, *line) for no, alike in enumerate(shapes.values()) for line in alike]
    _insert(connection, "check_line", lines)
    for shape_no, shape in enumerate(shapes):
        connection.execute(
            f"insert into check_verdict select municipality_code, time_period, rule_no, {shape} "  # noqa: S608 - the catalogue's own
            f"from staging.stg_submissions__input cross join check_line where shape_no = {shape_no}"
        )


def _ask_registers(connection: "DuckDBPyConnection", *, is_full: bool) -> None:
    """Hold the answers against what the sheets show of registers, after all that may reject an answer was asked."""
    connection.execute(FINDINGS)
    connection.execute(_in_duckdb(_environment().from_string(_KNOWN).render()))
    for model in ("staging.stg_catalogue__cell", "indicators.int_observation__accepted"):
        connection.execute(f"create table {model} as {_in_duckdb(render_model(model.partition('.')[2]))}")
    for statement in register_statements(is_full=is_full):
        connection.execute(_in_duckdb(statement))


def _undecided(catalogue: Catalogue, asked: Sequence[SentReturn]) -> dict[tuple[str, str], int]:
    """A return alone has no peers: how often each rule that compares with them would have been asked."""
    counts: Counter[tuple[str, str]] = Counter()
    for rule in catalogue.rules:
        if rule.level == "peers" and rule.indicator_code:
            collection = catalogue.by_code[rule.indicator_code].collection_code
            counts[rule.rule_id, "no_data"] = sum(
                each.collection_code == collection and rule.is_asked(int(each.time_period[:4])) for each in asked
            )
    return {key: count for key, count in counts.items() if count}


def render_model(name: str) -> str:
    """The SQL of a model, as dbt would write it for a full build."""
    (model,) = (DBT_DIR / "models").glob(f"*/{name}.sql")
    return _environment().from_string(model.read_text(encoding="utf-8")).render()


@cache
def _environment() -> "Environment":
    """What models are rendered by: the project's macros, and plain names for what dbt would look up."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 - this makes SQL, not HTML
    environment.globals.update(
        config=lambda **_: "",
        ref=lambda table: f"{'indicators' if table.startswith('int_') else 'staging'}.{table}",
        source=lambda schema, table: f"{schema}.{table}",
        only_changed_keys=lambda *_, **__: "true",
    )
    for file in _MACROS:
        macros = environment.from_string((DBT_DIR / "macros" / file).read_text(encoding="utf-8"))
        environment.globals.update({k: v for k, v in vars(macros.module).items() if not k.startswith("_")})
    return environment


@lru_cache(maxsize=64)
def _in_duckdb(statement: str) -> str:
    from sqlglot import exp, parse_one

    tree = parse_one(statement, read="postgres")
    # = any(array(select …)) lets PostgreSQL use an index, and DuckDB does not know it
    for equal in tree.find_all(exp.EQ):
        array = equal.expression.this.unnest() if isinstance(equal.expression, exp.Any) else None
        if isinstance(array, exp.Array) and isinstance(query := array.expressions[0], exp.Select):
            equal.replace(exp.In(this=equal.this, query=query.subquery()))
    # DuckDB takes an apostrophe in a comment for the begin of a text, and then changes rare blanks in the texts themselves
    return tree.sql(dialect="duckdb", comments=False)


def _fill(
    connection: "DuckDBPyConnection", catalogue: Catalogue, compiled: Compiled, sent: Sequence[SentReturn]
) -> None:
    for table, (_, rows) in catalogue_rows(catalogue, compiled).items():
        if table not in _NOT_ASKED:
            _insert(connection, f"catalogue.{table}", rows)
    _insert(connection, "quality.rule", [(r.rule_id, r.severity, r.valid_from, r.valid_to) for r in catalogue.rules])
    with (DBT_DIR / "seeds" / "missing_reason.csv").open(encoding="utf-8", newline="") as file:
        _insert(connection, "staging.missing_reason", [tuple(row) for row in csv.reader(file)][1:])
    for number, each in enumerate(sent, 1):
        key = f"{_ONLY} {number}"
        _insert(connection, "raw.submission", [(key, each.file_name, each.municipality_code, each.time_period)])
        delivery = (
            key,
            key,
            key,
            each.collection_code,
            each.municipality_code,
            each.time_period,
            1,
            number,
            False,
            False,
            False,
        )
        _insert(connection, "staging.stg_submissions__delivery", [delivery])
        known = [(each.municipality_code, each.time_period, *key, value) for key, value in each.registers.items()]
        _insert(connection, "shown_register", known)
    _insert(
        connection,
        "raw.submission_cell",
        [
            (f"{_ONLY} {number}", cell.sheet, cell.cell, cell.indicator_code, cell.sex, cell.value.text, cell.value.type,
             cell.reason_text)
            for number, each in enumerate(sent, 1)
            for cell in each.cells
        ],
    )  # fmt: skip


def _insert(connection: "DuckDBPyConnection", table: str, rows: Sequence[Sequence[object]]) -> None:
    """Insert by columns: row by row DuckDB takes a hundred times as long, and Arrow takes pandas in."""
    if not rows:
        return
    types = [str(row[1]) for row in connection.execute(f"describe {table}").fetchall()]
    columns = [list(column) for column in zip(*rows, strict=True)]
    given = ", ".join(f"unnest(cast(? as {kind}[]))" for kind in types)
    connection.execute(f"insert into {table} select {given}", columns)


def _collect(connection: "DuckDBPyConnection", catalogue: Catalogue) -> Checked:
    rules = {rule.rule_id: rule for rule in catalogue.rules}
    found = connection.execute(
        "select rule_id, municipality_code, time_period, file_name, sheet, cell, indicator_code, sex, value_found, "
        "value_expected from found_now order by all"
    ).fetchall()
    breaches = [_breach(rules[str(row[0])], row) for row in found]
    counts = connection.execute("select rule_id, verdict, sum(target_count) from verdict_now group by all").fetchall()
    return Checked(tuple(breaches), {(str(rule), str(verdict)): int(count) for rule, verdict, count in counts})


def _breach(rule: Rule, row: Sequence[Any]) -> Breach:
    _, body, period, file_name, sheet, cell, code, sex, found, expected = row
    return Breach(
        rule.rule_id, rule.severity, body, period, file_name, sheet, cell, code, sex, found, expected, rule.title_uk,
        rule.title_en, rule.remedy_uk, rule.remedy_en,
    )  # fmt: skip


def as_json(checked: Checked) -> str:
    """Breaches and counts as JSON text."""
    breaches = [dict(zip(Breach.__dataclass_fields__, astuple(breach), strict=True)) for breach in checked.breaches]
    verdicts: dict[str, dict[str, int]] = {}
    for (rule_id, verdict), count in sorted(checked.verdicts.items()):
        verdicts.setdefault(rule_id, {})[verdict] = count
    return json.dumps({"breaches": breaches, "verdicts": verdicts}, ensure_ascii=False, indent=1)
