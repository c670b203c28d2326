"""Airflow for tests that read the DAGs: a home of its own and no database server."""

from typing import TYPE_CHECKING

import pytest

from asms.paths import DAGS_DIR
from asms_airflow.environment import airflow_environment, set_in_this_process

if TYPE_CHECKING:
    from airflow.sdk import DAG


@pytest.fixture(scope="session")
def dags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, "DAG"]:
    """Every DAG of the project, as Airflow finds it, by id."""
    # parsing asks no database, so there need be none at this address
    home, nowhere = tmp_path_factory.mktemp("airflow"), "postgresql+psycopg://nobody@127.0.0.1:1/none"
    set_in_this_process(airflow_environment(home, nowhere))
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(DAGS_DIR)
    assert bag.import_errors == {}
    return dict(bag.dags)
