"""Rules against peers over a real database: who is told, who is not, and which groups are asked again."""

from pathlib import Path
from typing import Any

import pytest

from asms.catalogue import load_catalogue, store_catalogue
from asms.quality.decisions import Status, decide_explanation
from asms.quality.peers import apply_peer_rules
from asms.quality.rules import apply_rules
from asms.warehouse.connection import Warehouse

LAYERS = Path(__file__).with_name("quality_layers.sql").read_text(encoding="utf-8")
SENT = "sent"


@pytest.fixture
def layers(warehouse: Warehouse) -> Warehouse:
    """Eleven small bodies S1 … S11, five large ones L1 … L5, and the shipped catalogue."""
    with warehouse.connect("transformer") as connection:
        connection.execute(LAYERS)  # type: ignore[arg-type]  # SQL of these tests
        connection.execute(
            "insert into indicators.int_peer_group__membership"
            " select 'S' || n, 'size', 'size:small' from generate_series(1, 11) as n"
            " union all select 'L' || n, 'size', 'size:large' from generate_series(1, 5) as n"
            " union all select 'S' || n, 'country', 'UA' from generate_series(1, 11) as n"
        )
    store_catalogue(warehouse, load_catalogue())
    with warehouse.connect("publisher") as connection:
        connection.execute("insert into ops.build (status, is_full, reason) values ('running', true, 'test')")
    with warehouse.connect("admin") as connection:
        connection.execute(
            "alter table raw.submission drop constraint submission_load_id_fkey;"
            "insert into raw.submission values ('sent', 'l', 's', 'звіт.xlsx', 'F', '1', 'ASMS', 'S11', '', '2024', 1)"
        )
    return warehouse


def derive(warehouse: Warehouse, code: str, values: dict[str, float | None], year: str = "2024") -> None:
    """Give bodies their value of a derived indicator; the pages of the input are in the return ``sent``."""
    with warehouse.connect("transformer") as connection:
        for body, value in values.items():
            key = (body, year)
            connection.execute(
                "delete from indicators.int_indicator__derived where municipality_code = %s and time_period = %s"
                " and indicator_code = %s",
                (*key, code),
            )
            connection.execute(
                "insert into indicators.int_indicator__derived values ('ASMS', %s, %s, %s, 'T', %s, %s)",
                (*key, code, value, "A" if value is not None else "M_Z"),
            )
            connection.execute(
                "insert into staging.stg_submissions__latest_cell (collection_code, municipality_code, time_period)"
                " values ('ASMS', %s, %s)",
                key,
            )


def told(warehouse: Warehouse, columns: str = "municipality_code, is_open") -> list[tuple[Any, ...]]:
    with warehouse.connect("gate") as connection:
        return connection.execute(f"select {columns} from quality.finding order by found_at, 1").fetchall()  # type: ignore[arg-type]


def test_an_outlier_is_told_at_the_cell_it_is_counted_from_and_the_others_are_not(layers: Warehouse) -> None:
    """WAT.D06 is WAT.013 / WAT.010 × 10: failures per 10 km of mains."""
    usual = {f"S{n}": 4.0 + n / 10 for n in range(1, 11)}
    derive(layers, "WAT.D06", {**usual, "S11": 950.0})
    with layers.connect("transformer") as connection:
        connection.execute(
            "insert into indicators.int_observation__accepted values"
            " ('ASMS', 'S11', '2024', 'WAT.013', 'T', 95, 'A', 'sent', 'WAT', 'D17', 'l')"
        )
    verdicts = apply_peer_rules(layers, 1, True)
    assert verdicts == {"pass": 10, "fail": 1}
    columns = "rule_id, severity, file_name, sheet, cell, indicator_code, value_found, value_expected, submission_id"
    assert told(layers, columns) == [
        ("PEER.WAT.D06", "warning", "звіт.xlsx", "WAT", "D17", "WAT.013", "950", "≈ 4.6", "sent")
    ]
    ((message, remedy),) = told(layers, "message_uk, remedy_uk")
    assert message.startswith("WAT.D06 «Аварійність водопровідних мереж» далеко від значень громад подібного розміру")
    assert "WAT.013 / WAT.010 × 10" in remedy
    with layers.connect("gate") as connection:
        counted = (
            "select verdict, target_count from quality.rule_verdict_count where rule_id = 'PEER.WAT.D06' order by 1"
        )
        assert connection.execute(counted).fetchall() == [("fail", 1), ("pass", 10)]

    # again: nothing changes; the rules on returns leave it alone, as these leave theirs
    before = told(layers, "*")
    apply_rules(layers, 1, True)
    apply_peer_rules(layers, 1, True)
    assert told(layers, "*") == before
    with layers.connect("gate") as connection:
        assert connection.execute(counted).fetchall() == [("fail", 1), ("pass", 10)]

    # corrected: closed, when its group is among those that changed, and not before
    derive(layers, "WAT.D06", {"S11": 5.0})
    apply_peer_rules(layers, 2, False)
    assert told(layers) == [("S11", True)]
    with layers.connect("publisher") as connection:
        connection.execute("insert into ops.changed_key values ('S11', '2024', 'submissions')")
    assert apply_peer_rules(layers, 2, False) == {"pass": 11}
    assert told(layers) == [("S11", False)]


