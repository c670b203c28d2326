"""Offline verdicts are the warehouse's: the same SQL over the same generated returns, in DuckDB and in PostgreSQL."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import hypothesis
import psycopg
import pytest
from hypothesis import strategies as st

from asms.catalogue import Catalogue, load_catalogue, store_catalogue
from asms.catalogue.registers import RegisterSource, register_sources
from asms.intake.book import CellValue, ValueType
from asms.intake.form_reading import MappedCell
from asms.intake.template import MISSING_REASONS, TemplateAnswer, write_template
from asms.offline import FINDINGS, Breach, SentReturn, check_file, check_returns, read_sent, read_shown, render_model
from asms.quality.registers import register_statements
from asms.quality.rule_sql import CompiledCheck, finding_statements, run_statements
from asms.returns import list_questions
from asms.warehouse.connection import Warehouse

BODIES_A_BATCH = 250
BATCHES = 3
WORKBOOKS = 60
SEED = Path(__file__).parents[2] / "dbt_project" / "seeds" / "missing_reason.csv"
BLANKS = " \u00a0\u2009\u202f\t\u2007"

_plain = st.one_of(st.integers(-5, 60000), st.floats(-10, 1e6).map(lambda value: round(value, 3)), st.just(-0.0))
_as_typed = st.tuples(_plain, st.sampled_from(["", " ", "\u00a0", "\n"]), st.booleans()).map(
    lambda parts: parts[1] + str(parts[0]).replace(".", "," if parts[2] else ".") + parts[1]
)
_grouped = st.integers(1000, 9_999_999).map(lambda value: f"{value:,}".replace(",", "\u202f"))
_odd = st.sampled_from(
    ["–", "-", "…", "...", "х", "X", "", " ", "сто", "12,5 тис. грн", "45%", "1e400", "1e-400", "1e999999", "9" * 70, "1 23",
     "1.234,5", "+7", "−5", "1e15", "1000000000000001", "1e-16", ".5", "5.", "Infinity", "nan", "0e0", "\u2028", "1\u00852"]
)  # fmt: skip
_texts = st.one_of(_as_typed, _grouped, _odd, st.text(alphabet="0123456789.,eE+- хгрн%" + BLANKS, max_size=8))
_types: tuple[ValueType, ...] = ("error", "date", "boolean", "formula_without_value")
_values = st.one_of(
    _plain.map(lambda value: CellValue(str(value), "number")),
    _texts.map(lambda text: CellValue(text, "text")),
    st.just(CellValue(None, "empty")),
    st.sampled_from(_types).map(lambda kind: CellValue("#N/A", kind)),
)
_reasons = st.one_of(
    st.none(),
    st.none(),
    st.sampled_from(["не збирається (M_NC)", " Ще не настав  строк", "конфіденційно", "бо так", "M_NA"]),
)


def _cells(catalogue: Catalogue) -> list[tuple[str, str]]:
    """What returns may answer: cells that many rules speak of, a cell that is not asked, a code of no catalogue."""
    asked = [(c.indicator_code, sex) for c in catalogue.indicators if not c.is_derived for sex in c.sexes]
    return [*asked, ("TER.001", "F"), ("ZZZ.999", "T"), ("TER.D01", "T")]


def _returns(catalogue: Catalogue) -> st.SearchStrategy[list[MappedCell]]:
    places = _cells(catalogue)
    answer = st.tuples(st.sampled_from(places), _values, _reasons)
    return st.lists(answer, min_size=1, max_size=40).map(
        lambda answers: [
            MappedCell(code.partition(".")[0], f"D{row}", code, code, sex, value.text, value.type, reason, None)
            for row, ((code, sex), value, reason) in enumerate(answers, 5)
        ]
    )


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def _ask_warehouse(
    warehouse: Warehouse,
    sent: Sequence[SentReturn],
    asked: Sequence[SentReturn] | None = None,
    known: Sequence[tuple[str, str, str, float, float, bool]] = (),
) -> tuple[list[tuple[object, ...]], dict[tuple[str, str], int]]:
    """What the statements find in PostgreSQL; nothing of it stays. ``known`` is as in ``_ask_registers``, of 2024."""
    with warehouse.connect("admin") as connection:
        _lay_tables(connection)
        _fill(connection, sent)
        connection.execute("create view staging.stg_catalogue__indicator as select * from catalogue.indicator")
        connection.execute(
            "create view staging.stg_catalogue__formula_input as select place.*, indicator.collection_code"
            " from catalogue.formula_input as place inner join catalogue.indicator using (indicator_code)"
        )
        connection.execute(
            "create view staging.stg_submissions__return as"
            " select distinct collection_code, municipality_code, time_period, is_sample from staging.stg_submissions__delivery"
        )
        for model in (
            "stg_submissions__cell",
            "stg_submissions__sorted_cell",
            "stg_submissions__latest_cell",
            "stg_submissions__input",
        ):
            connection.execute(f"create table staging.{model} as {render_model(model)}".encode())
        rows = connection.execute(
            "select check_sql, found_sql, expected_sql, slots from catalogue.compiled_rule order by rule_no"
        ).fetchall()
        checks = [CompiledCheck(*row) for row in rows]
        connection.cursor().executemany(
            "insert into ops.changed_key values (%s, %s, 'test')",
            [(each.municipality_code, each.time_period) for each in asked or ()],
        )
        statements = finding_statements(has_checks=True, is_full=asked is None, is_alone=True)
        run_statements(statements, checks, lambda statement: connection.execute(statement.encode()))
        if known:
            connection.execute(
                "create table indicators.int_register__value (collection_code text, municipality_code text, time_period text,"
                " indicator_code text, sex text, register_value double precision, allowed_difference double precision,"
                " is_compared boolean)"
            )
            connection.cursor().executemany(
                "insert into indicators.int_register__value values ('ASMS', %s, '2024', %s, %s, %s, %s, %s)", known
            )
            connection.execute(FINDINGS.encode())
            connection.execute(
                f"create view staging.stg_catalogue__cell as {render_model('stg_catalogue__cell')}".encode()
            )
            accepted = render_model("int_observation__accepted")
            connection.execute(f"create table indicators.int_observation__accepted as {accepted}".encode())
            for statement in register_statements(is_full=asked is None):
                connection.execute(statement.encode())
        found = connection.execute(
            "select rule_id, municipality_code, time_period, sheet, cell, indicator_code, sex, value_found, value_expected"
            " from found_now"
        ).fetchall()
        counts = connection.execute(
            "select rule_id, verdict, sum(target_count) from verdict_now group by 1, 2"
        ).fetchall()
        connection.rollback()
    return found, {(rule, verdict): int(count) for rule, verdict, count in counts}


def _lay_tables(connection: psycopg.Connection) -> None:
    connection.execute(
        "create table staging.stg_submissions__delivery (delivery_id text, submission_id text, load_id text,"
        " collection_code text, municipality_code text, time_period text, batch_no bigint, received_no bigint,"
        " is_sample boolean, is_test boolean, is_withdrawal boolean);"
        "create table staging.missing_reason (reason_text text, obs_status text, status_reason text);"
        "create table staging.stg_population__municipality (municipality_code text, time_period text, population bigint,"
        " load_id text, sheet text, row_no bigint);"
        "alter table raw.submission drop constraint submission_load_id_fkey"
    )


def _fill(connection: psycopg.Connection, sent: Sequence[SentReturn]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into staging.missing_reason values (%s, %s, %s)",
            [line.split(",") for line in SEED.read_text(encoding="utf-8").splitlines()[1:]],
        )
        cursor.executemany(
            "insert into raw.submission values (%s, '', '', %s, '', '', %s, %s, '', %s, 0)",
            [(f"s{n}", e.file_name, e.collection_code, e.municipality_code, e.time_period) for n, e in enumerate(sent)],
        )
        cursor.executemany(
            "insert into staging.stg_submissions__delivery values (%s, %s, '', %s, %s, %s, 1, %s, false, false)",
            [(f"s{n}", f"s{n}", e.collection_code, e.municipality_code, e.time_period, n) for n, e in enumerate(sent)],
        )
        with cursor.copy(
            "copy raw.submission_cell (submission_id, sheet, cell, indicator_code, code_text, sex, value_text, value_type,"
            " reason_text) from stdin"
        ) as copy:
            for number, each in enumerate(sent):
                for c in each.cells:
                    copy.write_row(
                        (f"s{number}", c.sheet, c.cell, c.indicator_code, c.code_text, c.sex, c.value.text, c.value.type,
                         c.reason_text)
                    )  # fmt: skip


def _key(breach: Breach) -> tuple[object, ...]:
    return (
        breach.rule_id, breach.municipality_code, breach.time_period, breach.sheet, breach.cell, breach.indicator_code, breach.sex,
        breach.found, breach.expected,
    )  # fmt: skip


@pytest.mark.timeout(1200)
def test_a_thousand_returns_get_the_same_verdicts_on_both_engines(warehouse: Warehouse, catalogue: Catalogue) -> None:
    """Each of 750 bodies has a year and, every second one, the year before it."""
    store_catalogue(warehouse, catalogue)

    @hypothesis.settings(
        max_examples=BATCHES,
        deadline=None,
        derandomize=True,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.randoms(use_true_random=False))
    def compare(random: object) -> None:
        seed = random.randrange(1 << 30)  # type: ignore[attr-defined]
        sent = _generate(catalogue, seed)
        offline = check_returns(catalogue, sent)
        found, verdicts = _ask_warehouse(warehouse, sent)
        assert sorted(map(_key, offline.breaches), key=repr) == sorted(found, key=repr)
        assert _without_peers(offline.verdicts) == verdicts
        assert {"pass", "fail", "no_data", "not_applicable"} <= {verdict for _, verdict in verdicts}

    compare()


def _without_peers(verdicts: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """A return alone has no peers: of those rules it says no data and nothing else."""
    assert {verdict for rule, verdict in verdicts if rule.startswith("PEER.")} == {"no_data"}
    return {key: count for key, count in verdicts.items() if not key[0].startswith("PEER.")}


_shown = st.one_of(
    st.integers(0, 60000).map(float),
    st.floats(0, 1e6).map(lambda value: round(value, 3)),
    st.sampled_from([*MISSING_REASONS.values()]),
)
_filled = st.one_of(
    st.integers(-5, 60000), st.floats(0, 1e6).map(lambda value: round(value, 3)), st.none(), st.just("–")
)


@pytest.mark.timeout(1200)
def test_last_year_of_the_sheet_decides_as_last_years_return_does(
    warehouse: Warehouse, catalogue: Catalogue, tmp_path: Path
) -> None:
    """Workbooks of our template whose columns beside show last year, against the same values sent last year."""
    store_catalogue(warehouse, catalogue)
    questions = {row.code: row for row in list_questions(catalogue, 2024)}
    places = [(code, sex) for code, row in questions.items() for sex in ("TFM" if row.is_sex_split else "T")]
    drawn: list[dict[tuple[str, str], tuple[object, float | str]]] = []

    @hypothesis.seed(850)
    @hypothesis.settings(
        max_examples=WORKBOOKS, database=None, deadline=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(st.dictionaries(st.sampled_from(places), st.tuples(_filled, _shown), min_size=1, max_size=40))
    def draw(answers: dict[tuple[str, str], tuple[object, float | str]]) -> None:
        drawn.append(answers)

    draw()
    asked, shown, before = [], [], []
    for number, answers in enumerate(drawn):
        path = tmp_path / f"{number}.xlsx"
        write_template(
            path,
            indicators=[questions[code] for code in dict.fromkeys(code for code, _ in answers)],
            municipality_code=f"UA{number}",
            municipality_name=f"UA{number}",
            time_period="2024",
            catalogue_version=catalogue.catalogue_version,
            answers={place: TemplateAnswer(value) for place, (value, _) in answers.items()},
            last_year={place: past for place, (_, past) in answers.items()},
        )
        sent, _ = read_sent(path)
        beside = read_shown(path, sent)
        assert beside is not None and len(beside.cells) == len(answers)
        asked.append(sent)
        shown.append(beside)
        cells = [
            MappedCell("X", f"D{row}", code, code, sex, None if isinstance(past, str) else repr(past),
                       "empty" if isinstance(past, str) else "number", past if isinstance(past, str) else None, None)
            for row, ((code, sex), (_, past)) in enumerate(answers.items(), 5)
        ]  # fmt: skip
        before.append(SentReturn("2023.xlsx", "ASMS", f"UA{number}", "2023", cells))
    offline = check_returns(catalogue, [*asked, *shown], asked=asked)
    found, verdicts = _ask_warehouse(warehouse, [*asked, *before], asked)
    assert sorted(map(_key, offline.breaches), key=repr) == sorted(found, key=repr)
    assert _without_peers(offline.verdicts) == verdicts
    by_year = {verdict for rule, verdict in verdicts if rule in ("YEAR_JUMP", "YEAR_UNIT_SLIP")}
    assert {"pass", "fail", "no_data"} <= by_year
    assert {period for _, _, period, *_ in found} == {"2024"}


def _generate(catalogue: Catalogue, seed: int) -> list[SentReturn]:
    """Draw a batch of returns; hypothesis itself may not draw so much at once."""
    drawn: list[list[MappedCell]] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=BODIES_A_BATCH * 3 // 2,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(_returns(catalogue))
    def draw(cells: list[MappedCell]) -> None:
        drawn.append(cells)

    draw()
    return [
        SentReturn(f"{n}.xlsx", "ASMS", f"UA{n // 3 * 2 + n % 3 // 2}", "2023" if n % 3 == 1 else "2024", cells)
        for n, cells in enumerate(drawn)
    ]


def test_registers_confirm_and_dispute_the_same_answers_on_both_engines(
    warehouse: Warehouse, catalogue: Catalogue
) -> None:
    """Answers that lie on, just within and just beyond what the budget's December and doctors' declarations say."""
    store_catalogue(warehouse, catalogue)
    drawn = random.Random(850)  # noqa: S311 - no secret
    bodies = [f"UA{number}" for number in range(30)]
    known = _ask_registers(warehouse, catalogue, bodies, drawn)
    sent = []
    for body in bodies:
        cells, shown = [], {}
        for row, (_, code, sex, value, allowed, _) in enumerate((one for one in known if one[0] == body), 5):
            shown[code, sex] = value
            share = drawn.choice([0, 0.5, 1 - 1e-6, 1 + 1e-6, 2, -0.5, -1 + 1e-6, -1 - 1e-6, -2])
            answer = CellValue(repr(round(value + share * allowed, 9)), "number")
            found = drawn.choice([answer, answer, answer, CellValue(None, "empty"), CellValue("сто", "text")])
            cells.append(MappedCell(code[:3], f"D{row}", code, code, sex, found.text, found.type, None, None))
        sent.append(SentReturn(f"{body}.xlsx", "ASMS", body, "2024", cells, shown))
    offline = check_returns(catalogue, sent)
    found, verdicts = _ask_warehouse(warehouse, sent, known=known)
    assert sorted(map(_key, offline.breaches), key=repr) == sorted(found, key=repr)
    assert _without_peers(offline.verdicts) == verdicts
    assert min(verdicts["REGISTER_DIFFERS", "pass"], verdicts["REGISTER_DIFFERS", "fail"]) > 150


def _ask_registers(
    warehouse: Warehouse, catalogue: Catalogue, bodies: Sequence[str], drawn: random.Random
) -> list[tuple[str, str, str, float, float, bool]]:
    """What the model says of registers with drawn figures: body, code, sex, value, allowed difference, whether compared."""
    lines = _lines_apart(catalogue)
    assert len(lines) > 30 and {line.register for line in lines} == {"open_budget", "health_declarations"}
    with warehouse.connect("admin") as connection:
        _lay_tables(connection)
        connection.execute(_REGISTERS)
        amounts = [0, 40, 50, 60, 1_000_000]
        connection.cursor().executemany(
            "insert into indicators.int_budget__monthly values (%s, 'municipality', '2024-12', %s, %s, %s, %s, %s)",
            [
                (body, line.budget_item, line.classification_type, line.code_prefix, line.fund_type,
                 drawn.choice([*amounts, drawn.randrange(1, 10**9)]))
                for body in bodies
                for line in lines
                if line.register == "open_budget"
            ],
        )  # fmt: skip
        connection.cursor().executemany(
            "insert into staging.stg_health_declarations__municipality values (%s, '2024-12', %s, %s, %s)",
            [(body, *(drawn.randrange(0, 5000) for _ in range(3))) for body in bodies],
        )
        for model in ("stg_catalogue__indicator", "stg_catalogue__cell", "stg_catalogue__register_source"):
            connection.execute(f"create view staging.{model} as {render_model(model)}".encode())
        known = connection.execute(
            "select municipality_code, indicator_code, sex, register_value, allowed_difference, is_compared"
            f" from ({render_model('int_register__value')}) as register order by 1, 2, 3".encode()
        ).fetchall()
        connection.rollback()
    return known


_REGISTERS = """
create table indicators.int_budget__monthly (
    municipality_code text, area_level text, time_period text, budget_item text, classification_type text,
    classification_code text, fund_type text, amount_cumulative numeric(18, 2), plan_amount numeric(18, 2),
    approved_amount numeric(18, 2), load_id text, row_nos text
);
create table staging.stg_health_declarations__municipality (
    municipality_code text, time_period text, declaration_count integer, female_count integer, male_count integer,
    load_id text, row_no bigint
);
create table staging.stg_transfers__value (
    table_code text, time_period text, budget_code text, measure_code text, obs_value numeric, load_id text,
    sheet text, row_nos text
);
create table staging.stg_transfers__budget (
    table_code text, time_period text, budget_code text, budget_level text, area_code text
);
"""


def _lines_apart(catalogue: Catalogue) -> list[RegisterSource]:
    """Lines that one code of the budget answers, none of which is part of another's, and those of declarations."""
    sources = [source for source in register_sources(catalogue) if source.tolerance is not None]
    lone = [s for s in sources if sum((s.indicator_code, s.sex) == (o.indicator_code, o.sex) for o in sources) == 1]
    chosen: list[RegisterSource] = []
    for source in sorted(lone, key=lambda one: -len(one.code_prefix)):
        is_free = not any(
            other.code_prefix.startswith(source.code_prefix) and other.budget_item == source.budget_item
            for other in chosen
        )
        if source.register == "health_declarations" or (source.measure == "actual" and is_free):
            chosen.append(source)
    return chosen


def test_an_answer_is_held_against_the_register_that_the_sheet_shows(tmp_path: Path, catalogue: Catalogue) -> None:
    rows = [row for row in list_questions(catalogue, 2024) if row.code in ("REV.010", "REV.011", "REV.020")]
    write_template(
        tmp_path / "t.xlsx",
        indicators=rows,
        municipality_code="UA05020030000031457",
        municipality_name="Вінницька",
        time_period="2024",
        catalogue_version=catalogue.catalogue_version,
        answers={("REV.010", "T"): TemplateAnswer(200.0), ("REV.020", "T"): TemplateAnswer(50.1)},
        registers={("REV.010", "T"): 100.0, ("REV.011", "T"): 80.04, ("REV.020", "T"): 50.0},
    )
    told = [breach for breach in check_file(tmp_path / "t.xlsx").breaches if breach.rule_id == "REGISTER_DIFFERS"]
    assert [(breach.indicator_code, breach.sheet, breach.found, breach.expected) for breach in told] == [
        ("REV.010", "REV", "200", "100")
    ]
    assert told[0].cell is not None and told[0].severity == "warning"
