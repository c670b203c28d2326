"""Airflow for tests of the plugin: a home of its own, no database."""

import pytest

from asms_airflow.environment import airflow_environment, set_in_this_process


@pytest.fixture(scope="session", autouse=True)
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Set Airflow's environment before anything imports it, or it would make a home in the user's."""
    nowhere = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    set_in_this_process(airflow_environment(tmp_path_factory.mktemp("airflow"), nowhere))
