"""Store the catalogue in the warehouse: ``catalogue.*`` is replaced as a whole, ``quality.rule`` is brought up to it."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import psycopg

from asms.catalogue.cards import Catalogue, CatalogueError, Deadline, Rule, content_hash
from asms.catalogue.check import check_catalogue
from asms.catalogue.compile import Compiled, CompiledFormula, CompiledRule, FormulaTerm, compile_catalogue
from asms.catalogue.disclosure import DisclosureCell, DisclosureTerm, disclosure_cells, disclosure_terms
from asms.catalogue.expression_sql import Input
from asms.catalogue.limits import CellLimit, cell_limits
from asms.catalogue.load import load_catalogue, source_version
from asms.catalogue.peers import PeerLimit, peer_limits
from asms.catalogue.registers import RegisterSource, register_sources
from asms.warehouse.connection import Warehouse
from asms.warehouse.copy import copy_rows

_STORE_LOCK = 0x41534D43
_log = logging.getLogger(__name__)

_COLLECTION_COLUMNS = ("collection_code", "name_uk", "name_en", "counts_for_completeness")
_DOMAIN_COLUMNS = ("domain_code", "collection_code", "name_uk", "name_en", "sort_order")
_INDICATOR_COLUMNS = (
    "indicator_code", "version", "collection_code", "domain_code", "name_uk", "name_en", "definition_uk", "unit_measure",
    "unit_mult", "decimals", "indicator_type", "is_derived", "is_sex_split", "aggregation", "formula", "conf_status",
    "is_prefilled", "valid_from", "valid_to", "periodicity", "denominator", "direction", "source", "classification",
    "min_value", "max_value",
)  # fmt: skip

_UPSERT_RULE = """
insert into quality.rule (
    rule_id, engine, level, severity, title_uk, title_en, remedy_uk, remedy_en, owner, expression, compiled_sql, valid_from,
    valid_to, is_active
)
values (
    %(rule_id)s, %(engine)s, %(level)s, %(severity)s, %(title_uk)s, %(title_en)s, %(remedy_uk)s, %(remedy_en)s, %(owner)s,
    %(expression)s, %(compiled_sql)s, %(valid_from)s, %(valid_to)s, true
)
on conflict (rule_id) do update set
    engine = excluded.engine, level = excluded.level, severity = excluded.severity,
    title_uk = excluded.title_uk, title_en = excluded.title_en,
    remedy_uk = excluded.remedy_uk, remedy_en = excluded.remedy_en,
    owner = excluded.owner, expression = excluded.expression, compiled_sql = excluded.compiled_sql,
    valid_from = excluded.valid_from, valid_to = excluded.valid_to, is_active = true
