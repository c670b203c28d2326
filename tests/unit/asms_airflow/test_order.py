"""DAGs in the order of their assets."""

from graphlib import CycleError

import pytest

from asms_airflow.order import AssetUse, run_order


def _use(dag_id: str, fills: str = "", needs: str = "") -> AssetUse:
    return AssetUse(dag_id, frozenset(fills.split()), frozenset(needs.split()))


def test_what_fills_runs_before_what_needs() -> None:
    uses = [_use("a_build", needs="x y"), _use("b_reads", "y", "x"), _use("c_first", "x")]
    assert run_order(uses) == ["c_first", "b_reads", "a_build"]


def test_ties_go_by_name_whatever_the_order_given() -> None:
    uses = [_use("c", "z"), _use("a", "x"), _use("b", "y"), _use("build", needs="x y z")]
    assert run_order(uses) == run_order(reversed(uses)) == ["a", "b", "c", "build"]


def test_left_out_assets_take_their_dags_with_them_and_hold_up_nobody() -> None:
    uses = [_use("a", "x"), _use("b", "y"), _use("build", needs="x y")]
    assert run_order(uses, {"y"}) == ["a", "build"]


def test_what_no_asset_joins_is_left_to_people() -> None:
    assert run_order([_use("a", "x"), _use("b"), _use("c", needs="x")]) == ["a", "c"]


def test_a_dag_may_read_what_it_fills() -> None:
    assert run_order([_use("a", "x", "x")]) == ["a"]


def test_two_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(CycleError):
        run_order([_use("a", "x", "y"), _use("b", "y", "x")])
