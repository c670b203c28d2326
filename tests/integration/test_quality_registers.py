"""The rule against registers over a real database: who is told, and that it ends when the answer is mended."""

from pathlib import Path

import pytest

from asms.catalogue import load_catalogue, store_catalogue
from asms.quality.registers import apply_register_rule
from asms.warehouse.connection import Warehouse

LAYERS = Path(__file__).with_name("quality_layers.sql").read_text(encoding="utf-8")


@pytest.fixture
def layers(warehouse: Warehouse) -> Warehouse:
    """Two answers about REV.010 beside what the budget says, one the same and one not, and one that no rule asks about."""
    with warehouse.connect("transformer") as connection:
        connection.execute(LAYERS)  # type: ignore[arg-type]  # SQL of these tests
        for body, code, answer, source, is_compared in (
            ("A", "REV.010", 100.0, "confirmed", True),
            ("B", "REV.010", 150.5, "disputed", True),
            ("C", "POP.001", 150.0, "disputed", False),
        ):
            connection.execute(
                "insert into indicators.int_observation__accepted values"
                " ('ASMS', %s, '2024', %s, 'T', %s, 'A', 'sent', 'REV', 'D9', 'l', %s, 100)",
                (body, code, answer, source),
            )
            connection.execute(
                "insert into indicators.int_register__value values ('ASMS', %s, '2024', %s, 'T', 100, 0.5, %s)",
                (body, code, is_compared),
            )
    store_catalogue(warehouse, load_catalogue())
    with warehouse.connect("publisher") as connection:
        connection.execute("insert into ops.build (status, is_full, reason) values ('running', true, 'test')")
    return warehouse


def _told(warehouse: Warehouse) -> list[tuple[object, ...]]:
    with warehouse.connect("gate") as connection:
        return connection.execute(
            "select municipality_code, sheet, cell, value_found, value_expected, severity, is_open from quality.finding"
        ).fetchall()


def test_a_disputed_register_is_a_warning_at_the_cell_until_it_is_settled(layers: Warehouse) -> None:
    assert apply_register_rule(layers, 1, True) == {"pass": 1, "fail": 1}
    assert _told(layers) == [("B", "REV", "D9", "150.5", "100", "warning", True)]
    with layers.connect("publisher") as connection:
        connection.execute("insert into ops.changed_key values ('A', '2024', 'test')")
    assert apply_register_rule(layers, 1, False) == {"pass": 1}
    assert _told(layers)[0][-1] is True, "a body that is not redone keeps its finding"
    with layers.connect("transformer") as connection:
        connection.execute("update indicators.int_observation__accepted set obs_source = 'confirmed'")
    apply_register_rule(layers, 1, True)
    assert _told(layers)[0][-1] is False
