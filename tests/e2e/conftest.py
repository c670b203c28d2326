"""A whole night in a process of its own, as ``make nightly`` runs it, and a look at what it left."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from asms.settings import load_settings
from asms.warehouse import embedded
from asms.warehouse.connection import Warehouse, open_warehouse

# explain_value is no mart: it tells where the rows of marts come from.
# What differs between two runs that say the same: which load and which release brought a row, and when it came.
_NOT_BUSINESS = ("load_id", "release_id", "release_from", "known_from", "known_to", "full_since", "published_at")

_COLUMNS = """
select table_name, string_agg(format('%%I', column_name), ', ' order by ordinal_position)
from information_schema.columns
where table_schema = 'marts' and table_name not in ('dim_release', 'explain_value') and column_name != all(%s)
group by table_name
order by table_name
"""


@dataclass(frozen=True)
class House:
    """One ``ASMS_HOME`` and what can be done with it."""

    home: Path
    variables: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """The machine's environment with this house's settings and no others."""
        machine = {key: value for key, value in os.environ.items() if not key.startswith(("ASMS_", "AIRFLOW"))}
        return {**machine, "ASMS_HOME": str(self.home), **self.variables}

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "asms_airflow.nightly"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def nightly(self) -> tuple[int, str]:
        """Run the night; its exit code and what it printed."""
        process = self.start()
        printed, _ = process.communicate()
        return process.returncode, printed

    def asms(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run ``asms …`` with ``given`` as its standard input."""
        return subprocess.run(
            [sys.executable, "-m", "asms.cli", *arguments],
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )

    def last_run(self) -> dict[str, Any]:
        return dict(json.loads((self.home / "last_run.json").read_text(encoding="utf-8")))

    def warehouse(self) -> Warehouse:
        return open_warehouse(load_settings(self.environment))

    def query(self, query: str, role: Any = "bi") -> list[tuple[Any, ...]]:
        with self.warehouse().connect(role) as connection:
            return connection.execute(query).fetchall()

    def marts(self) -> dict[str, tuple[int, str]]:
        """Row count and hash of the business columns of every mart, as the BI role reads them."""
        with self.warehouse().connect("bi") as connection:
            tables = connection.execute(_COLUMNS, (list(_NOT_BUSINESS),)).fetchall()
            found = {}
            for table, columns in tables:
                row = connection.execute(
                    f"select count(*), sum(hash_record_extended(row({columns}), 7)) from marts.{table}"
                ).fetchone()
                assert row is not None
                found[table] = (row[0], str(row[1]))
            return found

    def mails(self) -> list[Path]:
        return sorted((self.home / "outbox").glob("*.eml"))


@pytest.fixture(scope="session")
def sample_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, int, str]]:
    """A house after its first night over the shipped sample: the house, the exit code, what was printed."""
    house = House(tmp_path_factory.mktemp("sample-house"), {})
    code, printed = house.nightly()
    yield house, code, printed
    embedded.stop(house.home)
