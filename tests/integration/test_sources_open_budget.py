"""Budget execution comes through the client: whole, once, and what fails leaves the rest standing."""

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from asms.catalogue import load_catalogue, store_catalogue
from asms.intake.landing import LandingStore
from asms.sample.server import Fault, serve
from asms.sample.services import Reply
from asms.settings import Settings
from asms.sources import SourceError, SourceResult, TransientSourceError
from asms.sources.budget_code import BudgetCode
from asms.sources.http import Patience
from asms.sources.open_budget import fetch as fetch_open_budget
from asms.warehouse.connection import Warehouse

VINNYTSIA, KYIV, RIVNE_OBLAST = "UA05020030000031457", "UA80000000000093317", "UA56000000000066151"
CODES = (
    BudgetCode("02536000000", VINNYTSIA, "municipality", 2021, 2022),
    BudgetCode("0253600000", VINNYTSIA, "municipality", 2023, None),
    BudgetCode("2600000000", KYIV, "municipality", 2023, None),
    BudgetCode("1710000000", RIVNE_OBLAST, "oblast", 2023, None),  # not in the sample: a header without rows
)
FOREVER = Patience(tries=2, sleep=lambda _: None)


class Fetcher:
    """Fetches the sample's 2022 and 2023 for ``CODES``, with answers bent or not."""

    def __init__(self, warehouse: Warehouse, settings: Settings) -> None:
        self.warehouse, self.settings = warehouse, settings
        self.store = LandingStore(settings.landing)

    def __call__(
        self, fault: Fault | None = None, *, codes: tuple[BudgetCode, ...] = CODES, force: bool = False
    ) -> SourceResult:
        with serve(fault=fault) as server:
            settings = self.settings.model_copy(update={"urls": server.urls})
            return fetch_open_budget(
                self.warehouse, settings, self.store.put, period="2022-2023", force=force, patience=FOREVER, codes=codes
            )

    def query(self, statement: str) -> list[tuple[object, ...]]:
        with self.warehouse.connect("gate") as connection:
            return connection.execute(statement).fetchall()  # type: ignore[arg-type]

    def state(self) -> tuple[object, ...]:
        return self.query(
            "select (select count(*) from raw.delivery), (select count(*) from ops.load), "
            "(select count(*) from raw.open_budget_row)"
        )[0]


@pytest.fixture
def fetch(warehouse: Warehouse, settings: Settings) -> Fetcher:
    return Fetcher(warehouse, settings)


def _where(part: str, bend: Callable[[Reply], Reply]) -> Fault:
    return lambda path, reply: bend(reply) if part in path else reply


def test_answers_are_loaded_once(fetch: Fetcher) -> None:
    first = fetch()
    assert (first.is_ok, first.new_loads, first.unchanged_loads, first.failed) == (True, 6, 0, 0)
    assert first.row_count > 1000
    state = fetch.state()
    assert state == (6, 6, first.row_count)
    second = fetch()
    assert (second.new_loads, second.unchanged_loads, second.row_count) == (0, 6, first.row_count)
    assert fetch.state() == state


def test_every_delivery_lies_in_the_landing_store(fetch: Fetcher) -> None:
    fetch()
    hashes = [str(sha256) for (sha256,) in fetch.query("select sha256 from raw.delivery")]
    assert len(hashes) == 6
    assert all(fetch.store.has(sha256) for sha256 in hashes)


def test_fund_t_is_c_plus_s_and_a_line_vanishes(fetch: Fetcher) -> None:
    fetch()
    broken = fetch.query(
        """
        select rep_period, classification_code from raw.open_budget_row
        inner join raw.open_budget_month using (load_id, rep_period)
        group by budget_code, rep_period, budget_item, classification_code
        having sum(fakt_amt::numeric) filter (where fund_typ = 'T') is distinct from
            sum(fakt_amt::numeric) filter (where fund_typ in ('C', 'S'))
        """
    )
    assert broken == []
    vanished = fetch.query("select max(rep_period) from raw.open_budget_row where classification_code = '21081100'")
    assert vanished == [("08.2023",)]


def test_a_restated_answer_and_the_old_one_again_are_three_arrivals(fetch: Fetcher) -> None:
    one = (CODES[1],)
    fetch(codes=one)
    restated = _where(
        "INCOMES", lambda reply: dataclasses.replace(reply, body=reply.body.replace(b";41033900;", b";41033901;"))
    )
    assert fetch(restated, codes=one).new_loads == 1
    back = fetch(codes=one)
    assert (back.new_loads, back.unchanged_loads) == (1, 1)
    arrivals = fetch.query(
        "select path_seq, batch_no, sha256 from raw.delivery where path like '%INCOMES%' order by received_no"
    )
    assert [row[:2] for row in arrivals] == [(1, 1), (2, 2), (3, 3)]
    assert arrivals[0][2] == arrivals[2][2] != arrivals[1][2]
    assert fetch(codes=one).new_loads == 0


