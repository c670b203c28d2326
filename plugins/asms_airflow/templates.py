"""Making every municipality's template of a year, chunk by chunk."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from asms.settings import load_settings
from asms.warehouse.connection import open_warehouse

if TYPE_CHECKING:
    from asms.returns import Body

_CHUNK = 150
"""Municipalities a task: some fifteen seconds of work, and a dozen tasks for the country."""


def plan(params: Mapping[str, Any]) -> list[dict[str, int]]:
    """Chunks of the municipalities that ``params`` name, as positions in their list."""
    total = len(_list_bodies(params))
    return [{"first": first, "count": min(_CHUNK, total - first)} for first in range(0, total, _CHUNK)]


def make(params: Mapping[str, Any], chunk: Mapping[str, int]) -> dict[str, Any]:
    """Make the templates of one chunk in ASMS_HOME/templates/<year>; counts, and the seconds of CPU that it took."""
    from asms import returns
    from asms.catalogue import load_catalogue

    begin = time.process_time()
    bodies = _list_bodies(params)[chunk["first"] : chunk["first"] + chunk["count"]]
    settings, catalogue, year = load_settings(), load_catalogue(), int(params["year"])
    questions = returns.list_questions(catalogue, year)
    codes = [body.municipality_code for body in bodies]
    with open_warehouse(settings).connect("bi") as connection:
        past = returns.read_past(connection, questions, year - 1, codes)
        registers = returns.read_registers(connection, questions, year, codes)
    folder = returns.template_folder(settings.home, year)
    made = returns.make_templates(folder, bodies, questions, year, catalogue.catalogue_version, past, registers)
    return {
        "count": len(made.paths),
        "unchanged_count": made.unchanged_count,
        "without_last_year_count": made.bare_count,
        "cpu_seconds": round(time.process_time() - begin, 2),
    }


def _list_bodies(params: Mapping[str, Any]) -> "tuple[Body, ...]":
    """The municipalities named, or all: of the current release, or of the codifier when nothing is published yet."""
    from asms import returns

    with open_warehouse(load_settings()).connect("bi") as connection:
        bodies = returns.read_bodies(connection)
    named = (params.get("municipalities") or "").replace(",", " ").split()
    return returns.choose_bodies(bodies or returns.packaged_bodies(), named)
