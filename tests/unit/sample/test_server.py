"""The local server speaks as the services do: cumulative reports, codes that change, an answer without rows."""

import csv
import io

import httpx
import pytest

from asms.sample.budgets import YEARS
from asms.sample.population import population_workbook
from asms.sample.server import LocalServer, serve
from asms.sample.services import BUDGET_PATH

OLD, NEW = "02536000000", "0253600000"  # Vinnytsia answers under one code at a time
OLD_BOTH, NEW_BOTH = "02547000000", "0254700000"  # Ahronomichne answers under both


def _rows(server: LocalServer, code: str, year: int, item: str = "INCOMES") -> list[dict[str, str]]:
    query = {"budgetCode": code, "budgetItem": item, "period": "MONTH", "year": str(year)}
    if ":" in item:
        query["budgetItem"], query["classificationType"] = item.split(":")
    response = httpx.get(server.base_url + BUDGET_PATH, params=query, trust_env=False)
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.content.decode(), newline=""), delimiter=";"))


def test_codes_change_in_2023_and_some_answer_under_both() -> None:
    with serve() as server:
        assert server.years == YEARS
        found = {(code, year): len(_rows(server, code, year)) for code in (OLD, NEW) for year in YEARS}
        assert found[OLD, 2022] > 0 == found[NEW, 2022]
        assert found[NEW, 2023] > 0 == found[OLD, 2023]
        both = _rows(server, OLD_BOTH, 2023), _rows(server, NEW_BOTH, 2023)
        assert both[0]
        assert [row | {"COD_BUDGET": ""} for row in both[0]] == [row | {"COD_BUDGET": ""} for row in both[1]]


@pytest.mark.parametrize(("item", "code"), [("INCOMES", "COD_INCO"), ("EXPENSES:ECONOMIC", "COD_CONS_EK")])
def test_amounts_grow_from_january(item: str, code: str) -> None:
    with serve() as server:
        rows = _rows(server, NEW, 2023, item)
    for name in {row[code] for row in rows}:
        amounts = [float(row["FAKT_AMT"]) for row in rows if row[code] == name and row["FUND_TYP"] == "T"]
        assert amounts == sorted(amounts)
        assert len(amounts) == (8 if name == "21081100" else 11)
    assert {row["REP_PERIOD"] for row in rows} == {f"{month:02d}.2023" for month in range(1, 12)}


def test_programmes_share_out_what_the_economy_spends() -> None:
    with serve() as server:
        detailed = _rows(server, NEW_BOTH, 2023, "EXPENSES:PROGRAM")
        economy = _rows(server, NEW_BOTH, 2023, "EXPENSES:ECONOMIC")
        assert _rows(server, NEW, 2023, "EXPENSES:PROGRAM") == []  # not every hromada answers in detail
        assert _rows(server, NEW_BOTH, 2023, "CREDITS:CREDIT")
        assert float(_rows(server, NEW_BOTH, 2023, "FINANCING_DEBTS")[-1]["FAKT_AMT"]) < 0

    def total(rows: list[dict[str, str]], month: str, fund: str) -> float:
        return round(
            sum(float(row["FAKT_AMT"]) for row in rows if (row["REP_PERIOD"], row["FUND_TYP"]) == (month, fund)), 2
        )

    wholes = [row for row in detailed if row["COD_CONS_EK"] == "0"]
    assert len(wholes) < len(detailed)
    for fund in "CST":
        assert total(wholes, "11.2023", fund) == total(economy, "11.2023", fund) > 0


def test_an_unknown_budget_has_a_header_and_no_rows() -> None:
    with serve() as server:
        assert _rows(server, "9999999999", 2023) == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 404),
        (f"{BUDGET_PATH}?budgetCode={NEW}&budgetItem=EXPENSES&period=MONTH&year=2023", 400),
        (f"{BUDGET_PATH}?budgetCode={NEW}&budgetItem=INCOMES&period=YEAR&year=2023", 400),
    ],
)
def test_other_questions_are_refused(path: str, status: int) -> None:
    with serve() as server:
        assert httpx.get(server.base_url + path, trust_env=False).status_code == status
        assert server.requests == [path]


def test_the_population_workbook_is_the_same_each_time() -> None:
    assert population_workbook() == population_workbook()
