"""From a workbook and the form definitions to a return: which form it is, whose, of when, and its mapped cells as found."""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Protocol

from openpyxl.utils import column_index_from_string
from openpyxl.utils.cell import coordinate_from_string

from asms.intake import identity
from asms.intake.explanations import OfferedExplanation
from asms.intake.form_definition import Column, Explanations, Form, Mark, NilReturn, Place, Table
from asms.intake.problem import ProblemError
from asms.intake.workbook import CellValue, Sheet, Workbook, address

_LATIN = str.maketrans("АВЕКМНОРСТХІЅЈ", "ABEKMHOPCTXISJ")
_SAME_LOOK = str.maketrans("abekmhopctxyi", "авекмнорстхуі")
_PERIOD = re.compile(r"(?<!\d)((?:19|20)\d\d(?:-(?:Q[1-4]|0[1-9]|1[0-2]))?)(?!\d)")
_ANY_YEAR = re.compile(r"(?<!\d)(\d{4})(?!\d)")
_PERIOD_OF = {"A": r"\d{4}", "Q": r"\d{4}-Q[1-4]", "M": r"\d{4}-(?:0[1-9]|1[0-2])"}
_KIND_OF_PERIOD = {"A": ("рік", "a year"), "Q": ("квартал", "a quarter"), "M": ("місяць", "a month")}
_KEYS_WITHIN = 100
_CODES_WITHIN = 10


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
class MappedCell:
    """A cell that the form maps, as found."""

    sheet: str
    cell: str
    indicator_code: str
    code_text: str
    sex: str
    value: CellValue
    reason_text: str | None
    remark_text: str | None


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
    """Read the workbook ``data`` that arrived under ``path``; ``asked`` is what templates of ours are held against.

    Raises ProblemError when the file as a whole cannot be used: no workbook, no known form or not in this version, no
    municipality or period, a template that was tampered with or is of another year's catalogue.
    """
    workbook = Workbook(data)
    form = recognise(workbook, path, forms)
    hidden = _find_sheet(workbook, form.identity) if form.identity else None
    lines = identity.read_identity(hidden) if hidden else None
    municipality_code, text = _find_municipality(workbook, path, form, resolve)
    time_period = _find_period(workbook, path, form)
    if form.explanations:
        offered = _read_explanations(workbook, form.explanations)
        return Return(form, municipality_code, text, time_period, (), (), tuple(offered))
    cells, problems = _read_tables(workbook, form)
    if problems and not cells:
        raise problems[0]
    problems.extend(_find_unmapped(workbook, form, {cell.sheet for cell in cells}))
    if lines is not None:
        places = [identity.Place(cell.sheet, cell.indicator_code, cell.cell) for cell in cells if cell.sex == "T"]
        problems.extend(identity.check_structure(lines, places, workbook.sheet_names))
        if asked is not None:
            problems.extend(identity.check_catalogue_version(lines, places, asked, form.collection_code, time_period))
    return Return(form, municipality_code, text, time_period, tuple(cells), tuple(problems))


def recognise(workbook: Workbook, path: str, forms: Sequence[Form]) -> Form:
    """Return the form whose marks all hold, in the version that the file says.

    Raises ProblemError FORM_NOT_RECOGNISED, saying what each form lacks, or RETURN_OTHER_VERSION, naming both versions.
    """
    lacking: list[tuple[Form, Mark]] = []
    fitting: list[Form] = []
    for form in forms:
        lacks = next((m for m in form.recognise if not _same(_find_text(workbook, path, m).text, m.equals)), None)
        if lacks:
            lacking.append((form, lacks))
        else:
            fitting.append(form)
    if not fitting:
        sheets = ", ".join(workbook.sheet_names[:10])
        in_uk = "; ".join(f"{form.form_code} — {mark.name_uk} має містити «{mark.equals}»" for form, mark in lacking)
        in_en = "; ".join(f"{form.form_code} needs “{mark.equals}” in {mark.name_en}" for form, mark in lacking)
        raise ProblemError(
            "FORM_NOT_RECOGNISED",
            f"Книга не схожа на жодну відому форму: {in_uk}. Аркуші книги: {sheets}",
            f"The workbook is none of the known forms: {in_en}. Sheets of the workbook: {sheets}",
            value_found=sheets,
        )
    found = {form.reader_version: _find_version(workbook, form) for form in fitting if form.identity}
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