def test_a_restated_month_is_stored_beside_what_it_was(fetch: Fetcher) -> None:
    """Only the month that changed is stored again; one that got smaller informs, one that grew does not."""
    one = (CODES[1],)
    store_catalogue(fetch.warehouse, load_catalogue())  # findings name its rules
    fetch(codes=one)
    before = fetch.state()
    ((in_march,),) = fetch.query(
        "select row_count from raw.open_budget_month where rep_period = '03.2023' and budget_item = 'INCOMES'"
    )
    assert in_march > 10

    def restate(month: bytes, code: bytes, tenth: bool) -> Fault:
        def bend(reply: Reply) -> Reply:
            lines = reply.body.splitlines(keepends=True)
            changed = [
                line.rsplit(b";", 1)[0] + (b";1.00\r\n" if tenth else b";99999999999.00\r\n")
                if line.startswith(month) and code in line
                else line
                for line in lines
            ]
            return dataclasses.replace(reply, body=b"".join(changed))

        return _where("INCOMES", bend)

    assert fetch(restate(b"03.2023", b";41033900;", tenth=True), codes=one).new_loads == 1
    stored = fetch.query(
        "select rep_period, open_budget_month.row_count from raw.open_budget_month inner join ops.load using (load_id) "
        "order by loaded_at desc limit 1"
    )
    assert stored == [("03.2023", in_march)]
    assert fetch.state() == (before[0] + 1, before[1] + 1, before[2] + in_march)  # type: ignore[operator]
    told = fetch.query("select time_period, severity, municipality_code from quality.finding")
    assert told == [("2023-03", "info", VINNYTSIA)]
    assert fetch(restate(b"03.2023", b";41033900;", tenth=False), codes=one).new_loads == 1
    assert len(fetch.query("select 1 from quality.finding")) == 1


@pytest.mark.parametrize(
    ("bend", "passes", "words"),
    [
        (lambda _: Reply(429), True, "answered 429"),
        (lambda reply: dataclasses.replace(reply, body=b""), True, "empty body"),
        (lambda reply: dataclasses.replace(reply, body=reply.body[:-7]), True, "breaks off"),
        (lambda _: Reply(body=b"<html>closed</html>"), False, "HTML"),
        (
            lambda reply: dataclasses.replace(reply, body=reply.body.replace(b"FAKT_AMT", b"FACT")),
            False,
            r"lacks the column\(s\) FAKT_AMT",
        ),
    ],
)
def test_one_bad_budget_leaves_the_others_standing(
    fetch: Fetcher, bend: Callable[[Reply], Reply], passes: bool, words: str
) -> None:
    with pytest.raises(SourceError, match=words) as error:
        fetch(_where("budgetCode=0253600000&", bend))
    assert isinstance(error.value, TransientSourceError) is passes
    assert "0253600000 (2023)" in str(error.value)
    loaded = fetch.query("select distinct budget_code from raw.open_budget_month order by 1")
    assert loaded == [("02536000000",), ("2600000000",)]
    ((is_ok, message, has_been_ok),) = fetch.query(
        "select is_ok, message, last_ok_at is not null from ops.source_status"
    )
    assert (is_ok, has_been_ok) == (False, False)
    assert "0253600000 (2023)" in str(message)

    assert fetch().new_loads == 2  # the service is well again
    assert fetch.query("select is_ok from ops.source_status") == [(True,)]


def test_a_service_that_is_down_is_not_asked_for_ever(fetch: Fetcher) -> None:
    codes = tuple(BudgetCode(f"99{number:08d}", f"UA{number:017d}", "municipality", 2022, None) for number in range(40))
    asked: list[str] = []

    def down(path: str, _: Reply) -> Reply:
        asked.append(path)
        return Reply(503)

    with pytest.raises(TransientSourceError, match="400 of 400"):
        fetch(down, codes=codes)
    assert len(asked) == 8  # four budgets, two tries each


def test_an_answer_that_loses_months_is_refused_and_taken_by_force(fetch: Fetcher) -> None:
    one = (CODES[1],)
    fetch(codes=one)
    before = fetch.state()

    def lose_november(reply: Reply) -> Reply:
        lines = reply.body.splitlines(keepends=True)
        return dataclasses.replace(reply, body=b"".join(line for line in lines if not line.startswith(b"11.2023")))

    with pytest.raises(SourceError, match=r"has lost 11\.2023"):
        fetch(_where("INCOMES", lose_november), codes=one)
    assert fetch.state() == before
    assert fetch(_where("INCOMES", lose_november), codes=one, force=True).new_loads == 2


def test_a_kill_while_rows_are_written_leaves_nothing(fetch: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("asms.sources.ledger.insert_findings", killed)
        with pytest.raises(KeyboardInterrupt):
            fetch()
    assert fetch.state() == (0, 0, 0)
    assert fetch().new_loads == 6


def test_rows_equal_the_recorded_ones(fetch: Fetcher, real_data: Path) -> None:
    """The thirteen real budgets of 2022 come through the client as they were recorded, to the kopiyka."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with serve(real_data) as server:
        assert {"open_budget", "population"} <= set(server.urls)
        assert server.years == (2021, 2022, 2023, 2024, 2025, 2026)
        settings = fetch.settings.model_copy(update={"urls": server.urls})
        result = fetch_open_budget(fetch.warehouse, settings, fetch.store.put, period="2022")
    assert (result.is_ok, result.new_loads) == (True, 26)

    for item, name, code in (("INCOMES", "incomes", "COD_INCO"), ("EXPENSES", "expenses", "COD_CONS_EK")):
        table = pq.read_table(real_data / "budgets" / "openbudget" / f"{name}.parquet")
        table = table.filter(pc.equal(pc.year(table["REP_PERIOD"]), 2022))
        expected = sorted(
            (
                f"{row['REP_PERIOD']:%m.%Y}",
                row["COD_BUDGET"],
                str(row[code]),
                row["FUND_TYP"],
                Decimal(f"{row['FAKT_AMT']:.2f}"),
            )
            for row in table.select(["REP_PERIOD", "COD_BUDGET", code, "FUND_TYP", "FAKT_AMT"]).to_pylist()
        )
        loaded = fetch.query(
            "select rep_period, cod_budget, classification_code, fund_typ, fakt_amt::numeric "
            f"from raw.open_budget_row inner join raw.open_budget_month using (load_id, rep_period) where budget_item = '{item}'"
        )
        assert sorted(loaded) == expected  # type: ignore[type-var]
