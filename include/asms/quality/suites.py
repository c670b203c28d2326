"""Suites: what must be true at each border, one YAML file per table in ``expectations/<gate>/<table>.yaml``.

Pure reading and checking of files. Expectation types and their arguments are those of Great Expectations; a suite is checked
here for its shape, and by Great Expectations itself when it runs.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from asms.paths import EXPECTATIONS_DIR

Gate = Literal["raw", "staging", "indicators", "marts"]
GATES: tuple[Gate, ...] = ("raw", "staging", "indicators", "marts")
CheckSeverity = Literal["critical", "warning", "info"]

_SCHEMAS: dict[Gate, str] = {"raw": "raw", "staging": "staging", "indicators": "indicators", "marts": "build"}
_QUERY = "unexpected_rows_query"
# libyaml where the wheel has it: each gate reads all suites, which costs half a second in Python.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


# The rows of the bodies and years that a build redoes, among those of a table that has both columns. An index finds the first half;
# the second looks each of them up (is true), where a join may go through the whole table.
_REDONE = (
    "municipality_code = any(array(select changed_key.municipality_code from ops.changed_key)) "
    "and (municipality_code, left(time_period, 4)) in "
    "(select changed_key.municipality_code, changed_key.time_period from ops.changed_key) is true"
)


@dataclass(frozen=True)
class AskedBuild:
    """The build that a gate is about. ``is_full``: it redoes every key, so every row is asked about."""

    build_id: int
    is_full: bool


class SuiteError(ValueError):
    """A suite's file cannot be used; the message names the file and what is wrong with it."""


class Check(BaseModel):
    """One expectation on one table, with what people are told when it fails."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule_id: Annotated[str, StringConstraints(pattern=r"^GX_[A-Z0-9_]+$")]
    type: Text
    """Expectation type as Great Expectations spells it, e.g. ``expect_column_values_to_be_in_set``."""
    kwargs: dict[str, Any] = {}
    severity: CheckSeverity
    message_uk: Text
    message_en: Text
    reason: Text
    """Why this threshold, and why this severity."""
    remedy_uk: Text | None = None
    remedy_en: Text | None = None
    """What to do, where it differs from the suite's remedy."""

    @property
    def is_schema_check(self) -> bool:
        """Whether the check is of the table's columns: the others mean nothing where one is missing."""
        return self.type == "expect_table_columns_to_match_set"

    @property
    def is_scoped(self) -> bool:
        """Whether the check asks about one build's loads or keys and not about the whole table."""
        return any(mark in str(self.kwargs.get(_QUERY)) for mark in ("{build_id}", "{redone}"))

    def query(self, table: str, build: AskedBuild) -> str | None:
        """SQL that shows the failing rows as a person can run it; None for expectations without a query."""
        text = self.kwargs.get(_QUERY)
        return None if text is None else _fill_in(text, build).format(batch=table).strip()

    def arguments(self, build: AskedBuild) -> dict[str, Any]:
        """Keyword arguments for Great Expectations, which itself fills ``{batch}`` in."""
        return {key: _fill_in(value, build) if key == _QUERY else value for key, value in self.kwargs.items()}


class Suite(BaseModel):
    """The expectations on one table at one gate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: Gate
    table: Text
    owner: Text
    remedy_uk: Text
    remedy_en: Text
    expectations: tuple[Check, ...]
    """At least one; the schema check stands first and is critical."""

    @property
    def schema_name(self) -> str:
        return _SCHEMAS[self.gate]

    @property
    def dataset(self) -> str:
        """Name of the table with its schema."""
        return f"{self.schema_name}.{self.table}"


def load_suites(folder: Path = EXPECTATIONS_DIR) -> tuple[Suite, ...]:
    """Read every suite, ordered by gate and table.

    Raises SuiteError for a file that is no suite, a name that is not its table's, or a rule id that stands twice.
    """
    suites = tuple(_read_suite(file, gate) for gate in GATES for file in sorted((folder / gate).glob("*.yaml")))
    times = Counter(check.rule_id for suite in suites for check in suite.expectations)
    twice = sorted(rule_id for rule_id, count in times.items() if count > 1)
    if twice:
        raise SuiteError(f"rule ids that stand twice in {folder.name}: {', '.join(twice)}")
    return suites


def _read_suite(file: Path, gate: Gate) -> Suite:
    place = f"{file.parent.name}/{file.name}"
    try:
        given = yaml.load(file.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 - both loaders are the safe ones
        suite = Suite.model_validate({**given, "gate": gate})
    except (yaml.YAMLError, ValidationError, TypeError) as error:
        raise SuiteError(f"{place} is not a suite: {error}") from error
    if suite.table != file.stem:
        raise SuiteError(f"{place} is about table {suite.table}: a suite's file is named after its table")
    first = suite.expectations[0] if suite.expectations else None
    if first is None or not first.is_schema_check or first.severity != "critical":
        raise SuiteError(f"{place}: the first expectation must be a critical expect_table_columns_to_match_set")
    return suite


def _fill_in(query: str, build: AskedBuild) -> str:
    """Written out for this build, and not asked of ``ops.build`` in the query: an OR would keep the planner off the indexes."""
    return query.replace("{build_id}", str(build.build_id)).replace("{redone}", "true" if build.is_full else _REDONE)
