"""Read the catalogue's files. Pure: nothing is compiled or stored here."""

import csv
import importlib.resources
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from asms.catalogue.cards import Card, Catalogue, CatalogueError, Collection, Deadline, Domain, Rule
from asms.catalogue.peers import peer_rules
from asms.catalogue.registers import RegisterLine
from asms.catalogue.returns import card_rules
from asms.warehouse.build import hash_files

_Entry = TypeVar("_Entry", bound=BaseModel)
_YamlLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # five times as fast, where PyYAML was built with libyaml


def load_catalogue(folder: Traversable | None = None) -> Catalogue:
    """Read collections, deadlines, domains, cards and rules from ``folder`` (the package's own data unless given).

    Raises:
        CatalogueError: a file is missing or a line does not fit; names the file, the line and the column.
    """
    return _load(folder) if folder else _load_packaged(source_version())


def source_version() -> str:
    """Hash (12 hexadecimal digits) of the package's own data and of the code that compiles it: equal, and nothing is to be done."""
    package = Path(__file__).parent
    return hash_files(file for file in package.rglob("*") if file.suffix in (".csv", ".yaml", ".txt", ".py"))


@lru_cache(maxsize=1)
def _load_packaged(_version: str) -> Catalogue:
    """Read once in a process, and anew when a file changed meanwhile."""
    return _load(importlib.resources.files("asms.catalogue").joinpath("data"))


def _load(data: Traversable) -> Catalogue:
    try:
        collections = tuple(_read_csv(data / "collections.csv", Collection))
        deadlines = tuple(_read_csv(data / "deadlines.csv", Deadline))
        domains = tuple(_read_csv(data / "domains.csv", Domain))
        registers = tuple(_read_csv(data / "registers.csv", RegisterLine))
        cards = tuple(card for domain in domains for card in _read_cards(data, domain))
        stray = {file.name for file in _files(data / "indicators", ".csv")} - {f"{d.domain_code}.csv" for d in domains}
        if stray:
            raise CatalogueError(f"indicators/{min(stray)}: domains.csv has no such domain")
        rules = tuple(rule for file in _files(data / "rules", ".yaml") for rule in _read_rules(file))
    except OSError as error:
        raise CatalogueError(f"{error.filename}: a file of the catalogue cannot be read ({error.strerror})") from error
    newest: dict[str, Card] = {}
    for card in cards:
        if card.indicator_code not in newest or newest[card.indicator_code].version < card.version:
            newest[card.indicator_code] = card
    found = Catalogue(
        collections=collections,
        domains=domains,
        indicators=tuple(newest.values()),
        rules=rules,
        deadlines=deadlines,
        superseded=tuple(card for card in cards if newest[card.indicator_code] is not card),
        registers=registers,
    )
    return replace(found, rules=(*rules, *card_rules(found.versions), *peer_rules(found.versions)))


def _files(folder: Traversable, suffix: str) -> list[Traversable]:
    return sorted((file for file in folder.iterdir() if file.name.endswith(suffix)), key=lambda file: file.name)


def _read_cards(data: Traversable, domain: Domain) -> Iterator[Card]:
    of_domain = {"domain_code": domain.domain_code, "collection_code": domain.collection_code}
    yield from _read_csv(data / "indicators" / f"{domain.domain_code}.csv", Card, of_domain)


def _read_csv(file: Traversable, kind: type[_Entry], known: dict[str, str] | None = None) -> Iterator[_Entry]:
    """One entry per line; an empty field is None. utf-8-sig, because spreadsheets write the mark."""
    reader = csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines())
    for row in reader:
        if None in row or None in row.values():
            raise CatalogueError(
                f"{file.name}, line {reader.line_num}: {len(reader.fieldnames or ())} columns expected"
            )
        values = {**{column: value or None for column, value in row.items()}, **(known or {})}
        yield _validated(kind, values, f"{file.name}, line {reader.line_num}")


def _read_rules(file: Traversable) -> Iterator[Rule]:
    try:
        entries = yaml.load(file.read_text(encoding="utf-8"), Loader=_YamlLoader) or []  # noqa: S506 - a safe loader, both ways
    except yaml.YAMLError as error:
        raise CatalogueError(f"rules/{file.name}: this is not YAML: {error}") from error
    if not isinstance(entries, list):
        raise CatalogueError(f"rules/{file.name}: a list of rules is expected")
    for number, entry in enumerate(entries, 1):
        name = entry.get("rule_id", f"entry {number}") if isinstance(entry, dict) else f"entry {number}"
        yield _validated(Rule, entry, f"rules/{file.name}, {name}")


def _validated(kind: type[_Entry], values: Any, where: str) -> _Entry:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "entry"
        raise CatalogueError(f"{where}: {field}: {first['msg']} (found {first['input']!r})") from error
