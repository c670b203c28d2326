"""Random nights: after any of them a build of the changed keys must leave what a full build of the same raw store leaves.

One house with the sample's hromadas, written straight into raw. Each night draws events (returns sent again, withdrawn or late,
small counts that come and go, corrections, decisions, embargoes, trials, registers and budgets restated, editions of the codifier),
builds what changed, and publishes, or does not, as where a gate was closed. Every few nights the state before the build is
copied, the copy is built in full, and both are compared: every table of the layers, the open findings, and what is published.

``ASMS_SOAK_SEED`` is what the nights follow from (each run has its own without it, which it prints), ``ASMS_SOAK_ROUNDS`` how many
nights there are (12), ``ASMS_SOAK_EVERY`` how many of them lie between two comparisons (1), ``ASMS_SOAK_EVENTS`` which events
are drawn (all of them; names parted by blanks).
"""

import csv
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from asms.catalogue import load_catalogue, store_catalogue
from asms.catalogue.disclosure import disclosure_cells
from asms.intake.landing import LandingStore
from asms.intake.withdrawal import WithdrawalError, withdraw_return
from asms.quality.corrections import COLUMNS as CORRECTION_COLUMNS
from asms.quality.corrections import store_corrections
from asms.quality.decisions import decide_explanation, waive_finding
from asms.quality.embargoes import COLUMNS as EMBARGO_COLUMNS
from asms.quality.embargoes import store_embargoes
from asms.quality.peers import apply_peer_rules
from asms.quality.registers import apply_register_rule
from asms.quality.rules import apply_rules
from asms.returns import list_questions
from asms.sample.answers import make_answers
from asms.sample.hromadas import read_hromadas
from asms.sample.server import serve
from asms.sample.services import Reply
from asms.settings import Settings, load_settings
from asms.sources.budget_classification import fetch as fetch_budget_classification
from asms.sources.budget_code import read_budget_codes
from asms.sources.health_declarations import fetch as fetch_health_declarations
from asms.sources.katottg import fetch as fetch_katottg
from asms.sources.open_budget import fetch as fetch_open_budget
from asms.sources.population import fetch as fetch_population
from asms.sources.transfers import fetch as fetch_transfers
from asms.sources.war_status import fetch as fetch_war_status
from asms.warehouse import dbt
from asms.warehouse.build import start_build
from asms.warehouse.connection import Warehouse
from asms.warehouse.release import publish
from tests.conftest import DBT_DATABASES, copied
from tests.raw_returns import book_arrival, book_return, content_of, digest

pytestmark = pytest.mark.timeout(6 * 3600)

SEED = int(os.environ.get("ASMS_SOAK_SEED", str(time.time_ns() % 100_000)))
ROUNDS = int(os.environ.get("ASMS_SOAK_ROUNDS", "12"))
EVERY = int(os.environ.get("ASMS_SOAK_EVERY", "1"))
LAYERS: tuple[dbt.Layer, ...] = ("staging", "indicators", "marts")
YEARS = ("2022", "2023", "2024")
_NEVER = "2999-01-01T00:00+00:00"
_EVENTS_A_NIGHT = (1, 2, 4, 6)
_UNPUBLISHED = 0.15
"""The share of nights that end before they publish."""

Cells = dict[tuple[str, str], str | None]

# Views of the layers are left out, since they hold nothing, and two marts that tell of the build itself: which releases there are, and
# where a value of the current one comes from (it reads the same tables). When a release was published is the clock's.
_TABLES = """
select table_schema, table_name, array_agg(column_name::text order by column_name)
from information_schema.columns inner join information_schema.tables using (table_schema, table_name)
where
    (table_schema in ('staging', 'indicators', 'build') and table_type = 'BASE TABLE')
    or (
        table_schema = 'marts'
        and table_name not in ('dim_release', 'explain_value')
        and column_name != 'published_at'
    )
group by 1, 2
order by 1, 2
"""


