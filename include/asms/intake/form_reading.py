"""From a file and the form definitions to a return: which form it is, whose, of when, and its mapped cells as found.

Reading is in two halves. ``scan_return`` needs nothing but the bytes and the forms, so it runs in a worker that has no way to
anything else; ``settle`` asks the gazetteer whose return it is.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Protocol

from asms.intake import identity
from asms.intake.book import Book, Sheet, split_address
from asms.intake.explanations import OfferedExplanation
from asms.intake.form_definition import Column, Explanations, Form, Mark, Place, Table, ValueColumn
from asms.intake.json_answers import JsonAnswers
from asms.intake.problem import ProblemError
from asms.intake.spelling import LATIN, fold, same
from asms.intake.table_reading import MappedCell, Row, find_column, find_titles, reader_of
from asms.intake.text_table import TextTable
from asms.intake.workbook import OLE_START, Workbook

_PERIOD = re.compile(r"(?<!\d)((?:19|20)\d\d(?:-(?:Q[1-4]|0[1-9]|1[0-2]))?)(?!\d)")
_ANY_YEAR = re.compile(r"(?<!\d)(\d{4})(?!\d)")
_PERIOD_OF = {"A": r"\d{4}", "Q": r"\d{4}-Q[1-4]", "M": r"\d{4}-(?:0[1-9]|1[0-2])"}
_KIND_OF_PERIOD = {"A": ("рік", "a year"), "Q": ("квартал", "a quarter"), "M": ("місяць", "a month")}
_KEYS_WITHIN = 100


class Candidate(Protocol):
    """A municipality that a text may mean."""

    @property
    def municipality_code(self) -> str: ...
    @property
    def label(self) -> str: ...


class Resolution(Protocol):
    """What a gazetteer says of a text: the one municipality it names, or the candidates."""

    @property
    def municipality_code(self) -> str | None: ...
    @property
    def candidates(self) -> Sequence[Candidate]: ...


class Resolve(Protocol):
    """``asms.geography.Gazetteer.resolve``."""

    def __call__(self, text: str, *, region: str | None = None) -> Resolution: ...


@dataclass(frozen=True)
class Spot:
    """A text and where it was found; '' when there is none."""

    text: str
    place: Place
    sheet: str | None = None
    cell: str | None = None


@dataclass(frozen=True)
class Scan:
    """What a file says by itself. ``rows`` are in the order of ``MappedCell``; ``problems`` are what could not be used.

    ``refusal`` is why nothing of it can be used, whosever it is. Of a feedback workbook, ``rows`` are the answers that it shows
    and ``about_id`` is the return that it is on.
    """

    form: Form
    region: str
    municipality: tuple[Spot, ...]
    time_period: str = ""
    rows: tuple[Row, ...] = ()
    problems: tuple[ProblemError, ...] = ()
    explanations: tuple[OfferedExplanation, ...] = ()
    about_id: str = ""
    refusal: ProblemError | None = None


@dataclass(frozen=True)
class Return:
    """A return as read. ``problems`` are what could not be used of it, while the rest stands."""

    form: Form
    municipality_code: str
    municipality_text: str
    time_period: str
    cells: tuple[MappedCell, ...]
    problems: tuple[ProblemError, ...]
    explanations: tuple[OfferedExplanation, ...] = ()
    """What a feedback workbook says beside the findings; it has no cells then."""


def read_return(
    data: bytes, path: str, forms: Sequence[Form], resolve: Resolve, asked: identity.Asked | None = None
) -> Return:
    """Read the file ``data`` that arrived under ``path``, in this process; ``asked`` is as in ``scan_return``.

    Raises ProblemError when the file as a whole cannot be used: no workbook, no known form or not in this version, no
    municipality or period, a template that was tampered with or is of another year's catalogue.
    """
    scan = scan_return(data, path, forms, asked)
    municipality_code, text = settle(scan, resolve)
    cells = () if scan.form.explanations else tuple(map(MappedCell._make, scan.rows))
    return Return(scan.form, municipality_code, text, scan.time_period, cells, scan.problems, scan.explanations)


def read_last_year(data: bytes, path: str, forms: Sequence[Form]) -> tuple[MappedCell, ...]:
    """What the file ``data`` shows of the year before, beside its own answers: none where the form has no such columns.

    A text stands for the reason why there was no value, and is given as one. Raises ProblemError as ``read_return`` does for a
    file that is none of the forms.
    """
    return tuple(
        cell
        if cell.value_type == "number"
        else cell._replace(value_text=None, value_type="empty", reason_text=cell.value_text)
        for cell in _read_beside(data, path, forms, lambda table: table.last_year)
    )


def read_registers(data: bytes, path: str, forms: Sequence[Form]) -> dict[tuple[str, str], float]:
    """What the file ``data`` shows of open registers beside its own answers, by indicator code and sex. Raises ProblemError."""
    shown = _read_beside(data, path, forms, lambda table: table.registers)
    return {
        (cell.indicator_code, cell.sex): float(cell.value_text or 0) for cell in shown if cell.value_type == "number"
    }


def _read_beside(
    data: bytes, path: str, forms: Sequence[Form], columns: Callable[[Table], tuple[ValueColumn, ...]]
) -> Iterator[MappedCell]:
    """The filled cells of ``columns``, which stand beside the answers."""
    book = open_book(data)
    form = recognise(book, path, forms)
    beside = [
        table.model_copy(update={"values": columns(table), "reason": None, "remark": None, "nil_return": None})
        for table in form.tables
        if columns(table)
    ]
    rows, _ = _read_tables(book, form.model_copy(update={"tables": tuple(beside)}))
    return (cell for cell in map(MappedCell._make, rows) if cell.value_text is not None)


def scan_return(
    data: bytes, path: str, forms: Sequence[Form], asked: identity.Asked | None = None, *, is_guarded: bool = False
) -> Scan:
    """Read all that the file says by itself. ``asked`` is what templates of ours are held against.

    ``is_guarded``: this process has a memory limit, and may be lost. Raises ProblemError when no form fits, when the file is
    none that can be read, and when a template's hidden sheet was edited: it cannot be trusted to say whose it is.
    """
    book = open_book(data, is_guarded=is_guarded)
    form = recognise(book, path, forms)
    hidden = _find_sheet(book, form.identity) if form.identity else None
    lines = identity.read_identity(hidden) if hidden else None
    region = _find_text(book, path, form.region).text if form.region else ""
    municipality = tuple(spot for place in form.municipality if (spot := _find_text(book, path, place)).text)
    scan = Scan(form, region, municipality)
    try:
        scan = replace(scan, time_period=_find_period(book, path, form))
        if form.explanations:
            return _scan_feedback(book, scan, form.explanations)
        return _scan_answers(book, scan, lines, asked)
    except ProblemError as refusal:
        return replace(scan, refusal=refusal)


def _scan_feedback(book: Book, scan: Scan, wanted: Explanations) -> Scan:
    """Add what was explained, and the answers that are shown beside. Raises ProblemError when the list was changed."""
    explanations = tuple(_read_explanations(book, wanted))
    about_id = _find_text(book, "", wanted.about).text
    rows, _ = _read_tables(book, scan.form)  # a report on a form that is not ours, or on a file not read, has none
    return replace(scan, explanations=explanations, about_id=about_id, rows=tuple(rows))


def _scan_answers(book: Book, scan: Scan, lines: Mapping[str, str] | None, asked: identity.Asked | None) -> Scan:
    """Add the answers. ``lines`` are the hidden sheet's. Raises ProblemError when nothing of the file can be used."""
    form = scan.form
    rows, problems = _read_tables(book, form)
    if problems and not rows:
        if lines is not None and problems[0].rule_id == "FORM_SHEET_MISSING":
            raise identity.tell_missing(identity.list_sheets(lines), book.sheet_names)
        raise problems[0]
    problems.extend(_find_unmapped(book, form, {row[0] for row in rows}))
    if lines is not None:
        places: dict[str, list[identity.Place]] = {}
        for row in rows:
            if row[4] == "T":
                places.setdefault(row[0], []).append((row[2], row[1]))
        told = {problem.sheet for problem in problems}
        problems.extend(identity.check_structure(lines, places, book.sheet_names, told))
        if asked is not None:
            problems.extend(
                identity.check_catalogue_version(lines, places, asked, form.collection_code, scan.time_period)
            )
    return replace(scan, rows=tuple(rows), problems=tuple(problems))


