"""Rows as COPY's text format spells them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from asms.warehouse.copy import format_rows

_NUMBERS = [
    0.1,
    -0.0,
    1e-4,
    9.99e-5,
    1e16,
    123456789012345680.0,
    5e-324,
    float("nan"),
    float("inf"),
    2**70,
    -1,
    10.00001,
]
_VALUES: list[Any] = [
    *_NUMBERS, None, True, Decimal("1.10"), date(2024, 1, 2), datetime(2024, 1, 2, 3, tzinfo=UTC), "", "null", "\\N", "a\tb", "a\nb\r",
    "back\\slash", "ноль\0 \u2028", "я",
]  # fmt: skip
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": ""}


def _spelled(value: Any) -> str:
    return "\\N" if value is None else "".join(_ESCAPES.get(character, character) for character in str(value))


def test_every_value_is_spelled_the_same_whatever_stands_beside_it() -> None:
    random = Random(1)  # noqa: S311
    for _ in range(2000):
        kinds = [
            random.choice((_NUMBERS, _VALUES, _NUMBERS[:9], ["я", "a"], [None], [1, 2**70], [date(2024, 1, 1)]))
            for _ in "123"
        ]
        rows = [[random.choice(kind) for kind in kinds] for _ in range(random.randrange(4))]
        assert format_rows(rows) == "".join("\t".join(map(_spelled, row)) + "\n" for row in rows), rows


def test_a_list_of_numbers_is_an_array_and_other_things_are_refused() -> None:
    assert format_rows([[[1, 2.5]], [[]], [None]]) == "{1,2.5}\n{}\n\\N\n"
    with pytest.raises(TypeError, match="bytes"):
        format_rows([[b"bytes"]])
