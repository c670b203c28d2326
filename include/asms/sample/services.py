"""What the local server answers, source by source: as the real service does, from the sample or from recorded files."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, parse_qs

from asms.sample.budgets import HEADERS, SampleBudgets
from asms.sample.comparisons import indicator_page, rates
from asms.sample.population import population_workbook
from asms.sample.population_sdmx import PATH as SDMX_PATH
from asms.sample.population_sdmx import population_message
from asms.sample.portal import declarations_table, package, war_status_table
from asms.sample.replay import ReplayBudgets, find_file
from asms.sample.spending import (
    REPORTS_PATH,
    TENDERS_PATH,
    TRANSACTIONS_PATH,
    report_page,
    tender_page,
    transaction_page,
)
from asms.sample.transfers import equalisation_workbook, subvention_workbook

CLASSIFICATIONS_DIR = Path(__file__).parent / "data" / "classifications"
ACTION_PATH = "/api/3/action/package_show"
BUDGET_PATH = "/api/public/localBudgetData"
RATES_PATH = "/NBU_Exchange/exchange_site"
_INDICATOR_PATH = re.compile(r"/v2/country/([A-Z;]+)/indicator/([\w.]+)")
_JSON = "application/json;charset=utf-8"
_CSV = "text/csv;charset=windows-1251"  # what the real service says; its bytes are UTF-8
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True)
class Reply:
    """One answer. ``headers`` come over the usual ones, so that a test can send a Content-Length that is not true."""

    status: int = 200
    body: bytes = b""
    content_type: str = _CSV
    headers: Mapping[str, str] = field(default_factory=dict)


class Service(Protocol):
    """Answers in place of the service of one source."""

    @property
    def path(self) -> str:
        """Where below the server's base URL the address is that the source is sent to (``ASMS_<SOURCE>_URL``), or the URL of a folder.

        Several are parted by blanks.
        """

    def reply(self, url: SplitResult) -> Reply | None:
        """The right answer to a GET of ``url`` (path and query); None when it is not this service's."""


class _File:
    """A file at a fixed address."""

    def __init__(self, path: str, content: Callable[[], bytes], content_type: str = _XLSX) -> None:
        self.path, self._content, self._content_type = path, content, content_type

    @cached_property
    def _bytes(self) -> bytes:
        return self._content()

    def reply(self, url: SplitResult) -> Reply | None:
        return Reply(body=self._bytes, content_type=self._content_type) if url.path == self.path else None


class _Files:
    """Files of one source; its address is all of theirs, parted by blanks."""

    def __init__(self, files: Sequence[_File]) -> None:
        self._files = files
        self.path = " ".join(file.path for file in files)

    def reply(self, url: SplitResult) -> Reply | None:
        return next((reply for file in self._files if (reply := file.reply(url))), None)


class _Dataset:
    """A dataset of the portal of open data, by its CKAN API, and its newest file."""

    def __init__(self, dataset: str, file_name: str, content: Callable[[], bytes]) -> None:
        self._dataset, self._file_name, self._content = dataset, file_name, content
        self.path = f"/dataset/{dataset}"

    def reply(self, url: SplitResult) -> Reply | None:
        if url.path == ACTION_PATH and parse_qs(url.query).get("id") == [self._dataset]:
            return Reply(body=package(self._dataset, self._file_name), content_type="application/json;charset=utf-8")
        if url.path == f"{self.path}/resource/newest/download/{self._file_name}":
            return Reply(body=self._content(), content_type="application/octet-stream")
        return None


class _Rates:
    """Official exchange rates of the National Bank."""

    path = ""

    def reply(self, url: SplitResult) -> Reply | None:
        if url.path != RATES_PATH:
            return None
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        try:
            first, last = (datetime.strptime(query[key], "%Y%m%d").date() for key in ("start", "end"))  # noqa: DTZ007 - days
        except (KeyError, ValueError):
            return Reply(400, b"bad request", "text/plain")
        return Reply(body=rates(query.get("valcode", "").upper(), first, last), content_type=_JSON)


class _WorldBank:
    """Indicators of the World Bank, page by page."""

    path = ""

    def reply(self, url: SplitResult) -> Reply | None:
        found = _INDICATOR_PATH.fullmatch(url.path)
        if not found:
            return None
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        page, per_page = int(query.get("page", "1")), int(query.get("per_page", "50"))
        return Reply(body=indicator_page(found[2], found[1].split(";"), page, per_page), content_type=_JSON)


class _PopulationSdmx:
    """Population of regions, by the SDMX 2.1 endpoint of the statistics service."""

    path = ""

    def reply(self, url: SplitResult) -> Reply | None:
        asked = SDMX_PATH.fullmatch(url.path)
        if not asked:
            return None
        message = population_message(asked[1])
        if message is None:
            return Reply(404, b"No Results Found", "text/plain")
        return Reply(body=message, content_type="application/vnd.sdmx.structurespecificdata+xml;version=2.1")


