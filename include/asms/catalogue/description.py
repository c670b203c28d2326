"""The form of a year in words, for people (Markdown) and programs (YAML, JSON), and what changes from year to year.

Everything comes from the cards: which are valid in the year, and what they say.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from asms.catalogue.cards import Card, Catalogue
from asms.catalogue.grammar import Reference, parse_check

_COMPARED = (
    "version", "name_uk", "name_en", "definition_uk", "unit_measure", "decimals", "indicator_type", "is_sex_split", "min_value",
    "max_value", "checks",
)  # fmt: skip
"""What a sender would notice; how a figure is added up or kept secret changes no question."""

_MOST_CHOICES = 20


@dataclass(frozen=True)
class Question:
    """One line of the form. ``checks`` have rule_id, severity, expression and the finding's title in both languages."""

    code: str
    version: int
    name_uk: str
    name_en: str
    definition_uk: str
    unit: str
    decimals: int
    is_sex_split: bool
    min_value: float | None
    max_value: float | None
    choices: tuple[str, ...]
    prefilled_from: str | None
    checks: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class FormDomain:
    """One sheet of the form."""

    domain_code: str
    name_uk: str
    name_en: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class FormDescription:
    """The form of one year: ``question_count`` indicators in ``cell_count`` cells (T, and F and M where split)."""

    collection_code: str
    year: int
    catalogue_version: str
    question_count: int
    cell_count: int
    domains: tuple[FormDomain, ...]


@dataclass(frozen=True)
class FieldChange:
    """What a card says otherwise."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """One code that was 'added', is 'gone' or has 'changed' ``fields``."""

    code: str
    kind: Literal["added", "gone", "changed"]
    name_uk: str
    name_en: str
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True)
class FormChanges:
    """The changelog of a form from one year to another."""

    collection_code: str
    before: int
    after: int
    changes: tuple[Change, ...]


def asked_cards(catalogue: Catalogue, collection_code: str, year: int) -> list[Card]:
    """Cards that the collection asks for ``year``, each in the version of that year, in the order of the catalogue."""
    return [
        card
        for card in catalogue.as_of(year).indicators
        if card.collection_code == collection_code
        and not card.is_derived
        and card.valid_from <= year
        and (card.valid_to is None or year <= card.valid_to)
    ]


def list_choices(catalogue: Catalogue, year: int) -> dict[str, tuple[str, ...]]:
    """All answers there are in ``year``, by code: of attributes between two near bounds, and of what a rule ``CODE in (…)`` is about."""
    found: dict[str, tuple[str, ...]] = {}
    for card in catalogue.as_of(year).indicators:
        if card.indicator_type == "attribute" and not card.decimals and not card.is_derived:
            low, high = card.min_value, card.max_value
            if low is not None and high is not None and high - low < _MOST_CHOICES:
                found[card.indicator_code] = tuple(str(code) for code in range(int(low), int(high) + 1))
    for rule in catalogue.rules:
        if (
            rule.is_asked(year)
            and rule.expression
            and rule.severity in ("error", "fatal")
            and " in " in rule.expression
        ):
            check = parse_check(rule.expression, rule.rule_id)
            if check.choices and isinstance(check.sides[0], Reference):
                found[check.sides[0].indicator_code] = tuple(f"{choice:g}" for choice in check.choices)
    return found


def describe_form(catalogue: Catalogue, collection_code: str, year: int) -> FormDescription:
    """Describe every question of the collection's form for ``year``."""
    cards = asked_cards(catalogue, collection_code, year)
    choices = list_choices(catalogue, year)
    checks: dict[str, list[Mapping[str, str]]] = {}
    for rule in catalogue.rules:
        if rule.indicator_code and rule.expression and rule.is_asked(year):
            checks.setdefault(rule.indicator_code, []).append(
                {
                    "rule_id": rule.rule_id,
                    "severity": rule.severity,
                    "expression": rule.expression,
                    "title_uk": rule.title_uk,
                    "title_en": rule.title_en,
                }
            )
    domains = [
        FormDomain(
            domain.domain_code,
            domain.name_uk,
            domain.name_en,
            tuple(_question(card, choices, checks) for card in cards if card.domain_code == domain.domain_code),
        )
        for domain in catalogue.domains
        if domain.collection_code == collection_code
    ]
    return FormDescription(
        collection_code,
        year,
        catalogue.catalogue_version,
        len(cards),
        sum(len(card.sexes) for card in cards),
        tuple(domain for domain in domains if domain.questions),
    )