@dataclass
class House:
    """A warehouse, what its bodies have said last, and what staff have declared."""

    warehouse: Warehouse
    settings: Settings
    target: Path
    chance: random.Random
    said: dict[tuple[str, str], Cells] = field(default_factory=dict)
    corrections: dict[tuple[str, str, str, str], dict[str, str]] = field(default_factory=dict)
    embargoes: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    budget_factor: dict[str, float] = field(default_factory=dict)
    budget_names: dict[str, str] = field(default_factory=dict)
    batch: int = 0
    drawn: Counter[str] = field(default_factory=Counter)

    def query(self, statement: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        with self.warehouse.connect("gate") as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def deliver(self, source: str, path: str, content: str) -> tuple[str, str]:
        """Book an arrival and its load; return their ids."""
        return book_arrival(self.warehouse, source, path, content, batch=self.batch, channel="soak", is_sample=True)

    def send(self, body: str, year: str, cells: Cells, *, path: str | None = None) -> None:
        """A return arrives in the current batch."""
        arrival = self.deliver("submissions", path or f"{body} {year}", content_of(body, year, cells))
        book_return(self.warehouse, body, year, cells, arrival, file_name=f"{body} {year}.xlsx")

    def restate(self, table: str, source: str, change: str) -> bool:
        """The newest answer of a source comes again, its rows changed by an UPDATE or DELETE of a copy called ``again``."""
        found = self.query(
            "select load.load_id, delivery.path from ops.load inner join raw.delivery on load.delivery_id = delivery.delivery_id "
            f"where load.source = %s and load.status = 'loaded' and exists (select 1 from raw.{table} as t where t.load_id = load.load_id) "
            "order by delivery.received_no desc limit 1",
            (source,),
        )
        if not found:
            return False
        _, load = self.deliver(source, found[0][1], f"{change} {self.batch}")
        with self.warehouse.connect("admin") as connection:
            connection.execute(
                sql.SQL(
                    "create temporary table again on commit drop as select * from raw.{} where load_id = {}"
                ).format(sql.Identifier(table), found[0][0])
            )
            connection.execute("update again set load_id = %s", (load,))
            connection.execute(change.encode())
            connection.execute(sql.SQL("insert into raw.{} select * from again").format(sql.Identifier(table)))
        return True

    def declare(self) -> None:
        """Store the corrections and embargoes that stand."""
        for name, columns, lines, store in (
            ("corrections", CORRECTION_COLUMNS, self.corrections, store_corrections),
            ("embargoes", EMBARGO_COLUMNS, self.embargoes, store_embargoes),
        ):
            file = self.target / f"{name}.csv"
            with file.open("w", encoding="utf-8", newline="") as opened:
                writer = csv.DictWriter(opened, columns)
                writer.writeheader()
                writer.writerows(lines.values())
            store(self.warehouse, file if lines else None)

    def build(self, *, force: bool = False) -> tuple[int, bool] | None:
        """Build all layers as a night does, without the models' tests and the gates; None where there is nothing to do."""
        build = start_build(self.warehouse, force=force)
        if not build.is_needed:
            return None
        for layer in LAYERS:
            selection = dbt.select_layer(self.warehouse, layer, build.build_id, build.is_full)
            command = ["build", "--exclude-resource-type", "test", "unit_test", *selection]
            results = dbt.invoke(
                [*command, *(["--full-refresh"] if build.is_full else [])],
                warehouse=self.warehouse,
                target_path=self.target,
            )
            assert [(r.node.name, r.message) for r in results if str(r.status) not in ("success", "no-op")] == []
            if layer == "staging":
                apply_rules(self.warehouse, build.build_id, build.is_full)
            if layer == "indicators":
                apply_register_rule(self.warehouse, build.build_id, build.is_full)
                apply_peer_rules(self.warehouse, build.build_id, build.is_full)
        return build.build_id, build.is_full

    def publish(self, build_id: int) -> None:
        publish(self.warehouse, build_id, self.target / "manifest.json")

    def hashes(self) -> dict[str, tuple[int, str]]:
        """Row count and hash of every table of the layers and every mart, and of the open findings."""
        tables = self.query(_TABLES)
        found = {}
        with self.warehouse.connect("gate") as connection:
            for schema, name, columns in tables:
                row = connection.execute(
                    sql.SQL("select count(*), sum(hash_record_extended(row({}), 7))::text from {}").format(
                        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(schema, name)
                    )
                ).fetchone()
                assert row is not None
                found[f"{schema}.{name}"] = row
            for name in ("quality.finding", "ops.disclosed"):
                row = connection.execute(_STATE[name].encode()).fetchone()
                assert row is not None
                found[name] = row
        return found


_STATE = {
    "quality.finding": """
        select count(*), sum(hash_record_extended(row(finding_id, severity, load_id, value_expected, message_uk), 7))::text
        from quality.finding
        where is_open
    """,
    "ops.disclosed": """
        select
            count(*),
            sum(hash_record_extended(row(
                subject_kind, subject_code, collection_code, indicator_code, time_period, sex, obs_value, is_hidden
            ), 7))::text
        from ops.disclosed
    """,
}


# ---------------------------------------------------------------------------------------------------------------- what happens

_BODIES = [h for h in read_hromadas() if h.has_return]
_CATALOGUE = load_catalogue()
_SMALL = sorted({(cell.indicator_code, cell.sex) for cell in disclosure_cells(_CATALOGUE)})
_BUDGETS = [code for code in read_budget_codes() if code.area_code in {h.municipality_code for h in _BODIES[:4]}]


def _asked(year: str) -> list[tuple[str, str]]:
    return [
        (row.code, sex)
        for row in list_questions(_CATALOGUE, int(year))
        for sex in ("T", "F", "M")[: 3 if row.is_sex_split else 1]
    ]


def _first_answers(body: Any, year: str) -> Cells:
    given = make_answers(body, int(year))
    return {key: _text(given[key]) if key in given else None for key in _asked(year)}


def _text(answer: Any) -> str | None:
    if answer.reason:
        return str(answer.reason)
    return None if answer.value is None else str(answer.value)


def _changed(house: House, cells: Cells) -> Cells:
    """The cells with a few of them answered otherwise."""
    chance, found = house.chance, dict(cells)
    pools = (_SMALL, _BESIDE, list(found))
    for _ in range(chance.choice((1, 2, 5, 20))):
        key = chance.choice([key for key in chance.choice(pools) if key in found] or list(found))
        old = found[key]
        drawn = chance.randrange(10)
        if drawn == 0:
            found[key] = None
        elif drawn == 1:
            found[key] = chance.choice(("сто", "–", "-5", "немає даних", "конфіденційно (C)"))
        elif drawn == 2:
            found[key] = chance.choice(("0", "1e12", "99999999999"))
        elif drawn == 3:
            del found[key]
        elif drawn in (4, 5, 6) and key in _SMALL:
            women, men = chance.randrange(6), chance.choice((0, 2, 40, 300))
            for sex, count in zip("TFM", (women + men, women, men), strict=True):
                if (key[0], sex) in found:
                    found[key[0], sex] = str(count)
        else:
            number = float(old) if old and old.replace(".", "").isdigit() else 10.0
            found[key] = str(round(number * chance.choice((0.5, 0.9, 1.01, 1.3, 3, 1000)), 2))
    return found


def _of_the_past(house: House) -> tuple[str, str] | None:
    return house.chance.choice(sorted(house.said)) if house.said else None


def send_again(house: House) -> None:
    """A body sends its return again with a few other answers."""
    key = _of_the_past(house)
    if key:
        house.said[key] = _changed(house, house.said[key])
        house.send(*key, house.said[key])


def send_part(house: House) -> None:
    """A department of a body sends its part alone, with other answers."""
    key = _of_the_past(house)
    if key:
        domain = house.chance.choice(sorted({code.partition(".")[0] for code, _ in house.said[key]}))
        part = {cell: value for cell, value in _changed(house, house.said[key]).items() if cell[0].startswith(domain)}
        house.said[key] = {**house.said[key], **part}
        house.send(*key, part or {(f"{domain}.001", "T"): "1"}, path=f"{key} {domain}")


def send_late(house: House) -> None:
    """A first return of a body for a year."""
    missing = [(b, y) for b in _BODIES for y in YEARS if (b.municipality_code, y) not in house.said]
    if missing:
        body, year = house.chance.choice(missing)
        house.said[body.municipality_code, year] = _first_answers(body, year)
        house.send(body.municipality_code, year, house.said[body.municipality_code, year])


def send_nothing(house: House) -> None:
    """A return with no answer in it."""
    key = _of_the_past(house)
    if key:
        house.said[key] = dict.fromkeys(house.said[key])
        house.send(*key, house.said[key])


def contradict(house: House) -> None:
    """Two files of one body in one drop, that say different things."""
    key = _of_the_past(house)
    if key:
        for path in ("a", "b"):
            house.said[key] = _changed(house, house.said[key])
            house.send(*key, house.said[key], path=f"{key} {path}")


def send_same(house: House) -> None:
    """A return is delivered a second time as it was."""
    key = _of_the_past(house)
    if key:
        house.send(*key, house.said[key])


def withdraw(house: House) -> None:
    """A return is withdrawn; what was said stays in mind, so that it may be sent again."""
    key = _of_the_past(house)
    if key:
        try:
            withdraw_return(house.warehouse, house.settings, *key, reason="подано помилково", by="Коваль")
        except WithdrawalError:
            return
        house.batch = house.query("select max(batch_no) + 1 from raw.delivery where source = 'submissions'")[0][0]


def try_out(house: House) -> None:
    """A trial, which counts for nothing."""
    key = _of_the_past(house)
    if key:
        house.send(*key, _changed(house, house.said[key]), path=f"_test/{key}")


def correct(house: House) -> None:
    """Staff add a correction, change one, or take one back."""
    chance = house.chance
    if house.corrections and chance.random() < 0.4:
        place = chance.choice(sorted(house.corrections))
        if chance.random() < 0.5:
            del house.corrections[place]
        else:
            house.corrections[place]["reason"] += "!"
            if house.corrections[place]["new_value"]:
                house.corrections[place]["new_value"] = str(chance.randrange(1, 1000))
        return
    key = _of_the_past(house)
    if not key:
        return
    numbers = {cell: value for cell, value in house.said[key].items() if value and value.replace(".", "").isdigit()}
    pool = [cell for cell in chance.choice((_SMALL, _BESIDE, list(numbers))) if cell in numbers]
    if pool:
        cell = chance.choice(sorted(pool))
        action = chance.choice(("set", "scale", "drop", "flag"))
        expected = numbers[cell] if chance.random() < 0.8 else "12345"
        house.corrections[*key, *cell] = {
            "collection_code": "ASMS", "municipality_code": key[0], "indicator_code": cell[0], "time_period": key[1],
            "sex": cell[1], "action": action, "expected_value": expected,
            "new_value": str(chance.choice((2, 3, 50))) if action in ("set", "scale") else "",
            "new_status": "E" if action == "flag" else "", "reason": "перевірено", "provider": "міська рада",
        }  # fmt: skip


def hold_back(house: House) -> None:
    """An embargo is laid or lifted."""
    chance = house.chance
    if house.embargoes and chance.random() < 0.6:
        del house.embargoes[chance.choice(sorted(house.embargoes))]
        return
    code, year = chance.choice(chance.choice((_SMALL, _BESIDE)))[0], chance.choice(YEARS)
    house.embargoes[code, year] = {
        "domain_code": "", "indicator_code": code, "time_period": year, "embargo_until": _NEVER, "reason": "звірка",
        "provider": "міністерство",
    }  # fmt: skip


def explain(house: House) -> None:
    """An explanation of a warning is accepted, or an accepted one refused."""
    accepted = house.query("select explanation_id from quality.explanation where status = 'accepted' order by 1")
    if accepted and house.chance.random() < 0.3:
        decide_explanation(house.warehouse, house.chance.choice(accepted)[0], "refused", "Коваль")
        return
    found = house.query(
        "select finding_id from quality.finding where is_open and severity = 'warning' and municipality_code is not null "
        "and time_period is not null order by 1"
    )
    if found:
        finding = house.chance.choice(found)[0]
        number = digest(finding, str(house.batch))
        with house.warehouse.connect("admin") as connection:
            connection.execute(
                "insert into quality.explanation (explanation_id, rule_id, collection_code, municipality_code, time_period, "
                "indicator_code, sex, value_found, finding_id, text, delivery_id) "
                "select %s, rule_id, collection_code, municipality_code, time_period, indicator_code, sex, value_found, finding_id, "
                "'так і є', (select min(delivery_id) from raw.delivery) from quality.finding where finding_id = %s "
                "on conflict do nothing",
                (number, finding),
            )
        decide_explanation(house.warehouse, number, "accepted", "Коваль")


def waive(house: House) -> None:
    """A fatal finding is waived, in one way or another, or the waiver is taken back."""
    found = house.query(
        "select finding_id from quality.finding inner join quality.rule using (rule_id) where rule.severity = 'fatal' "
        "and (is_open or exists (select 1 from quality.waiver where waiver.finding_id = finding.finding_id)) order by 1"
    )
    if found:
        effect = house.chance.choice(("reject", "silence", "none"))
        waive_finding(house.warehouse, house.chance.choice(found)[0], effect, "перевірено", "Коваль")


def restate_budget(house: House) -> None:
    """Open Budget says otherwise about a budget: other amounts from a month on, other names, or months taken back."""
    code = house.chance.choice(_BUDGETS).budget_code
    house.budget_factor[code] = house.chance.choice((0.8, 1.1, 1.5))
    if house.chance.random() < 0.5:
        house.budget_names[code] = house.chance.choice(("", " (нова назва)", " (інша назва)"))
    _ask_budgets(house)


def restate_declarations(house: House) -> None:
    """The register of declarations comes again for another month or the same, with other counts."""
    month = house.chance.choice(("2022-12", "2023-12", "2024-12", "2024-06"))
    factor = house.chance.choice((0, 1, 2))
    house.restate(
        "health_declarations_row", "health_declarations",
        f"update again set as_of_text = '{month}-01', total = (case when total ~ '^[0-9]+$' then total::int end + {factor} * row_no)::text",
    )  # fmt: skip


def restate_transfers(house: House) -> None:
    """A table of transfers is published anew with other figures."""
    house.restate(
        "transfers_value", "transfers",
        f"update again set value_text = '{house.chance.randrange(1, 500)}' where row_no % 3 = {house.chance.randrange(3)}",
    )  # fmt: skip


def restate_population(house: House) -> None:
    """The printed population says otherwise."""
    count = house.chance.randrange(1000, 90000)
    house.restate("population_unit", "population", f"update again set value_text = '{count}' where row_no % 7 = 1")


def restate_status(house: House) -> None:
    """The list of territories under fire loses lines."""
    house.restate("war_status_value", "war_status", f"delete from again where row_no % 5 = {house.chance.randrange(5)}")


def rename_codifier(house: House) -> None:
    """Another edition of the codifier calls places otherwise."""
    change = f"update again set name = name || ' {house.batch}' where category = 'H' and row_no % 9 = 1"
    house.restate("katottg_unit", "katottg", change)


def rename_budget_codes(house: House) -> None:
    """A list of budget codes comes again with other names."""
    house.restate(
        "budget_classification_code",
        "budget_classification",
        "update again set name = name || ' нова' where row_no % 2 = 0",
    )


def change_members(house: House) -> None:
    """The file of members and users is another one."""
    _, load = house.deliver("members", "members.csv", str(house.batch))
    with house.warehouse.connect("loader") as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into raw.members_body values (%s, %s, '', %s, %s, %s, null)",
            [
                (
                    load,
                    row,
                    body.municipality_code,
                    house.chance.random() < 0.7,
                    house.chance.choice((None, "2023-01-01")),
                )
                for row, body in enumerate(_BODIES)
                if house.chance.random() < 0.8
            ],
        )


