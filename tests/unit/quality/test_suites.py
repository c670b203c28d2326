"""Suites are data that people edit, so what can be wrong with them is said before a run."""

from pathlib import Path

import pytest

from asms.quality.suites import GATES, AskedBuild, SuiteError, load_suites

GOOD = """
table: thing
owner: intake
remedy_uk: Зробіть.
remedy_en: Do.
expectations:
  - rule_id: GX_THING_SCHEMA
    type: expect_table_columns_to_match_set
    kwargs: {column_set: [a], exact_match: false}
    severity: critical
    message_uk: Немає стовпців.
    message_en: No columns.
    reason: All of them are read.
  - rule_id: GX_THING_ROWS
    type: unexpected_rows_expectation
    kwargs:
      unexpected_rows_query: select thing.a from (select * from {batch}) as thing where thing.build_id = {build_id}
    severity: warning
    message_uk: Рядок зайвий.
    message_en: A row too many.
    reason: None is expected.
"""


def write(folder: Path, text: str, name: str = "thing.yaml") -> Path:
    (folder / "raw").mkdir(exist_ok=True)
    (folder / "raw" / name).write_text(text, encoding="utf-8")
    return folder


def test_shipped_suites_cover_every_gate_and_no_rule_id_stands_twice() -> None:
    suites = load_suites()
    assert {suite.gate for suite in suites} == set(GATES)
    ids = [check.rule_id for suite in suites for check in suite.expectations]
    assert len(ids) == len(set(ids)) > 40


def test_shipped_queries_name_the_table_they_are_about() -> None:
    """Without {batch} Great Expectations prints a warning to standard output, which belongs to the run's summary."""
    for suite in load_suites():
        for check in suite.expectations:
            query = check.kwargs.get("unexpected_rows_query")
            assert query is None or "{batch}" in query, check.rule_id
            assert check.type != "unexpected_rows_expectation" or query, check.rule_id


def test_query_is_given_as_a_person_can_run_it(tmp_path: Path) -> None:
    (suite,) = load_suites(write(tmp_path, GOOD))
    schema, rows = suite.expectations
    build = AskedBuild(7, is_full=False)
    assert schema.query(suite.dataset, build) is None
    assert rows.query(suite.dataset, build) == (
        "select thing.a from (select * from raw.thing) as thing where thing.build_id = 7"
    )
    assert rows.arguments(build)["unexpected_rows_query"].endswith("from {batch}) as thing where thing.build_id = 7")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("owner: intake", "ownr: intake", "ownr"),
        ("severity: warning", "severity: error", "severity"),
        ("reason: None is expected.", "", "reason"),
        ("rule_id: GX_THING_ROWS", "rule_id: GX_THING_SCHEMA", "stand twice"),
        ("rule_id: GX_THING_ROWS", "rule_id: thing-rows", "rule_id"),
        ("table: thing", "table: other", "named after its table"),
        ("type: expect_table_columns_to_match_set", "type: expect_column_to_exist", "first expectation"),
        ("severity: critical", "severity: info", "critical"),
        ("expectations:", "- expectations", "not a suite"),
    ],
)
def test_what_is_wrong_with_a_suite_is_said_with_its_file(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(SuiteError, match=told) as error:
        load_suites(write(tmp_path, GOOD.replace(old, new)))
    assert "thing.yaml" in str(error.value) or "stand twice" in str(error.value)


def test_empty_file_is_no_suite(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"raw/thing\.yaml is not a suite"):
        load_suites(write(tmp_path, ""))


@pytest.mark.parametrize(("is_full", "asked"), [(True, "where true)"), (False, "from ops.changed_key))")])
def test_a_check_asks_about_what_the_build_redoes(tmp_path: Path, is_full: bool, asked: str) -> None:
    text = GOOD.replace(
        "from {batch}) as thing where thing.build_id = {build_id}", "from {batch} where {redone}) as thing"
    )
    _, rows = load_suites(write(tmp_path, text))[0].expectations
    assert rows.is_scoped
    assert asked in str(rows.query("raw.thing", AskedBuild(7, is_full=is_full)))
