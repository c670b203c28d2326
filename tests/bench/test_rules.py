"""The rules on returns and against peers over a part of the country: `make bench` prints the cost beside a plain pass."""

import time
from collections.abc import Callable
from pathlib import Path

from asms.catalogue import load_catalogue, store_catalogue
from asms.quality.peers import apply_peer_rules
from asms.quality.rules import apply_rules
from asms.warehouse.connection import Warehouse

LAYERS = (Path(__file__).parents[1] / "integration" / "quality_layers.sql").read_text(encoding="utf-8")
BODY_COUNT = 200
SEED = 0.42

# Two years of every cell of every body, alike but for chance, and the inputs of the compiled rules.
_FILL = f"""
insert into raw.submission
select 's' || n || year, 'l', 's' || n || year, 's' || n || '.xlsx', 'F', '1', 'ASMS', 'H' || n, '', year, 1
from generate_series(1, {BODY_COUNT}) as n cross join (values ('2023'), ('2024')) as years (year);
insert into staging.stg_submissions__latest_cell (
    collection_code, municipality_code, time_period, indicator_code, sex, obs_value, obs_status, submission_id, sheet, cell,
    load_id, is_conflict
)
select 'ASMS', 'H' || n, year, cell_limit.indicator_code, cell_limit.sex, 100 + floor(20 * random()), 'A', 's' || n || year, 'X', 'D1',
    'l', false
from generate_series(1, {BODY_COUNT}) as n
cross join (values ('2023'), ('2024')) as years (year)
cross join catalogue.cell_limit
inner join catalogue.indicator as indicator
    on cell_limit.indicator_code = indicator.indicator_code and indicator.collection_code = 'ASMS';
insert into staging.stg_submissions__input
select 'H' || n, '2024', array_agg(100 + 20 * random() order by slot), array_agg(0 order by slot)
from generate_series(1, {BODY_COUNT}) as n cross join catalogue.formula_input
group by n;
insert into indicators.int_peer_group__membership select 'H' || n, 'size', 'size:small' from generate_series(1, {BODY_COUNT}) as n;
insert into indicators.int_indicator__derived
select 'ASMS', 'H' || n, '2024', indicator.indicator_code, 'T', 100 + 20 * random(), 'A'
from generate_series(1, {BODY_COUNT}) as n cross join catalogue.indicator
where indicator.is_derived;
create index on staging.stg_submissions__sorted_cell (municipality_code, time_period);
analyze staging.stg_submissions__sorted_cell; analyze indicators.int_indicator__derived
"""

_PLAIN_PASS = """
select time_period, indicator_code, sex, count(*), min(obs_value), max(obs_value), avg(obs_value)
from staging.stg_submissions__latest_cell
group by time_period, indicator_code, sex
"""


def _wall_seconds(work: Callable[[], object], repeat: int = 2) -> float:
    """The least of a few tries."""
    best = float("inf")
    for _ in range(repeat):
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return best


def test_rules_against_a_plain_pass(warehouse: Warehouse) -> None:
    store_catalogue(warehouse, load_catalogue())
    with warehouse.connect("transformer") as connection:
        connection.execute(LAYERS.encode())
    with warehouse.connect("admin") as connection:
        connection.execute("alter table raw.submission drop constraint submission_load_id_fkey")
        connection.execute("select setseed(%s)", (SEED,))
        connection.execute(_FILL.encode())
        cells = connection.execute("select count(*) from staging.stg_submissions__latest_cell").fetchone()
        checks = connection.execute("select count(*) from catalogue.compiled_rule").fetchone()
    with warehouse.connect("publisher") as connection:
        connection.execute("insert into ops.build (status, is_full, reason) values ('running', true, 'bench')")

    def plain() -> None:
        with warehouse.connect("gate") as connection:
            connection.execute(_PLAIN_PASS.encode()).fetchall()

    floor = _wall_seconds(plain, repeat=3)
    rules = _wall_seconds(lambda: apply_rules(warehouse, 1, True))
    peers = _wall_seconds(lambda: apply_peer_rules(warehouse, 1, True))
    assert cells and checks
    print(
        f"\n{checks[0]} compiled rules and the limits of {cells[0]:,} cells: {rules:.1f} s, {rules / floor:.0f} x one pass"
    )
    print(
        f"peers of {BODY_COUNT} bodies: {peers:.1f} s, {peers / floor:.1f} x one aggregate pass over the cells ({floor:.2f} s)"
    )
    assert rules < 400 * floor
    assert peers < 60 * floor
