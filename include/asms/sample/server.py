"""A local server that speaks like the open-data services: for the sample, for replays of recorded data, for tests.

It listens on 127.0.0.1 only. The clients in ``asms.sources`` cannot tell it from the real services.
"""

import argparse
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from asms.sample.services import Reply, budget_items, budget_years, open_services

Fault = Callable[[str, Reply], Reply]
"""Given the request's path with its query and the right reply: the reply to send."""


class Recordings:
    """What the server answers from: the files below ``replay``, or the sample where that is None."""

    def __init__(self, replay: Path | None) -> None:
        self._services = open_services(replay)
        self.years = budget_years(self._services)
        self.budget_items = budget_items(self._services)
        self.paths = {source: service.path for source, service in self._services.items()}

    def reply(self, target: str) -> Reply:
        """The right answer to a GET of ``target`` (path with query)."""
        url = urlsplit(target)
        replies = (service.reply(url) for service in self._services.values())
        return next((reply for reply in replies if reply), Reply(404, b"not found\n", "text/plain"))


@dataclass(frozen=True)
class LocalServer:
    """A running server. ``requests`` grows with every request (path with query)."""

    base_url: str
    years: tuple[int, ...]
    """Years of budget execution that it has; empty when it has none."""
    paths: Mapping[str, str]
    """What it has: for each source, where below ``base_url`` the address is that the source is to be sent to."""
    budget_items: tuple[str, ...] = ()
    """What can be asked about a budget, as INCOMES or EXPENSES:PROGRAM."""
    requests: list[str] = field(default_factory=list)

    @property
    def urls(self) -> dict[str, str]:
        """Addresses for ``Settings.urls``."""
        return {
            source: " ".join(path if "://" in path else self.base_url + path for path in paths.split(" "))
            for source, paths in self.paths.items()
        }


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
            paths=recordings.paths,
            budget_items=recordings.budget_items,
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
