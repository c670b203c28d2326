"""The environment that Airflow gets: keys are made once and are nobody else's to read."""

import json
import stat
from pathlib import Path

from cryptography.fernet import Fernet

from asms_airflow.environment import airflow_environment, passwords_file

URL = "postgresql+psycopg://airflow:hush@127.0.0.1:1/airflow"


def test_keys_are_random_and_stay(tmp_path: Path) -> None:
    first = airflow_environment(tmp_path / "a", URL)
    assert airflow_environment(tmp_path / "a", URL) == first
    other = airflow_environment(tmp_path / "b", URL)
    for name in ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET"):
        assert first[name] != other[name]
    Fernet(first["AIRFLOW__CORE__FERNET_KEY"])


def test_password_of_the_web_interface_is_random_and_private(tmp_path: Path) -> None:
    passwords = set()
    for name in ("a", "b"):
        airflow_environment(tmp_path / name, URL)
        file = passwords_file(tmp_path / name)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        passwords.add(json.loads(file.read_text(encoding="utf-8"))["admin"])
    assert len(passwords) == 2
    assert all(len(password) >= 16 for password in passwords)


def test_files_do_not_hold_the_database_password(tmp_path: Path) -> None:
    airflow_environment(tmp_path, URL)
    assert all("hush" not in file.read_text(encoding="utf-8") for file in tmp_path.rglob("*") if file.is_file())


def test_telemetry_is_off_and_both_drivers_are_one(tmp_path: Path) -> None:
    made = airflow_environment(tmp_path, URL)
    assert made["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"
    assert made["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"] == made["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == URL
