"""A local server that speaks like the open-data services: for the sample, for replays of recorded data, for tests.

It listens on 127.0.0.1 only. The clients in ``asms.sources`` cannot tell it from the real services.
"""

import argparse
import csv
import io
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from asms.sample.budgets import SampleBudgets
from asms.sample.population import population_workbook
from asms.sample.replay import ReplayBudgets, find_file

BUDGET_PATH = "/api/public/localBudgetData"
POPULATION_PATH = "/population/2022.xlsx"
_CLASSIFICATION_TYPES = {"INCOMES": "", "EXPENSES": "ECONOMIC"}
_CSV = "text/csv;charset=windows-1251"  # what the real service says; its bytes are UTF-8
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True)
class Reply:
    """One answer. ``headers`` come over the usual ones, so that a test can send a Content-Length that is not true."""

    status: int = 200
    body: bytes = b""
    content_type: str = _CSV
    headers: Mapping[str, str] = field(default_factory=dict)


Fault = Callable[[str, Reply], Reply]
"""Given the request's path with its query and the right reply: the reply to send."""


class _Budgets(Protocol):
    years: tuple[int, ...]

    def answer(self, budget_code: str, budget_item: str, year: int) -> tuple[list[str], list[list[str]]]:
        """Header and rows of one answer."""


class Recordings:
    """What the server answers from: the files below ``replay``, or the sample where that is None."""

    def __init__(self, replay: Path | None) -> None:
        self._budgets: _Budgets = SampleBudgets() if replay is None else ReplayBudgets(replay)
        self._population_file = find_file(replay, "population-2022.xlsx") if replay else None
        self.has_population = replay is None or self._population_file is not None
        self.years = self._budgets.years
        self.has_budgets = bool(self.years)

    @cached_property
    def population(self) -> bytes:
        return self._population_file.read_bytes() if self._population_file else population_workbook()

    def reply(self, target: str) -> Reply:
        """The right answer to a GET of ``target`` (path with query)."""
        url = urlsplit(target)
        if url.path == POPULATION_PATH and self.has_population:
            return Reply(body=self.population, content_type=_XLSX)
        if url.path == BUDGET_PATH and self.has_budgets:
            return self._budget_reply({key: values[0] for key, values in parse_qs(url.query).items()})
        return Reply(404, b"not found\n", "text/plain")

    def _budget_reply(self, query: Mapping[str, str]) -> Reply:
        item = query.get("budgetItem", "")
        is_known = query.get("classificationType", "") == _CLASSIFICATION_TYPES.get(item)
        if not is_known or query.get("period") != "MONTH" or not query.get("year", "").isdigit():
            return Reply(400, b"bad request\n", "text/plain")
        header, rows = self._budgets.answer(query.get("budgetCode", ""), item, int(query["year"]))
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=";", lineterminator="\r\n").writerows([header, *rows])
        return Reply(body=text.getvalue().encode())


@dataclass(frozen=True)
class LocalServer:
    """A running server. ``requests`` grows with every request (path with query)."""

    base_url: str
    years: tuple[int, ...]
    """Years of budget execution that it has; empty when it has none."""
    has_budgets: bool
    has_population: bool
    requests: list[str]

    @property
    def population_url(self) -> str:
        return self.base_url + POPULATION_PATH


@contextmanager
def serve(replay: Path | None = None, *, port: int = 0, fault: Fault | None = None) -> Iterator[LocalServer]:
    """Serve the sample, or what lies below the folder ``replay``, as long as the block runs.

    ``port`` 0 takes a free one. ``fault`` bends answers, for tests of the clients.
    """
    recordings = Recordings(replay)
    seen: list[str] = []
    httpd = ThreadingHTTPServer(("127.0.0.1", port), _handler(recordings, seen, fault))
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield LocalServer(
            base_url=f"http://127.0.0.1:{httpd.server_address[1]}",
            years=recordings.years,
            has_budgets=recordings.has_budgets,
            has_population=recordings.has_population,
            requests=seen,
        )
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def _handler(recordings: Recordings, seen: list[str], fault: Fault | None) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 1 << 16  # head and body leave together: sent apart, the second waits 40 ms for an acknowledgement

        def do_GET(self) -> None:
            seen.append(self.path)
            reply = recordings.reply(self.path)
            self._send(fault(self.path, reply) if fault else reply)

        def _send(self, reply: Reply) -> None:
            headers = {"Content-Type": reply.content_type, "Content-Length": str(len(reply.body)), **reply.headers}
            self.send_response(reply.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)
            if headers["Content-Length"] != str(len(reply.body)):
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the clients log."""

    return Handler


def main() -> None:
    """Serve until interrupted, after writing the base URL to standard output."""
    parser = argparse.ArgumentParser(prog="python -m asms.sample.server", description=main.__doc__)
    parser.add_argument("--replay", type=Path, help="folder with recorded open data; without it the sample is served")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    given = parser.parse_args()
    with serve(given.replay, port=given.port) as server:
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
