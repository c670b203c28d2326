"""The annual return as people get it: the questions of a year from the catalogue, and templates for every municipality.

Stands above the domain's packages, beside ``asms.rebuild``, because it joins the catalogue, the codifier and the writer.
"""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from asms.catalogue import Card, Catalogue
from asms.catalogue.description import asked_cards, list_choices
from asms.geography.gazetteer import Gazetteer, make_unit
from asms.intake.template import COLLECTION_CODE, MISSING_REASONS, TemplateRow, write_template
from asms.sources.katottg import read_packaged_units

logger = logging.getLogger(__name__)

Past = Mapping[tuple[str, str], float | str]
"""Last year's values of one municipality by (indicator code, sex): a number, or the reason why there is none."""

_WHOLE_UNITS = ("осіб", "од.", "код")
_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|\x00-\x1f]+')
_PROGRESS_EVERY = 50
_MOST_DOMAINS_IN_NAME = 4


class UnknownMunicipalityError(LookupError):
    """A code is no hromada of the codifier; the message names it and says what to do."""


@dataclass(frozen=True)
class Body:
    """A municipality that gets a template."""

    municipality_code: str
    name_uk: str


@dataclass(frozen=True)
class MadeTemplates:
    """What was made: ``unchanged_count`` files had these bytes before, ``bare_count`` show no value of last year."""

    paths: tuple[Path, ...]
    unchanged_count: int
    bare_count: int


def list_questions(catalogue: Catalogue, year: int) -> list[TemplateRow]:
    """The questions of the annual return for ``year``, in the order of the catalogue."""
    domains = {domain.domain_code: domain for domain in catalogue.domains}
    choices = list_choices(catalogue, year)
    return [
        TemplateRow(
            code=card.indicator_code,
            domain_code=card.domain_code,
            domain_name_uk=domains[card.domain_code].name_uk,
            domain_name_en=domains[card.domain_code].name_en,
            name_uk=card.name_uk,
            name_en=card.name_en,
            unit=card.unit_measure,
            is_sex_split=card.is_sex_split,
            definition=card.definition_uk,
            decimals=card.decimals,
            is_integer=is_whole(card),
            min_value=card.min_value,
            max_value=card.max_value,
            choices=choices.get(card.indicator_code, ()),
        )
        for card in asked_cards(catalogue, COLLECTION_CODE, year)
    ]


def is_whole(card: Card) -> bool:
    """Whether only whole numbers can be true: persons, pieces and codes, not tonnes that are rounded to whole ones."""
    return card.decimals == 0 and card.unit_measure in _WHOLE_UNITS


def read_bodies(connection: psycopg.Connection) -> tuple[Body, ...]:
    """All municipalities of the current release, in the order of their codes; none when there is no release."""
    if connection.execute("select to_regclass('marts.dim_municipality')").fetchone() == (None,):
        return ()
    rows = connection.execute(
        "select municipality_code, full_name_uk from marts.dim_municipality order by municipality_code"
    )
    return tuple(Body(*row) for row in rows)


def packaged_bodies() -> tuple[Body, ...]:
    """All municipalities of the codifier that is installed with the project: for a machine without a warehouse."""
    units = [make_unit(levels, category or "", name or "") for _, *levels, category, name in read_packaged_units()]
    gazetteer = Gazetteer(unit for unit in units if unit.path)
    codes = sorted({unit.code for unit in units if unit.path and unit.municipality_code == unit.code})
    labels = ((code, gazetteer.resolve(code).candidates[0].label) for code in codes)
    return tuple(Body(code, label.removesuffix(f" ({code})")) for code, label in labels)


def choose_bodies(bodies: Iterable[Body], municipality_codes: Sequence[str]) -> tuple[Body, ...]:
    """The municipalities of these codes, or all when there are none. Raises UnknownMunicipalityError."""
    known = {body.municipality_code: body for body in bodies}
    unknown = [code for code in municipality_codes if code not in known]
    if unknown:
        raise UnknownMunicipalityError(
            f"{', '.join(unknown)}: у кодифікаторі немає такої громади (потрібен код КАТОТТГ громади: UA і 17 цифр) / "
            "no such hromada in the codifier (give the КАТОТТГ code of a hromada: UA and 17 digits)"
        )
    return tuple(known[code] for code in dict.fromkeys(municipality_codes)) or tuple(known.values())


