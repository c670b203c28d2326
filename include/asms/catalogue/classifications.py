"""Do the budget codes that cards name exist? Held against a folder of official classifications, which is not part of the project."""

import csv
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from asms.catalogue.cards import Catalogue, CatalogueError

_FILES: Mapping[str, tuple[str, int]] = {"КДБ": ("kdb", 8), "ТПКВКМБ": ("tkpkmb", 4), "КЕКВ": ("kekv", 4)}
"""By the name that cards use: how the names of its files begin, and the digits of a code (spreadsheets lose leading zeros)."""

_NAMED = re.compile(rf"({'|'.join(_FILES)})\s+(\d{{4,8}}(?:\s*(?:,|;|–|та|і|й)\s*\d{{4,8}})*)")


def read_classifications(folder: Path) -> dict[str, frozenset[str]]:
    """Codes by classification, of all its files in ``folder`` together (several dates are one list).

    A CSV file has the codes in its first column, below a heading. A JSON file is a list of objects with a ``code``, or an object
    whose keys are the codes.

    Raises:
        CatalogueError: ``folder`` has no file of a classification, or one that cannot be read; names it.
    """
    found = {}
    for name, (prefix, digits) in _FILES.items():
        files = sorted(file for file in folder.glob(f"{prefix}*") if file.suffix in (".csv", ".json"))
        if not files:
            raise CatalogueError(
                f"{folder}: there is no {prefix}*.csv or {prefix}*.json, so no code of {name} can be checked"
            )
        codes = {code.partition(".")[0].strip().zfill(digits) for file in files for code in _read(file)}
        found[name] = frozenset(codes)
    return found


def missing_codes(catalogue: Catalogue, known: Mapping[str, frozenset[str]]) -> list[str]:
    """Codes in the classification and definition of cards that are not ``known``, each one sentence naming card and code.

    The heading of codes that are known («18050000» of «18050300») is known too: files of budget data have only what was booked.
    """
    return [
        f"card {card.indicator_code}, version {card.version}: there is no {name} {code}"
        for card in (*catalogue.superseded, *catalogue.indicators)
        for name, code in dict.fromkeys(_codes(f"{card.classification or ''}\n{card.definition_uk}"))
        if code not in known[name] and not _is_heading(code, known[name])
    ]


def _codes(text: str) -> Iterator[tuple[str, str]]:
    for name, codes in _NAMED.findall(text):
        yield from ((name, code) for code in re.findall(r"\d+", codes))


def _is_heading(code: str, known: frozenset[str]) -> bool:
    stem = code.rstrip("0")
    return stem != code and any(other.startswith(stem) for other in known)


def _read(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix == ".csv":
            return [row[0] for row in csv.reader(text.splitlines()) if row][1:]
        entries = json.loads(text)
        return [*entries] if isinstance(entries, dict) else [str(entry["code"]) for entry in entries]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CatalogueError(f"{file}: this is no list of codes ({error})") from error
