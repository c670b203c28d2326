"""Form definitions: YAML that tells how to recognise a form and where in it everything stands. A new form is a new file.

``docs/cookbooks/add-a-form.md`` leads those who write one; the models here are the exact grammar.
"""

import importlib.resources
import re
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from asms.intake.book import Kind

Sex = Literal["T", "F", "M"]
_YamlLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # five times as fast, where PyYAML was built with libyaml


class FormError(ValueError):
    """A form definition cannot be used; the message names the file, the key and what is wrong."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(_Model):
    """Where a text stands: in a cell, beside a key, in a column, in the file's name, in its folder's name, or fixed."""

    sheet: str | int | None = None
    """Name of the sheet, or its number among the visible ones, from 1. A CSV file is one sheet; of a JSON file its scalars
    are sheet '/', and each list of objects is a sheet named by its pointer, '/answers'."""
    cell: str | None = Field(default=None, pattern=r"^[A-Z]{1,3}[1-9]\d{0,6}$")
    key: str | None = None
    """The text in column A of ``sheet``; the value is in column B."""
    column_titles: tuple[str, ...] = ()
    """Titles of a column of ``sheet`` that says the same in every line of answers."""
    file_name: bool = False
    folder: bool = False
    fixed: str | None = None
    remove: str | None = None
    """Regular expression of what to take out of the text."""

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        on_sheet = [self.cell is not None, self.key is not None, bool(self.column_titles)]
        if sum(on_sheet) + sum([self.file_name, self.folder, self.fixed is not None]) != 1:
            raise ValueError("give exactly one of cell, key, column_titles, file_name, folder, fixed")
        if (self.sheet is not None) != any(on_sheet):
            raise ValueError("sheet goes with cell, key or column_titles, and only with them")
        return self

    @field_validator("remove")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        return _checked_pattern(value)

    @property
    def name_uk(self) -> str:
        """The place as people read it, in Ukrainian."""
        if self.sheet is not None:
            where = f"клітинка {self.cell}" if self.cell else f"рядок {self.key}"
            if self.column_titles:
                where = f"стовпець «{self.column_titles[0]}»"
            return f"аркуш {self.sheet}, {where}"
        return "назва файлу" if self.file_name else "назва теки" if self.folder else "опис форми"

    @property
    def name_en(self) -> str:
        """The place as people read it, in English."""
        if self.sheet is not None:
            where = f"cell {self.cell}" if self.cell else f"line {self.key}"
            if self.column_titles:
                where = f"column “{self.column_titles[0]}”"
            return f"sheet {self.sheet}, {where}"
        return "file name" if self.file_name else "folder name" if self.folder else "form definition"


class Mark(Place):
    """A place that holds a certain text in every file of this form (letter case and look-alike letters aside)."""

    equals: str


class Column(_Model):
    """A column, by its letter or by the titles that its header may bear."""

    column: str | None = Field(default=None, pattern=r"^[A-Z]{1,3}$")
    titles: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if (self.column is None) == (not self.titles):
            raise ValueError("give either column (its letter) or titles")
        return self


class CodeColumn(Column):
    """The column of indicator codes. Rows whose code does not fit ``pattern`` and that hold no values are headings."""

    pattern: str = ".+"

    @field_validator("pattern")
    @classmethod
    def _is_pattern(cls, value: str) -> str:
        return str(_checked_pattern(value))


class ValueColumn(Column):
    """A column of answers. ``not_asked`` are the marks with which the form says that a cell is not to be filled in."""

    sex: Sex
    not_asked: tuple[str, ...] = ()

    @field_validator("not_asked", mode="before")
    @classmethod
    def _take_one(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class SexColumn(Column):
    """In a long layout, where an answer has a line of its own: the column that says whose it is; blank means the total."""

    words: dict[Sex, tuple[str, ...]] = {
        "T": ("T", "усього", "всього", "разом", "обидві статі", "total"),
        "F": ("F", "жінки", "жіноча", "ж", "female"),
        "M": ("M", "чоловіки", "чоловіча", "ч", "male"),
    }
    """How each is written (letter case aside)."""

    def __hash__(self) -> int:
        return hash((self.column, self.titles, tuple(self.words.items())))


class NilReturn(_Model):
    """A choice above the header by which a whole sheet says that there is nothing to report.

    It stands right of a cell that bears one of ``titles``. When it is ``choice``, every blank cell of the sheet gets it as
    its missing-reason; what is filled in stands.
    """

    titles: tuple[str, ...] = Field(min_length=1)
    choice: str


class Table(_Model):
    """Where the answers stand: on the sheets of this name (regular expression) or number, a code a row."""

    sheets: str | int
    renamed: bool = False
    """Whether a sheet of another name that bears the code column is taken too, unless its codes were read already."""
    header_within: int = 20
    """Rows among which the titles are looked for."""
    first_row: int | None = None
    """First row of answers; by default the one after the header."""
    code: CodeColumn
    values: tuple[ValueColumn, ...] = Field(min_length=1)
    sex: SexColumn | None = None
    """Given in a long layout; ``values`` is then one column."""
    last_year: tuple[ValueColumn, ...] = ()
    """Columns that show the values of the year before beside; what is offline is held against them, nothing is loaded."""
    registers: tuple[ValueColumn, ...] = ()
    """Columns that show what open registers know beside; offline the answers are held against them, nothing is loaded."""
    reason: Column | None = None
    remark: Column | None = None
    nil_return: NilReturn | None = None
    ends_at: str | None = None
    """Text in the code column that begins the row after the last answer."""

    @field_validator("sheets")
    @classmethod
    def _is_pattern(cls, value: str | int) -> str | int:
        return value if isinstance(value, int) else str(_checked_pattern(value))

    @model_validator(mode="after")
    def _begins_somewhere(self) -> Self:
        if self.first_row is None and not self.code.titles:
            raise ValueError("a table without titles needs first_row")
        if len({(value.column, value.titles) for value in self.values}) != len(self.values):
            raise ValueError("two value columns are the same column")
        if self.sex is not None and len(self.values) != 1:
            raise ValueError("a table with a column of sexes has one column of values")
        if self.nil_return and not self.code.titles:
            raise ValueError("nil_return is looked for above the header: give the code column titles")
        return self


class Explanations(_Model):
    """Where a feedback workbook of ours holds what its receiver explained: a finding a row, columns by their titles."""

    sheet: str | int
    finding: Column
    text: Column
    about: Place
    """Where it says which return it is on."""
    shows: str
    """Code of the form whose answers it shows as they were sent, where the form's ``tables`` have them."""


