"""Gates on a real database: they let good data and empty tables through, and close on what is planted."""

from pathlib import Path

import psycopg
import pytest

from asms.quality.expectations import run_suites
from asms.quality.gates import GateResult, run_gate
from asms.quality.suites import GATES, AskedBuild, Gate, load_suites
from asms.warehouse.connection import Role, Warehouse

LAYERS = Path(__file__).with_name("quality_layers.sql").read_text(encoding="utf-8")
CRIMEA, SEVASTOPOL, KYIV = "UA01000000000013043", "UA85000000000065278", "UA80000000000093317"

_UNITS = f"""
insert into staging.stg_katottg__unit (unit_code, category, name_uk, oblast_code, municipality_code)
values ('{CRIMEA}', 'O', 'Автономна Республіка Крим', '{CRIMEA}', null),
    ('{KYIV}', 'K', 'Київ', '{KYIV}', '{KYIV}'), ('{SEVASTOPOL}', 'K', 'Севастополь', '{SEVASTOPOL}', '{SEVASTOPOL}');
insert into staging.stg_katottg__unit (unit_code, category, name_uk, oblast_code, municipality_code)
select 'H' || n, 'H', 'Громада ' || n, case when n <= 303 then '{CRIMEA}' else 'O' end, 'H' || n
from generate_series(1, 1772) as n;
"""
_BUDGET = """
insert into staging.stg_open_budget__row (
    budget_code, area_code, area_level, time_period, period_start, budget_item, classification_type, classification_code,
    fund_type, amount_cumulative, load_id
)
values
('0556000000', 'H1', 'municipality', '2024-03', '2024-03-01', 'INCOMES', 'NONE', '11010100', 'T', 10.50, 'load-1'),
('0556000000', 'H1', 'municipality', '2024-03', '2024-03-01', 'INCOMES', 'NONE', '11010100', 'C', 10.50, 'load-1'),
('0556000000', 'H1', 'municipality', '2024-03', '2024-03-01', 'INCOMES', 'NONE', '24060300', 'T', 7.00, 'load-1'),
('0556000000', 'H1', 'municipality', '2024-03', '2024-03-01', 'INCOMES', 'NONE', '24060300', 'C', 3.00, 'load-1'),
('0556000000', 'H1', 'municipality', '2024-03', '2024-03-01', 'INCOMES', 'NONE', '24060300', 'S', 4.00, 'load-1')
"""


def run(warehouse: Warehouse, role: Role, statements: str) -> None:
    with warehouse.connect(role) as connection:
        connection.execute(statements)  # type: ignore[arg-type]  # SQL of these tests


def failed(warehouse: Warehouse, gate: Gate) -> tuple[GateResult, set[str]]:
    """The gate's verdict on build 1 and the ids of the expectations that failed."""
    result = run_gate(warehouse, gate, 1)
    with warehouse.connect("gate") as connection:
        rows = connection.execute(
            "select check_id from quality.gate_result where gate = %s and engine = 'gx' and not success", (gate,)
        ).fetchall()
    return result, {str(row[0]) for row in rows}


@pytest.fixture
def layers(warehouse: Warehouse) -> Warehouse:
    """A warehouse whose layers are there and empty, with build 1 running over every key."""
    run(warehouse, "transformer", LAYERS)
    run(warehouse, "publisher", "insert into ops.build (status, is_full, reason) values ('running', true, 'test')")
    return warehouse


def test_empty_layers_close_no_gate(layers: Warehouse) -> None:
    """Nobody asked for any source, so no gate may miss one; and each expectation is asked and stored once."""
    for gate in GATES:
        result, _ = failed(layers, gate)
        assert result.passed and result.critical == result.warnings == 0, gate
        assert result.checked > 0
    run_gate(layers, "raw", 1)
    with layers.connect("gate") as connection:
        stored = connection.execute(
            "select count(*), count(*) filter (where success) from quality.gate_result"
        ).fetchone()
        rules = connection.execute("select count(*) from quality.rule where engine = 'gx' and is_active").fetchone()
    assert stored and rules and stored[0] == stored[1] == rules[0]