def list_changes(catalogue: Catalogue, collection_code: str, before: int, after: int) -> FormChanges:
    """What the form of ``after`` adds to that of ``before``, leaves out and asks otherwise, in the order of the codes."""
    old = {card.indicator_code: card for card in asked_cards(catalogue, collection_code, before)}
    new = {card.indicator_code: card for card in asked_cards(catalogue, collection_code, after)}
    compared = (_compare(old.get(code), new.get(code)) for code in sorted(old.keys() | new.keys()))
    return FormChanges(collection_code, before, after, tuple(change for change in compared if change))


def as_data(described: FormDescription | FormChanges) -> dict[str, Any]:
    """A description or changelog as plain lists and mappings, for YAML and JSON."""
    plain: dict[str, Any] = _plain(asdict(described))
    return plain


def form_as_markdown(form: FormDescription) -> str:
    """The description for people; pipes and angle brackets of the catalogue's texts are escaped."""
    return "\n".join(_markdown_lines(form)) + "\n"


def changes_as_markdown(found: FormChanges) -> str:
    """The changelog of the form, written also when nothing changed."""
    lines = [f"# Зміни форми {found.before} → {found.after} / Changes of the form", ""]
    titles = {"added": "Додано / Added", "gone": "Вилучено / Gone", "changed": "Змінено / Changed"}
    if not found.changes:
        lines.append("Форма не змінилася. / The form did not change.")
    for kind, title in titles.items():
        of_kind = [change for change in found.changes if change.kind == kind]
        if of_kind:
            lines += [f"## {title}: {len(of_kind)}", ""]
        for change in of_kind:
            lines.append(f"* `{change.code}` {_escape(change.name_uk)} / {_escape(change.name_en)}")
            lines += [f"  * {one.field}: {_escape(one.before)} → {_escape(one.after)}" for one in change.fields]
        if of_kind:
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _question(
    card: Card, choices: Mapping[str, tuple[str, ...]], checks: Mapping[str, Sequence[Mapping[str, str]]]
) -> Question:
    return Question(
        code=card.indicator_code,
        version=card.version,
        name_uk=card.name_uk,
        name_en=card.name_en,
        definition_uk=card.definition_uk,
        unit=card.unit_measure,
        decimals=card.decimals,
        is_sex_split=card.is_sex_split,
        min_value=card.min_value,
        max_value=card.max_value,
        choices=choices.get(card.indicator_code, ()),
        prefilled_from=card.source.partition(":")[2] or None,
        checks=tuple(checks.get(card.indicator_code, ())),
    )


def _compare(old: Card | None, new: Card | None) -> Change | None:
    if old is None:
        return Change(new.indicator_code, "added", new.name_uk, new.name_en) if new else None
    if new is None:
        return Change(old.indicator_code, "gone", old.name_uk, old.name_en)
    pairs = ((field, getattr(old, field), getattr(new, field)) for field in _COMPARED)
    fields = tuple(FieldChange(field, before, after) for field, before, after in pairs if before != after)
    return Change(new.indicator_code, "changed", new.name_uk, new.name_en, fields) if fields else None


def _markdown_lines(form: FormDescription) -> Iterator[str]:
    yield f"# Форма {form.collection_code} за {form.year} рік / Form for {form.year}"
    yield ""
    yield (
        f"Показників {form.question_count}, клітинок {form.cell_count}, версія каталогу {form.catalogue_version}. / "
        f"{form.question_count} indicators, {form.cell_count} cells, catalogue version {form.catalogue_version}."
    )
    for domain in form.domains:
        yield ""
        yield f"## {domain.domain_code}. {_escape(domain.name_uk)} / {_escape(domain.name_en)}"
        yield ""
        yield "| код / code | показник / indicator | одиниця / unit | відповідь / answer | визначення / definition |"
        yield "|---|---|---|---|---|"
        for question in domain.questions:
            yield (
                f"| {question.code} | {_escape(question.name_uk)} / {_escape(question.name_en)} | "
                f"{_escape(question.unit)} | {_answer(question)} | {_escape(question.definition_uk)} |"
            )
        checked = [(question, check) for question in domain.questions for check in question.checks]
        if checked:
            yield ""
            yield "Перевірки / Checks:"
            yield ""
        for _, check in checked:
            yield (
                f"* `{check['rule_id']}` ({check['severity']}): {_escape(check['title_uk'])} / {_escape(check['title_en'])}: "
                f"`{check['expression']}`"
            )


def _answer(question: Question) -> str:
    if question.choices:
        return ", ".join(question.choices)
    low = "" if question.min_value is None else f"≥ {question.min_value:g}"
    high = "" if question.max_value is None else f"≤ {question.max_value:g}"
    places = f"0,{'0' * question.decimals}" if question.decimals else "0"
    split = "усього, жінки, чоловіки / T, F, M" if question.is_sex_split else ""
    return "; ".join(part for part in (places, low, high, split) if part)


def _escape(text: object) -> str:
    return str(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value
