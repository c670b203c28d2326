"""Laws of the dbt project, read from its manifest: layers, contracts, descriptions, what may not be used."""

import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from asms.paths import DBT_DIR, PROJECT_ROOT
from asms.settings import OPEN_SOURCES
from asms.warehouse.dbt import parse, tables_of

Node = dict[str, Any]

_CYRILLIC = re.compile(r"[А-Яа-яҐґЄєІіЇї]{2}")
_LATIN = re.compile(r"[A-Za-z]{2}")
_LAYER_OF_SCHEMA = {"staging": "staging", "indicators": "indicators", "build": "marts"}
_PREFIXES = {"staging": ("stg_",), "indicators": ("int_",), "marts": ("dim_", "fct_", "mart_")}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Parsed without a database; deprecations are errors."""
    content: Node = json.loads(parse(tmp_path_factory.mktemp("dbt")).read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def models(manifest: Node) -> list[Node]:
    found = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    assert len(found) > 30
    return found


@pytest.fixture(scope="module")
def marts(models: list[Node]) -> list[Node]:
    return [model for model in models if model["schema"] == "build"]


def test_the_marts_are_those_that_readers_rely_on(marts: list[Node]) -> None:
    assert sorted(mart["name"] for mart in marts) == [
        "dim_area", "dim_area_code", "dim_budget_classification", "dim_budget_code", "dim_indicator", "dim_indicator_history",
        "dim_municipality", "dim_municipality_history", "dim_municipality_status", "dim_peer_group_member", "dim_period",
        "dim_user", "fct_area_value", "fct_boundary_event", "fct_budget_monthly", "fct_budget_revision", "fct_completeness",
        "fct_correction", "fct_indicator_recast", "fct_indicator_value", "fct_observation_history", "fct_register_value",
        "fct_return_history", "mart_boundary_crosswalk", "mart_budget_profile", "mart_budget_tree", "mart_completeness_by_year",
        "mart_data_quality", "mart_indicator_peer_stats", "mart_municipality_profile", "mart_nearest_peer", "mart_peer_value",
        "mart_profile_place", "mart_profile_value",
    ]  # fmt: skip


def test_the_readme_lists_every_mart_that_is_served(marts: list[Node]) -> None:
    listed = set(re.findall(r"`(\w+)`", (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")))
    served = {mart["name"] for mart in marts if mart["config"]["meta"].get("is_served", True)}
    assert len(served) > 30
    assert served - listed == set()


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        (
            "dim_municipality",
            "municipality_code name_uk name_en category raion_code oblast_code oblast_name_uk population",
        ),
        (
            "dim_indicator",
            "indicator_code collection_code domain_code name_uk name_en unit_measure is_derived is_sex_split formula "
            "periodicity denominator direction source classification min_value max_value",
        ),
        (
            "fct_indicator_value",
            "municipality_code indicator_code collection_code time_period period_start sex obs_value obs_status is_derived "
            "submission_id",
        ),
        (
            "fct_completeness",
            "municipality_code collection_code time_period domain_code expected_count answered_count answered_share is_full",
        ),
        (
            "fct_budget_monthly",
            "municipality_code budget_code time_period period_start budget_item classification_type classification_code "
            "fund_type amount_cumulative amount_month plan_amount",
        ),
    ],
)
def test_columns_that_readers_rely_on_are_there(marts: list[Node], name: str, columns: str) -> None:
    (mart,) = [mart for mart in marts if mart["name"] == name]
    assert set(columns.split()) <= set(mart["columns"])
    for column in mart["columns"].values():
        expected = {
            "obs_value": "double precision", "period_start": "date", "time_period": "text",
            "amount_month": "numeric(18,2)", "amount_cumulative": "numeric(18,2)",
        }.get(column["name"])  # fmt: skip
        assert expected in (None, column["data_type"]), column["name"]


def test_every_mart_has_a_contract_a_key_and_no_missing_key_values(marts: list[Node]) -> None:
    for mart in marts:
        assert mart["config"]["contract"]["enforced"], mart["name"]
        assert mart["access"] == "public" and mart["group"] == "marts", mart["name"]
        key = mart["config"]["meta"]["key"]
        assert key and set(mart["config"]["meta"].get("not_business", ())) <= set(mart["columns"]), mart["name"]
        for column in key if mart["config"]["materialized"] != "view" else ():
            kinds = [constraint["type"] for constraint in mart["columns"][column]["constraints"]]
            assert "not_null" in kinds, f"{mart['name']}.{column}: a NULL in a key leaves old rows behind"


def test_every_key_is_tested(models: list[Node], manifest: Node) -> None:
    tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
    tested = {test["attached_node"] for test in tests if test["test_metadata"]["name"] in ("unique", "unique_key")}
    plain = {
        "stg_ops__changed_key", "stg_quality__gate_result",
        "int_observation__on_current", "mart_municipality_profile",  # views of rows of models whose keys are tested
        "stg_submissions__latest_cell",  # a view; int_observation__accepted, joined to it by its key, has a unique index
    }  # fmt: skip
    untested = {
        model["name"]
        for model in models
        if model["unique_id"] not in tested
        and model["name"] not in plain
        and not model["name"].startswith("stg_catalogue")
    }
    assert untested == set()


def test_everything_is_described_in_both_languages_grain_first(models: list[Node], manifest: Node) -> None:
    seeds = [node for node in manifest["nodes"].values() if node["resource_type"] == "seed"]
    assert seeds
    for node in [*models, *seeds]:
        assert node["columns"], node["name"]
        texts = {"": node["description"], **{name: column["description"] for name, column in node["columns"].items()}}
        for name, text in texts.items():
            assert _CYRILLIC.search(text) and _LATIN.search(text), f"{node['name']} {name}: {text!r}"
    for model in models:
        first_uk, first_en = model["description"].split(" / ", 1)
        assert first_uk.startswith("Один рядок на ") and first_en.startswith("One row per "), model["name"]


def test_every_column_of_a_seed_is_described(manifest: Node) -> None:
    for seed in (node for node in manifest["nodes"].values() if node["resource_type"] == "seed"):
        header = (DBT_DIR / seed["original_file_path"]).read_text(encoding="utf-8").splitlines()[0].split(",")
        assert sorted(header) == sorted(seed["columns"]), seed["name"]


def test_one_yaml_stands_beside_each_sql() -> None:
    for sql in [*DBT_DIR.glob("models/**/*.sql"), *DBT_DIR.glob("seeds/*.csv")]:
        assert sql.with_suffix(".yml").is_file(), sql.name


def test_layers_and_names(models: list[Node]) -> None:
    for model in models:
        layer = Path(model["original_file_path"]).parts[1]
        assert _LAYER_OF_SCHEMA[model["schema"]] == layer, model["name"]
        assert model["name"].startswith(_PREFIXES[layer]), model["name"]


def test_sources_are_read_in_staging_only(models: list[Node]) -> None:
    for model in models:
        sources = [name for name in model["depends_on"]["nodes"] if name.startswith("source.")]
        assert not sources or model["schema"] == "staging", f"{model['name']} reads {sources}"


def test_every_raw_table_is_one_of_a_source_or_concerns_everything(manifest: Node) -> None:
    """A build redoes the models of its loads' sources, which it knows by the names of their tables."""
    patterns = [tables_of(source) for source in ("submissions", "members", *OPEN_SOURCES)]
    geography = {"koatuu_unit", "council", "council_membership", "boundary_event"}  # another one is a full build
    tables = {source["name"] for source in manifest["sources"].values() if source["source_name"] == "raw"}
    assert len(tables) > 15
    unknown = {table for table in tables - geography - {"delivery"} if not any(fnmatch(table, p) for p in patterns)}
    assert unknown == set()


