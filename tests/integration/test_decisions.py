"""Staff decide about findings: a waived fatal finding stops no release while its value stands, and comes again with another."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from psycopg.rows import dict_row

from asms.catalogue import store_catalogue
from asms.cli import cli
from asms.feedback.gather import _FINDINGS
from asms.findings import Finding, insert_findings
from asms.intake.explanations import OfferedExplanation, store_explanations
from asms.quality.decisions import (
    DecisionError,
    Effect,
    decide_explanation,
    list_findings,
    waive_finding,
)
from asms.quality.rules import apply_rules
from asms.warehouse.build import start_build
from asms.warehouse.connection import Warehouse

LAYERS = Path(__file__).with_name("quality_layers.sql").read_text(encoding="utf-8")
OURS = "UA05020030000031457"
RULE = "CELL_NOT_A_NUMBER"
# What the gate over staging asks (expectations/staging/stg_submissions__latest_cell.yaml).
STOPS = (
    "select count(*) from quality.finding inner join quality.rule using (rule_id) "
    "where finding.is_open and finding.severity = 'fatal' and rule.engine = 'sql'"
)


@pytest.fixture
def layers(warehouse: Warehouse) -> Warehouse:
    """Layers without data and the shipped catalogue, in which a text for a number is fatal."""
    with warehouse.connect("transformer") as connection:
        connection.execute("create table staging.budget_code (budget_code text, area_code text)")
        connection.execute(LAYERS)  # type: ignore[arg-type]  # SQL of these tests
    store_catalogue(warehouse)
    with warehouse.connect("admin") as connection:
        connection.execute("update quality.rule set severity = 'fatal' where rule_id = %s", (RULE,))
    return warehouse


def send(warehouse: Warehouse, name: str, value: str) -> None:
    """Let a return in whose cell D7 ``value`` stands for a number hold the answer in force."""
    with warehouse.connect("admin") as connection:
        connection.execute(
            "insert into raw.delivery (delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, is_sample)"
            " values (%(name)s, 'submissions', 'sample', %(name)s, 1, %(name)s, 1, 1, true)",
            {"name": name},
        )
        connection.execute(
            "insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample)"
            " values (%(name)s, 'submissions', %(name)s, '1', 'loaded', true)",
            {"name": name},
        )
        connection.execute(
            "insert into raw.submission values (%(name)s, %(name)s, %(name)s, %(name)s, 'X', '1', 'ASMS', %(body)s, '', '2024', 1)",
            {"name": name, "body": OURS},
        )
        for table in ("stg_submissions__cell", "stg_submissions__latest_cell"):
            if table == "stg_submissions__latest_cell":
                connection.execute("delete from staging.stg_submissions__latest_cell")
            connection.execute(
                f"insert into staging.{table} (submission_id, sheet, cell, collection_code, municipality_code, time_period,"  # type: ignore[arg-type]
                " indicator_code, sex, value_text, broken_rule_id, load_id)"
                " values (%(name)s, 'POP', 'D7', 'ASMS', %(body)s, '2024', 'POP.001', 'T', %(value)s, %(rule)s, %(name)s)",
                {"name": name, "body": OURS, "value": value, "rule": RULE},
            )


def read(warehouse: Warehouse, name: str, batch: int, found: dict[str, str]) -> None:
    """Let a return be read whose reader found, by cell, a choice of a nil return that it does not know."""
    send(warehouse, name, "1")
    place = {"collection_code": "ASMS", "municipality_code": OURS, "time_period": "2024"}
    with warehouse.connect("admin") as connection:
        connection.execute("update raw.delivery set batch_no = %s where delivery_id = %s", (batch, name))
        connection.execute("insert into raw.submission_delivery values (%(name)s, %(name)s, %(name)s)", {"name": name})
    with warehouse.connect("loader") as connection:
        findings = [
            Finding(
                "NIL_RETURN_UNCLEAR", "submissions", f"стоїть {text}", f"holds {text}", name, name, name, **place,
                sheet="POP", cell=cell, value_found=text,
            )
            for cell, text in found.items()
        ]  # fmt: skip
        insert_findings(connection, findings, is_sample=True)


def unclear(warehouse: Warehouse, *, is_built: bool = True) -> list[tuple[object, ...]]:
    """Open findings of readers, after a build, with what the next report says of an explanation."""
    if is_built:
        apply_rules(warehouse, 1, True)
    with warehouse.connect("gate") as connection:
        rows = connection.cursor(row_factory=dict_row).execute(_FINDINGS, {"groups": [f"ASMS|{OURS}|2024"]}).fetchall()
    return [
        (row["submission_id"], row["cell"], row["value_found"], row["explanation_status"])
        for row in rows
        if row["rule_id"] == "NIL_RETURN_UNCLEAR"
    ]


def test_an_explained_finding_of_a_reader_comes_again_with_what_it_says(layers: Warehouse) -> None:
    read(layers, "a.xlsx", 1, {"B2": "ні", "B3": "ні"})
    assert unclear(layers) == [("a.xlsx", "B2", "ні", None), ("a.xlsx", "B3", "ні", None)]
    told = {finding.cell: finding.finding_id for finding in list_findings(layers)}
    with layers.connect("loader") as connection:
        rows = [OfferedExplanation(told[cell], "так і є", "POP", "K9") for cell in ("B2", "B3")]
        assert store_explanations(connection, "a.xlsx", OURS, rows) == (2, [])
    with layers.connect("gate") as connection:
        query = "select explanation_id from quality.explanation where finding_id = %s"
        ((explained,),) = connection.execute(query, (told["B2"],)).fetchall()
    assert decide_explanation(layers, explained, "accepted", "olena")
    assert unclear(layers) == [("a.xlsx", "B3", "ні", "offered")], "what stands in another cell is not accepted"
    before = closings(layers)
    assert len(unclear(layers)) == 1 and closings(layers) == before
    read(layers, "b.xlsx", 2, {"B2": "ні"})
    assert unclear(layers) == [], "the same in another file"
    read(layers, "c.xlsx", 3, {"B2": "не знаю"})
    assert unclear(layers) == [("c.xlsx", "B2", "не знаю", None)]
    read(layers, "d.xlsx", 4, {"B2": "ні", "B4": "ні"})
    assert unclear(layers) == [("d.xlsx", "B4", "ні", None)]
    assert decide_explanation(layers, explained, "refused", "olena")
    of_both = [("d.xlsx", "B2", "ні", "refused"), ("d.xlsx", "B4", "ні", None)]
    assert unclear(layers, is_built=False) == of_both, "of the returns before it nothing is told any more"
    assert unclear(layers) == of_both
    assert decide_explanation(layers, explained, "accepted", "olena")
    with layers.connect("admin") as connection:
        connection.execute(
            "insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample) "
            "values ('again', 'submissions', 'd.xlsx', '2', 'loaded', true)"
        )
    assert decide_explanation(layers, explained, "refused", "olena")
    assert unclear(layers) == [("d.xlsx", "B4", "ні", None)], "a newer reader does not find it"


def stops(warehouse: Warehouse) -> int:
    with warehouse.connect("gate") as connection:
        row = connection.execute(STOPS).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return int(row[0])


def closings(warehouse: Warehouse) -> list[tuple[object, ...]]:
    with warehouse.connect("gate") as connection:
        return connection.execute("select finding_id, closed_at from quality.finding order by 1").fetchall()


def severities(warehouse: Warehouse) -> list[str]:
    return [row.severity for row in list_findings(warehouse)]


@pytest.mark.parametrize(("effect", "left"), [("reject", ["error"]), ("silence", [])])
def test_waived_finding_stops_nothing_while_its_value_stands(
    layers: Warehouse, effect: Effect, left: list[str]
) -> None:
    send(layers, "a.xlsx", "багато")
    apply_rules(layers, 1, True)
    (fatal,) = list_findings(layers, "fatal")
    assert stops(layers) == 1
    waive_finding(layers, fatal.finding_id, effect, "реєстр помиляється", "olena")
    assert (stops(layers), severities(layers)) == (0, left)
    apply_rules(layers, 1, True)
    assert (stops(layers), severities(layers)) == (0, left)
    before = closings(layers)
    apply_rules(layers, 1, True)
    assert closings(layers) == before  # what is silent is not opened and closed each night
    send(layers, "b.xlsx", "багато")  # the same value in another file
    apply_rules(layers, 1, True)
    assert (stops(layers), severities(layers)) == (0, left)
    send(layers, "c.xlsx", "дуже багато")
    apply_rules(layers, 1, True)
    assert (stops(layers), severities(layers)) == (1, ["fatal"])


def test_waiver_taken_back_stops_again(layers: Warehouse) -> None:
    send(layers, "a.xlsx", "багато")
    apply_rules(layers, 1, True)
    (fatal,) = list_findings(layers)
    waive_finding(layers, fatal.finding_id, "silence", "перевірено", "olena")
    waive_finding(layers, fatal.finding_id, "none", "помилилися", "olena")
    apply_rules(layers, 1, True)
    assert (stops(layers), severities(layers)) == (1, ["fatal"])


def test_decision_starts_a_build_of_its_key_until_it_is_published(layers: Warehouse) -> None:
    send(layers, "a.xlsx", "багато")
    apply_rules(layers, 1, True)
    first = start_build(layers)
    publish(layers, first.build_id)
    assert not start_build(layers).is_needed
    (fatal,) = list_findings(layers)
    waive_finding(layers, fatal.finding_id, "reject", "перевірено", "olena")
    for _ in range(2):  # a build that was not published leaves it to the next
        build = start_build(layers)
        assert (build.is_needed, build.is_full, build.reason) == (True, False, "1 decisions")
        with layers.connect("publisher") as connection:
            key = connection.execute(
                "select municipality_code from ops.changed_key where time_period = '2024'"
            ).fetchall()
        assert key == [(OURS,)]
    publish(layers, build.build_id)
    assert not start_build(layers).is_needed


def publish(warehouse: Warehouse, build_id: int) -> None:
    """What publishing notes of a build, by its own function."""
    from asms.warehouse.release import _record_inputs

    with warehouse.connect("publisher") as connection:
        connection.execute(
            "insert into ops.release (release_id, build_id, fact_count, code_version, catalogue_version, is_sample)"
            " values (%s, %s, 1, 'a', 'b', true)",
            (build_id, build_id),
        )
        connection.execute(
            "insert into ops.current_release (release_id) values (%s) on conflict do nothing", (build_id,)
        )
        _record_inputs(connection, build_id, build_id)


def test_only_a_fatal_finding_is_waived_and_never_without_a_reason(layers: Warehouse) -> None:
    send(layers, "a.xlsx", "багато")
    with layers.connect("admin") as connection:
        connection.execute("update quality.rule set severity = 'error' where rule_id = %s", (RULE,))
    apply_rules(layers, 1, True)
    (error,) = list_findings(layers)
    with pytest.raises(DecisionError, match="of severity error"):
        waive_finding(layers, error.finding_id, "reject", "хочу", "olena")
    with pytest.raises(DecisionError, match="no finding nothing"):
        waive_finding(layers, "nothing", "reject", "хочу", "olena")
    with pytest.raises(DecisionError, match="needs a reason"):
        waive_finding(layers, error.finding_id, "reject", " ", "olena")


def test_terminal_lists_and_waives(layers: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asms.cli.open_last_warehouse", lambda _settings: layers)
    send(layers, "a.xlsx", "багато")
    apply_rules(layers, 1, True)
    run = CliRunner().invoke
    (found,) = json.loads(run(cli, ["finding", "list", "--severity", "fatal", "--json"]).output)
    done = run(cli, ["finding", "waive", found["finding_id"], "--reason", "перевірено", "--by", "olena", "--json"])
    assert (done.exit_code, json.loads(done.output)["effect"]) == (0, "reject")
    with layers.connect("gate") as connection:
        noted = connection.execute("select reason, decided_by, value_found from quality.waiver").fetchall()
    assert noted == [("перевірено", "olena", "багато")]
    assert run(cli, ["finding", "waive", "nothing", "--reason", "x"]).exit_code == 1
    assert run(cli, ["finding", "waive", found["finding_id"]]).exit_code == 2  # no reason: a fault of usage
    assert run(cli, ["explanation", "accept", "nothing"]).exit_code == 1
    assert json.loads(run(cli, ["explanation", "list", "--json"]).output) == []
    for group in ("finding", "explanation", "feedback"):
        assert run(cli, [group, "--help"]).exit_code == 0