"""


@dataclass(frozen=True)
class StoredVersion:
    """What the warehouse holds now. ``changed`` is false when it had held exactly this before."""

    catalogue_version: str
    rule_version: str
    changed: bool


def store_catalogue(warehouse: Warehouse, catalogue: Catalogue | None = None) -> StoredVersion:
    """Check, compile and store a catalogue in one transaction, as role loader; equal content changes nothing.

    Without ``catalogue`` it is the package's own, which is neither read nor compiled when its files and the code that compiles
    them are those that were stored. Rules that are in the files no more stay as lines (findings point at them) but are no longer
    active.

    Raises:
        CatalogueError: ``check_catalogue`` found problems; they are all in the message.
    """
    source = "" if catalogue else source_version()
    with warehouse.connect("loader") as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (_STORE_LOCK,))
        stored = connection.execute(
            "select catalogue_version, rule_version, deadline_version, source_version from catalogue.version"
        ).fetchone()
        if stored and source and stored[3] == source:
            return StoredVersion(stored[0], stored[1], changed=False)
        return _store(connection, catalogue or load_catalogue(), source, stored)


def _store(
    connection: psycopg.Connection, catalogue: Catalogue, source: str, stored: tuple[str, ...] | None
) -> StoredVersion:
    problems = check_catalogue(catalogue)
    if problems:
        raise CatalogueError("the catalogue cannot be stored: " + "; ".join(problems))
    compiled = compile_catalogue(catalogue)
    limits = [vars(limit) for limit in (*cell_limits(catalogue.versions), *peer_limits(catalogue))]
    limits += [vars(source) for source in register_sources(catalogue)]
    limits += [vars(line) for line in (*disclosure_cells(catalogue), *disclosure_terms(catalogue))]
    parts = {name: [vars(entry) for entry in entries] for name, entries in vars(compiled).items()}
    rule_version = content_hash([[rule.model_dump() for rule in catalogue.rules], parts, limits])
    version = (catalogue.catalogue_version, rule_version, catalogue.deadline_version)
    # a change of the code alone can change what is stored (a new column) though no version says so
    if stored and stored[:3] == version and source in ("", stored[3]):
        return StoredVersion(*version[:2], changed=False)
    _replace_catalogue(connection, catalogue, compiled)
    _bring_up_rules(connection, catalogue.rules, compiled)
    connection.execute(
        "insert into catalogue.version (catalogue_version, rule_version, deadline_version, source_version) "
        "values (%s, %s, %s, %s)",
        (*version, source),
    )
    _log.info(
        "stored catalogue %s: %d indicators, %d formulas; rules %s: %d",
        version[0], len(catalogue.indicators), len(compiled.formulas), version[1], len(catalogue.rules),
    )  # fmt: skip
    return StoredVersion(*version[:2], changed=True)


def _replace_catalogue(connection: psycopg.Connection, catalogue: Catalogue, compiled: Compiled) -> None:
    connection.execute(
        "delete from catalogue.disclosure_term; delete from catalogue.disclosure_cell; delete from catalogue.register_source;"
        "delete from catalogue.peer_limit; delete from catalogue.cell_limit; delete from catalogue.compiled_rule;"
        "delete from catalogue.formula_term; delete from catalogue.formula_input; delete from catalogue.compiled_formula;"
        "delete from catalogue.indicator_version; delete from catalogue.indicator; delete from catalogue.domain;"
        "delete from catalogue.deadline;"
        "delete from catalogue.collection; delete from catalogue.version"
    )
    for table, (columns, rows) in catalogue_rows(catalogue, compiled).items():
        copy_rows(connection, f"catalogue.{table}", columns, rows)
    deadlines = [tuple(deadline.model_dump().values()) for deadline in catalogue.deadlines]
    copy_rows(connection, "catalogue.deadline", list(Deadline.model_fields), deadlines)


def catalogue_rows(catalogue: Catalogue, compiled: Compiled) -> dict[str, tuple[Sequence[str], list[Sequence[object]]]]:
    """Columns and rows of the tables of schema ``catalogue``, each after those that it refers to."""
    tables: dict[str, tuple[Sequence[str], list[Sequence[object]]]] = {}
    for table, entries, columns in (
        ("collection", catalogue.collections, _COLLECTION_COLUMNS),
        ("domain", catalogue.domains, _DOMAIN_COLUMNS),
    ):
        tables[table] = (columns, [[getattr(entry, column) for column in columns] for entry in entries])
    # a code is asked since its first version; its other columns are those of the newest
    since = {code: versions[0].valid_from for code, versions in catalogue.versions.items()}
    newest = [card.model_copy(update={"valid_from": since[card.indicator_code]}) for card in catalogue.indicators]
    for table, cards in (
        ("indicator", newest),
        ("indicator_version", [card for versions in catalogue.versions.values() for card in versions]),
    ):
        tables[table] = (
            _INDICATOR_COLUMNS,
            [[getattr(card, column) for column in _INDICATOR_COLUMNS] for card in cards],
        )
    inputs = [(slot, *vars(place).values()) for slot, place in enumerate(compiled.inputs, 1)]
    tables["formula_input"] = (["slot", *_names(Input)], [*inputs])
    tables["compiled_formula"] = (_names(CompiledFormula), _lines(compiled.formulas))
    tables["formula_term"] = (_names(FormulaTerm), _lines(compiled.terms))
    tables["compiled_rule"] = (_names(CompiledRule), _lines(compiled.rules))
    tables["cell_limit"] = (_names(CellLimit), _lines(cell_limits(catalogue.versions)))
    tables["peer_limit"] = (_names(PeerLimit), _lines(peer_limits(catalogue)))
    tables["register_source"] = (_names(RegisterSource), _lines(register_sources(catalogue)))
    tables["disclosure_cell"] = (_names(DisclosureCell), _lines(disclosure_cells(catalogue)))
    tables["disclosure_term"] = (_names(DisclosureTerm), _lines(disclosure_terms(catalogue)))
    return tables


def _bring_up_rules(connection: psycopg.Connection, rules: tuple[Rule, ...], compiled: Compiled) -> None:
    """Write all ``rules``; those of the engines that only our files describe and that are gone are set inactive."""
    checks: dict[str, str] = {}
    for compiled_rule in compiled.rules:
        checks.setdefault(compiled_rule.rule_id, compiled_rule.check_sql)
    lines = [{**rule.model_dump(), "compiled_sql": checks.get(rule.rule_id)} for rule in rules]
    connection.cursor().executemany(_UPSERT_RULE, lines)
    connection.execute(
        "update quality.rule set is_active = false where engine in ('reader', 'sql') and not rule_id = any(%s)",
        ([rule.rule_id for rule in rules],),
    )


_Line = (
    CompiledFormula
    | FormulaTerm
    | CompiledRule
    | CellLimit
    | PeerLimit
    | RegisterSource
    | DisclosureCell
    | DisclosureTerm
)


def _lines(entries: Iterable[_Line]) -> list[Sequence[object]]:
    return [tuple(vars(entry).values()) for entry in entries]


def _names(kind: type[Input | _Line]) -> list[str]:
    return [field.name for field in fields(kind)]
