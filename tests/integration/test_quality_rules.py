"""Rules on returns over a real database: what they open, leave alone, close and open again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from asms.catalogue import store_catalogue
from asms.findings import Finding, insert_findings
from asms.quality.gates import run_gate
from asms.quality.rules import apply_rules
from asms.warehouse.connection import Warehouse

LAYERS = Path(__file__).with_name("quality_layers.sql").read_text(encoding="utf-8")
NONE_OPEN = {"fatal": 0, "error": 0, "warning": 0, "info": 0}
OURS = "UA05020030000031457"


@pytest.fixture
def layers(warehouse: Warehouse) -> Warehouse:
    """Layers without data, the shipped catalogue, build 1 over every key."""
    with warehouse.connect("transformer") as connection:
        connection.execute(LAYERS)  # type: ignore[arg-type]  # SQL of these tests
    store_catalogue(warehouse)
    with warehouse.connect("publisher") as connection:
        connection.execute("insert into ops.build (status, is_full, reason) values ('running', true, 'test')")
    return warehouse


def send(
    warehouse: Warehouse, path: str, *, batch: int, body: str = OURS, year: str = "2024", seq: int = 1,
         collection: str = "ASMS") -> str:  # fmt: skip
    """Book an arrival of a return and its load; return the submission's id, made from path and batch."""
    key = f"{path}#{batch}"
    with warehouse.connect("loader") as connection:
        connection.execute(
            "insert into raw.delivery (delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, is_sample)"
            " values (%s, 'submissions', 'sample', %s, %s, %s, 1, %s, true)",
            (key, path, seq, key, batch),
        )
        connection.execute(
            "insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample)"
            " values (%s, 'submissions', %s, '1', 'loaded', true)",
            (f"load {key}", key),
        )
        connection.execute(
            "insert into raw.submission values (%s, %s, %s, %s, 'ASMS-ANNUAL', '1', %s, %s, 'наша', %s, 1)",
            (key, f"load {key}", key, path, collection, body, year),
        )
        connection.execute("insert into raw.submission_delivery values (%s, %s, %s)", (key, key, f"load {key}"))
    return key


def stage(  # noqa: PLR0913 - what a cell can be, by name
    warehouse: Warehouse, submission: str, code: str, value: str | None, *, rule: str | None = None,
          cell: str = "D7", in_force: bool = True, is_conflict: bool = False, body: str = OURS,
          collection: str = "ASMS") -> None:  # fmt: skip
    """Put one typed cell of a submission into staging, and make it the answer in force."""
    status = "conflict" if is_conflict else "rejected" if rule else None
    row: Sequence[Any] = (
        submission,
        "POP",
        cell,
        collection,
        body,
        "2024",
        code,
        "T",
        value,
        rule,
        status,
        f"load {submission}",
    )
    columns = (
        "(submission_id, sheet, cell, collection_code, municipality_code, time_period, indicator_code, sex, value_text,"
        " broken_rule_id, status_reason, load_id"
    )
    with warehouse.connect("loader") as connection:
        connection.execute(
            "insert into raw.submission_cell values (%s, 'POP', %s, %s, %s, 'T', %s, 'text') on conflict do nothing",
            (submission, cell, code, code, value),
        )
    with warehouse.connect("transformer") as connection:
        connection.execute(
            f"insert into staging.stg_submissions__cell {columns}) values ({', '.join(['%s'] * 12)})",  # type: ignore[arg-type]
            row,
        )
        if in_force:
            connection.execute(
                f"insert into staging.stg_submissions__latest_cell {columns}, is_conflict)"  # type: ignore[arg-type]
                f" values ({', '.join(['%s'] * 13)})",
                (*row, is_conflict),
            )