def _find_version(workbook: Workbook, form: Form) -> str:
    return _find_on_sheet(_find_sheet(workbook, form.identity), Place(sheet=form.identity, key=identity.VERSION)).text


def fold_code(text: str) -> str:
    """Indicator code as the catalogue writes it: Latin capitals, no blanks, full stops: ' теr,001 ' → 'TER.001'."""
    folded = unicodedata.normalize("NFKC", text).upper().translate(_LATIN)
    return re.sub(r"\s", "", folded).replace(",", ".").strip(".")


def _same(found: str, expected: str) -> bool:
    return _fold(found) == _fold(expected)


def _fold(text: str) -> str:
    """A title or mark without what people change by accident: case, look-alike letters, blanks, a colon at the end."""
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_SAME_LOOK)
    return re.sub(r"\s+", " ", folded).strip(" :.")


@dataclass(frozen=True)
class _Spot:
    """A text and where it was found; '' when there is none."""

    text: str
    place: Place
    sheet: str | None = None
    cell: str | None = None


def _find_text(workbook: Workbook, path: str, place: Place) -> _Spot:
    """The text at a place; '' when there is none, also when there is no such sheet."""
    if place.fixed is not None:
        spot = _Spot(place.fixed, place)
    elif place.file_name:
        spot = _Spot(PurePosixPath(path).stem, place)
    elif place.folder:
        spot = _Spot(PurePosixPath(path).parent.name, place)
    else:
        spot = _find_on_sheet(_find_sheet(workbook, place.sheet), place)
    if place.remove:
        spot = replace(spot, text=re.sub(place.remove, "", spot.text, flags=re.IGNORECASE))
    return replace(spot, text=spot.text.strip())


def _find_on_sheet(sheet: Sheet | None, place: Place) -> _Spot:
    if sheet is None:
        return _Spot("", place)
    if place.cell:
        letters, row = coordinate_from_string(place.cell)
        return _Spot(sheet.text(row, column_index_from_string(letters)), place, sheet.name, place.cell)
    for row in range(1, min(sheet.row_count, _KEYS_WITHIN) + 1):
        if _same(sheet.text(row, 1), place.key or ""):
            return _Spot(sheet.text(row, 2), place, sheet.name, address(row, 2))
    return _Spot("", place)


def _find_sheet(workbook: Workbook, which: str | int | None) -> Sheet | None:
    names = _select_sheets(workbook, re.escape(which) if isinstance(which, str) else which or 0)
    return workbook.sheet(names[0]) if names else None


def _select_sheets(workbook: Workbook, which: str | int) -> list[str]:
    """Names of the sheets that fit a regular expression, or of the one with this number among the visible."""
    if isinstance(which, int):
        return list(workbook.visible_sheet_names[which - 1 : which])
    exact = [name for name in workbook.sheet_names if re.fullmatch(which, name.strip())]
    taken = {_fold_sheet(name) for name in exact}
    for name in workbook.sheet_names:
        folded = _fold_sheet(name)
        spellings = (folded, folded.upper().translate(_LATIN))
        if folded not in taken and any(re.fullmatch(which, text, re.IGNORECASE) for text in spellings):
            taken.add(folded)
            exact.append(name)
    return sorted(exact, key=workbook.sheet_names.index)


def _fold_sheet(name: str) -> str:
    """A sheet's name without what people change by accident, and without the ' (2)' of a copy."""
    return _fold(re.sub(r"\(\d+\)\s*$", "", name))


