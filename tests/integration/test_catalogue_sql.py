"""What the database computes from compiled formulas and checks is what the formula says."""

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asms.catalogue import Catalogue, load_catalogue
from asms.catalogue.compile import Compiled, compile_catalogue
from asms.catalogue.expression_sql import ExpressionSql, Input, check_sql, found_and_expected, status_sql, value_sql
from asms.catalogue.grammar import parse_check, parse_formula
from asms.catalogue.resolve import resolve
from asms.warehouse.connection import Warehouse

CODES = ("TER.001", "TER.004", "HOU.002", "WAT.001", "WAT.002")  # none is split by sex
MOST_COLUMNS = 1600  # of one SELECT; PostgreSQL takes 1664

Values = Mapping[str, float | None]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def compiled(catalogue: Catalogue) -> Compiled:
    return compile_catalogue(catalogue)


@pytest.fixture(scope="module")
def connection(template_warehouse: Warehouse) -> Iterator[psycopg.Connection]:
    """A connection that only computes. Not to the template itself: a database that somebody is in cannot be copied."""
    with replace(template_warehouse, database="postgres").connect("admin", autocommit=True) as open_connection:
        yield open_connection


def _compute(
    connection: psycopg.Connection,
    sql: Sequence[str],
    values: Sequence[float | None],
    statuses: Sequence[str | None] | None = None,
) -> tuple[object, ...]:
    """Evaluate expressions over the two arrays, sent as columns so that nothing is folded away while planning."""
    given_values = [None if value is None else float(value) for value in values]
    given_statuses = statuses or ["M_NR" if value is None else "A" for value in values]
    row = connection.execute(
        f"select {', '.join(sql)} from (select %s::float8[] as v, %s::text[] as s offset 0) as input",
        (given_values, given_statuses),
    ).fetchone()
    assert row is not None
    return row


# --- any formula ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Formula:
    """A formula in our grammar and the same one in Python's, where brackets say everything."""

    text: str
    python: str
    binding: int  # 3 an atom, 2 a product, 1 a sum


def _product(parts: tuple[Formula, str, Formula]) -> Formula:
    left, sign, right = parts
    texts = [
        left.text if left.binding >= 2 else f"({left.text})",
        right.text if right.binding == 3 else f"({right.text})",
    ]
    plain = {"×": "*", "÷": "/", "*": "*", "/": "/"}[sign]
    return Formula(f"{texts[0]} {sign} {texts[1]}", f"({left.python} {plain} {right.python})", 2)


def _sum(parts: tuple[Formula, str, Formula]) -> Formula:
    left, sign, right = parts
    text = right.text if right.binding >= 2 else f"({right.text})"
    return Formula(f"{left.text} {sign} {text}", f"({left.python} {sign.replace('−', '-')} {right.python})", 1)


def _call(parts: tuple[str, list[Formula]]) -> Formula:
    name, arguments = parts
    return Formula(
        f"{name}({', '.join(a.text for a in arguments)})", f"{name}([{', '.join(a.python for a in arguments)}])", 3
    )


_atoms = st.one_of(
    st.sampled_from([Formula(code, f"x[{code!r}]", 3) for code in CODES]),
    st.sampled_from([Formula("1000", "1000.0", 3), Formula("0,5", "0.5", 3), Formula("1.163", "1.163", 3)]),
)
_formulas = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("×÷*/"), inner).map(_product),
        st.tuples(inner, st.sampled_from("+-−"), inner).map(_sum),
        st.tuples(st.sampled_from(["avg", "sum"]), st.lists(inner, min_size=1, max_size=3)).map(_call),
        inner.map(lambda f: Formula(f"(−{f.text if f.binding == 3 else f'({f.text})'})", f"(-{f.python})", 3)),
    ),
    max_leaves=8,
).filter(lambda formula: "x[" in formula.python)
_numbers = st.one_of(
    st.none(),
    st.just(0.0),
    st.integers(-5, 5).map(float),
    st.floats(-1e15, 1e15).filter(lambda value: abs(value) >= 1e-15),
)


