"""From raw to findings and to derived indicators, for the whole country: `make bench` prints what each step costs.

The peer does the least that the same rows can cost: one COPY of them and one plain aggregate.
"""

from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from asms.catalogue import load_catalogue, store_catalogue
from asms.intake.landing import LandingStore
from asms.quality.rules import apply_rules
from asms.returns import list_questions
from asms.sample.answers import make_answers
from asms.settings import Settings
from asms.sources.katottg import fetch as fetch_katottg
from asms.warehouse import dbt
from asms.warehouse.build import start_build
from asms.warehouse.connection import Warehouse
from asms.warehouse.copy import copy_rows
from tests.bench.cost import find_postmaster, measure
from tests.bench.national import HROMADA_COUNT, YEAR, invent, list_hromadas

_CELLS = ("submission_id", "sheet", "cell", "indicator_code", "code_text", "sex", "value_text", "value_type")
_YEARS = (str(int(YEAR) - 1), YEAR)
_FAULTY = 50  # one cell in as many says something that is no number


@pytest.fixture
def postmaster(pg_home: Path, warehouse: Warehouse) -> psutil.Process:  # noqa: ARG001 - the server runs by then
    return find_postmaster(pg_home)


def _rows(code: str, answers: dict[tuple[str, str], object]) -> Iterator[tuple[object, ...]]:
    for number, ((indicator, sex), value) in enumerate(answers.items()):
        text = "немає даних" if number % _FAULTY == 7 else None if value is None else str(value)
        kind = "empty" if text is None else "text" if text.startswith("н") else "number"
        yield code, indicator.partition(".")[0], f"{sex}{number}", indicator, indicator, sex, text, kind


def _send_all(connection: psycopg.Connection) -> None:
    """Two years of returns of every hromada, straight into raw."""
    asked = [
        (row.code, sex)
        for row in list_questions(load_catalogue(), int(YEAR))
        for sex in ("T", "F", "M")[: 3 if row.is_sex_split else 1]
    ]
    for hromada in list_hromadas():
        given = make_answers(invent(hromada), int(YEAR))
        answers = {key: given[key].value if key in given else None for key in asked}
        for year in _YEARS:
            code = f"{hromada.code} {year}"
            parameters = {"code": code, "body": hromada.code, "year": year, "count": len(answers)}
            connection.execute(
                "insert into raw.delivery (delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, is_sample) "
                "values (%(code)s, 'submissions', 'bench', %(code)s, 1, %(code)s, 1, %(year)s::int, false)",
                parameters,
            )
            connection.execute(
                "insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample) "
                "values (%(code)s, 'submissions', %(code)s, '1', 'loaded', false)",
                parameters,
            )
            connection.execute(
                "insert into raw.submission (submission_id, load_id, sha256, file_name, form_code, form_version, "
                "collection_code, municipality_code, municipality_text, time_period, cell_count) values "
                "(%(code)s, %(code)s, %(code)s, %(code)s, 'BENCH', '1', 'ASMS', %(body)s, '', %(year)s, %(count)s)",
                parameters,
            )
            connection.execute("insert into raw.submission_delivery values (%(code)s, %(code)s, %(code)s)", parameters)
            copy_rows(connection, "raw.submission_cell", _CELLS, _rows(code, answers))


def test_from_raw_to_findings_and_derived(
    warehouse: Warehouse, settings: Settings, postmaster: psutil.Process, tmp_path: Path
) -> None:
    store_catalogue(warehouse, load_catalogue())
    fetch_katottg(warehouse, settings, LandingStore(settings.landing).put)
    with warehouse.connect("loader") as connection:
        _send_all(connection)
    build_id = start_build(warehouse, force=True).build_id

    def run(*models: str) -> None:
        command = ["run", "--full-refresh", "--select", *models]
        results = dbt.invoke(command, warehouse=warehouse, target_path=tmp_path)
        assert {str(result.status) for result in results} == {"success"}

    dbt.parse(tmp_path)
    dbt.invoke(["seed"], warehouse=warehouse, target_path=tmp_path)
    run("path:models/staging", "--exclude", "stg_submissions__*")
    run("stg_submissions__delivery", "stg_submissions__return")
    typed = measure(
        lambda: run("stg_submissions__cell", "stg_submissions__latest_cell", "stg_submissions__input"), postmaster
    )
    asked = measure(lambda: apply_rules(warehouse, build_id, is_full=True), postmaster)
    run("int_observation__accepted")
    derived = measure(lambda: run("int_indicator__derived"), postmaster)

    with warehouse.connect("admin") as connection:
        connection.execute("create table raw.floor (like raw.submission_cell including indexes)")
        rows = connection.execute("select * from raw.submission_cell").fetchall()
        assert len(rows) > len(_YEARS) * HROMADA_COUNT * 1_000

        def least() -> None:
            with connection.cursor().copy("copy raw.floor from stdin") as copy:
                for row in rows:
                    copy.write_row(row)
            connection.execute(
                "select indicator_code, count(*), max(value_text) from raw.floor group by indicator_code"
            )

        floor = measure(least, postmaster)
    print(f"\nfrom raw, {HROMADA_COUNT:,} bodies, {len(_YEARS)} years, {len(rows):,} cells:")
    print(f"  typed values: {typed}\n  findings:     {asked}\n  derived:      {derived}")
    print(f"  one COPY and one aggregate: {floor}")
    print(f"  ratio of CPU: {(typed.cpu + asked.cpu) / floor.cpu:.2f}; derived {derived.cpu / floor.cpu:.2f}")
    assert (typed.cpu + asked.cpu) / floor.cpu < 15
    assert derived.cpu / floor.cpu < 5
