"""What people write, and what it means."""

import pytest

from asms.catalogue.grammar import (
    Call,
    Check,
    Expression,
    FormulaError,
    Negation,
    Number,
    Operation,
    Reference,
    Tolerance,
    parse_check,
    parse_formula,
)

A, B, C = (Reference(f"AAA.00{n}", None, 0) for n in (1, 2, 3))


def _parse(text: str) -> Expression:
    return parse_formula(text, "card TST.D01")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AAA.001 + AAA.002 * AAA.003", Operation("+", A, Operation("*", B, C))),
        ("(AAA.001 + AAA.002) * AAA.003", Operation("*", Operation("+", A, B), C)),
        ("AAA.001 - AAA.002 - AAA.003", Operation("-", Operation("-", A, B), C)),
        ("AAA.001 / AAA.002 / AAA.003", Operation("/", Operation("/", A, B), C)),
        ("AAA.001 / AAA.002 * AAA.003", Operation("*", Operation("/", A, B), C)),
        ("-AAA.001 * AAA.002", Operation("*", Negation(A), B)),
        ("AAA.001 - -AAA.002", Operation("-", A, Negation(B))),
        ("AAA.001 −− AAA.002", Operation("-", A, Negation(B))),  # two minus signs are not an SQL comment
    ],
)
def test_precedence_is_that_of_school(text: str, expected: Expression) -> None:
    assert _parse(text) == expected


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("AAA.001 − AAA.002", "AAA.001 - AAA.002"),  # U+2212
        ("AAA.001 – AAA.002", "AAA.001 - AAA.002"),  # U+2013, which word processors write
        ("AAA.001 × AAA.002", "AAA.001 * AAA.002"),
        ("AAA.001 · AAA.002", "AAA.001 * AAA.002"),
        ("AAA.001 ÷ AAA.002", "AAA.001 / AAA.002"),
        ("AAA.001×0,5", "AAA.001 * 0.5"),
        ("AAA.001\u00a0×\u00a02", "AAA.001 * 2"),
        ("AAA.001[t−1]", "AAA.001[t-1]"),
        ("AAA.001 [F] [t + 1]", "AAA.001[F][t+1]"),
    ],
)
def test_typographic_signs_mean_the_same(written: str, plain: str) -> None:
    assert _parse(written) == _parse(plain)


def test_a_reference_names_sex_and_year() -> None:
    assert _parse("AAA.001") == Reference("AAA.001", None, 0)
    assert _parse("AAA.001[t]") == Reference("AAA.001", None, 0)
    assert _parse("AAA.D01[F][t-2]") == Reference("AAA.D01", "F", -2)
    assert _parse("A16131[T]") == Reference("A16131", "T", 0)


def test_functions_nest() -> None:
    assert _parse("sum(AAA.001, avg(AAA.002, AAA.003[t+1]) × 2)") == Call(
        "sum", (A, Operation("*", Call("avg", (B, Reference("AAA.003", None, 1))), Number(2)))
    )


def test_a_comma_between_digits_is_decimal_and_after_a_blank_parts_arguments() -> None:
    assert _parse("avg(AAA.001, 1,5, 2)") == Call("avg", (A, Number(1.5), Number(2)))


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("", 1, "nothing to compute"),
        ("AAA.001 +", 9, "breaks off"),
        ("(AAA.001 + AAA.002", 12, "bracket is not closed"),
        ("AAA.001 + AAA.002)", 18, "breaks off"),
        ("AAA.001 AAA.002", 9, "operator is missing before 'AAA.002'"),
        ("2 (AAA.001)", 3, "operator is missing"),
        ("РОР.001 / AAA.001", 1, "Cyrillic"),
        ("AAA.001 + max(AAA.002, 1)", 11, "'max' is not understood"),
        ("AAA.001[X]", 8, r"'\[' is not understood"),
        ("AAA.001 ^ 2", 9, "not understood"),
        ("AAA.001 <= AAA.002", 9, "belongs in a check"),
        ("AAA.001; drop table x", 8, "not understood"),
        ("AAA.001 / 0", 1, "divides by zero"),
        ("avg()", 1, "no arithmetic"),
    ],
)
def test_an_error_names_card_text_and_position(text: str, position: int, problem: str) -> None:
    with pytest.raises(FormulaError, match=problem) as caught:
        _parse(text)
    assert str(caught.value).startswith("card TST.D01: ")
    assert str(caught.value).endswith(f"at character {position} of: {text}")


def test_checks_compare_with_tolerance_bands_and_lists() -> None:
    def check(text: str) -> Check:
        return parse_check(text, "rule X")

    assert check("AAA.001 ≤ AAA.002") == Check((A, B), ("<=",))
    assert check("AAA.001 = AAA.002[t-1] ± 15 %") == Check(
        (A, Reference("AAA.002", None, -1)), ("=",), Tolerance(0.15, is_relative=True)
    )
    assert check("AAA.001 = AAA.002 ± 0,5") == Check((A, B), ("=",), Tolerance(0.5, is_relative=False))
    assert check("1 <= AAA.001 / AAA.002 < 7") == Check((Number(1), Operation("/", A, B), Number(7)), ("<=", "<"))
    assert check("AAA.001 in (0, 1, 2)") == Check((A,), (), choices=(0, 1, 2))
    assert check("AAA.001 > register(AAA.001)") == Check((A, Reference("AAA.001", "T", 0, "register")), (">",))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("AAA.001", "one comparison"),
        ("AAA.001 < AAA.002 < AAA.003 < 4", "one comparison"),
        ("AAA.001 <= AAA.002 ± 5", "tolerance"),
        ("AAA.001 <= ", "nothing to compute"),
        ("(AAA.001 <= AAA.002)", "bracket is not closed"),
        ("AAA.001 in (0, AAA.002)", "list of numbers"),
        ("AAA.001 ± 5 = AAA.002", "may not stand here"),
    ],
)
def test_a_faulty_check_is_refused(text: str, problem: str) -> None:
    with pytest.raises(FormulaError, match=problem):
        parse_check(text, "rule X")