def _in_python(formula: Formula, values: Values) -> float | None:
    """The oracle: Python's own arithmetic, with None for a missing input or a zero denominator."""
    used = [values[code] for code in CODES if repr(code) in formula.python]
    if None in used:
        return None
    names = {"x": values, "avg": lambda items: sum(items) / len(items), "sum": sum}
    try:
        return float(eval(formula.python, {"__builtins__": {}}, names))  # noqa: S307  # text of our own making
    except ZeroDivisionError:
        return None


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(formula=_formulas, numbers=st.tuples(*[_numbers] * len(CODES)))
def test_the_database_computes_what_python_computes(
    connection: psycopg.Connection,
    catalogue: Catalogue,
    formula: Formula,
    numbers: tuple[float | None, ...],
) -> None:
    expression = resolve(catalogue, {}, parse_formula(formula.text, "test"), "T", 0, "test")
    sql = ExpressionSql({Input("reported", code, "T", 0): slot for slot, code in enumerate(CODES, 1)})
    value, status = _compute(connection, [value_sql(sql, expression), status_sql(sql, expression)], numbers)

    expected = _in_python(formula, dict(zip(CODES, numbers, strict=True)))
    assert value == (None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9))
    used = [number for code, number in zip(CODES, numbers, strict=True) if code in formula.text]
    if expected is not None:
        assert status == "A"
    elif None not in used:
        assert status == "M_Z"
    else:
        assert status in ("M_Z", "M_NR")  # a denominator may be zero while another input is missing


# --- the formulas of the catalogue --------------------------------------------------------------------------------------


def _inputs(compiled: Compiled, given_values: Mapping[tuple[str, str, int], float | None]) -> list[float | None]:
    return [given_values.get((i.indicator_code, i.sex, i.period_offset)) for i in compiled.inputs]


def _formula(compiled: Compiled, code: str, sex: str = "T") -> list[str]:
    return next([f.value_sql, f.status_sql] for f in compiled.formulas if (f.indicator_code, f.sex) == (code, sex))


def test_natural_increase_of_women_over_the_average_population(
    connection: psycopg.Connection, compiled: Compiled
) -> None:
    known = {
        ("POP.010", "F", 0): 120.0,
        ("POP.011", "F", 0): 180.0,
        ("POP.001", "F", 0): 15500.0,
        ("POP.001", "F", 1): 14500.0,
    }
    assert _compute(connection, _formula(compiled, "POP.D03", "F"), _inputs(compiled, known)) == (-4.0, "A")
    # the men's and the total's inputs are not there
    assert _compute(connection, _formula(compiled, "POP.D03", "M"), _inputs(compiled, known)) == (None, "M_NR")


def test_a_total_indicator_takes_totals_and_named_sexes(connection: psycopg.Connection, compiled: Compiled) -> None:
    known = {("GEN.001", "F", 0): 9.0, ("GEN.001", "T", 0): 36.0, ("POP.001", "T", 0): 2e4, ("TER.001", "T", 0): 400.0}
    assert _compute(connection, _formula(compiled, "GEN.D01"), _inputs(compiled, known)) == (25.0, "A")
    assert _compute(connection, _formula(compiled, "TER.D01"), _inputs(compiled, known)) == (50.0, "A")


def _with_statuses(
    compiled: Compiled, code: str, known: Mapping[tuple[str, str, int], tuple[float | None, str]]
) -> tuple[list[str], list[float | None], list[str | None]]:
    keys = [(i.indicator_code, i.sex, i.period_offset) for i in compiled.inputs]
    values = [known[key][0] if key in known else None for key in keys]
    statuses = [known[key][1] if key in known else "M_NR" for key in keys]
    return _formula(compiled, code), values, [*statuses]