def give_input(warehouse: Warehouse, values: dict[tuple[str, str], float], body: str = OURS) -> None:
    """Put the arrays of one body in 2024 into staging: values by (indicator, sex) or ('register', 'POP.001')."""
    with warehouse.connect("transformer") as connection:
        slots = connection.execute(
            "select case origin when 'register' then 'register' else indicator_code end,"
            " case origin when 'register' then indicator_code else sex end, period_offset"
            " from catalogue.formula_input order by slot"
        ).fetchall()
        array = [values.get((first, second)) if offset == 0 else None for first, second, offset in slots]
        connection.execute("delete from staging.stg_submissions__input where municipality_code = %s", (body,))
        connection.execute(
            "insert into staging.stg_submissions__input values (%s, '2024', %s, %s)",
            (body, array, [0] * len(array)),
        )


def findings(warehouse: Warehouse, columns: str = "rule_id, cell, value_found, is_open") -> list[tuple[Any, ...]]:
    with warehouse.connect("gate") as connection:
        return connection.execute(
            f"select {columns} from quality.finding order by rule_id, file_name, cell, finding_id"  # type: ignore[arg-type]
        ).fetchall()


def everything(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    return findings(warehouse, "*")


def test_nothing_sent_finds_nothing(layers: Warehouse) -> None:
    assert apply_rules(layers, 1, True) == NONE_OPEN


def test_typing_rule_names_file_sheet_cell_value_and_remedy(layers: Warehouse) -> None:
    sent = send(layers, "Гайсинська/форма.xlsx", batch=1)
    stage(layers, sent, "POP.001", "сорок тисяч", rule="CELL_NOT_A_NUMBER")
    stage(layers, sent, "POP.002", "12", cell="D8")
    assert apply_rules(layers, 1, True) == {**NONE_OPEN, "error": 1}
    ((file, sheet, cell, found, message_uk, message_en, remedy_uk, sample),) = findings(
        layers, "file_name, sheet, cell, value_found, message_uk, message_en, remedy_uk, is_sample"
    )
    assert (file, sheet, cell, found, sample) == ("Гайсинська/форма.xlsx", "POP", "D7", "сорок тисяч", True)
    assert message_uk == "У клітинці для числа стоїть текст. Знайдено: сорок тисяч."
    assert message_en == "A cell for a number holds text. Found: сорок тисяч."
    assert remedy_uk


def test_rule_that_leaves_the_value_standing_is_told_too(layers: Warehouse) -> None:
    sent = send(layers, "a.xlsx", batch=1)
    stage(layers, sent, "POP.001", "-5", rule="CELL_NEGATIVE")
    with layers.connect("transformer") as connection:
        connection.execute("update staging.stg_submissions__latest_cell set obs_value = -5, status_reason = null")
    assert apply_rules(layers, 1, True) == {**NONE_OPEN, "error": 1}


def test_running_twice_changes_nothing(layers: Warehouse) -> None:
    sent = send(layers, "a.xlsx", batch=1)
    stage(layers, sent, "POP.001", "багато", rule="CELL_NOT_A_NUMBER")
    apply_rules(layers, 1, True)
    first = everything(layers)
    apply_rules(layers, 1, True)
    assert everything(layers) == first and len(first) == 1


def test_fingerprint_is_that_of_a_readers_finding(layers: Warehouse) -> None:
    """Or a finding would be told twice, once by each side."""
    sent = send(layers, "a.xlsx", batch=1)
    stage(layers, sent, "POP.001", "багато", rule="CELL_NOT_A_NUMBER")
    apply_rules(layers, 1, True)
    same = Finding(
        rule_id="CELL_NOT_A_NUMBER", dataset="submissions", message_uk="-", message_en="-", submission_id=sent,
        municipality_code=OURS, time_period="2024", indicator_code="POP.001", sex="T", file_name="a.xlsx", sheet="POP",
        cell="D7", value_found="багато",
    )  # fmt: skip
    assert findings(layers, "finding_id") == [(same.finding_id,)]


def test_corrected_return_closes_and_the_old_one_sent_again_opens_the_same_finding(layers: Warehouse) -> None:
    faulty = send(layers, "a.xlsx", batch=1)
    stage(layers, faulty, "POP.001", "багато", rule="CELL_NOT_A_NUMBER")
    apply_rules(layers, 1, True)
    opened = findings(layers, "finding_id, found_at")
    with layers.connect("transformer") as connection:
        connection.execute("delete from staging.stg_submissions__latest_cell")
    better = send(layers, "a2.xlsx", batch=2)
    stage(layers, better, "POP.001", "40")
    assert apply_rules(layers, 1, True) == NONE_OPEN
    assert findings(layers, "is_open, closed_at is not null") == [(False, True)]
    with layers.connect("transformer") as connection:
        connection.execute("delete from staging.stg_submissions__latest_cell")
        connection.execute("delete from staging.stg_submissions__cell where submission_id = %s", (faulty,))
    stage(layers, faulty, "POP.001", "багато", rule="CELL_NOT_A_NUMBER")
    assert apply_rules(layers, 1, True)["error"] == 1
    assert findings(layers, "finding_id, found_at") == opened
    assert findings(layers, "is_open, closed_at") == [(True, None)]


def test_superseded_return_opens_nothing(layers: Warehouse) -> None:
    old, new = send(layers, "a.xlsx", batch=1), send(layers, "b.xlsx", batch=2)
    stage(layers, old, "POP.001", "багато", rule="CELL_NOT_A_NUMBER", in_force=False)
    stage(layers, new, "POP.001", "40")
    assert apply_rules(layers, 1, True) == NONE_OPEN
    assert findings(layers) == []


def test_contradicting_files_are_all_named_with_what_each_says(layers: Warehouse) -> None:
    earlier = send(layers, "minulyi.xlsx", batch=1)
    stage(layers, earlier, "POP.001", "99", in_force=False)
    for path, value, rule in (("b.xlsx", "41", None), ("a.xlsx", "сорок", "CELL_NOT_A_NUMBER")):
        sent = send(layers, path, batch=2)
        stage(layers, sent, "POP.001", value, rule=rule, in_force=path == "a.xlsx", is_conflict=True)
    assert apply_rules(layers, 1, True) == {**NONE_OPEN, "error": 1}
    assert findings(layers, "rule_id, file_name, sheet, cell, value_found") == [
        ("RETURN_CONFLICT", "a.xlsx, b.xlsx", "POP", "D7", "a.xlsx: сорок; b.xlsx: 41")
    ]


def test_compiled_rule_points_at_the_cell_and_closes_the_gate_when_fatal(layers: Warehouse) -> None:
    """CHK.POP.001.SCALE of the shipped rules: the population is given in thousands."""
    sent = send(layers, "a.xlsx", batch=1)
    stage(layers, sent, "POP.001", "45,2")
    give_input(layers, {("POP.001", "T"): 45.2, ("register", "POP.001"): 45210.0})
    counted = apply_rules(layers, 1, True)
    assert counted["fatal"] == 1
    file, cell, found, expected, message, _ = next(
        row
        for row in findings(layers, "file_name, cell, value_found, value_expected, message_uk, rule_id")
        if row[-1] == "CHK.POP.001.SCALE"
    )
    assert (file, cell, found, expected) == ("a.xlsx", "D7", "45.2", "4521 … 452100")
    assert "Знайдено: 45.2. Очікувалося: 4521 … 452100." in message
    assert not run_gate(layers, "staging", 1).passed
    give_input(layers, {("POP.001", "T"): 45200.0, ("register", "POP.001"): 45210.0})
    assert apply_rules(layers, 1, True) == NONE_OPEN
    assert run_gate(layers, "staging", 1).passed


def test_rule_of_another_collection_points_at_the_return_of_that_collection(layers: Warehouse) -> None:
    """CHK.A16131.1 of the shipped rules: a score of the 2018 survey is at most 3."""
    sent = send(layers, "tc.xlsx", batch=1, collection="TC2018")
    stage(layers, sent, "A16131", "5", collection="TC2018")
    give_input(layers, {("A16131", "T"): 5.0})
    apply_rules(layers, 1, True)
    assert [row[1:] for row in findings(layers, "rule_id, collection_code, file_name, cell, value_found")] == [
        ("TC2018", "tc.xlsx", "D7", "5")
    ]


def test_rule_without_data_finds_nothing(layers: Warehouse) -> None:
    """Missing is not a breach: the register does not know the body."""
    give_input(layers, {("POP.001", "T"): 45.2})
    assert apply_rules(layers, 1, True) == NONE_OPEN


def test_every_shipped_rule_can_be_asked(layers: Warehouse) -> None:
    """Each compiled expression is real SQL: with every input at one value the statement runs and something breaks."""
    with layers.connect("transformer") as connection:
        slots = connection.execute("select count(*) from catalogue.formula_input").fetchone()
        assert slots is not None
        connection.execute(
            "insert into staging.stg_submissions__input values (%s, '2024', array_fill(7::float8, array[%s::int]),"
            " array_fill(0, array[%s::int]))",
            (OURS, *slots, *slots),
        )
    assert sum(apply_rules(layers, 1, True).values()) > 0


def test_only_changed_keys_are_asked_and_closed(layers: Warehouse) -> None:
    theirs = "UA85000000000065278"
    for body, path in ((OURS, "a.xlsx"), (theirs, "b.xlsx")):
        sent = send(layers, path, batch=1, body=body)
        stage(layers, sent, "POP.001", "багато", rule="CELL_NOT_A_NUMBER", body=body)
    with layers.connect("publisher") as connection:
        connection.execute("insert into ops.changed_key values (%s, '2024', 'submissions')", (theirs,))
    assert apply_rules(layers, 1, False)["error"] == 1
    assert findings(layers, "municipality_code") == [(theirs,)]
    assert apply_rules(layers, 1, True)["error"] == 2
    with layers.connect("transformer") as connection:
        connection.execute("delete from staging.stg_submissions__latest_cell")
    assert apply_rules(layers, 1, False)["error"] == 1
    assert findings(layers, "municipality_code, is_open") == [(OURS, True), (theirs, False)]


def test_unknown_rule_of_staging_is_an_error_and_writes_nothing(layers: Warehouse) -> None:
    sent = send(layers, "a.xlsx", batch=1)
    stage(layers, sent, "POP.001", "?", rule="CELL_NO_SUCH_RULE")
    with pytest.raises(LookupError, match="CELL_NO_SUCH_RULE"):
        apply_rules(layers, 1, True)
    assert findings(layers) == []


def test_readers_finding_closes_when_a_later_file_came(layers: Warehouse) -> None:
    """On the same path, or from the same body for the same period; until then it stays open."""
    with layers.connect("loader") as connection:
        connection.execute(
            "insert into quality.rule (rule_id, engine, level, severity, title_uk, title_en, remedy_uk, remedy_en, owner)"
            " values ('FILE_TEST', 'reader', 'file', 'error', 'т', 't', 'з', 'd', 'intake')"
        )
        for number in (1, 2, 3):
            connection.execute(
                "insert into raw.delivery values (%s, 'submissions', 'sample', %s, 1, %s, 1, 1, default, now(), true)",
                (f"d{number}", f"{number}.xlsx", f"s{number}"),
            )
            about = {"collection_code": "ASMS", "municipality_code": OURS, "time_period": "2024"} if number == 3 else {}
            insert_findings(
                connection,
                [
                    Finding(
                        "FILE_TEST", "submissions", "не читається", "unreadable", delivery_id=f"d{number}",
                        file_name=f"{number}.xlsx", **about,
                    )
                ],
                is_sample=True,
            )  # fmt: skip
    assert apply_rules(layers, 1, True)["error"] == 3
    send(layers, "1.xlsx", batch=2, seq=2, year="2019")
    assert apply_rules(layers, 1, True)["error"] == 2
    send(layers, "інший файл.xlsx", batch=3)
    assert apply_rules(layers, 1, True)["error"] == 1
    assert findings(layers, "file_name, is_open") == [("1.xlsx", False), ("2.xlsx", True), ("3.xlsx", False)]


def answer(warehouse: Warehouse, code: str, *values: tuple[str, float | None]) -> None:
    """Numbers of one indicator by year, as staging would type them."""
    for year, value in values:
        sent = send(warehouse, f"{code} {year}.xlsx", batch=int(year), year=year)
        with warehouse.connect("transformer") as connection:
            connection.execute(
                "insert into staging.stg_submissions__latest_cell (submission_id, sheet, cell, collection_code,"
                " municipality_code, time_period, indicator_code, sex, obs_value, obs_status, load_id, is_conflict)"
                " values (%s, 'POP', 'D7', 'ASMS', %s, %s, %s, 'T', %s, %s, %s, false)",
                (sent, OURS, year, code, value, "M_NR" if value is None else "A", f"load {sent}"),
            )


@pytest.mark.parametrize(
    ("code", "before", "now", "told"),
    [
        ("POP.001", None, 100.5, [("CELL_NOT_WHOLE", "100.5", None)]),
        ("POP.001", None, -3.0, [("CELL_NEGATIVE", "-3", None)]),
        ("A16131", None, 2.0, []),
        ("POP.001", 40000.0, 41000.0, []),
        ("POP.001", 100.0, 190.0, []),  # below the floor
        ("POP.001", 40000.0, 65000.0, [("YEAR_JUMP", "65000", "20000 … 60000")]),
        ("POP.001", 33333.0, 65000.0, [("YEAR_JUMP", "65000", "16666 … 50000")]),  # persons are whole
        ("POP.001", 40000.0, 40.0, [("YEAR_UNIT_SLIP", "40", "≈ 40000")]),
        ("HEA.021", 1000.0, 1163000.0, [("YEAR_UNIT_SLIP", "1163000", "≈ 1000")]),
        ("WAT.001", 1000.0, 1300000.0, [("YEAR_JUMP", "1300000", "0 … 2000")]),
        ("POP.001", 0.0, 40000.0, []),
    ],
)
def test_a_value_is_held_against_its_card_and_last_year(
    layers: Warehouse, code: str, before: float | None, now: float, told: list[tuple[str, str, str | None]]
) -> None:
    answer(layers, code, *([("2023", before)] if before is not None else []), ("2024", now))
    apply_rules(layers, 1, True)
    assert findings(layers, "rule_id, value_found, value_expected") == told


def test_a_limits_message_names_the_indicator(layers: Warehouse) -> None:
    answer(layers, "POP.001", ("2024", 100.5))
    apply_rules(layers, 1, True)
    ((message,),) = findings(layers, "message_uk")
    assert message.startswith("Дробове число там, де рахують цілими: POP.001 «")
    assert message.endswith("». Знайдено: 100.5.")


def test_verdicts_are_counted_per_rule_and_build(layers: Warehouse) -> None:
    answer(layers, "POP.001", ("2023", 100.0), ("2024", 100.5))
    give_input(layers, {("POP.001", "T"): 45.2})
    apply_rules(layers, 1, True)
    apply_rules(layers, 1, True)
    with layers.connect("gate") as connection:
        counted = connection.execute(
            "select rule_id, verdict, target_count from quality.rule_verdict_count"
            " where rule_id in ('CELL_NOT_WHOLE', 'YEAR_JUMP', 'CHK.POP.001.SCALE', 'SUM.POP.001') order by 1, 2"
        ).fetchall()
    assert counted == [
        ("CELL_NOT_WHOLE", "fail", 1),
        ("CELL_NOT_WHOLE", "pass", 1),
        ("CHK.POP.001.SCALE", "no_data", 1),
        ("SUM.POP.001", "no_data", 1),
        ("YEAR_JUMP", "no_data", 1),
        ("YEAR_JUMP", "pass", 1),
    ]


def trial(warehouse: Warehouse, answers: dict[tuple[str, str], float], *, path: str, batch: int) -> str:
    """Send a trial for 2024 and stage its cells, by (indicator, sex)."""
    sent = send(warehouse, path, batch=batch)
    with warehouse.connect("admin") as connection:
        connection.execute("update raw.delivery set is_test = true where delivery_id = %s", (sent,))
        for row, ((code, sex), value) in enumerate(answers.items(), 5):
            connection.execute(
                "insert into staging.stg_submissions__cell (submission_id, sheet, cell, collection_code, municipality_code,"
                " time_period, indicator_code, sex, obs_value, obs_status, load_id, batch_no, received_no, is_test)"
                " values (%s, 'POP', %s, 'ASMS', %s, '2024', %s, %s, %s, 'A', %s, %s, 1, true)",
                (sent, f"D{row}", OURS, code, sex, value, f"load {sent}", batch),
            )
    return sent


def stops(warehouse: Warehouse) -> bool:
    """Whether the gate closes because of a fatal finding."""
    run_gate(warehouse, "staging", 1)
    with warehouse.connect("gate") as connection:
        query = "select success from quality.gate_result where check_id = 'GX_STG_NO_FATAL_FINDING'"
        return connection.execute(query).fetchall() == [(False,)]


def test_a_trial_is_asked_everything_and_counts_nowhere(layers: Warehouse) -> None:
    """Cross-field rules, limits, last year and the register; the newest trial answers, and no gate closes over it."""
    answer(layers, "POP.001", ("2023", 40000.0))
    apply_rules(layers, 1, True)
    counted = "select rule_id, verdict, target_count from quality.rule_verdict_count order by 1, 2"
    with layers.connect("transformer") as connection:
        connection.execute("insert into staging.stg_population__municipality values (%s, '2022', 41000)", (OURS,))
        before = connection.execute(counted).fetchall()
    trial(
        layers, {("POP.001", "T"): 41.0, ("WAT.001", "T"): 12.0, ("WAT.002", "T"): 11.0}, path="_test/a.xlsx", batch=2
    )
    newer = trial(layers, {("WAT.002", "T"): 13.5, ("WAT.010", "T"): -1.0}, path="_test/b.xlsx", batch=3)
    apply_rules(layers, 1, True)
    expected = [
        ("CELL_NEGATIVE", "_test/b.xlsx", "D6", "-1", None),
        ("CHK.POP.001.REGISTER", "_test/a.xlsx", "D5", "41", "32800 … 49200"),
        ("CHK.POP.001.SCALE", "_test/a.xlsx", "D5", "41", "4100 … 410000"),
        ("CHK.WAT.002.1", "_test/b.xlsx", "D5", "13.5", "≤ 12"),
        ("YEAR_UNIT_SLIP", "_test/a.xlsx", "D5", "41", "≈ 40000"),
    ]
    told = findings(layers, "rule_id, file_name, cell, value_found, value_expected")
    assert told == expected
    with layers.connect("gate") as connection:
        assert connection.execute(counted).fetchall() == before
    assert not stops(layers)
    # in earnest the same fatal finding closes the gate
    with layers.connect("admin") as connection:
        connection.execute("update raw.delivery set is_test = false")
    assert stops(layers)
    # the trial is taken back: what was found in it is closed
    with layers.connect("transformer") as connection:
        connection.execute("delete from staging.stg_submissions__cell where submission_id = %s", (newer,))
    apply_rules(layers, 1, True)
    assert findings(layers, "rule_id, is_open")[3] == ("CHK.WAT.002.1", False)