def open_book(data: bytes, *, is_guarded: bool = False) -> Book:
    """Open a file by what its bytes are, whatever its name says. Raises ProblemError when it is none that is read here."""
    start = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    is_text = start and not start.startswith((b"PK", b"<")) and b"\0\0" not in start
    if start.startswith((b"{", b"[")):
        return JsonAnswers(data)
    return TextTable(data) if is_text and not data.startswith(OLE_START) else Workbook(data, is_guarded=is_guarded)


def settle(scan: Scan, resolve: Resolve) -> tuple[str, str]:
    """Code of the municipality and the text that names it. Raises ProblemError when the return cannot be used."""
    found = _resolve_municipality(scan, resolve)
    if scan.refusal is not None:
        raise scan.refusal
    return found


def recognise(book: Book, path: str, forms: Sequence[Form]) -> Form:
    """Return the form whose marks all hold, in the version that the file says.

    Raises ProblemError FORM_NOT_RECOGNISED, saying what each form lacks, or RETURN_OTHER_VERSION, naming both versions.
    """
    lacking: list[tuple[Form, Mark]] = []
    fitting: list[Form] = []
    for form in forms:
        if form.kind != book.kind:
            continue
        lacks = next((m for m in form.recognise if not same(_find_text(book, path, m).text, m.equals)), None)
        if lacks:
            lacking.append((form, lacks))
        else:
            fitting.append(form)
    if not fitting:
        sheets = ", ".join(book.sheet_names[:10])
        in_uk = "; ".join(f"{form.form_code} — {mark.name_uk} має містити «{mark.equals}»" for form, mark in lacking)
        in_en = "; ".join(f"{form.form_code} needs “{mark.equals}” in {mark.name_en}" for form, mark in lacking)
        raise ProblemError(
            "FORM_NOT_RECOGNISED",
            f"Файл ({book.kind}) не схожий на жодну відому форму: {in_uk}. Аркуші: {sheets}",
            f"The file ({book.kind}) is none of the known forms: {in_en}. Sheets: {sheets}",
            value_found=sheets,
        )
    found = {form.reader_version: _find_version(book, form) for form in fitting if form.identity}
    of_version = [form for form in fitting if found.get(form.reader_version, form.form_version) == form.form_version]
    if not of_version:
        known = ", ".join(form.form_version for form in fitting)
        version = next(iter(found.values()))
        raise ProblemError(
            "RETURN_OTHER_VERSION",
            f"Файл зроблено за версією {version or '?'} форми {fitting[0].form_code}, а приймається версія {known}",
            f"The file is of version {version or '?'} of the form {fitting[0].form_code}; version {known} is taken",
            sheet=fitting[0].identity,
            value_found=version or None,
        )
    return max(of_version, key=lambda form: len(form.recognise))


