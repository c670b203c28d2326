"""What a template of ours says of itself on its hidden sheet, and whether the workbook that came back is still that template.

The hidden sheet has a key and a value a row: whose and of when it is, a mark per sheet over its codes and their addresses,
and a checksum over all of these. The writer and the reader share this module, so that they cannot drift apart.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from asms.intake.book import Sheet
from asms.intake.problem import ProblemError

if TYPE_CHECKING:
    import psycopg

CHECKSUM = "checksum"
VERSION = "form_version"
_CATALOGUE = "catalogue_version"
_SHEET = "sheet "
_KEYS_WITHIN = 100
_NAMED = 10
"""Codes that a message lists before it counts the rest."""


Place = tuple[str, str]
"""A line of a sheet: its code and the address of its total."""
Places = Mapping[str, Sequence[Place]]
"""Lines as read, by the name of their sheet."""


@dataclass(frozen=True)
class Asked:
    """What the catalogue in force asks. ``questions``: collection, code, first and last year (None: still asked)."""

    catalogue_version: str
    questions: tuple[tuple[str, str, int, int | None], ...]

    def codes(self, collection_code: str, year: int) -> frozenset[str]:
        """Codes that the collection asks for ``year``."""
        return _codes(self, collection_code, year)


@cache
def _codes(asked: Asked, collection_code: str, year: int) -> frozenset[str]:
    return frozenset(
        code
        for collection, code, first, last in asked.questions
        if collection == collection_code and first <= year and (last is None or year <= last)
    )


def read_asked(connection: "psycopg.Connection") -> Asked | None:
    """What the stored catalogue asks; None when no catalogue is stored."""
    version = connection.execute("select catalogue_version from catalogue.version").fetchone()
    if version is None:
        return None
    rows = connection.execute(
        "select collection_code, indicator_code, valid_from, valid_to from catalogue.indicator "
        "where not is_derived order by 1, 2, 3"
    )
    return Asked(version[0], tuple(rows))


def mark_sheet(places: Iterable[Place]) -> str:
    """The mark of a sheet, from its lines: their number, a hash of the codes, a hash of codes and addresses."""
    return _mark(tuple(places))


@lru_cache(maxsize=256)
def _mark(places: tuple[Place, ...]) -> str:
    found = sorted(places)
    return f"{len(found)} {_hash(code for code, _ in found)} {_hash(f'{code} {cell}' for code, cell in found)}"


def seal(identity: Mapping[str, str], marks: Mapping[str, str]) -> dict[str, str]:
    """Lines of the hidden sheet: ``identity``, the ``marks`` by name of sheet, and the checksum over them."""
    lines = {**identity, **{f"{_SHEET}{name}": mark for name, mark in marks.items()}}
    return {**lines, CHECKSUM: _checksum(lines)}


def read_identity(sheet: Sheet) -> dict[str, str]:
    """Lines of the hidden sheet. Raises ProblemError TEMPLATE_IDENTITY_EDITED when its checksum does not hold."""
    rows = range(1, min(sheet.row_count, _KEYS_WITHIN) + 1)
    lines = {key: sheet.text(row, 2) for row in rows if (key := sheet.text(row, 1))}
    if lines.get(CHECKSUM) != _checksum({key: value for key, value in lines.items() if key != CHECKSUM}):
        raise ProblemError(
            "TEMPLATE_IDENTITY_EDITED",
            f"Службовий аркуш «{sheet.name}» змінено, тож не можна покластися на те, що це шаблон громади "
            f"{lines.get('municipality_code') or '?'} за {lines.get('time_period') or '?'} рік",
            f"The hidden sheet “{sheet.name}” was edited, so it cannot be trusted that this is the template of "
            f"{lines.get('municipality_code') or '?'} for {lines.get('time_period') or '?'}",
            sheet=sheet.name,
            value_found=lines.get(CHECKSUM),
        )
    return lines


def check_structure(
    lines: Mapping[str, str], places: Places, sheet_names: Sequence[str], told: Collection[str | None]
) -> Iterator[ProblemError]:
    """Tell the sheets that are gone, whose codes differ from the template's, or whose codes stand elsewhere.

    Sheets that are ``told`` already, because they could not be read, are not told again.
    """
    marks = _marks(lines)
    for name, found in places.items():
        mark = mark_sheet(found)
        if mark in marks.values():
            continue
        if _codes_of(mark) in map(_codes_of, marks.values()):
            yield ProblemError(
                "TEMPLATE_LAYOUT_CHANGED",
                f"На аркуші «{name}» рядки або стовпці стоять не там, де в шаблоні; прочитано за кодами й заголовками",
                f"On the sheet “{name}” rows or columns are not where the template had them; read by codes and titles",
                sheet=name,
            )
        else:
            expected = next((mark for domain, mark in marks.items() if _is_of(domain, found)), "0")
            yield _codes_changed(name, len(found), expected)
    answered = {code.partition(".")[0] for found in places.values() for code, _ in found}
    for domain, mark in marks.items():
        if domain in told or domain in answered:
            continue
        if domain in sheet_names and domain not in places:
            yield _codes_changed(domain, 0, mark)
        else:
            yield tell_missing([domain], sheet_names)


def list_sheets(lines: Mapping[str, str]) -> list[str]:
    """Names of the sheets that the template had."""
    return list(_marks(lines))


def tell_missing(domains: Sequence[str], sheet_names: Sequence[str]) -> ProblemError:
    """Sheets of the template are gone."""
    gone, there = _list(domains), _list(sheet_names)
    return ProblemError(
        "FORM_SHEET_MISSING",
        f"Немає аркуша, який був у шаблоні: «{gone}»; у книзі є: {there}. Його питання лишилися без відповіді",
        f"A sheet of the template is gone: “{gone}”; the workbook has: {there}. Its questions are not answered",
        value_found=gone,
    )


def _codes_changed(name: str, found: int, mark: str) -> ProblemError:
    expected = mark.split(maxsplit=1)[0]
    return ProblemError(
        "TEMPLATE_CODES_CHANGED",
        f"Коди показників на аркуші «{name}» не ті, що в шаблоні: прочитано рядків {found}, у шаблоні {expected}",
        f"The indicator codes on the sheet “{name}” are not the template's: {found} lines read, {expected} in the template",
        sheet=name,
        value_found=str(found),
    )


def check_catalogue_version(
    lines: Mapping[str, str], places: Places, asked: Asked, collection_code: str, time_period: str
) -> Iterator[ProblemError]:
    """Compare a template of another catalogue version with what the year asks now.

    Yields TEMPLATE_OLDER_CATALOGUE when the year asks more. Raises ProblemError TEMPLATE_OTHER_CATALOGUE when the template
    itself (not a line that somebody added to it) asks what the year does not: it is of another year or catalogue.
    """
    version = lines.get(_CATALOGUE, "")
    if version == asked.catalogue_version:
        return
    expected = asked.codes(collection_code, int(time_period[:4]))
    own = {_codes_of(mark) for mark in _marks(lines).values()}
    untouched = [found for found in places.values() if _codes_of(mark_sheet(found)) in own]
    strange = sorted({code for found in untouched for code, _ in found} - expected)
    if strange:
        raise ProblemError(
            "TEMPLATE_OTHER_CATALOGUE",
            f"Шаблон зроблено за версією каталогу {version}, чинна версія {asked.catalogue_version}; форма за "
            f"{time_period} рік не має його показників: {_list(strange)}",
            f"The template is of catalogue version {version}, in force is {asked.catalogue_version}; the form for "
            f"{time_period} has no such indicators: {_list(strange)}",
            value_found=version,
        )
    codes = {code for found in places.values() for code, _ in found}
    domains = {code.partition(".")[0] for code in codes}
    lacking = sorted({code for code in expected if code.partition(".")[0] in domains} - codes)
    if lacking:
        yield ProblemError(
            "TEMPLATE_OLDER_CATALOGUE",
            f"Шаблон зроблено за версією каталогу {version}, чинна версія {asked.catalogue_version}; його прочитано, "
            f"але форма за {time_period} рік має ще: {_list(lacking)}",
            f"The template is of catalogue version {version}, in force is {asked.catalogue_version}; it was read, but the "
            f"form for {time_period} also asks: {_list(lacking)}",
            value_found=version,
        )


def _marks(lines: Mapping[str, str]) -> dict[str, str]:
    return {key.removeprefix(_SHEET): value for key, value in lines.items() if key.startswith(_SHEET)}


def _codes_of(mark: str) -> str:
    """The part of a mark that does not depend on addresses."""
    return mark.rpartition(" ")[0]


def _is_of(domain: str, found: Iterable[tuple[str, str]]) -> bool:
    return any(code.startswith(f"{domain}.") for code, _ in found)


def _list(codes: Sequence[str]) -> str:
    more = len(codes) - _NAMED
    return ", ".join(codes[:_NAMED]) + (f" (+{more})" if more > 0 else "")


def _checksum(lines: Mapping[str, str]) -> str:
    return _hash(f"{key}={value.strip()}" for key, value in lines.items())


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
