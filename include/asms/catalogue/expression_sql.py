"""Expressions written as SQL over ``v[n]`` (values) and ``s[n]`` (statuses of the same inputs), counted from 1.

Strict operators and ``nullif`` make a missing input or a zero denominator NULL. The guard on every input keeps a number
that no return may hold from overflowing, which PostgreSQL makes an error and not a NULL; NaN, which stands for a missing
input where NULL would be slow, is such a number.

Only what PostgreSQL and DuckDB both understand, and understand alike, is written here, because ``asms check`` runs these
expressions without a server (docs/adr/0007).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from asms.catalogue.cards import Sex
from asms.catalogue.grammar import Call, Check, Expression, Negation, Number, Operation, Origin, Reference, references

STATUS_PRECEDENCE = ("B", "C", "M_Q", "M_NR", "M_NC", "M_NA", "M_ND")
"""Reasons that a missing input gives to what is computed from it, the strongest first. ``B``, a series that breaks, is of inputs
on other boundaries only. ``M_ND`` is the last: it promises
that the value will come, so it may be said only when nothing else is lacking."""

LARGEST, SMALLEST = 1e15, 1e-15
"""Sizes that an input may have, unless it is zero; the rule CELL_OUT_OF_RANGE says the same."""

_EQUAL_DIGITS = 1e-9  # shares of the size that two doubles may differ by and still be the same number to a person


@dataclass(frozen=True, order=True)
class Input:
    """One place of the arrays."""

    origin: Origin
    indicator_code: str
    sex: Sex
    period_offset: int


class ExpressionSql:
    """SQL of expressions, with the slots that they take; a new input takes the next one."""

    def __init__(self, slots: dict[Input, int]) -> None:
        self._slots = slots

    def slot(self, reference: Reference) -> int:
        assert reference.sex is not None  # noqa: S101  # settled by resolve()
        key = Input(reference.origin, reference.indicator_code, reference.sex, reference.period_offset)
        return self._slots.setdefault(key, len(self._slots) + 1)

    def value(self, expression: Expression) -> str:
        match expression:
            case Number(value):
                return f"{_literal(value)}::float8"
            case Reference():
                return f"v[{self.slot(expression)}]"
            case Negation(operand):
                return f"(- {self.value(operand)})"
            case Operation("/", left, right) if any(True for _ in references(right)):
                return f"({self.value(left)} / nullif({self.value(right)}, 0))"
            case Operation(operator, left, right):
                return f"({self.value(left)} {operator} {self.value(right)})"
            case Call(function, arguments):
                total = " + ".join(self.value(argument) for argument in arguments)
                return f"(({total}) / {len(arguments)})" if function == "avg" else f"({total})"
        assert_never(expression)

    def guarded(self, sql: str, *expressions: Expression, is_typed: bool = False) -> str:
        """``sql``, or NULL when an input of ``expressions`` is missing or of a size that no return may have.

        ``is_typed``: inputs are as typing left them, so that none is nearly zero, and half of the question will do.
        """
        slots = self.slots_of(*expressions)
        if not slots:
            return sql
        # zero is rare, so it is asked about last
        test = "abs(v[{n}]) <= {high:g}" if is_typed else "(abs(v[{n}]) between {low:g} and {high:g} or v[{n}] = 0)"
        tests = " and ".join(test.format(n=n, low=SMALLEST, high=LARGEST) for n in slots)
        return f"case when {tests} then {sql} end"

    def slots_of(self, *expressions: Expression) -> list[int]:
        """Slots in the order of their first use."""
        return list(dict.fromkeys(self.slot(r) for expression in expressions for r in references(expression)))


def value_sql(sql: ExpressionSql, expression: Expression) -> str:
    """The value, or NULL when an input is missing or a denominator is zero."""
    return sql.guarded(sql.value(expression), expression)


def status_sql(sql: ExpressionSql, expression: Expression) -> str:
    """'A' where there is a value, else the reason why there is none."""
    used = sql.slots_of(expression)
    statuses = ", ".join(f"s[{n}]" for n in used)
    branches = [f"when ({value_sql(sql, expression)}) is not null then 'A'"]
    branches += [
        f"when ({value_sql(sql, denominator)}) = 0 then 'M_Z'"
        for denominator in dict.fromkeys(_denominators(expression))
    ]
    branches += [f"when '{status}' in ({statuses}) then '{status}'" for status in STATUS_PRECEDENCE]
    branches.append(f"when {' or '.join(f'v[{n}] is null' for n in used)} then 'M_NR'")
    # every input is there and no denominator is zero: the guard refused an input for its size
    return f"case {' '.join(branches)} else 'M_Q' end"


def _denominators(expression: Expression) -> Iterator[Expression]:
    match expression:
        case Operation(operator, left, right):
            yield from _denominators(left)
            yield from _denominators(right)
            if operator == "/" and any(True for _ in references(right)):
                yield right
        case Negation(operand):
            yield from _denominators(operand)
        case Call(_, arguments):
            for argument in arguments:
                yield from _denominators(argument)


def check_sql(sql: ExpressionSql, check: Check) -> str:
    """True, false, or NULL when an input is missing or a denominator is zero."""
    return sql.guarded(_test(sql, check), *check.sides, is_typed=True)


def _test(sql: ExpressionSql, check: Check) -> str:
    values = [sql.value(side) for side in check.sides]
    if check.choices:
        return f"{values[0]} in ({', '.join(_literal(choice) for choice in check.choices)})"
    parts = []
    for left, comparison, right in zip(values[:-1], check.comparisons, values[1:], strict=True):
        room = f"{_EQUAL_DIGITS:g} * greatest(abs({left}), abs({right}))"
        if check.tolerance:
            size = f"{_literal(check.tolerance.size)}"
            room += f" + {size} * abs({right})" if check.tolerance.is_relative else f" + {size}"
        parts.append(
            {
                "=": f"abs({left} - {right}) <= {room}",
                "<=": f"{left} <= {right} + {room}",
                ">=": f"{left} >= {right} - {room}",
                "<": f"{left} < {right} - {room}",
                ">": f"{left} > {right} + {room}",
            }[comparison]
        )
    return " and ".join(parts)


def found_and_expected(sql: ExpressionSql, check: Check, expression: str, decimals: int | None) -> tuple[str, str]:
    """Texts for a message: the side asked about (the middle one of a band), and what it is held against.

    A limit that is computed is told to ``decimals``, outward, so that no value that passes lies beyond it; None leaves six.
    """
    values = [sql.value(side) for side in check.sides]
    is_band = len(check.comparisons) > 1
    asked = check.sides[1 if is_band else 0]
    found = _as_text(sql, values[1 if is_band else 0], asked)
    if not isinstance(asked, Reference):
        found = f"{found} || {_quoted(f' ({_asked_text(expression, is_band)})')}"
    if check.choices:
        return found, _quoted(", ".join(_literal(choice) for choice in check.choices))
    if is_band:
        low, high = (
            _limit_text(sql, values[at], check.sides[at], decimals, rounding)
            for at, rounding in ((0, "floor"), (2, "ceil"))
        )
        return found, f"{low} || ' … ' || {high}"
    right, limit = values[1], check.sides[1]
    if check.tolerance:
        size = f"{_literal(check.tolerance.size)}" + (f" * abs({right})" if check.tolerance.is_relative else "")
        low, high = (
            _as_text(sql, outward(f"({right} {sign} {size})", rounding, decimals), limit)
            for sign, rounding in (("-", "floor"), ("+", "ceil"))
        )
        return found, f"{low} || ' … ' || {high}"
    comparison = check.comparisons[0]
    mark = {"<=": "≤ ", ">=": "≥ ", "=": "= "}.get(comparison, f"{comparison} ")
    if comparison == "=":
        return found, f"{_quoted(mark)} || {_as_text(sql, right, limit)}"
    rounding = "floor" if comparison.startswith(">") else "ceil"
    return found, f"{_quoted(mark)} || {_limit_text(sql, right, limit, decimals, rounding)}"


def outward(value: str, rounding: str, decimals: int | None) -> str:
    """SQL of ``value`` as the nearest number of so many decimals below (``floor``) or above (``ceil``) it.

    A trillionth is what computing with doubles may have added: 15600.000000000002 is 15600.
    """
    if decimals is None:
        return value
    scale = f"power(10, {decimals})"
    sign = "+" if rounding == "floor" else "-"
    return f"({rounding}({value} * {scale} {sign} 1e-12 * abs({value} * {scale})) / {scale})"


def _limit_text(sql: ExpressionSql, value: str, side: Expression, decimals: int | None, rounding: str) -> str:
    """A limit that somebody wrote, in the rule or in the return, is told as it is."""
    is_computed = not isinstance(side, Number | Reference)
    return _as_text(sql, outward(value, rounding, decimals) if is_computed else value, side)


def is_sum(expression: Expression) -> bool:
    """Whether the unit of ``expression`` is that of what is added up in it."""
    match expression:
        case Reference():
            return True
        case Negation(operand):
            return is_sum(operand)
        case Operation("+" | "-", left, right):
            return is_sum(left) and is_sum(right)
    return False


def _asked_text(expression: str, is_band: bool) -> str:
    return re.split(r"<=|>=|≤|≥|=|<|>|\bin\b", expression)[1 if is_band else 0].strip()


def _as_text(sql: ExpressionSql, value: str, side: Expression) -> str:
    size = sql.guarded(value, side)
    rounded = f"rtrim(rtrim(cast(cast({value} as decimal(38, 6)) as varchar), '0'), '.')"
    return f"case when abs({size}) < 1e30 then {rounded} else cast({size} as varchar) end"


def _literal(value: float) -> str:
    """The shortest text that PostgreSQL reads back as the same double."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