def _find_version(book: Book, form: Form) -> str:
    return _find_on_sheet(_find_sheet(book, form.identity), Place(sheet=form.identity, key=identity.VERSION)).text


def _find_text(book: Book, path: str, place: Place) -> Spot:
    """The text at a place; '' when there is none, also when there is no such sheet."""
    if place.fixed is not None:
        spot = Spot(place.fixed, place)
    elif place.file_name:
        spot = Spot(PurePosixPath(path).stem, place)
    elif place.folder:
        spot = Spot(PurePosixPath(path).parent.name, place)
    else:
        spot = _find_on_sheet(_find_sheet(book, place.sheet), place)
    if place.remove:
        spot = replace(spot, text=re.sub(place.remove, "", spot.text, flags=re.IGNORECASE))
    return replace(spot, text=spot.text.strip())


def _find_on_sheet(sheet: Sheet | None, place: Place) -> Spot:
    if sheet is None:
        return Spot("", place)
    if place.cell:
        return Spot(sheet.text(*split_address(place.cell)), place, sheet.name, place.cell)
    if place.column_titles:
        return _find_in_column(sheet, place)
    for row in range(1, min(sheet.row_count, _KEYS_WITHIN) + 1):
        if same(sheet.text(row, 1), place.key or ""):
            return Spot(sheet.text(row, 2), place, sheet.name, sheet.address(row, 2))
    return Spot("", place)