def test_missing_column_and_missing_table_are_one_clear_failure_each(layers: Warehouse) -> None:
    run(
        layers,
        "transformer",
        "alter table build.dim_municipality drop column oblast_name_uk; drop table build.fct_budget_monthly",
    )
    result, ids = failed(layers, "marts")
    assert not result.passed
    assert ids == {"GX_MART_MUNICIPALITY_SCHEMA", "GX_MART_BUDGET_SCHEMA"}
    with layers.connect("gate") as connection:
        told = dict(
            connection.execute(
                "select check_id, coalesce(observed_value, message_en) from quality.gate_result where not success"
            ).fetchall()
        )
    assert told["GX_MART_MUNICIPALITY_SCHEMA"] == '["oblast_name_uk"]'
    assert "fct_budget_monthly" in told["GX_MART_BUDGET_SCHEMA"]


def test_expectation_that_raises_is_a_failed_critical_one(layers: Warehouse) -> None:
    """A warning whose query cannot run is not passed over: GX_STG_RETURN_SHRANK reads the year as a number."""
    run(
        layers,
        "transformer",
        "insert into staging.stg_submissions__latest_cell (collection_code, municipality_code, time_period, obs_value)"
        " values ('ASMS', 'H1', '99999999999999', 1)",
    )
    result, ids = failed(layers, "staging")
    assert not result.passed and ids == {"GX_STG_RETURN_SHRANK"}
    with layers.connect("gate") as connection:
        row = connection.execute("select severity, message_uk from quality.gate_result where not success").fetchone()
    assert row and row[0] == "critical" and "out of range" in row[1]


def test_lost_connection_is_raised_and_closes_no_gate(layers: Warehouse) -> None:
    """A server that restarts during a gate says nothing about the data: the task is retried."""
    (cells,) = (suite for suite in load_suites() if suite.table == "stg_katottg__unit")
    schema, *_ = cells.expectations
    cut = schema.model_copy(
        update={
            "rule_id": "GX_T_CUT",
            "type": "unexpected_rows_expectation",
            "kwargs": {"unexpected_rows_query": "select pg_terminate_backend(pg_backend_pid()) from {batch}"},
        }
    )
    run(layers, "transformer", _UNITS)
    with pytest.raises(psycopg.OperationalError, match="terminating connection"):
        run_suites(layers, [cells.model_copy(update={"expectations": (schema, cut)})], AskedBuild(1, is_full=True))


def test_more_failing_rows_than_are_fetched_are_all_counted(layers: Warehouse) -> None:
    (cells,) = (suite for suite in load_suites() if suite.table == "stg_katottg__unit")
    schema, *_ = cells.expectations
    many = schema.model_copy(
        update={
            "rule_id": "GX_T_MANY",
            "type": "unexpected_rows_expectation",
            "kwargs": {
                "unexpected_rows_query": "select n from {batch} right join generate_series(1, 321) as n on false"
            },
        }
    )
    suite = cells.model_copy(update={"expectations": (schema, many)})
    _, found = run_suites(layers, [suite], AskedBuild(1, is_full=True))
    assert (found.success, found.unexpected_count) == (False, 321)


def test_whole_country_passes_and_a_lost_hromada_closes_the_gate(layers: Warehouse) -> None:
    run(layers, "transformer", _UNITS)
    assert failed(layers, "staging")[0].passed
    run(layers, "transformer", "delete from staging.stg_katottg__unit where unit_code = 'H303'")
    assert failed(layers, "staging")[1] == {"GX_STG_KATOTTG_BODIES", "GX_STG_KATOTTG_CRIMEA_SEVASTOPOL"}
    run(layers, "transformer", f"delete from staging.stg_katottg__unit where unit_code = '{SEVASTOPOL}'")
    assert not failed(layers, "staging")[0].passed


def test_funds_that_do_not_add_up_close_the_gate_and_the_query_shows_them(layers: Warehouse) -> None:
    run(layers, "transformer", _BUDGET)
    assert failed(layers, "staging")[0].passed, "a missing C or S counts as zero"
    run(layers, "transformer", "delete from staging.stg_open_budget__row where fund_type = 'S'")
    result, ids = failed(layers, "staging")
    assert not result.passed and ids == {"GX_STG_OPEN_BUDGET_FUNDS_ADD_UP"}
    with layers.connect("gate") as connection:
        row = connection.execute(
            "select failing_rows_sql, unexpected_count, observed_value from quality.gate_result where not success"
        ).fetchone()
        assert row is not None
        rows = connection.execute(row[0]).fetchall()
    assert row[1] == len(rows) == 1
    assert rows[0][4] == "24060300" and "24060300" in row[2]