EVENTS: dict[Callable[[House], None], int] = {
    send_again: 12, send_part: 4, send_late: 5, send_nothing: 1, contradict: 3, send_same: 1, withdraw: 5, try_out: 2, correct: 6,
    hold_back: 1, explain: 3, waive: 3, restate_budget: 3, restate_declarations: 2, restate_transfers: 2, restate_population: 1,
    restate_status: 1, rename_codifier: 1, rename_budget_codes: 1, change_members: 1,
}  # fmt: skip
"""What may happen in a night, and how often beside the others."""
_CHOSEN = os.environ.get("ASMS_SOAK_EVENTS", "").split()


def _cells_beside() -> list[tuple[str, str]]:
    """What formulas read of another year."""
    found = {
        (code, sex)
        for card in _CATALOGUE.indicators
        if card.formula and "[t" in card.formula
        for code in {code for code in _CATALOGUE.by_code if f"{code}[" in card.formula.replace("−", "-")}
        for sex in "TFM"
    }
    return sorted(found)


_BESIDE = _cells_beside()


def _ask_budgets(house: House) -> None:
    def bend(path: str, reply: Reply) -> Reply:
        code = next((code for code in house.budget_factor if code in path), None)
        if code is None or reply.status != 200:
            return reply
        lines = reply.body.decode("utf-8").splitlines(keepends=True)
        return replace(reply, body="".join([lines[0], *(_bent(line, house, code) for line in lines[1:])]).encode())

    with serve(fault=bend) as server:
        settings = house.settings.model_copy(update={"urls": server.urls})
        fetch_open_budget(
            house.warehouse, settings, LandingStore(settings.landing).put, period="2022,2023", codes=_BUDGETS
        )


