"""The environment that Airflow runs in: made here, for the nightly process and for the services of `make up` alike.

Airflow reads its configuration from variables, so passwords travel in the environment of a process and never on a
command line or in a file that others may read.
"""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from asms.paths import DAGS_DIR, PLUGINS_DIR
from asms.warehouse.embedded import write_private


def airflow_environment(home: Path, database_url: str) -> dict[str, str]:
    """Variables of one Airflow that lives in ``home`` and keeps its metadata at ``database_url`` (a SQLAlchemy URL)."""
    keys = _read_or_make_keys(home)
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url,
        # psycopg 3 speaks both ways, so no second driver is needed
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": database_url,
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS_DIR),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS_DIR),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet_key"],
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords_file(home)),
        "AIRFLOW__API__SECRET_KEY": keys["api_secret_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt_secret"],
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "great_expectations=WARNING httpx=WARNING",
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
    }


def passwords_file(home: Path) -> Path:
    """0600 JSON file with the password of the web interface's user."""
    return home / "passwords.json"


def set_in_this_process(variables: Mapping[str, str]) -> None:
    """Set ``variables`` for this process, which must not have imported Airflow yet: it reads them when imported."""
    os.environ.update(variables)  # noqa: TID251 - written for Airflow to read, not read


def inherited_with(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of this process with ``variables`` over it, for a child process."""
    return {**os.environ, **variables}  # noqa: TID251 - handed on whole, nothing is read from it


def _read_or_make_keys(home: Path) -> dict[str, str]:
    """Keys that Airflow's parts share; made once, kept in a 0600 file."""
    file = home / "keys.json"
    if file.exists():
        return dict(json.loads(file.read_text(encoding="utf-8")))
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = {
        # a Fernet key is 32 bytes in URL-safe base64, padded
        "fernet_key": secrets.token_urlsafe(32) + "=",
        "api_secret_key": secrets.token_urlsafe(32),
        "jwt_secret": secrets.token_urlsafe(64),
    }
    write_private(passwords_file(home), json.dumps({"admin": secrets.token_urlsafe(12)}))
    write_private(file, json.dumps(keys))
    return keys