def test_funds_of_loads_already_published_are_not_asked_again(layers: Warehouse) -> None:
    """A build of changes looks at its own loads."""
    run(layers, "transformer", _BUDGET + "; delete from staging.stg_open_budget__row where fund_type = 'S'")
    run(layers, "publisher", "update ops.build set is_full = false")
    assert failed(layers, "staging")[0].passed
    run(
        layers,
        "admin",
        "insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample, row_count)"
        " values ('load-1', 'open_budget', 'd', '1', 'loaded', true, 5);"
        "insert into ops.build_load (build_id, load_id) values (1, 'load-1')",
    )
    assert failed(layers, "staging")[1] == {"GX_STG_OPEN_BUDGET_FUNDS_ADD_UP"}
    assert failed(layers, "raw")[1] == {"GX_RAW_OPEN_BUDGET_COUNTED"}, "five rows read, none stored"
    run(
        layers,
        "loader",
        "insert into raw.open_budget_row (load_id, row_no, classification_name_key) select 'load-1', n, 'key' from generate_series(2, 6) n",
    )
    assert failed(layers, "raw")[1] == {"GX_RAW_OPEN_BUDGET_NAMED"}, "five rows with a name that is not stored"


def test_restricted_indicator_in_the_mart_closes_the_gate_without_showing_a_value(layers: Warehouse) -> None:
    run(
        layers,
        "loader",
        """
        insert into catalogue.collection values ('ASMS', 'АСМС', 'ASMS', true);
        insert into catalogue.domain values ('SAF', 'ASMS', 'Безпека', 'Safety', 1);
        insert into catalogue.indicator (
            indicator_code, version, collection_code, domain_code, name_uk, name_en, unit_measure, unit_mult, decimals,
            indicator_type, is_derived, is_sex_split, aggregation, conf_status, is_prefilled, valid_from
        )
        values ('SAF.001', 1, 'ASMS', 'SAF', 'Укриття', 'Shelters', 'од.', 0, 0, 'stock', false, false, 'sum',
            'restricted', false, 2010)
        """,
    )
    fact = "'H1', 'SAF.001', 'ASMS', '2024', 'T', 424242, 'A'"
    columns = "(municipality_code, indicator_code, collection_code, time_period, sex, obs_value, obs_status)"
    run(layers, "transformer", f"insert into indicators.int_observation__accepted {columns} values ({fact})")
    assert failed(layers, "marts")[0].passed, "a restricted value that stays out is no difference"
    run(layers, "transformer", f"insert into build.fct_indicator_value {columns} values ({fact})")
    assert failed(layers, "marts")[1] == {"GX_MART_RESTRICTED"}
    with layers.connect("gate") as connection:
        assert "424242" not in str(connection.execute("select * from quality.gate_result").fetchall())


def test_a_rejected_value_among_the_accepted_closes_the_gate(layers: Warehouse) -> None:
    run(
        layers,
        "admin",
        """
        insert into quality.rule (rule_id, engine, level, severity, title_uk, title_en, remedy_uk, remedy_en, owner)
        values ('T', 'sql', 'cell', 'error', 'т', 't', 'з', 'm', 'intake');
        insert into quality.finding (
            finding_id, rule_id, severity, dataset, submission_id, municipality_code, time_period, indicator_code, sex,
            message_uk, message_en, remedy_uk, remedy_en
        )
        values ('f', 'T', 'error', 'submissions', 's', 'H1', '2024', 'POP.001', 'T', 'т', 't', 'з', 'm');
        insert into indicators.int_observation__accepted (
            collection_code, municipality_code, time_period, indicator_code, sex, obs_value, obs_status, submission_id
        )
        values ('ASMS', 'H1', '2024', 'POP.001', 'T', null, 'M_Q', 's'), ('ASMS', 'H1', '2024', 'POP.002', 'T', 5, 'A', 's')
        """,
    )
    assert failed(layers, "indicators")[0].passed
    run(layers, "admin", "update indicators.int_observation__accepted set obs_value = 7, obs_status = 'A'")
    result, ids = failed(layers, "indicators")
    assert not result.passed and ids == {"GX_INT_ACCEPTED_NO_REJECTED_VALUE"}
    for harmless in ("severity = 'warning'", "severity = 'error', is_open = false"):
        run(layers, "admin", f"update quality.finding set {harmless}")
        assert failed(layers, "indicators")[0].passed, harmless