def _find_in_column(sheet: Sheet, place: Place) -> Spot:
    """What every line of a column says; the first line's word is enough to recognise a form by.

    Raises ProblemError RETURN_MIXED, naming the first line that says another thing.
    """
    wanted = Column(titles=place.column_titles)
    for header in range(1, min(sheet.row_count, _KEYS_WITHIN) + 1):
        column = find_column(find_titles(sheet, header), wanted)
        if column is not None:
            break
    else:
        return Spot("", place)
    told = [(text, row) for row in range(header + 1, sheet.row_count + 1) if (text := sheet.text(row, column))]
    if not told:
        return Spot("", place)
    first, first_row = told[0]
    for text, row in told[1:]:
        if text != first and not isinstance(place, Mark):
            raise ProblemError(
                "RETURN_MIXED",
                f"{place.name_uk}: у першому рядку «{first}», а тут «{text}»",
                f"{place.name_en}: the first line has “{first}”, this one “{text}”",
                sheet=sheet.name,
                cell=sheet.address(row, column),
                value_found=text,
            )
    return Spot(first, place, sheet.name, sheet.address(first_row, column))


def _find_sheet(book: Book, which: str | int | None) -> Sheet | None:
    if isinstance(which, str) and which in book.sheet_names:
        return book.sheet(which)
    names = _select_sheets(book, re.escape(which) if isinstance(which, str) else which or 0)
    return book.sheet(names[0]) if names else None


def _select_sheets(book: Book, which: str | int) -> list[str]:
    """Names of the sheets that fit a regular expression, or of the one with this number among the visible."""
    if isinstance(which, int):
        return list(book.visible_sheet_names[which - 1 : which])
    return list(_select_by_name(book.sheet_names, which))


@lru_cache(maxsize=256)
def _select_by_name(names: tuple[str, ...], pattern: str) -> tuple[str, ...]:
    exact = [name for name in names if re.fullmatch(pattern, name.strip())]
    taken = {_fold_sheet(name) for name in exact}
    for name in names:
        folded = _fold_sheet(name)
        spellings = (folded, folded.upper().translate(LATIN))
        if folded not in taken and any(re.fullmatch(pattern, text, re.IGNORECASE) for text in spellings):
            taken.add(folded)
            exact.append(name)
    return tuple(sorted(exact, key=names.index))


def _fold_sheet(name: str) -> str:
    """A sheet's name without what people change by accident, and without the ' (2)' of a copy."""
    return fold(re.sub(r"\(\d+\)\s*$", "", name))


def _resolve_municipality(scan: Scan, resolve: Resolve) -> tuple[str, str]:
    """Code of the municipality and the text that names it."""
    places, region = scan.form.municipality, scan.region or None
    if not scan.municipality:
        raise ProblemError(
            "MUNICIPALITY_NOT_FOUND",
            f"Не вказано, чий це звіт (шукали: {'; '.join(place.name_uk for place in places)})",
            f"The return does not say whose it is (looked at: {'; '.join(place.name_en for place in places)})",
        )
    first, *others = scan.municipality
    resolution = resolve(first.text, region=region)
    if resolution.municipality_code is None:
        raise _unresolved(first, resolution.candidates)
    for other in others:
        meant = resolve(other.text, region=region).candidates
        if meant and all(candidate.municipality_code != resolution.municipality_code for candidate in meant):
            here, there = _labels(resolution.candidates), _labels(meant)
            raise ProblemError(
                "MUNICIPALITY_CONTRADICTION",
                f"{first.place.name_uk}: {here}; проте {other.place.name_uk}: {there}",
                f"{first.place.name_en}: {here}; but {other.place.name_en}: {there}",
                sheet=other.sheet,
                cell=other.cell,
                value_found=other.text,
            )
    return resolution.municipality_code, first.text


