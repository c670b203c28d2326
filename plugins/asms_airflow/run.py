"""``python -m asms_airflow.run ARGUMENTS``: become ``airflow ARGUMENTS`` in the environment that ``make up`` gives it.

For containers, whose one-shot ``db migrate`` also brings the warehouse up to date, and for an engineer who wants
``dags list`` or ``tasks test``.
"""

import os
import sys

from asms.settings import load_settings
from asms.warehouse.connection import open_warehouse
from asms.warehouse.migrate import airflow_url, create_airflow_database, prepare
from asms_airflow.environment import airflow_environment, inherited_with
from asms_airflow.server import DATABASE


def main(arguments: list[str]) -> None:
    settings = load_settings()
    warehouse = open_warehouse(settings)
    if arguments[:2] == ["db", "migrate"]:
        prepare(warehouse)
        create_airflow_database(warehouse, DATABASE)
    environment = airflow_environment(settings.home / "airflow", airflow_url(warehouse, DATABASE))
    os.execve(sys.executable, [sys.executable, "-m", "airflow", *arguments], inherited_with(environment))  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