def test_only_what_staff_corrected_may_differ_from_the_return_and_only_so(layers: Warehouse) -> None:
    key = "'ASMS', 'H1', '2024', 'POP.001', 'T'"
    columns = "(collection_code, municipality_code, time_period, indicator_code, sex"
    run(
        layers,
        "transformer",
        f"""
        insert into staging.stg_submissions__latest_cell {columns}, obs_value) values ({key}, 5);
        insert into indicators.int_observation__accepted {columns}, obs_value, obs_status, obs_source)
        values ({key}, 50, 'R', 'corrected')
        """,
    )
    assert failed(layers, "indicators")[1] == {"GX_INT_ACCEPTED_RECONCILED"}
    run(layers, "transformer", f"insert into indicators.int_observation__correction values ({key}, true, 50, 'R')")
    assert failed(layers, "indicators")[0].passed
    run(layers, "transformer", "update indicators.int_observation__correction set corrected_value = 51")
    assert failed(layers, "indicators")[1] == {"GX_INT_ACCEPTED_RECONCILED"}


def test_fact_lost_on_the_way_to_the_mart_closes_the_gate(layers: Warehouse) -> None:
    test_restricted_indicator_in_the_mart_closes_the_gate_without_showing_a_value(layers)
    run(layers, "loader", "update catalogue.indicator set conf_status = 'free'")
    assert failed(layers, "marts")[0].passed
    run(layers, "transformer", "update build.fct_indicator_value set obs_value = 424243")
    assert failed(layers, "marts")[1] == {"GX_MART_FACTS_RECONCILED"}


def test_small_counts_and_totals_that_tell_of_them_close_the_gate(layers: Warehouse) -> None:
    """4 is small, of municipality H1 and of oblast O; 5 and 40 are told while nothing hides them."""
    test_restricted_indicator_in_the_mart_closes_the_gate_without_showing_a_value(layers)
    run(
        layers,
        "admin",
        """
        update catalogue.indicator set conf_status = 'free';
        insert into catalogue.disclosure_cell values ('SAF.001', 'SAF.001', 'T', 'T', 5);
        insert into build.fct_area_value
            (area_code, area_level, indicator_code, collection_code, time_period, sex, obs_value, unit_count, reporting_count)
        select code, level, 'SAF.001', 'ASMS', '2024', 'T', 40, units, 2
        from (values ('O', 'oblast', 2), ('UA', 'country', 3)) as area (code, level, units);
        """,
    )
    suites = [suite for suite in load_suites() if suite.table in ("fct_indicator_value", "fct_area_value")]
    accepted, fact = (
        "update indicators.int_observation__accepted set",
        "update build.fct_indicator_value set obs_value =",
    )
    total = "update build.fct_area_value set {} where area_level = 'oblast'"
    hidden = "insert into indicators.int_disclosure__suppressed values ('{}', '{}', 'ASMS', 'SAF.001', '2024', 'T');"
    for change, ids in (
        (f"{accepted} obs_value = 4; {fact} 4", {"GX_MART_SMALL"}),
        (f"{accepted} obs_value = 5; {fact} 5;" + total.format("obs_value = 4"), {"GX_MART_AREA_SMALL"}),
        (total.format("obs_value = null") + ";" + hidden.format("area", "O") + hidden.format("recast", "H1"), set()),
        (total.format("obs_value = 40"), {"GX_MART_AREA_SMALL"}),
        (total.format("obs_value = null, reporting_count = 1"), {"GX_MART_AREA_ADDS_UP"}),
        (total.format("reporting_count = 2, unit_count = 4"), {"GX_MART_AREA_ADDS_UP"}),
        (total.format("unit_count = 3") + f"; {fact} null;" + hidden.format("reported", "H1"), set()),
        (f"{fact} 5", {"GX_MART_SMALL", "GX_MART_FACTS_RECONCILED"}),
        (
            "delete from build.fct_indicator_value; update catalogue.indicator set conf_status = 'restricted'",
            {"GX_MART_AREA_RESTRICTED"},
        ),
    ):
        run(layers, "admin", change)
        found = run_suites(layers, suites, AskedBuild(1, is_full=True))
        assert {result.rule_id for result in found if not result.success} == ids, change