def test_only_touched_groups_are_asked(layers: Warehouse) -> None:
    """A median that moves is a matter of all members; other groups and years are left alone."""
    values = {f"S{n}": 40.0 + n for n in range(1, 12)}
    derive(layers, "WAT.D06", values)
    derive(layers, "WAT.D06", values, "2023")
    derive(layers, "WAT.D06", {f"L{n}": 4.0 for n in range(1, 6)})
    asked = {"pass": 22, "no_data": 5}  # five are too few to compare with
    assert apply_peer_rules(layers, 1, True) == asked
    derive(layers, "WAT.D06", {"S3": 44.5})
    with layers.connect("publisher") as connection:
        connection.execute("insert into ops.changed_key values ('S3', '2024', 'submissions')")
    assert apply_peer_rules(layers, 2, False) == {"pass": 11}
    with layers.connect("gate") as connection:
        connection.execute("delete from quality.peer_answer")
    assert apply_peer_rules(layers, 2, False) == asked  # nothing was asked before, so all are


def test_what_was_told_of_another_group_stands(layers: Warehouse) -> None:
    """A body of another size is in the country with those that were told; its change is no matter of theirs."""
    derive(layers, "WAT.D06", {**{f"S{n}": 4.0 + n / 10 for n in range(1, 11)}, "S11": 950.0, "X": 5.0})
    with layers.connect("transformer") as connection:
        connection.execute(
            "insert into indicators.int_peer_group__membership values ('X', 'size', 'size:large'), ('X', 'country', 'UA')"
        )
    apply_peer_rules(layers, 1, True)
    derive(layers, "WAT.D06", {"X": 6.0})
    with layers.connect("publisher") as connection:
        connection.execute("insert into ops.changed_key values ('X', '2024', 'submissions')")
    assert apply_peer_rules(layers, 2, False) == {"no_data": 1}
    assert told(layers) == [("S11", True)]


def test_a_group_in_which_no_figure_moved_is_left_alone(layers: Warehouse) -> None:
    """Sent again as it was: what was told gets its new place, and the rules that told nothing of it ask nobody."""
    usual = {f"S{n}": 4.0 + n / 10 for n in range(1, 11)}
    derive(layers, "WAT.D06", {**usual, "S11": 950.0})
    derive(layers, "WAT.D18", {f"S{n}": 50.0 + n for n in range(1, 12)})
    with layers.connect("transformer") as connection:
        connection.execute(
            "insert into indicators.int_observation__accepted values"
            " ('ASMS', 'S11', '2024', 'WAT.013', 'T', 95, 'A', 'sent', 'WAT', 'D17', 'l')"
        )
    apply_peer_rules(layers, 1, True)
    with layers.connect("transformer") as connection:
        connection.execute("update indicators.int_observation__accepted set cell = 'D18'")
    with layers.connect("publisher") as connection:
        connection.execute(
            "insert into ops.changed_key values ('S11', '2024', 'submissions'), ('S1', '2024', 'submissions')"
        )
    assert apply_peer_rules(layers, 2, False) == {"pass": 10, "fail": 1}
    assert told(layers, "municipality_code, cell, is_open") == [("S11", "D17", False), ("S11", "D18", True)]

    # an explanation is accepted, and refused after all
    with layers.connect("admin") as connection:
        connection.execute(
            "alter table quality.explanation drop constraint explanation_delivery_id_fkey;"
            "insert into quality.explanation (explanation_id, rule_id, collection_code, municipality_code, time_period, indicator_code,"
            " sex, value_found, finding_id, text, delivery_id) select 'e', rule_id, collection_code, municipality_code, time_period,"
            " indicator_code, sex, value_found, finding_id, 'так і є', 'd' from quality.finding where is_open"
        )
    decisions: tuple[tuple[Status, bool], ...] = (("accepted", False), ("refused", True))
    for status, is_open in decisions:
        decide_explanation(layers, "e", status, "staff")
        assert apply_peer_rules(layers, 2, False) == ({"pass": 10, "fail": 1} if is_open else {})
        assert told(layers, "municipality_code, cell, is_open")[1:] == [("S11", "D18", is_open)]

    # the figure is gone: what was told of it is, and the ten that are left are asked
    with layers.connect("transformer") as connection:
        connection.execute("delete from indicators.int_indicator__derived where municipality_code = 'S11'")
    assert apply_peer_rules(layers, 3, False) == {"pass": 20}
    assert told(layers) == [("S11", False), ("S11", False)]


def test_what_cannot_be_compared_is_not_told(layers: Warehouse) -> None:
    """No value is no data, no denominator is not applicable, and nor is a figure that is nought nearly everywhere."""
    derive(layers, "WAT.D06", {**{f"S{n}": 0.0 for n in range(1, 10)}, "S10": 3.0, "S11": None})
    # a small difference among equal figures is within the least spread
    derive(layers, "WAT.D18", {**{f"S{n}": 100.0 for n in range(1, 11)}, "S11": 119.0})
    # GEN.D10 is asked from 2019 on
    derive(layers, "GEN.D10", {**{f"S{n}": 1.0 + n for n in range(1, 11)}, "S11": 99999.0}, "2012")
    with layers.connect("transformer") as connection:
        connection.execute(
            "insert into indicators.int_indicator__derived"
            " select 'ASMS', 'S' || n, '2024', 'EDU.D21', 'T', case n when 1 then 9999 else n end, 'A'"
            " from generate_series(1, 11) as n"
        )  # restricted: compared with nobody
    assert apply_peer_rules(layers, 1, True) == {"not_applicable": 11, "pass": 11}
    assert told(layers) == []