def test_marts_read_no_staging_of_raw_data(marts: list[Node]) -> None:
    allowed = ("stg_catalogue__", "stg_quality__", "stg_ops__", "stg_submissions__return")
    for mart in marts:
        for name in mart["depends_on"]["nodes"]:
            model = name.rsplit(".", 1)[-1]
            assert not model.startswith("stg_") or model.startswith(allowed), f"{mart['name']} reads {model}"


def test_layers_point_downwards(models: list[Node]) -> None:
    rank = {"staging": 0, "indicators": 1, "build": 2}
    schema_of = {model["unique_id"]: model["schema"] for model in models}
    for model in models:
        for name in model["depends_on"]["nodes"]:
            assert rank[schema_of.get(name, "staging")] <= rank[model["schema"]], f"{model['name']} reads {name}"


def test_only_what_runs_on_distributed_tables_is_used(models: list[Node]) -> None:
    for model in models:
        code = re.sub(r"(--[^\n]*|\{#.*?#\})", "", model["raw_code"], flags=re.S).lower()
        assert not re.search(r"\b(rollup|cube|grouping sets|full join|not in \(\s*select|now\(|current_)", code), model[
            "name"
        ]
        if model["config"]["materialized"] == "incremental":
            assert model["config"]["incremental_strategy"] in ("changed_keys", "delete+insert"), model["name"]
            assert model["config"]["on_schema_change"] == "fail", model["name"]
        assert model["config"]["materialized"] in ("view", "table", "incremental"), model["name"]


def test_facts_are_distributed_by_municipality(marts: list[Node]) -> None:
    for mart in marts:
        if mart["name"] == "fct_area_value":  # totals of raions, oblasts and the country, which are of no municipality
            assert mart["config"]["meta"].get("distribute_by") == "area_code"
        elif mart["name"].startswith("fct_"):
            assert mart["config"]["meta"].get("distribute_by") == "municipality_code", mart["name"]
            assert "municipality_code" in mart["config"]["meta"]["key"], mart["name"]


def test_no_package_of_others_and_no_secret() -> None:
    assert not (DBT_DIR / "packages.yml").exists() and not (DBT_DIR / "dependencies.yml").exists()
    profile = (DBT_DIR / "profiles.yml").read_text(encoding="utf-8")
    for key in ("host", "port", "dbname", "user", "password"):
        assert re.search(rf"^ +{key}: .*env_var\(", profile, flags=re.M), key


def test_arithmetic_and_cases_have_unit_tests(manifest: Node) -> None:
    tested = {test["model"] for test in manifest["unit_tests"].values()}
    assert tested >= {
        "stg_submissions__cell", "stg_submissions__sorted_cell", "int_observation__accepted", "int_budget__monthly",
        "fct_completeness", "mart_municipality_profile", "mart_peer_value", "mart_profile_place", "mart_profile_value", "dim_municipality",
        "int_completeness__history", "int_completeness__answered", "mart_completeness_by_year", "int_observation__history",
        "int_observation__correction",
    }  # fmt: skip


def test_sources_have_freshness_and_exposures_are_told(manifest: Node) -> None:
    fresh = [source["name"] for source in manifest["sources"].values() if source["freshness"]["warn_after"]["count"]]
    assert {"delivery", "open_budget_row", "katottg_unit", "load"} <= set(fresh)
    assert manifest["exposures"]