def test_a_median_that_moves_like_a_slip_of_units_is_told(layers: Warehouse) -> None:
    test_restricted_indicator_in_the_mart_closes_the_gate_without_showing_a_value(layers)
    run(layers, "loader", "update catalogue.indicator set conf_status = 'free'")
    cell = "'ASMS', 'SAF.001', '{}', 'T', 10"
    run(
        layers,
        "transformer",
        f"""
        insert into build.mart_indicator_peer_stats
            (peer_group_code, collection_code, indicator_code, time_period, sex, n, median)
        values ('UA', {cell.format(2023)}, 9), ('UA', {cell.format(2024)}, 44), ('oblast:O', {cell.format(2023)}, 9),
            ('oblast:O', {cell.format(2024)}, 9000)
        """,
    )
    assert failed(layers, "marts")[1] == set(), "a group is small, and five times is not exceeded"
    run(layers, "transformer", "update build.mart_indicator_peer_stats set median = 46 where median = 44")
    result, ids = failed(layers, "marts")
    assert result.passed and ids == {"GX_MART_MEDIAN_DRIFT"}
    run(layers, "transformer", "update build.mart_indicator_peer_stats set n = 9 where time_period = '2023'")
    assert failed(layers, "marts")[1] == set(), "too few bodies to tell"


def test_flows_that_do_not_add_up_close_the_gate(layers: Warehouse) -> None:
    line = "'H1', 'INCOMES', 'NONE', '11010100', 'T'"
    run(
        layers,
        "transformer",
        f"""
        insert into build.fct_budget_monthly (
            municipality_code, budget_item, classification_type, classification_code, fund_type, time_period,
            amount_cumulative, amount_month
        )
        values ({line}, '2024-01', 5.10, 5.10), ({line}, '2024-02', 7.00, 1.90), ({line}, '2025-02', 9.00, null)
        """,
    )
    assert failed(layers, "marts")[0].passed
    run(layers, "transformer", "update build.fct_budget_monthly set amount_month = 1.91 where time_period = '2024-02'")
    assert failed(layers, "marts")[1] == {"GX_MART_BUDGET_FLOWS_ADD_UP"}


def test_a_code_that_ended_is_accepted_with_a_warning(layers: Warehouse) -> None:
    """In the year after its end, and after that with another; a code that came again has not ended."""
    run(
        layers,
        "transformer",
        "insert into build.dim_budget_classification values ('INCOMES', '', '11010100', '2020-01-01', '2024-01-01', 'Податок'),"
        " ('INCOMES', '', '24060300', '2020-01-01', '2024-01-01', 'Інше'), ('INCOMES', '', '24060300', '2024-01-01', null, 'Інше');"
        "insert into build.fct_budget_monthly (municipality_code, time_period, period_start, budget_item, classification_type,"
        " classification_code, fund_type, amount_cumulative)"
        " select 'H1', to_char(day, 'YYYY-MM'), day, 'INCOMES', '', code, 'T', 1"
        " from (values ('11010100'), ('24060300')) as codes (code), (values (date '2023-12-01'), ('2024-12-01')) as days (day)",
    )
    codes = {"GX_MART_BUDGET_CODE_ENDED", "GX_MART_BUDGET_CODE_LONG_ENDED"}
    result, ids = failed(layers, "marts")
    assert result.passed and ids & codes == {"GX_MART_BUDGET_CODE_ENDED"}
    run(
        layers,
        "transformer",
        "update build.fct_budget_monthly set period_start = '2025-01-01' where period_start > '2024-01-01'",
    )
    result, ids = failed(layers, "marts")
    assert result.passed and ids & codes == {"GX_MART_BUDGET_CODE_LONG_ENDED"}
    run(layers, "transformer", "delete from build.fct_budget_monthly where classification_code = '11010100'")
    assert not failed(layers, "marts")[1] & codes