REV, POP, NEXT = ("REV.001", "T", 0), ("POP.001", "T", 0), ("POP.001", "T", 1)


@pytest.mark.parametrize(
    ("revenue", "population", "next_population", "expected"),
    [
        ((5000.0, "A"), (900.0, "A"), (1100.0, "A"), (5000.0, "A")),
        ((5000.0, "E"), (900.0, "R"), (1100.0, "P"), (5000.0, "A")),
        ((5000.0, "A"), (900.0, "A"), (None, "M_ND"), (None, "M_ND")),
        ((None, "M_NR"), (900.0, "A"), (None, "M_ND"), (None, "M_NR")),
        ((None, "M_NA"), (900.0, "A"), (None, "M_ND"), (None, "M_NA")),
        ((None, "M_NC"), (None, "M_NR"), (1.0, "A"), (None, "M_NR")),
        ((None, "M_NA"), (None, "M_NC"), (1.0, "A"), (None, "M_NC")),
        ((None, "M_Q"), (None, "M_NR"), (None, "M_ND"), (None, "M_Q")),
        ((None, "C"), (None, "M_Q"), (None, "M_ND"), (None, "C")),
        ((5000.0, "A"), (0.0, "A"), (0.0, "A"), (None, "M_Z")),
        ((None, "M_NR"), (0.0, "A"), (0.0, "A"), (None, "M_Z")),
        ((1e300, "A"), (900.0, "A"), (1100.0, "A"), (None, "M_Q")),
        ((1e-320, "A"), (900.0, "A"), (1100.0, "A"), (None, "M_Q")),
        ((float("nan"), "A"), (900.0, "A"), (1100.0, "A"), (None, "M_Q")),
    ],
)
def test_a_missing_value_says_why(
    connection: psycopg.Connection,
    compiled: Compiled,
    revenue: tuple[float | None, str],
    population: tuple[float | None, str],
    next_population: tuple[float | None, str],
    expected: tuple[float | None, str],
) -> None:
    sql, values, statuses = _with_statuses(compiled, "REV.D05", {REV: revenue, POP: population, NEXT: next_population})
    assert _compute(connection, sql, values, statuses) == expected


# --- checks -------------------------------------------------------------------------------------------------------------


@settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    left=st.one_of(st.none(), st.integers(-20, 20)),
    right=st.one_of(st.none(), st.integers(-20, 20)),
    sign=st.sampled_from(["<=", ">=", "=", "<", ">", "= ±", "= ± %"]),
)
def test_a_check_is_true_false_or_unknown(
    connection: psycopg.Connection, catalogue: Catalogue, left: int | None, right: int | None, sign: str
) -> None:
    texts = {"= ±": "TER.001 = TER.004 ± 2", "= ± %": "TER.001 = TER.004 ± 50 %"}
    check = parse_check(texts.get(sign, f"TER.001 {sign} TER.004"), "test")
    settled = type(check)(
        tuple(resolve(catalogue, {}, side, "T", 0, "test") for side in check.sides), check.comparisons, check.tolerance
    )
    (verdict,) = _compute(connection, [check_sql(ExpressionSql({}), settled)], [left, right])

    if left is None or right is None:
        assert verdict is None
        return
    compare = {"<=": operator.le, ">=": operator.ge, "=": operator.eq, "<": operator.lt, ">": operator.gt}
    expected = {"= ±": abs(left - right) <= 2, "= ± %": abs(left - right) <= 0.5 * abs(right)}
    assert verdict is (expected[sign] if sign in expected else compare[sign](left, right))


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    left=st.floats(-1e7, 1e7).map(lambda value: round(value, 3)),
    right=st.floats(-1e7, 1e7).map(lambda value: round(value, 3)),
    near=st.booleans(),
    decimals=st.sampled_from([0, 1, 2]),
    limit=st.sampled_from(
        ["= TER.004 ± 15 %", "= TER.004 ± 0,3333", "<= TER.004 × 1,001", ">= TER.004 / 3", "<= TER.004"]
    ),
)
def test_no_value_that_passes_lies_beyond_the_range_told(
    connection: psycopg.Connection,
    catalogue: Catalogue,
    left: float,
    right: float,
    near: bool,
    decimals: int,
    limit: str,
) -> None:
    """And what was computed is told to the decimals asked for, less than one unit of the last too wide."""
    check = parse_check(f"TER.001 {limit}", "test")
    settled = replace(check, sides=tuple(resolve(catalogue, {}, side, "T", 0, "test") for side in check.sides))
    bounds = {
        "= TER.004 ± 15 %": (right - 0.15 * abs(right), right + 0.15 * abs(right)),
        "= TER.004 ± 0,3333": (right - 0.3333, right + 0.3333),
        "<= TER.004 × 1,001": (None, right * 1.001),
        ">= TER.004 / 3": (right / 3, None),
        "<= TER.004": (None, right),
    }[limit]
    value = next(bound for bound in bounds if bound is not None) if near else left
    sql = ExpressionSql({})
    passes = check_sql(sql, settled)
    _, expected = found_and_expected(sql, settled, "", decimals)
    verdict, told = _compute(connection, [passes, expected], [value, right])
    numbers = [float(text) for text in str(told).replace("≤", "").replace("≥", "").split("…")]
    low, high = numbers if len(numbers) == 2 else (None, numbers[0]) if bounds[0] is None else (numbers[0], None)
    for shown, exact, sign in ((low, bounds[0], 1), (high, bounds[1], -1)):
        if shown is None or exact is None:
            assert shown is exact is None
            continue
        room = 1e-9 * max(abs(exact), 1)
        assert -room <= sign * (exact - shown) < 10.0**-decimals + room
        assert limit == "<= TER.004" or shown == round(shown, decimals)
        if verdict is True:
            assert sign * (value - shown) >= -room


def _verdict(
    connection: psycopg.Connection, compiled: Compiled, rule_id: str, known: Mapping[tuple[str, str, int], float]
) -> tuple[object, ...]:
    """What the rule says for T of ``known``; the register's figure is given under the code REGISTER."""
    rule = next(rule for rule in compiled.rules if (rule.rule_id, rule.sex) == (rule_id, "T"))
    values = [
        known.get(("REGISTER" if i.origin == "register" else i.indicator_code, i.sex, i.period_offset))
        for i in compiled.inputs
    ]
    target = compiled.inputs[rule.target_slot - 1]
    assert (target.origin, target.sex, target.period_offset) == ("reported", "T", 0)
    return _compute(connection, [rule.check_sql, rule.found_sql, rule.expected_sql], values)


