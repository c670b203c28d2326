"""News as a mail: a subject, a text and an HTML part that say the same, Ukrainian first.

Values come from files that anybody may send. They are data to the templates, never templates themselves; the HTML part escapes
all of them; each is put on one line, without characters that turn or hide text, and is cut.
"""

import importlib.resources
import re
import unicodedata
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

import jinja2
import yaml

from asms.notify.news import News

_LONGEST = 300
"""Characters shown of any one text; of a query, ``_LONGEST_QUERY``."""
_LONGEST_QUERY = 4000
_TOLD_WITH_EXAMPLES = 30
"""Rules whose findings are shown; those after them, which are less grave or broken less often, have a line each."""
_SEVERITIES = ("fatal", "error", "warning")
_KYIV = ZoneInfo("Europe/Kyiv")
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_FIGURES = re.compile(rf"([≤≥<>=≈… ]*{_NUMBER}(?:[… ]+{_NUMBER})?[… ]*)( \(.*\))?")
_GROUPED_FROM = 5
"""Digits of a whole number from which on its thousands are parted."""
_QUOTIENT_DIGITS = 4
_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}


@dataclass(frozen=True)
class Letter:
    """A composed mail without its address."""

    subject: str
    text: str
    html: str


def compose(news: News, *, is_sample: bool) -> Letter:
    """Compose ``news``; the same news give the same letter."""
    subject = _subject(news)
    given: dict[str, Any] = {
        "news": _shown(asdict(news)),
        "told_with_examples": _TOLD_WITH_EXAMPLES,
        "has_failed": news.run.has_failed,
        "counts": {severity: news.count(severity) for severity in _SEVERITIES},
        "subject": subject,
        "is_sample": is_sample,
    }
    return Letter(subject, render("mail.txt.j2", given), render("mail.html.j2", given))


def render(name: str, given: dict[str, Any]) -> str:
    """A template of this package with ``given`` and the words filled in."""
    return _environment().get_template(name).render({**_words(), **given}).strip() + "\n"


def clean(value: object, longest: int = _LONGEST) -> str:
    """``value`` on one line: blanks folded, characters that cannot be seen or turn the text around left out, cut if long."""
    folded = re.sub(r"\s+", " ", str(value))
    seen = "".join(character for character in folded if unicodedata.category(character) not in _HIDDEN).strip()
    return seen if len(seen) <= longest else seen[: longest - 1].rstrip() + "…"


def spell_figures(text: str, language: Literal["uk", "en"], expected: str | None = None) -> str:
    """A number or range, as the rules put it down («≤ 6632338.4»), as people of the language write it; other text as it is.

    A quotient, which is told with what was divided («1.866595 (IMP.004 / IMP.002)»), is rounded, never as far as the figures that
    were ``expected`` of it.
    """
    found = _FIGURES.fullmatch(text)
    if found is None:
        return text
    thousands, point = ("\u00a0", ",") if language == "uk" else (",", ".")
    figures = (
        re.sub(_NUMBER, lambda number: _round(number[0], expected or ""), found[1])
        if "/" in (found[2] or "")
        else found[1]
    )

    def spell(number: re.Match[str]) -> str:
        whole, _, fraction = number[0].partition(".")
        is_long = len(whole.lstrip("-")) >= _GROUPED_FROM
        grouped = f"{int(whole):,}".replace(",", thousands) if is_long else whole
        return f"{grouped}{point}{fraction}" if fraction else grouped

    return re.sub(_NUMBER, spell, figures) + (found[2] or "")


def _round(number: str, expected: str) -> str:
    """``number`` to as few significant digits, four at least, as leave it on its own side of each figure in ``expected``."""
    exact = Decimal(number)
    limits = [Decimal(limit) for limit in re.findall(_NUMBER, expected)]
    for digits in range(_QUOTIENT_DIGITS, len(number)):
        rounded = exact.quantize(Decimal(1).scaleb(min(exact.adjusted() - digits + 1, 0)))
        if all(exact.compare(limit) == rounded.compare(limit) for limit in limits):
            return f"{rounded.normalize():f}"
    return number


def _subject(news: News) -> str:
    """What happened and how much of it, e.g. «АСМС: публікацію зупинено (staging); … / publishing stopped»."""
    headline = _words()["headline"][news.run.status]
    gate = f" ({news.run.closed_gate})" if news.run.closed_gate else ""
    lost = [source.source for source in news.sources]
    parts = [f"{headline['uk']}{gate}"]
    if lost:
        parts.append(f"не завантажено: {', '.join(lost)}")
    counts = [
        f"{_words()['severity'][severity]['uk']} {news.count(severity)}"
        for severity in _SEVERITIES
        if news.count(severity)
    ]
    if counts:
        parts.append(", ".join(counts))
    return clean(f"АСМС: {'; '.join(parts)} / {headline['en']}")


@cache
def _words() -> dict[str, dict[str, dict[str, str]]]:
    source = importlib.resources.files("asms.notify").joinpath("words.yaml")
    words: dict[str, dict[str, dict[str, str]]] = yaml.safe_load(source.read_text(encoding="utf-8"))
    return words


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("asms.notify"),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["spell_figures"] = spell_figures
    return environment


def _shown(value: Any, key: str = "") -> Any:
    """``value`` with every text in it cleaned and every moment in Kyiv's time: templates see nothing else."""
    if isinstance(value, dict):
        return {name: _shown(part, name) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(part) for part in value]
    if isinstance(value, datetime):
        return value.astimezone(_KYIV).strftime("%d.%m.%Y %H:%M")
    if isinstance(value, str):
        return clean(value, _LONGEST_QUERY if key == "failing_rows_sql" else _LONGEST)
    return value