def _find_municipality(workbook: Workbook, path: str, form: Form, resolve: Resolve) -> tuple[str, str]:
    """Code of the municipality and the text that names it."""
    region = _find_text(workbook, path, form.region).text if form.region else ""
    spots = [spot for place in form.municipality if (spot := _find_text(workbook, path, place)).text]
    if not spots:
        raise ProblemError(
            "MUNICIPALITY_NOT_FOUND",
            f"Не вказано, чий це звіт (шукали: {'; '.join(place.name_uk for place in form.municipality)})",
            f"The return does not say whose it is (looked at: {'; '.join(place.name_en for place in form.municipality)})",
        )
    first, *others = spots
    resolution = resolve(first.text, region=region or None)
    if resolution.municipality_code is None:
        raise _unresolved(first, resolution.candidates)
    for other in others:
        meant = resolve(other.text, region=region or None).candidates
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


def _unresolved(spot: _Spot, candidates: Sequence[Candidate]) -> ProblemError:
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


def _find_period(workbook: Workbook, path: str, form: Form) -> str:
    spots = [_find_text(workbook, path, place) for place in form.time_period]
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


def _search_period(spot: _Spot) -> re.Match[str] | None:
    """A cell holds nothing but the period, so there any year is looked at; a name may hold other numbers."""
    return _PERIOD.search(spot.text) or (_ANY_YEAR.search(spot.text) if spot.cell else None)


def _check_period(period: str, spot: _Spot, form: Form) -> None:
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


def _read_explanations(workbook: Workbook, wanted: Explanations) -> Iterator[OfferedExplanation]:
    """The rows of the list of findings that have a text. Raises ProblemError where the list is not as it was made."""
    sheet = _find_sheet(workbook, wanted.sheet)
    rows = range(1, min(sheet.row_count, _KEYS_WITHIN) + 1) if sheet else ()
    for header in rows:
        finding, text = (_find_column(sheet, header, column) for column in (wanted.finding, wanted.text) if sheet)
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
            yield OfferedExplanation(finding_id, said, sheet.name, address(row, text))


def _read_tables(workbook: Workbook, form: Form) -> tuple[list[MappedCell], list[ProblemError]]:
    cells: list[MappedCell] = []
    problems: list[ProblemError] = []
    for table in form.tables:
        names = _select_table_sheets(workbook, table)
        for name in names:
            try:
                _read_table(workbook.sheet(name), table, cells, problems.append)
            except ProblemError as problem:
                problems.append(problem)
        renamed = table.renamed and _read_renamed(workbook, table, names, cells, problems)
        if not names and not renamed:
            problems.append(
                ProblemError(
                    "FORM_SHEET_MISSING",
                    f"Немає аркуша «{table.sheets}»; у книзі є: {', '.join(workbook.sheet_names[:10])}",
                    f"There is no sheet “{table.sheets}”; the workbook has: {', '.join(workbook.sheet_names[:10])}",
                )
            )
    return cells, problems


def _read_renamed(
    workbook: Workbook, table: Table, named: Sequence[str], cells: list[MappedCell], problems: list[ProblemError]
) -> bool:
    """Read the sheets of other names that bear new codes; whether there were any. A copy bears codes that were read."""
    codes = {cell.indicator_code for cell in cells}
    known = len(codes)
    for name in workbook.visible_sheet_names:
        if name in named or not _bears_codes(workbook, name, table):
            continue
        found: list[MappedCell] = []
        told: list[ProblemError] = []
        try:
            _read_table(workbook.sheet(name), table, found, told.append)
        except ProblemError:
            continue  # it is told as a sheet that was not read
        new = {cell.indicator_code for cell in found}
        if codes.isdisjoint(new) and any(re.fullmatch(table.code.pattern, code) for code in new):
            codes |= new
            cells.extend(found)
            problems.extend(told)
    return len(codes) > known


def _select_table_sheets(workbook: Workbook, table: Table) -> list[str]:
    """Sheets of a table. One whose name fits only by its look must bear the code column: 'ВСЕ' is not a domain BCE."""
    names = _select_sheets(workbook, table.sheets)
    if isinstance(table.sheets, int):
        return names
    return [n for n in names if re.fullmatch(table.sheets, n.strip()) or _bears_codes(workbook, n, table)]