@pytest.mark.parametrize(
    ("rule_id", "known", "expected"),
    [
        (
            "SUM.POP.001",
            {("POP.001", s, 0): n for s, n in zip("TFM", (100, 52, 48), strict=True)},
            (True, "100", "= 100"),
        ),
        (
            "SUM.POP.001",
            {("POP.001", s, 0): n for s, n in zip("TFM", (101, 52, 48), strict=True)},
            (False, "101", "= 100"),
        ),
        ("SUM.POP.001", {("POP.001", "T", 0): 100, ("POP.001", "F", 0): 52}, (None, "100", None)),
        ("CHK.WAT.002.1", {("WAT.001", "T", 0): 10, ("WAT.002", "T", 0): 10.5}, (False, "10.5", "≤ 10")),
        ("CHK.LND.001.1", {("TER.001", "T", 0): 0.29, ("LND.001", "T", 0): 29}, (True, "29", "≤ 29")),
        ("CHK.CUL.003.1", {("CUL.003", "T", 0): 1, ("CUL.002", "T", 0): 1500}, (False, "1", "≥ 1.5")),
        (
            "CHK.WST.001.PER_CAPITA",
            {("WST.001", "T", 0): 9, ("POP.001", "T", 0): 30000},
            (False, "0.3 (WST.001 × 1000 / POP.001)", "100 … 700"),
        ),
        ("CHK.WST.001.PER_CAPITA", {("WST.001", "T", 0): 9000, ("POP.001", "T", 0): 0}, (None, None, "100 … 700")),
        ("CHK.WAT.010.YEAR", {("WAT.010", "T", 0): 115, ("WAT.010", "T", -1): 100}, (True, "115", "85 … 115")),
        ("CHK.WAT.010.YEAR", {("WAT.010", "T", 0): 84, ("WAT.010", "T", -1): 100}, (False, "84", "85 … 115")),
        ("CHK.WAT.010.YEAR", {("WAT.010", "T", 0): 84}, (None, "84", None)),
        # 41.735 and 56.465; and 6632338.3126 of a sum in one decimal
        ("CHK.WAT.010.YEAR", {("WAT.010", "T", 0): 60, ("WAT.010", "T", -1): 49.1}, (False, "60", "41.7 … 56.5")),
        (
            "CHK.EXP.041.PARTS",
            {**{(f"EXP.04{n}", "T", 0): 2500000.0 for n in (2, 3, 4)}, ("EXP.041", "T", 0): 6625712.6},
            (False, "7500000 (EXP.042 + EXP.043 + EXP.044)", "≤ 6632338.4"),
        ),
        (
            "CHK.POP.001.SCALE",
            {("POP.001", "T", 0): 45.2, ("REGISTER", "T", 0): 45210},
            (False, "45.2", "4521 … 452100"),
        ),
        (
            "CHK.POP.001.SCALE",
            {("POP.001", "T", 0): 4521, ("REGISTER", "T", 0): 45210},
            (True, "4521", "4521 … 452100"),
        ),
        ("CHK.POP.001.REGISTER", {("POP.001", "T", 0): 13, ("REGISTER", "T", 0): 10}, (False, "13", "8 … 12")),
        ("CHK.GEN.005.CODE", {("GEN.005", "T", 0): 2}, (True, "2", "0, 1, 2")),
        ("CHK.GEN.005.CODE", {("GEN.005", "T", 0): 1.5}, (False, "1.5", "0, 1, 2")),
        ("CHK.A16131.1", {("A16131", "T", 0): 4}, (False, "4", "≤ 3")),
        ("CHK.A16131.2", {("A16131", "T", 0): -1}, (False, "-1", "≥ 0")),
    ],
)
def test_rules_of_the_catalogue_judge(
    connection: psycopg.Connection,
    compiled: Compiled,
    rule_id: str,
    known: Mapping[tuple[str, str, int], float],
    expected: tuple[object, ...],
) -> None:
    assert _verdict(connection, compiled, rule_id, known) == expected


def test_every_compiled_expression_runs_on_nothing_and_on_everything(
    connection: psycopg.Connection, compiled: Compiled
) -> None:
    """All of them, in as few SELECTs as PostgreSQL allows: no value where nothing came, no NULL where all did."""
    n = len(compiled.inputs)
    values = [f.value_sql for f in compiled.formulas]
    checks = [sql for r in compiled.rules for sql in (r.check_sql, r.found_sql, r.expected_sql)]

    def compute_all(sql: Sequence[str], values: Sequence[float | None]) -> list[object]:
        starts = range(0, len(sql), MOST_COLUMNS)
        return [one for start in starts for one in _compute(connection, sql[start : start + MOST_COLUMNS], values)]

    nothing = compute_all([*values, *[r.check_sql for r in compiled.rules]], [None] * n)
    assert set(nothing) == {None}
    everything = compute_all([*values, *checks], [float(slot) for slot in range(1, n + 1)])
    assert None not in everything
    statuses = compute_all([f.status_sql for f in compiled.formulas], [1.0] * n)
    assert set(statuses) == {"A"}