def _bent(line: str, house: House, code: str) -> str:
    """A line of an answer with its last amount, and perhaps the name, said otherwise."""
    start, _, amount = line.rstrip("\r\n").rpartition(";")
    if not amount.replace(".", "").isdigit() or line[3:7] == "":
        return line
    parts = start.split(";")
    if house.budget_names.get(code) and len(parts) > 4:
        parts[4] = parts[4] + house.budget_names[code]
    return f"{';'.join(parts)};{float(amount) * house.budget_factor[code]:.2f}\r\n"


# ---------------------------------------------------------------------------------------------------------------- the nights


@pytest.fixture
def house(template_warehouse: Warehouse, tmp_path: Path, pg_home: Path, parsed: Callable[..., Path]) -> Iterator[House]:
    """After its first night: all hromadas of the sample have sent 2023, two in three 2022 and 2024 as well."""
    home = tmp_path / "home"
    with copied(template_warehouse, DBT_DATABASES[0]) as warehouse, serve() as server:
        settings = load_settings(
            {
                "ASMS_HOME": str(home), "ASMS_CREDENTIALS": str(pg_home / "credentials.json"),
                "ASMS_LANDING": str(tmp_path / "landing"),
            }
        )  # fmt: skip
        settings = settings.model_copy(update={"urls": server.urls})
        house = House(warehouse, settings, parsed(tmp_path / "dbt"), random.Random(SEED))  # noqa: S311 - no secrets
        store_catalogue(warehouse)
        put = LandingStore(settings.landing).put
        fetch_katottg(warehouse, load_settings({"ASMS_HOME": str(home)}), put)
        for fetch in (
            fetch_population, fetch_health_declarations, fetch_transfers, fetch_war_status, fetch_budget_classification,
        ):  # fmt: skip
            fetch(warehouse, settings, put)
        _ask_budgets(house)
        house.batch = 1
        for number, body in enumerate(_BODIES):
            for year in YEARS:
                if year == "2023" or (number + int(year)) % 3:
                    house.said[body.municipality_code, year] = _first_answers(body, year)
                    house.send(body.municipality_code, year, house.said[body.municipality_code, year])
        built = house.build()
        assert built is not None and built[1]
        house.publish(built[0])
        yield house


