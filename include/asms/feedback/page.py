"""The report as a page for people without a spreadsheet program. Everything that a sender wrote is escaped."""

from dataclasses import asdict
from functools import cache
from typing import Any

import jinja2

from asms.feedback.report import Report
from asms.feedback.words import words
from asms.feedback.workbook import clean_lines, name_indicator
from asms.notify.compose import spell_figures

_LONGEST = 500
"""Characters shown of any one text."""


def write_page(report: Report) -> str:
    """The page on ``report``; the same report gives the same page."""
    given: dict[str, Any] = {
        "municipality_code": report.municipality_code,
        "municipality_name": report.municipality_name,
        "time_period": report.time_period,
        "file_name": _clean(report.file_name),
        "form_code": report.form_code,
        "counts": report.counts,
        "findings": [
            {
                **{key: _clean(value) for key, value in asdict(item).items()},
                "value_found": spell_figures(_clean(item.value_found) or "", "uk", item.value_expected),
                "value_expected": spell_figures(_clean(item.value_expected) or "", "uk"),
                "indicator": list(name_indicator(item)),
            }
            for item in report.items
        ],
    }
    return _template().render(report=given, word=words())


def _clean(text: str | None) -> str | None:
    return None if text is None else clean_lines(text, _LONGEST)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("asms.feedback"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")
