"""Lists of budget codes: КДБ (incomes), ТПКВКМБ (programmes), КЕКВ (economy), КФКВ (functions), from a folder of files.

The Ministry of Finance publishes a list anew whenever an order changes it, and not in one form: ТПКВКМБ was a JSON list in 2025
and is an object by code in 2026. Every file of the folder is a list of its own, told by its name: ``tkpkmb_2025-04-28.json``,
``kekv_uk.json``, ``kdb_from_openbudget.csv``. Which list was in force when is for dbt to say.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import fsspec

from asms.findings import Finding
from asms.settings import Settings
from asms.sources import SourceError, SourceNotSetError, SourceResult
from asms.sources.answers import Question, load_answers
from asms.sources.http import read_json
from asms.sources.ledger import Feed, Reading, Store
from asms.sources.new_column import new_columns, titles_of
from asms.warehouse.connection import Warehouse

FEED = Feed(
    source="budget_classification",
    channel="file:budget_classification",
    reader_version="1",
    table="raw.budget_classification_code",
    columns=(
        "row_no", "budget_item", "classification_type", "code", "name", "parent_code", "level", "begin_date", "end_date",
        "functional_code", "document",
    ),
)  # fmt: skip
RULE = "CLASSIFICATION_LINE_INVALID"
# What a file's name begins with: the item and classification that use its codes, and how many digits a code has.
_LISTS = {
    "kdb": ("INCOMES", "NONE", 8),
    "tkpkmb": ("EXPENSES", "PROGRAM", 4),
    "kekv": ("EXPENSES", "ECONOMIC", 4),
    "kfkv": ("EXPENSES", "FUNCTIONAL", 4),
}
_NAME = re.compile(r"(kdb|tkpkmb|kekv|kfkv)(_[\w-]+)?\.(json|csv)")
_OPTIONAL = {
    "parent_code": "parentCode", "level": "level", "begin_date": "beginDate", "end_date": "endDate",
    "functional_code": "codeKfk", "document": "beginDoc",
}  # fmt: skip
_UNREAD = ("isactive", "details", "endDoc", "version")
_SPOILT = re.compile(r"^(<{7}|={7}|>{7})", re.MULTILINE)
_LARGEST = 16 << 20  # bytes; the largest list known has 0.7 MB

Entry = Mapping[str, Any]


def fetch(warehouse: Warehouse, settings: Settings, store: Store, *, force: bool = False) -> SourceResult:
    """Load ``raw.budget_classification_code`` from the files below ``ASMS_BUDGET_CLASSIFICATION_URL`` (a folder or fsspec URL).

    Unchanged files are a no-op, but a new arrival with ``force``; a file that cannot be used stops no other.

    Raises:
        SourceNotSetError: no folder is named.
        SourceError: a file cannot be used, or the folder holds none; what was loaded before stands.
    """
    folder = settings.urls.get(FEED.source)
    if not folder:
        raise SourceNotSetError(
            "no folder of code lists is named: set ASMS_BUDGET_CLASSIFICATION_URL (until then codes are called what reports call them)"
        )
    return load_answers(warehouse, settings, store, FEED, _questions(folder), force=force)


def read_list(name: str, data: bytes) -> Reading:
    """Cut the file ``name`` into rows of raw.budget_classification_code (after ``load_id``), with a Finding for each line left out.

    Raises SourceError when it is no such list.
    """
    known = _NAME.fullmatch(name)
    if known is None:
        raise SourceError(
            f"{name} is no list of budget codes: its name begins with {', '.join(_LISTS)} and ends with .json or .csv"
        )
    item, classification, digits = _LISTS[known.group(1)]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{name} is not UTF-8 text ({error})") from error
    if _SPOILT.search(text):
        raise SourceError(
            f"{name} holds the marks of an unfinished git merge (<<<<<<<); take the file anew from its publisher"
        )
    entries = list(_entries(name, known.group(3), text))
    if not entries:
        raise SourceError(f"{name} lists no codes")
    rows: list[tuple[object, ...]] = []
    findings: list[Finding] = []
    for row_no, entry in enumerate(entries, start=1):
        code = _code(entry.get("code"), digits)
        wrong = _what_is_wrong(code, entry)
        if wrong:
            findings.append(_finding(name, row_no, entry, *wrong))
        else:
            rest = [_text(entry.get(title)) for title in _OPTIONAL.values()]
            rows.append((row_no, item, classification, code, str(entry["name"]), *rest))
    if not rows:
        raise SourceError(f"no entry of {name} can be used ({findings[0].message_en}): the list has changed its form")
    findings += new_columns(titles_of(entries), FEED.source, ("code", "name", *_OPTIONAL.values(), *_UNREAD), name)
    return Reading(rows, findings)


def _questions(folder: str) -> Iterator[Question]:
    filesystem, path = fsspec.url_to_fs(folder)
    try:
        files = sorted(str(file) for file in filesystem.ls(path, detail=False))
    except (OSError, ValueError) as error:
        raise SourceError(f"ASMS_BUDGET_CLASSIFICATION_URL names a folder that cannot be read ({error})") from error
    lists = [file for file in files if _NAME.fullmatch(PurePosixPath(file).name)]
    if not lists:
        raise SourceError(f"{folder} holds no list of budget codes ({', '.join(_LISTS)} followed by .json or .csv)")
    for file in lists:
        name = PurePosixPath(file).name
        yield Question(name, _asker(filesystem, file), partial(read_list, name))


def _asker(filesystem: Any, file: str) -> Callable[[], bytes]:
    def ask() -> bytes:
        try:
            size = int(filesystem.size(file) or 0)
            if size > _LARGEST:
                raise SourceError(f"{file} is larger than {_LARGEST >> 20} MB, which is no list of codes")
            return bytes(filesystem.cat_file(file))
        except OSError as error:
            raise SourceError(f"{file} cannot be read ({error})") from error

    return ask


def _entries(name: str, kind: str, text: str) -> Iterator[Entry]:
    """One entry per code, under the titles of the JSON list."""
    if kind == "csv":
        lines = csv.reader(text.splitlines())
        titles = next(lines, [])
        if len(titles) != 2:  # noqa: PLR2004 - a code and its name
            raise SourceError(f"{name} has the columns {', '.join(titles)[:100]}; a code and its name are expected")
        yield from ({"code": line[0], "name": line[-1]} for line in lines if line)
        return
    try:
        content = read_json(text.encode())
    except ValueError as error:
        raise SourceError(f"{name} is not JSON ({error})") from error
    if isinstance(content, dict):
        content = [
            {**entry, "code": code} if isinstance(entry, dict) else {"code": code, "name": entry}
            for code, entry in content.items()
        ]
    if not isinstance(content, list):
        raise SourceError(f"{name} is neither a list of codes nor an object by code")
    for entry in content:
        if not isinstance(entry, dict) or not {"code", "name"} <= set(entry):
            raise SourceError(
                f"{name} has an entry without code or name: {str(entry)[:100]}; the list has changed its form"
            )
        yield entry


def _code(value: object, digits: int) -> str:
    """A code with the zeros that a spreadsheet took from its start: 111.0 is 0111."""
    text = str(value or "").strip().removesuffix(".0")
    return text.zfill(digits) if text.isdigit() else text


def _what_is_wrong(code: str, entry: Entry) -> tuple[str, str, str] | None:
    """Value, and what is wrong with it in both languages."""
    if not code.isdigit():
        return code, "код не з цифр", "the code is not made of digits"
    if not str(entry["name"] or "").strip():
        return code, "код без назви", "the code has no name"
    for title in ("beginDate", "endDate"):
        value = entry.get(title)
        if value:
            try:
                date.fromisoformat(str(value)[:10])
            except ValueError:
                return str(value), f"{title} не є датою", f"{title} is no date"
    return None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _finding(name: str, row_no: int, entry: Entry, found: str, why_uk: str, why_en: str) -> Finding:
    return Finding(
        rule_id=RULE,
        dataset=FEED.source,
        message_uk=f"{name}, запис {row_no} ({entry.get('code')}): {why_uk}",
        message_en=f"{name}, entry {row_no} ({entry.get('code')}): {why_en}",
        file_name=name,
        cell=str(row_no),
        value_found=found[:200],
    )