def _unresolved(spot: Spot, candidates: Sequence[Candidate]) -> ProblemError:
    if candidates:
        return ProblemError(
            "MUNICIPALITY_AMBIGUOUS",
            f"«{spot.text}» ({spot.place.name_uk}) може бути: {_labels(candidates)}",
            f"“{spot.text}” ({spot.place.name_en}) may be: {_labels(candidates)}",
            sheet=spot.sheet,
            cell=spot.cell,
            value_found=spot.text,
        )
    return ProblemError(
        "MUNICIPALITY_NOT_FOUND",
        f"«{spot.text}» ({spot.place.name_uk}) немає в кодифікаторі КАТОТТГ серед громад і населених пунктів",
        f"“{spot.text}” ({spot.place.name_en}) is no hromada or settlement of the КАТОТТГ codifier",
        sheet=spot.sheet,
        cell=spot.cell,
        value_found=spot.text,
    )


def _labels(candidates: Sequence[Candidate]) -> str:
    return "; ".join(candidate.label for candidate in candidates[:10])


def _find_period(book: Book, path: str, form: Form) -> str:
    spots = [_find_text(book, path, place) for place in form.time_period]
    found = [(match.group(1), spot) for spot in spots if (match := _search_period(spot))]
    if not found:
        raise ProblemError(
            "PERIOD_NOT_FOUND",
            f"Не вказано, за який рік цей звіт (шукали: {'; '.join(place.name_uk for place in form.time_period)})",
            f"The return does not say which year it is for "
            f"(looked at: {'; '.join(place.name_en for place in form.time_period)})",
            sheet=spots[0].sheet,
            cell=spots[0].cell,
            value_found=spots[0].text or None,
        )
    for period, spot in found:
        _check_period(period, spot, form)
    (period, first), *others = found
    for other, spot in others:
        if other != period:
            raise ProblemError(
                "PERIOD_CONTRADICTION",
                f"{first.place.name_uk}: {period}; проте {spot.place.name_uk}: {other}",
                f"{first.place.name_en}: {period}; but {spot.place.name_en}: {other}",
                sheet=spot.sheet,
                cell=spot.cell,
                value_found=spot.text,
            )
    return period


def _search_period(spot: Spot) -> re.Match[str] | None:
    """A cell holds nothing but the period, so there any year is looked at; a name may hold other numbers."""
    return _PERIOD.search(spot.text) or (_ANY_YEAR.search(spot.text) if spot.cell else None)


def _check_period(period: str, spot: Spot, form: Form) -> None:
    """Raise ProblemError PERIOD_NOT_FOUND for a period that the form cannot be for."""
    is_in_time = form.earliest_period <= period[:4] <= form.latest_period
    if is_in_time and re.fullmatch(_PERIOD_OF[form.freq], period):
        return
    kind_uk, kind_en = _KIND_OF_PERIOD[form.freq]
    years = f"{form.earliest_period}–{form.latest_period}"
    raise ProblemError(
        "PERIOD_NOT_FOUND",
        f"{spot.place.name_uk}: {period}; а звіт подається за {kind_uk} у межах {years}",
        f"{spot.place.name_en}: {period}; but the return is for {kind_en} within {years}",
        sheet=spot.sheet,
        cell=spot.cell,
        value_found=spot.text,
    )