def _find_unmapped(workbook: Workbook, form: Form, read: Collection[str]) -> Iterator[ProblemError]:
    """Tell the visible sheets that look like answers, that were not ``read`` and that no table of the form takes."""
    mapped = {*read, *(name for table in form.tables for name in _select_table_sheets(workbook, table))}
    for name in workbook.visible_sheet_names:
        if name not in mapped and any(_bears_codes(workbook, name, table) for table in form.tables):
            yield ProblemError(
                "SHEET_NOT_MAPPED",
                f"Аркуш «{name}» має стовпець кодів, але форма не має аркуша з такою назвою, тож його не прочитано",
                f"The sheet “{name}” has a column of codes, but the form has no sheet of that name, so it was not read",
                sheet=name,
                value_found=name,
            )


def _bears_codes(workbook: Workbook, name: str, table: Table) -> bool:
    """Whether a title of the code column stands in the first rows. A sheet that cannot be read bears none."""
    if not table.code.titles:
        return False
    try:
        sheet = workbook.sheet(name)
    except ProblemError:
        return False
    return 0 < _find_header(sheet, table) <= _CODES_WITHIN


@dataclass(frozen=True)
class _Layout:
    """A table's columns by number, and its first row of answers. A column that is not there is None."""

    first_row: int
    code: int
    values: tuple[tuple[int, str, str | None], ...]
    reason: int | None
    remark: int | None


def _read_table(sheet: Sheet, table: Table, cells: list[MappedCell], report: Callable[[ProblemError], None]) -> None:
    layout = _find_layout(sheet, table)
    nil = _find_nil_choice(sheet, layout, table.nil_return, report) if table.nil_return else None
    read_before = len(cells)
    for row in range(layout.first_row, sheet.row_count + 1):
        code_text = sheet.value(row, layout.code).text or ""
        if table.ends_at and _fold(code_text).startswith(_fold(table.ends_at)):
            break
        asked = list(_asked_cells(sheet, row, layout))
        if _is_answer_row(code_text, asked, table):
            reason, remark = (_note(sheet, row, column) for column in (layout.reason, layout.remark))
            code = fold_code(code_text)
            cells.extend(
                MappedCell(sheet.name, address(row, column), code, code_text, sex, value, reason, remark)
                for column, sex, value in asked
            )
        elif not code_text.strip():
            _report_uncoded(sheet, row, asked, report)
    if nil is not None:
        cells[read_before:] = _answer_nil(cells[read_before:], nil, report)


def _find_nil_choice(
    sheet: Sheet, layout: "_Layout", wanted: NilReturn, report: Callable[[ProblemError], None]
) -> str | None:
    """The choice of a nil return, if it was made. A text that is not the one offered is told and means nothing."""
    titles = {_fold(title) for title in wanted.titles}
    for row in range(1, layout.first_row - 1):
        texts = [sheet.text(row, column) for column in range(1, sheet.column_count + 1)]
        at = next((number for number, text in enumerate(texts) if _fold(text) in titles), None)
        if at is None:
            continue
        found = next(((number, text) for number, text in enumerate(texts) if number > at and text), None)
        if found is None:
            return None
        if _same(found[1], wanted.choice):
            return wanted.choice
        report(
            ProblemError(
                "NIL_RETURN_UNCLEAR",
                f"У виборі нульової звітності стоїть «{found[1]}»; приймається лише «{wanted.choice}» або порожньо",
                f"The choice of a nil return holds “{found[1]}”; only “{wanted.choice}” or nothing is taken",
                sheet=sheet.name,
                cell=address(row, found[0] + 1),
                value_found=found[1],
            )
        )
    return None