def _differences(first: House, second: House, name: str) -> list[str]:
    """A few rows of a table that stand in one house and not in the other."""
    rows = []
    for house in (first, second):
        if name == "quality.finding":
            select = (
                "select row(finding_id, rule_id, severity, municipality_code, time_period, indicator_code, value_found, "
                "value_expected)::text from quality.finding where is_open"
            )
        else:
            select = f"select t::text from {name} as t"
        rows.append({row[0] for row in house.query(select)})
    lines = [f"  - {row[:400]}" for row in sorted(rows[0] - rows[1])[:4]] + [
        f"  + {row[:400]}" for row in sorted(rows[1] - rows[0])[:4]
    ]
    return [
        f"{name}: {len(rows[0] - rows[1])} rows by changes alone (-), {len(rows[1] - rows[0])} in full alone (+)",
        *lines,
    ]


def test_random_nights_leave_what_full_builds_leave(house: House, parsed: Callable[..., Path], tmp_path: Path) -> None:
    target = parsed(tmp_path / "dbt-full", DBT_DATABASES[1])
    events = {event: weight for event, weight in EVENTS.items() if not _CHOSEN or event.__name__ in _CHOSEN}
    begin, compared, full_nights = time.monotonic(), 0, 0
    red: list[str] = []
    is_red = False
    print(f"\nseed {SEED}", flush=True)
    for night in range(1, ROUNDS + 1):
        house.batch = house.query("select max(batch_no) + 1 from raw.delivery where source = 'submissions'")[0][0]
        happened = house.chance.choices(list(events), list(events.values()), k=house.chance.choice(_EVENTS_A_NIGHT))
        for event in happened:
            event(house)
        house.declare()
        names = [event.__name__ for event in happened]
        house.drawn.update(names)
        is_published = house.chance.random() >= _UNPUBLISHED
        with ExitStack() as stack:
            other = None
            if night % EVERY == 0 or night == ROUNDS:
                copy = stack.enter_context(copied(house.warehouse, DBT_DATABASES[1]))
                other = replace(house, warehouse=copy, target=target)
            built = house.build(force=is_red)
            if built is not None and is_published:
                house.publish(built[0])
            full_nights += bool(built and built[1])
            how = "not needed" if built is None else f"build {built[0]}, {'full' if built[1] else 'of changes'}"
            end = "" if is_published else ", not published"
            print(f"night {night}: {' '.join(names)}: {how}{end} ({time.monotonic() - begin:.0f} s)", flush=True)
            is_red = False
            if other is None or built is None or built[1]:
                continue
            compared += 1
            in_full = other.build(force=True)
            assert in_full is not None
            if is_published:
                other.publish(in_full[0])
            first, second = house.hashes(), other.hashes()
            differing = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
            told = [line for name in differing for line in _differences(house, other, name)]
            if differing:
                is_red = True  # the next night heals the house
                red.append(f"night {night} ({' '.join(names)}):\n" + "\n".join(told))
                print(red[-1], flush=True)
    print(
        f"{ROUNDS} nights, {full_nights} of them full, {compared} compared: {dict(sorted(house.drawn.items()))}",
        flush=True,
    )
    assert not red, f"seed {SEED}: {len(red)} nights differ, the first is {red[0]}"