class Form(_Model):
    """One form in one version: a return with ``tables`` of answers, or a feedback workbook with ``explanations`` beside them."""

    kind: Kind = "xlsx"
    """What the file is: a workbook, a CSV or a JSON text."""
    form_code: str
    form_version: str
    collection_code: str
    name_uk: str
    name_en: str
    recognise: tuple[Mark, ...] = Field(min_length=1)
    """All must hold. Where several forms fit, the one with more marks is taken."""
    identity: str | None = None
    """Hidden sheet of a template of ours (``asms.intake.identity``): its version must be this one, its checksums hold."""
    municipality: tuple[Place, ...] = Field(min_length=1)
    """The first place that holds a text names the municipality; the others must not contradict it."""
    region: Place | None = None
    """Where a text may stand that narrows the municipality's name to an oblast or raion."""
    freq: Literal["A", "Q", "M"] = "A"
    """How often the form is filled in: a year 'A', a quarter 'Q' or a month 'M' is what its period must be."""
    earliest_period: str = Field(default="2011", pattern=r"^\d{4}$")
    """First year that a return may be for."""
    latest_period: str = Field(default="2035", pattern=r"^\d{4}$")
    """Last year that a return may be for. Data, not the clock, so that the same bytes are read alike at any time."""
    time_period: tuple[Place, ...] = Field(min_length=1)
    """The first place that holds a period names it; the others must agree."""
    tables: tuple[Table, ...] = ()
    """Of a feedback workbook: where it shows answers, which are compared with what was sent and never enter raw."""
    explanations: Explanations | None = None

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if not self.tables:
            raise ValueError("give tables: where the answers stand")
        return self

    @property
    def reader_version(self) -> str:
        """What ``ops.load`` remembers of how a delivery was read."""
        return f"{self.form_code}/{self.form_version}"


def load_forms(folder: Path | None = None) -> tuple[Form, ...]:
    """Read every ``*.yaml`` of ``folder`` (the project's own forms unless given), in the order of their names.

    Raises FormError for a file that does not fit, and for two definitions of one form in one version.
    """
    source: Traversable = folder or importlib.resources.files("asms.intake").joinpath("forms")
    files = sorted((file for file in source.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    forms: dict[str, Form] = {}
    for file in files:
        form = _read_form(file)
        if form.reader_version in forms:
            raise FormError(f"{file.name}: form {form.form_code} version {form.form_version} is defined already")
        forms[form.reader_version] = form
    return tuple(forms.values())


def _read_form(file: Traversable) -> Form:
    try:
        found = yaml.load(file.read_text(encoding="utf-8"), Loader=_YamlLoader)  # noqa: S506 - a safe loader, both ways
        return Form.model_validate(found)
    except yaml.YAMLError as error:
        raise FormError(f"{file.name}: this is not YAML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise FormError(f"{file.name}: {problems}") from error


def _checked_pattern(value: str | None) -> str | None:
    try:
        re.compile(value or "")
    except re.error as error:
        raise ValueError(f"this is not a regular expression: {error}") from error
    return value
