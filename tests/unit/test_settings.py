"""Settings: defaults, what contradicts, what is refused."""

from pathlib import Path

import pytest

from asms.settings import OPEN_SOURCES, SettingsError, load_settings


def test_nothing_set_means_the_sample(tmp_path: Path) -> None:
    settings = load_settings({"ASMS_HOME": str(tmp_path)})
    assert settings.is_sample
    assert settings.database == "asms_sample"
    assert settings.landing == str(tmp_path / "landing")


@pytest.mark.parametrize("name", ["ASMS_DROP", "ASMS_REPLAY"])
def test_real_input_never_meets_the_sample(name: str, tmp_path: Path) -> None:
    settings = load_settings({"ASMS_HOME": str(tmp_path), name: str(tmp_path)})
    assert not settings.is_sample
    assert settings.database == "asms"


def test_the_sample_is_refused_on_an_external_server() -> None:
    with pytest.raises(SettingsError, match=r"DROP=PATH"):
        load_settings({"ASMS_WAREHOUSE_DSN": "host=db"})


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    assert load_settings({"ASMS_HOME": str(tmp_path), "ASMS_DROP": ""}).is_sample


def test_sources_are_checked_by_name() -> None:
    assert load_settings({"ASMS_SOURCES": "katottg, population"}).sources == ("katottg", "population")
    assert load_settings({"ASMS_SOURCES": "all"}).sources == OPEN_SOURCES
    assert load_settings({}).sources is None
    with pytest.raises(SettingsError, match="nosuch"):
        load_settings({"ASMS_SOURCES": "katottg,nosuch"})


def test_each_source_may_have_an_address_and_an_hour_of_its_own() -> None:
    settings = load_settings({"ASMS_POPULATION_URL": "http://a/b.xlsx", "ASMS_OPEN_BUDGET_SCHEDULE": "0 1 * * *"})
    assert settings.urls == {"population": "http://a/b.xlsx"}
    assert settings.schedules == {"open_budget": "0 1 * * *"}


def test_years_are_listed_or_spanned() -> None:
    assert load_settings({"ASMS_OPEN_BUDGET_YEARS": "2019,2021-2023"}).open_budget_years == (2019, 2021, 2022, 2023)
    with pytest.raises(SettingsError, match="2021-2023"):
        load_settings({"ASMS_OPEN_BUDGET_YEARS": "last year"})
