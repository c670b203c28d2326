"""From raw to findings and to derived indicators, for the whole country: `make bench` prints what each step costs.

Two years are sent, one after the other, in two builds. The first finds an empty house, the second one with last year in it, and is
the cycle that the aim speaks of. The peer does the least that the same rows can cost: one COPY of them and one plain aggregate.
"""

import hashlib
import os
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
from asms.warehouse.build import current_inputs, end_build, start_build
from asms.warehouse.connection import Warehouse
from asms.warehouse.copy import copy_rows
from tests.bench.cost import Cost, find_postmaster, measure
from tests.bench.national import HROMADA_COUNT, YEAR, invent, list_hromadas
from tests.bench.statements import statement_costs, tell

_CELLS = ("submission_id", "sheet", "cell", "indicator_code", "code_text", "sex", "value_text", "value_type")
_YEARS = (str(int(YEAR) - 1), YEAR)
_BODIES = int(os.environ.get("ASMS_BENCH_BODIES", HROMADA_COUNT))
_FAULTY = 50  # one cell in as many says something that is no number


@pytest.fixture
def postmaster(pg_home: Path, warehouse: Warehouse) -> psutil.Process:  # noqa: ARG001 - the server runs by then
    return find_postmaster(pg_home)


def _rows(code: str, answers: dict[tuple[str, str], object]) -> Iterator[tuple[object, ...]]:
    for number, ((indicator, sex), value) in enumerate(answers.items()):
        text = "немає даних" if number % _FAULTY == 7 else None if value is None else str(value)
        kind = "empty" if text is None else "text" if text.startswith("н") else "number"
        yield code, indicator.partition(".")[0], f"{sex}{number}", indicator, indicator, sex, text, kind


def _send_year(connection: psycopg.Connection, year: str) -> int:
    """A year of returns of every hromada, straight into raw; return how many cells."""
    asked = [
        (row.code, sex)
        for row in list_questions(load_catalogue(), int(YEAR))
        for sex in ("T", "F", "M")[: 3 if row.is_sex_split else 1]
    ]
    count = 0
    for hromada in list_hromadas(_BODIES):
        given = make_answers(invent(hromada), int(year))
        answers = {key: given[key].value if key in given else None for key in asked}
        code = hashlib.sha256(f"{hromada.code} {year}".encode()).hexdigest()[:32]
        parameters = {
            "code": code, "load": f"submissions-{code[:24]}", "body": hromada.code, "year": year, "count": len(answers)
        }  # fmt: skip
        connection.execute(
            "insert into raw.delivery (delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, is_sample) "
            "values (%(code)s, 'submissions', 'bench', %(code)s, 1, %(code)s, 1, %(year)s::int, false)",
            parameters,
        )
        connection.execute(
            "insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample) "
            "values (%(load)s, 'submissions', %(code)s, '1', 'loaded', false)",
            parameters,
        )
        connection.execute(
            "insert into raw.submission (submission_id, load_id, sha256, file_name, form_code, form_version, "
            "collection_code, municipality_code, municipality_text, time_period, cell_count) values "
            "(%(code)s, %(load)s, %(code)s, %(code)s, 'BENCH', '1', 'ASMS', %(body)s, '', %(year)s, %(count)s)",
            parameters,
        )
        connection.execute("insert into raw.submission_delivery values (%(code)s, %(code)s, %(load)s)", parameters)
        count += copy_rows(connection, "raw.submission_cell", _CELLS, _rows(code, answers))
    return count


def _release(warehouse: Warehouse, build_id: int) -> None:
    """Say that what was built is published, so that the next build redoes what came since."""
    with warehouse.connect("admin") as connection:
        connection.execute(
            "insert into ops.release (release_id, build_id, fact_count, code_version, catalogue_version, is_sample) "
            "values (1, %s, 0, '', '', false)",
            (build_id,),
        )
        connection.execute("insert into ops.current_release (release_id) values (1)")
        connection.execute(
            "insert into ops.release_load (load_id, release_id) select load_id, 1 from ops.build_load where build_id = %s",
            (build_id,),
        )
        for name, version in current_inputs(connection).items():
            connection.execute("insert into ops.input_version (input, version) values (%s, %s)", (name, version))
        connection.execute(
            "insert into ops.input_version (input, version) "
            "select 'embargoes', inputs ->> 'embargoes' from ops.build where build_id = %s",
            (build_id,),
        )
    end_build(warehouse, build_id, "published")


@pytest.mark.timeout(3_600)
def test_from_raw_to_findings_and_derived(
    warehouse: Warehouse, settings: Settings, postmaster: psutil.Process, pg_home: Path, tmp_path: Path
) -> None:
    store_catalogue(warehouse, load_catalogue())
    fetch_katottg(warehouse, settings, LandingStore(settings.landing).put)
    dbt.parse(tmp_path, warehouse.database)
    spent: dict[str, list[tuple[str, Cost]]] = {}
    cells = 0
    for year in _YEARS:
        with warehouse.connect("loader") as connection:
            cells = _send_year(connection, year)
        build = start_build(warehouse)
        full = ["--full-refresh"] if build.is_full else []
        assert build.is_full == (year == _YEARS[0])

        def indicators(*selection: str, full: list[str] = full) -> None:
            results = dbt.invoke(["run", *full, "--select", *selection], warehouse=warehouse, target_path=tmp_path)
            assert {str(result.status) for result in results} == {"success"}

        print(f"\nfrom raw, {_BODIES:,} bodies, {cells:,} cells of {year}:")
        steps = {
            "typed values": lambda build=build: dbt.build_layer(
                warehouse, "staging", build.build_id, build.is_full, target_path=tmp_path
            ),
            "findings": lambda build=build: apply_rules(warehouse, build.build_id, build.is_full),
            "accepted": lambda: indicators("+int_observation__accepted", "--exclude", "path:models/staging"),
            "derived": lambda: indicators("int_indicator__derived"),
        }
        for name, work in steps.items():
            with statement_costs(warehouse, pg_home) as statements:
                cost = measure(work, postmaster)
            spent.setdefault(year, []).append((name, cost))
            print(f"  {name + ':':14}{cost}\n{tell(statements)}", flush=True)
        if build.is_full:
            _release(warehouse, build.build_id)

    with warehouse.connect("admin") as connection:
        connection.execute("create table raw.floor (like raw.submission_cell including indexes)")
        rows = connection.execute("select * from raw.submission_cell limit %s", (cells,)).fetchall()
        assert len(rows) == cells > _BODIES * 1_000

        def least() -> None:
            with connection.cursor().copy("copy raw.floor from stdin") as copy:
                for row in rows:
                    copy.write_row(row)
            connection.execute(
                "select indicator_code, count(*), max(value_text) from raw.floor group by indicator_code"
            )

        floor = measure(least, postmaster)
    print(f"  one COPY and one aggregate: {floor}")
    typed, asked, _, derived = (cost.cpu for _, cost in spent[YEAR])
    print(f"  from raw to findings {typed + asked:.1f} s (aim 20), {(typed + asked) / floor.cpu:.2f} x that; "
          f"derived {derived:.1f} s (aim 5)")  # fmt: skip
    if _BODIES == HROMADA_COUNT:  # of a few bodies most is start-up
        assert (typed + asked) / floor.cpu < 15
        assert derived / floor.cpu < 5
