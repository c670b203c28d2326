"""Which sources a run can have, and where their clients are sent."""

from pathlib import Path

from asms.sample.server import LocalServer
from asms.settings import DEFAULT_SOURCES, OPEN_SOURCES, WITHOUT_ADDRESS, load_settings
from asms_airflow.inputs import cannot_be_had, point_at

OTHERS = set(OPEN_SOURCES) - set(DEFAULT_SOURCES)
SERVER = LocalServer(
    "http://127.0.0.1:9", (2021, 2022), {"open_budget": ""}, budget_items=("INCOMES", "EXPENSES:ECONOMIC")
)


def test_clients_are_sent_to_what_is_recorded(tmp_path: Path) -> None:
    settings = load_settings({"ASMS_HOME": str(tmp_path), "ASMS_REPLAY": str(tmp_path)})
    assert point_at(SERVER, settings) == {
        "ASMS_OPEN_BUDGET_URL": "http://127.0.0.1:9",
        "ASMS_OPEN_BUDGET_YEARS": "2021,2022",
        "ASMS_OPEN_BUDGET_ITEMS": "INCOMES,EXPENSES:ECONOMIC",
    }
    assert set(cannot_be_had(SERVER, settings)) == {"population", "budget_classification", "members", *OTHERS}


def test_a_setting_that_is_given_stands(tmp_path: Path) -> None:
    given = {
        "ASMS_HOME": str(tmp_path), "ASMS_REPLAY": str(tmp_path), "ASMS_OPEN_BUDGET_URL": "http://127.0.0.1:1",
        "ASMS_POPULATION_URL": "http://127.0.0.1:2/p.xlsx", "ASMS_MEMBERS": "members.csv",
        "ASMS_BUDGET_CLASSIFICATION_URL": "lists",
    }  # fmt: skip
    assert point_at(SERVER, load_settings(given)) == {}
    assert set(cannot_be_had(SERVER, load_settings(given))) == OTHERS


def test_a_run_on_recordings_never_asks_the_real_service(tmp_path: Path) -> None:
    empty = LocalServer("http://127.0.0.1:9", (), {})
    settings = load_settings({"ASMS_HOME": str(tmp_path), "ASMS_REPLAY": str(tmp_path)})
    assert set(cannot_be_had(empty, settings)) == {
        "population", "open_budget", "budget_classification", "members", *OTHERS
    }  # fmt: skip


def test_without_recordings_the_real_budgets_are_asked(tmp_path: Path) -> None:
    settings = load_settings({"ASMS_HOME": str(tmp_path), "ASMS_DROP": str(tmp_path)})
    assert set(cannot_be_had(None, settings)) == {*WITHOUT_ADDRESS, "members"}


def test_the_sample_has_a_register_of_its_own_unless_one_is_named(tmp_path: Path) -> None:
    sample = load_settings({"ASMS_HOME": str(tmp_path)})
    assert Path(point_at(SERVER, sample)["ASMS_MEMBERS"]).is_file()
    assert "members" not in cannot_be_had(SERVER, sample)
    assert "ASMS_MEMBERS" not in point_at(SERVER, load_settings({"ASMS_HOME": str(tmp_path), "ASMS_MEMBERS": "a.csv"}))