def test_cells_of_a_return_that_came_again_are_counted(layers: Warehouse) -> None:
    """Bytes sent again are a new load of the submission that stands, whose first load was published long ago."""
    run(layers, "publisher", "update ops.build set is_full = false")
    run(
        layers,
        "admin",
        """
        insert into raw.delivery (delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, is_sample)
        values ('d1', 'submissions', 'c', 'a.xlsx', 1, 'a', 1, 1, true), ('d3', 'submissions', 'c', 'a.xlsx', 3, 'a', 1, 3, true);
        insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample)
        values ('l1', 'submissions', 'd1', '1', 'loaded', true), ('l3', 'submissions', 'd3', '1', 'loaded', true);
        insert into raw.submission values ('s', 'l1', 'a', 'a.xlsx', 'F', '1', 'ASMS', 'H1', 'H1', '2024', 2);
        insert into raw.submission_cell values ('s', 'POP', 'D7', 'POP.001', 'POP.001', 'T', '1', 'number');
        insert into raw.submission_delivery values ('d1', 's', 'l1'), ('d3', 's', 'l3');
        """,
    )
    assert failed(layers, "raw")[0].passed and failed(layers, "staging")[0].passed, "not of this build"
    run(
        layers,
        "admin",
        "insert into ops.build_load (build_id, load_id) values (1, 'l3'); "
        "insert into ops.changed_key (municipality_code, time_period, reason) values ('H1', '2024', 'submissions')",
    )
    assert failed(layers, "raw")[1] == {"GX_RAW_SUBMISSION_CELLS_COUNTED"}
    assert failed(layers, "staging")[1] == {"GX_STG_CELLS_RECONCILED"}


def test_a_miscounted_headline_closes_the_gate(layers: Warehouse) -> None:
    run(
        layers,
        "transformer",
        """
        insert into build.dim_municipality (municipality_code) values ('H1'), ('H2');
        insert into build.fct_return_history (municipality_code, collection_code, time_period, known_from, known_to, is_full)
        values ('H1', 'ASMS', '2024', '2025-01-01', '2025-02-01', false), ('H1', 'ASMS', '2024', '2025-02-01', null, true);
        insert into build.mart_completeness_by_year (
            collection_code, time_period, area_code, body_count, submitted_count, full_count, member_count
        )
        values ('ASMS', '2024', 'O1', 2, 1, 1, 2), ('ASMS', '2024', 'UA', 2, 1, 1, 2)
        """,
    )
    assert failed(layers, "marts")[0].passed
    run(layers, "transformer", "insert into staging.stg_members__term (municipality_code, term_no) values ('H9', 1)")
    result, ids = failed(layers, "marts")
    assert result.passed and ids == {"GX_MART_BY_YEAR_REGISTER_IN_CODIFIER"}
    run(layers, "transformer", "update build.mart_completeness_by_year set member_count = 1 where area_code = 'O1'")
    assert "GX_MART_BY_YEAR_AREAS_ADD_UP" in failed(layers, "marts")[1]
    run(
        layers,
        "transformer",
        "update build.mart_completeness_by_year set full_count = 2, body_count = 3, member_count = 2",
    )
    _, ids = failed(layers, "marts")
    assert {"GX_MART_BY_YEAR_RECOUNTED", "GX_MART_BY_YEAR_EVERY_BODY"} <= ids
    assert "GX_MART_BY_YEAR_AREAS_ADD_UP" not in ids


def test_only_checks_of_whole_tables_describe_the_data(layers: Warehouse) -> None:
    """A check of one build's loads must not stand in the mart of quality as if it were of the table."""
    failed(layers, "staging")
    with layers.connect("gate") as connection:
        scoped = dict(
            connection.execute("select check_id, is_scoped from quality.gate_result where engine = 'gx'").fetchall()
        )
    assert scoped["GX_STG_OPEN_BUDGET_FUNDS_ADD_UP"] is True
    assert scoped["GX_STG_KATOTTG_BODIES"] is False


def test_failed_dbt_test_closes_the_gate_and_stays(layers: Warehouse) -> None:
    """Results of the two engines stand side by side: running the one does not wipe the other."""
    run(
        layers,
        "gate",
        "insert into quality.gate_result (build_id, gate, engine, dataset, check_id, severity, success, message_uk,"
        " message_en, owner) values (1, 'raw', 'dbt', 'staging.x', 'test.unique_x', 'critical', false, 'ні', 'no', 'dbt'),"
        " (1, 'raw', 'dbt', 'staging.x', 'test.warn_x', 'warning', false, 'ні', 'no', 'dbt')",
    )
    for _ in range(2):
        result = run_gate(layers, "raw", 1)
        assert (result.passed, result.critical, result.warnings) == (False, 1, 1)
