"""The catalogue in the database: it is stored whole, once, and its SQL runs there."""

from dataclasses import replace

import pytest
from psycopg.errors import InsufficientPrivilege

from asms.catalogue import Catalogue, CatalogueError, StoredVersion, load_catalogue, store, store_catalogue
from asms.warehouse.connection import Warehouse


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def _counts(warehouse: Warehouse) -> dict[str, int]:
    tables = (
        "catalogue.collection", "catalogue.domain", "catalogue.indicator", "catalogue.formula_input",
        "catalogue.compiled_formula", "catalogue.compiled_rule", "quality.rule",
    )  # fmt: skip
    with warehouse.connect("admin") as connection:
        rows = [(table, connection.execute(f"select count(*) from {table}").fetchone()) for table in tables]
    return {table: row[0] for table, row in rows if row}


def _touched(warehouse: Warehouse) -> set[str]:
    """Transactions that wrote the lines that are there now."""
    with warehouse.connect("admin") as connection:
        rows = connection.execute(
            "select xmin::text from catalogue.indicator union select xmin::text from quality.rule "
            "union select xmin::text from catalogue.version"
        )
        return {row[0] for row in rows}


def test_stores_every_card_rule_and_formula(warehouse: Warehouse, catalogue: Catalogue) -> None:
    stored = store_catalogue(warehouse, catalogue)

    assert stored.changed
    assert stored.catalogue_version == catalogue.catalogue_version
    counts = _counts(warehouse)
    assert counts["catalogue.indicator"] == 850 + 310 + 17
    assert counts["catalogue.compiled_formula"] == sum(len(c.sexes) for c in catalogue.indicators if c.is_derived) > 310
    assert counts["quality.rule"] == len(catalogue.rules)
    assert counts["catalogue.compiled_rule"] > counts["catalogue.collection"] == 2


def test_storing_twice_writes_nothing(warehouse: Warehouse, catalogue: Catalogue) -> None:
    first = store_catalogue(warehouse, catalogue)
    before = _touched(warehouse)

    again = store_catalogue(warehouse, catalogue)

    assert again == StoredVersion(first.catalogue_version, first.rule_version, changed=False)
    assert _touched(warehouse) == before
    assert len(before) == 1  # the first time, too, was one transaction


def test_a_rule_that_is_gone_is_kept_but_inactive(warehouse: Warehouse, catalogue: Catalogue) -> None:
    stored = store_catalogue(warehouse, catalogue)
    fewer = replace(catalogue, rules=catalogue.rules[1:])
    gone = catalogue.rules[0].rule_id

    changed = store_catalogue(warehouse, fewer)

    assert changed.changed
    assert changed.catalogue_version == stored.catalogue_version
    assert changed.rule_version != stored.rule_version
    with warehouse.connect("gate") as connection:
        inactive = connection.execute("select rule_id from quality.rule where not is_active").fetchall()
    assert inactive == [(gone,)]

    store_catalogue(warehouse, catalogue)
    with warehouse.connect("gate") as connection:
        assert connection.execute("select count(*) from quality.rule where not is_active").fetchone() == (0,)


def test_rules_of_expectations_are_left_alone(warehouse: Warehouse, catalogue: Catalogue) -> None:
    with warehouse.connect("admin") as connection:
        connection.execute(
            "insert into quality.rule (rule_id, engine, level, severity, title_uk, title_en, remedy_uk, remedy_en, owner) "
            "values ('GX_SOMETHING', 'gx', 'table', 'error', 'назва', 'title', 'дія', 'remedy', 'owner')"
        )
    store_catalogue(warehouse, catalogue)
    with warehouse.connect("gate") as connection:
        row = connection.execute("select is_active from quality.rule where rule_id = 'GX_SOMETHING'").fetchone()
    assert row == (True,)


def test_a_faulty_catalogue_leaves_the_stored_one(warehouse: Warehouse, catalogue: Catalogue) -> None:
    store_catalogue(warehouse, catalogue)
    before = _touched(warehouse)
    cards = tuple(
        card.model_copy(update={"formula": "POP.999 / POP.001"}) if card.indicator_code == "TER.D01" else card
        for card in catalogue.indicators
    )

    with pytest.raises(CatalogueError, match=r"card TER\.D01: indicator POP\.999 is not in the catalogue"):
        store_catalogue(warehouse, replace(catalogue, indicators=cards))

    assert _touched(warehouse) == before


def test_a_failure_at_the_last_statement_leaves_nothing(warehouse: Warehouse, catalogue: Catalogue) -> None:
    with warehouse.connect("admin") as connection:
        connection.execute("revoke insert on catalogue.version from asms_loader")
    with pytest.raises(InsufficientPrivilege):
        store_catalogue(warehouse, catalogue)
    assert set(_counts(warehouse).values()) == {0}

    with warehouse.connect("admin") as connection:
        connection.execute("grant insert on catalogue.version to asms_loader")
    assert store_catalogue(warehouse, catalogue).changed


def test_the_installed_catalogue_is_compiled_once_and_again_when_its_code_changes(
    warehouse: Warehouse, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store_catalogue(warehouse)
    before = _touched(warehouse)
    assert first == StoredVersion(catalogue.catalogue_version, first.rule_version, changed=True)

    with monkeypatch.context() as patch:
        patch.setattr(store, "_store", None)  # nothing is read, checked or compiled
        assert store_catalogue(warehouse) == replace(first, changed=False)
    assert not store_catalogue(warehouse, catalogue).changed
    assert _touched(warehouse) == before

    monkeypatch.setattr(store, "source_version", lambda: "another code")
    assert store_catalogue(warehouse).changed
    assert _touched(warehouse) != before