def _read_explanations(book: Book, wanted: Explanations) -> Iterator[OfferedExplanation]:
    """The rows of the list of findings that have a text. Raises ProblemError where the list is not as it was made."""
    sheet = _find_sheet(book, wanted.sheet)
    rows = range(1, min(sheet.row_count, _KEYS_WITHIN) + 1) if sheet else ()
    for header in rows:
        titles = find_titles(sheet, header) if sheet else {}
        finding, text = (find_column(titles, column) for column in (wanted.finding, wanted.text))
        if sheet and finding and text:
            break
    else:
        raise ProblemError(
            "EXPLANATION_LIST_CHANGED",
            f"У звіті про перевірку немає стовпців «{'», «'.join((*wanted.text.titles, *wanted.finding.titles))}»",
            f"The feedback workbook lacks the columns “{'”, “'.join((*wanted.text.titles, *wanted.finding.titles))}”",
            sheet=sheet.name if sheet else None,
        )
    for row in range(header + 1, sheet.row_count + 1):
        if (finding_id := sheet.text(row, finding)) and (said := sheet.text(row, text)):
            yield OfferedExplanation(finding_id, said, sheet.name, sheet.address(row, text))


def _read_tables(book: Book, form: Form) -> tuple[list[Row], list[ProblemError]]:
    rows: list[Row] = []
    problems: list[ProblemError] = []
    for table in form.tables:
        names, reader = _select_table_sheets(book, table), reader_of(table)
        for name in names:
            try:
                reader.read(book.sheet(name), rows, problems.append)
            except ProblemError as problem:
                problems.append(problem)
        renamed = table.renamed and _read_renamed(book, table, names, rows, problems)
        if not names and not renamed:
            problems.append(
                ProblemError(
                    "FORM_SHEET_MISSING",
                    f"Немає аркуша «{table.sheets}»; у файлі є: {', '.join(book.sheet_names[:10])}",
                    f"There is no sheet “{table.sheets}”; the file has: {', '.join(book.sheet_names[:10])}",
                )
            )
    if len(form.tables) > 1 and len({row[:2] for row in rows}) != len(rows):
        raise ProblemError(
            "FORM_MAPS_TWICE",
            f"Опис форми {form.form_code} читає ту саму клітинку двічі",
            f"The definition of form {form.form_code} reads the same cell twice",
        )
    return rows, problems


def _read_renamed(
    book: Book, table: Table, named: Sequence[str], rows: list[Row], problems: list[ProblemError]
) -> bool:
    """Read the sheets of other names that bear new codes; whether there were any. A copy bears codes that were read."""
    codes = {row[2] for row in rows}
    known = len(codes)
    for name in book.visible_sheet_names:
        if name in named or not _bears_codes(book, name, table):
            continue
        found: list[Row] = []
        told: list[ProblemError] = []
        try:
            reader_of(table).read(book.sheet(name), found, told.append)
        except ProblemError:
            continue  # it is told as a sheet that was not read
        new = {row[2] for row in found}
        if codes.isdisjoint(new) and any(re.fullmatch(table.code.pattern, code) for code in new):
            codes |= new
            rows.extend(found)
            problems.extend(told)
    return len(codes) > known


def _select_table_sheets(book: Book, table: Table) -> list[str]:
    """Sheets of a table. One whose name fits only by its look must bear the code column: 'ВСЕ' is not a domain BCE."""
    names = _select_sheets(book, table.sheets)
    if isinstance(table.sheets, int):
        return names
    return [n for n in names if re.fullmatch(table.sheets, n.strip()) or _bears_codes(book, n, table)]


def _find_unmapped(book: Book, form: Form, read: Collection[str]) -> Iterator[ProblemError]:
    """Tell the visible sheets that look like answers, that were not ``read`` and that no table of the form takes."""
    mapped = {*read, *(name for table in form.tables for name in _select_table_sheets(book, table))}
    for name in book.visible_sheet_names:
        if name not in mapped and any(_bears_codes(book, name, table) for table in form.tables):
            yield ProblemError(
                "SHEET_NOT_MAPPED",
                f"Аркуш «{name}» має стовпець кодів, але форма не має аркуша з такою назвою, тож його не прочитано",
                f"The sheet “{name}” has a column of codes, but the form has no sheet of that name, so it was not read",
                sheet=name,
                value_found=name,
            )


def _bears_codes(book: Book, name: str, table: Table) -> bool:
    """Whether a title of the code column stands in the first rows. A sheet that cannot be read bears none."""
    try:
        return reader_of(table).bears_codes(book.sheet(name))
    except ProblemError:
        return False