def read_past(
    connection: psycopg.Connection, questions: Sequence[TemplateRow], year: int, municipality_codes: Sequence[str]
) -> dict[str, Past]:
    """Published values of ``year`` by municipality, where the unit is still the one that ``questions`` ask in.

    What is not published (restricted indicators, hidden small counts) is not shown either.
    """
    if connection.execute("select to_regclass('marts.fct_indicator_value')").fetchone() == (None,):
        return {}
    rows = connection.execute(
        """
        select municipality_code, indicator_code, sex, obs_value, obs_status, unit_measure
        from marts.fct_indicator_value
        where collection_code = %s and not is_derived and time_period = %s and municipality_code = any(%s)
            and status_reason is distinct from 'suppressed' -- hidden by us: the sender never called it confidential
        """,
        (COLLECTION_CODE, str(year), list(municipality_codes)),
    )
    units = {row.code: row.unit for row in questions}
    past: dict[str, dict[tuple[str, str], float | str]] = {}
    for municipality_code, code, sex, value, status, unit in rows:
        shown = value if value is not None else MISSING_REASONS.get(status) if status != "M_NR" else None
        if shown is not None and units.get(code) == unit:
            past.setdefault(municipality_code, {})[code, sex] = shown
    return dict(past)


def read_registers(
    connection: psycopg.Connection, questions: Sequence[TemplateRow], year: int, municipality_codes: Sequence[str]
) -> dict[str, Mapping[tuple[str, str], float]]:
    """What open registers know of ``year``, as published, by municipality and (indicator code, sex), in the unit asked."""
    if connection.execute("select to_regclass('marts.fct_register_value')").fetchone() == (None,):
        return {}
    rows = connection.execute(
        """
        select municipality_code, indicator_code, sex, register_value, unit_measure
        from marts.fct_register_value
        where collection_code = %s and time_period = %s and municipality_code = any(%s)
        """,
        (COLLECTION_CODE, str(year), list(municipality_codes)),
    )
    units = {row.code: row.unit for row in questions}
    known: dict[str, dict[tuple[str, str], float]] = {}
    for municipality_code, code, sex, value, unit in rows:
        if units.get(code) == unit:
            known.setdefault(municipality_code, {})[code, sex] = value
    return dict(known)


def make_templates(
    folder: Path,
    bodies: Sequence[Body],
    questions: Sequence[TemplateRow],
    year: int,
    catalogue_version: str,
    past: Mapping[str, Past],
    registers: Mapping[str, Mapping[tuple[str, str], float]] | None = None,
) -> MadeTemplates:
    """Write a template of ``year`` for each of ``bodies`` into ``folder``; a file that has these bytes is left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{bodies[0].municipality_code}.part" if bodies else folder
    paths: list[Path] = []
    unchanged = 0
    for number, body in enumerate(bodies, start=1):
        write_template(
            part,
            indicators=questions,
            municipality_code=body.municipality_code,
            municipality_name=body.name_uk,
            time_period=str(year),
            catalogue_version=catalogue_version,
            answers={},
            last_year=past.get(body.municipality_code),
            registers=(registers or {}).get(body.municipality_code),
        )
        path = folder / template_name(body, questions, year)
        if path.exists() and path.read_bytes() == part.read_bytes():
            part.unlink()
            unchanged += 1
        else:
            part.replace(path)
        paths.append(path)
        if number % _PROGRESS_EVERY == 0:
            logger.info("%d of %d templates made", number, len(bodies))
    return MadeTemplates(tuple(paths), unchanged, sum(body.municipality_code not in past for body in bodies))


def template_folder(home: Path, year: int) -> Path:
    """Where the templates of a year lie."""
    return home / "templates" / str(year)


def template_name(body: Body, questions: Sequence[TemplateRow], year: int) -> str:
    """Name of a template's file: whose it is for people, then for programs; a template of few domains names them."""
    domains = list(dict.fromkeys(row.domain_code for row in questions))
    part = f" {'-'.join(domains)}" if len(domains) <= _MOST_DOMAINS_IN_NAME else ""
    return f"{_NOT_IN_NAMES.sub(' ', body.name_uk)} {body.municipality_code} {year}{part}.xlsx"