class _Treasury:
    """Transactions and reports of spending.gov.ua, page by page."""

    path = ""

    def reply(self, url: SplitResult) -> Reply | None:
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        report = REPORTS_PATH.fullmatch(url.path)
        if report:
            return Reply(body=report_page(report[1], query), content_type=_JSON)
        if url.path != TRANSACTIONS_PATH:
            return None
        try:
            return Reply(body=transaction_page(query), content_type=_JSON)
        except (KeyError, ValueError):
            return Reply(400, b'{"error": "bad request"}', _JSON)


class _Prozorro:
    """The feed of tenders of ProZorro."""

    path = ""

    def reply(self, url: SplitResult) -> Reply | None:
        if url.path != TENDERS_PATH:
            return None
        try:
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            return Reply(body=tender_page(query), content_type=_JSON)
        except ValueError:
            return Reply(404, b'{"status": "error", "errors": [{"name": "offset"}]}', _JSON)


class _OpenBudget:
    """The Open Budget API: the ``years`` and ``questions`` that it has; without any there is nothing to answer from."""

    path = ""

    def __init__(self, replay: Path | None) -> None:
        self._budgets = SampleBudgets() if replay is None else ReplayBudgets(replay)
        self.years: tuple[int, ...] = self._budgets.years
        self.questions: tuple[tuple[str, str], ...] = self._budgets.questions

    def reply(self, url: SplitResult) -> Reply | None:
        if url.path != BUDGET_PATH:
            return None
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        question = query.get("budgetItem", ""), query.get("classificationType", "")
        is_known = question in HEADERS
        if not is_known or query.get("period") != "MONTH" or not query.get("year", "").isdigit():
            return Reply(400, b"bad request\n", "text/plain")
        header, rows = self._budgets.answer(query.get("budgetCode", ""), *question, int(query["year"]))
        return Reply(body=_csv_text([header, *rows], ";"))


class _Folder:
    """A folder of files, which its source reads where it lies and not through the server."""

    def __init__(self, folder: Path) -> None:
        self.path = folder.resolve().as_uri()

    def reply(self, _: SplitResult) -> Reply | None:
        return None


def open_services(replay: Path | None) -> dict[str, Service]:
    """Services by source: those of the sample, or where ``replay`` is given, those that have their file below it."""
    services: dict[str, Service] = {}
    budgets = _OpenBudget(replay)
    if budgets.years:
        services["open_budget"] = budgets
    lists = next(iter(sorted(replay.rglob("tkpkmb_*.json"))), None) if replay else None
    if lists or replay is None:
        services["budget_classification"] = _Folder(lists.parent if lists else CLASSIFICATIONS_DIR)
    for source, name, make_sample, sample_name in _DATASETS:
        file = find_file(replay, name) if replay else None
        if file:
            services[source] = _Dataset(source, name, file.read_bytes)
        elif replay is None:
            services[source] = _Dataset(source, sample_name, make_sample)
    if replay is None:
        services |= {
            "population_sdmx": _PopulationSdmx(),
            "currency": _Rates(),
            "world_bank": _WorldBank(),
            "treasury": _Treasury(),
            "prozorro": _Prozorro(),
        }
    found: dict[str, list[_File]] = {}
    for source, path, name, make_sample in _FILES:
        file = find_file(replay, name) if replay else None
        if file:
            found.setdefault(source, []).append(_File(path, file.read_bytes))
        elif replay is None:
            found.setdefault(source, []).append(_File(path, make_sample))
    services |= {source: _Files(parts) for source, parts in found.items()}
    return services


def budget_years(services: Mapping[str, Service]) -> tuple[int, ...]:
    """Years of budget execution that there are; none when there are no budgets."""
    budgets = services.get("open_budget")
    return budgets.years if isinstance(budgets, _OpenBudget) else ()


def budget_items(services: Mapping[str, Service]) -> tuple[str, ...]:
    """What can be asked about a budget, as ``ASMS_OPEN_BUDGET_ITEMS`` spells it; none when there are no budgets."""
    budgets = services.get("open_budget")
    return tuple(":".join(filter(None, one)) for one in budgets.questions) if isinstance(budgets, _OpenBudget) else ()


# Workbooks at an address of their own: source, path, name of the recorded file, the sample's workbook.
_FILES: tuple[tuple[str, str, str, Callable[[], bytes]], ...] = (
    ("population", "/population/2022.xlsx", "population-2022.xlsx", population_workbook),
    ("transfers", "/transfers/subvention_2023.xlsx", "mon_subvention_2023.xlsx", subvention_workbook),
    ("transfers", "/transfers/equalisation_2024.xlsx", "equalisation_2024.xlsx", equalisation_workbook),
)


# Datasets of the portal: source (and dataset), name of the recorded file, the sample's table, and the name of its file.
_DATASETS: tuple[tuple[str, str, Callable[[], bytes], str], ...] = (
    ("health_declarations", "declarations-hromada.csv", declarations_table, "declarations.csv"),
    ("war_status", "minregion-war-status.csv", war_status_table, "war_status.zip"),
)


def _csv_text(rows: Iterable[Iterable[object]], delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