def _answer_nil(
    cells: Sequence[MappedCell], choice: str, report: Callable[[ProblemError], None]
) -> Iterator[MappedCell]:
    """Give ``choice`` as the reason of every blank cell that has none; figures other than zero contradict it and stand."""
    contradicting = [cell for cell in cells if cell.value.type == "number" and cell.value.text != "0"]
    if contradicting:
        first = contradicting[0]
        report(
            ProblemError(
                "NIL_RETURN_CONTRADICTED",
                f"Обрано «{choice}», проте на аркуші заповнено чисел: {len(contradicting)}; їх прочитано",
                f"“{choice}” is chosen, but the sheet holds {len(contradicting)} figures; they were read",
                sheet=first.sheet,
                cell=first.cell,
                value_found=first.value.text,
            )
        )
    for cell in cells:
        is_blank = not (cell.value.text or "").strip() and cell.reason_text is None
        yield replace(cell, reason_text=choice) if is_blank else cell


def _asked_cells(sheet: Sheet, row: int, layout: _Layout) -> Iterator[tuple[int, str, CellValue]]:
    for column, sex, not_asked in layout.values:
        value = sheet.value(row, column)
        if not_asked is None or (value.text or "").strip() != not_asked:
            yield column, sex, value


def _is_answer_row(code_text: str, asked: Sequence[tuple[int, str, CellValue]], table: Table) -> bool:
    if not code_text.strip():
        return False
    has_code = re.fullmatch(table.code.pattern, fold_code(code_text)) is not None
    return has_code or any(value.type != "empty" for _, _, value in asked)


def _report_uncoded(
    sheet: Sheet, row: int, asked: Sequence[tuple[int, str, CellValue]], report: Callable[[ProblemError], None]
) -> None:
    for column, _, value in asked:
        if value.text is not None and value.text.strip():
            report(
                ProblemError(
                    "CODE_ROW_WITHOUT_CODE",
                    f"У рядку {row} є значення, але немає коду показника",
                    f"Row {row} has a value but no indicator code",
                    sheet=sheet.name,
                    cell=address(row, column),
                    value_found=value.text,
                )
            )
            return


def _note(sheet: Sheet, row: int, column: int | None) -> str | None:
    return (sheet.text(row, column) or None) if column else None


def _find_layout(sheet: Sheet, table: Table) -> _Layout:
    """Find the columns. Raises ProblemError when the code column or the column of totals cannot be found."""
    header = _find_header(sheet, table) if table.code.titles else 0
    code = _find_column(sheet, header, table.code)
    if code is None:
        raise ProblemError(
            "FORM_CODE_COLUMN_MISSING",
            f"На аркуші немає стовпця з кодами показників «{'», «'.join(table.code.titles)}»",
            f"The sheet has no column of indicator codes titled “{'”, “'.join(table.code.titles)}”",
            sheet=sheet.name,
        )
    values = []
    for wanted in table.values:
        column = _find_column(sheet, header, wanted)
        if column is not None:
            values.append((column, wanted.sex, wanted.not_asked))
        elif wanted.sex == "T":
            raise ProblemError(
                "FORM_VALUE_COLUMN_MISSING",
                f"На аркуші немає стовпця «{'», «'.join(wanted.titles)}» у рядку заголовків {header}",
                f"The sheet has no column “{'”, “'.join(wanted.titles)}” in its header, row {header}",
                sheet=sheet.name,
                cell=address(header, 1),
            )
    return _Layout(
        table.first_row or header + 1,
        code,
        tuple(values),
        _find_column(sheet, header, table.reason) if table.reason else None,
        _find_column(sheet, header, table.remark) if table.remark else None,
    )


def _find_header(sheet: Sheet, table: Table) -> int:
    """Row of the header: the first that bears a title of the code column; 0 when there is none."""
    for row in range(1, min(sheet.row_count, table.header_within) + 1):
        if _find_column(sheet, row, table.code) is not None:
            return row
    return 0


def _find_column(sheet: Sheet, header: int, wanted: Column) -> int | None:
    if wanted.column:
        return column_index_from_string(wanted.column)
    titles = {_fold(title) for title in wanted.titles}
    return next(
        (column for column in range(1, sheet.column_count + 1) if _fold(sheet.text(header, column)) in titles), None
    )
