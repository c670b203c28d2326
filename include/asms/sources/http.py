"""Asking a service over HTTP: patiently, politely, and never taking half an answer for a whole one.

What belongs: tries, waits, and what is wrong with an answer whatever it is about. What does not: what an answer means.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import tenacity

from asms.sources import SourceError, TransientSourceError

logger = logging.getLogger(__name__)

_MOST_BYTES = 64 * 2**20  # the largest answer known is 3 MB
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")  # whole ones are written so too, in pairs
_TOO_MANY, _REQUEST_TIMEOUT = 429, 408


@dataclass(frozen=True)
class Patience:
    """How long a source is asked before it is given up; all waits in seconds.

    ``pause`` is kept between two requests, so that nobody's service is hammered. ``sleep`` is replaced in tests.
    """

    tries: int = 5
    total: float = 180.0
    first_wait: float = 0.5
    longest_wait: float = 30.0
    pause: float = 0.0
    sleep: Callable[[float], None] = time.sleep


class _RefusedError(TransientSourceError):
    """A refusal that may name the seconds to wait."""

    def __init__(self, message: str, retry_after: float | None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def new_client() -> httpx.Client:
    """Client with the time-outs that every source uses; it takes no proxy or password from the environment."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it writes a line per request, and there are hundreds
    return httpx.Client(
        timeout=httpx.Timeout(60.0, connect=15.0),
        follow_redirects=True,
        trust_env=False,
        headers={"User-Agent": "asms-warehouse (Association of Ukrainian Cities)"},
    )


@contextmanager
def client_for(given: httpx.Client | None) -> Iterator[httpx.Client]:
    """``given``, which its owner closes, or a new client that is closed at the end."""
    if given is not None:
        yield given
        return
    with new_client() as own:
        yield own


def get_bytes(
    client: httpx.Client,
    url: str,
    params: Mapping[str, str] | None = None,
    *,
    check: Callable[[bytes], None] | None = None,
    patience: Patience | None = None,
) -> bytes:
    """GET ``url`` and return its whole body.

    ``check`` looks at the body and raises SourceError (given up at once) or TransientSourceError (asked again).

    Raises:
        TransientSourceError: no connection, time-out, 429, 5xx, empty or cut body, after all tries.
        SourceError: an answer that asking again does not mend: another status, a web page, a body without end.
    """
    given = patience or Patience()
    back_off = tenacity.wait_exponential_jitter(
        initial=given.first_wait, max=given.longest_wait, jitter=given.first_wait
    )

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, _RefusedError) else None
        return asked if asked is not None else back_off(state)

    def log(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        logger.info("try %d of %d: %s; asking again", state.attempt_number, given.tries, error)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(TransientSourceError),
        stop=tenacity.stop_after_attempt(given.tries) | tenacity.stop_before_delay(given.total),
        wait=wait,
        sleep=given.sleep,
        before_sleep=log,
        reraise=True,
    )
    return retrying(_get_once, client, url, params, check, given.total)


def _get_once(
    client: httpx.Client,
    url: str,
    params: Mapping[str, str] | None,
    check: Callable[[bytes], None] | None,
    seconds: float,
) -> bytes:
    deadline = time.monotonic() + seconds
    try:
        with client.stream("GET", url, params=params) as response:
            _check_status(response)
            body = _read(response, deadline)
            content_type = response.headers.get("content-type", "")
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as error:
        raise SourceError(f"{url} is not an address that can be asked: {error}") from error
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise TransientSourceError(f"no whole answer from {url}: {type(error).__name__} {error}".rstrip()) from error
    if not body:
        raise TransientSourceError(f"{url} answered 200 with an empty body")
    if "html" in content_type.lower() or body.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        raise SourceError(f"{url} answered with a web page (HTML) instead of data")
    if check:
        check(body)
    return body


def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    if status in (_TOO_MANY, _REQUEST_TIMEOUT) or response.is_server_error:
        raise _RefusedError(f"{response.url.copy_with(query=None)} answered {status}", _retry_after(response))
    if not response.is_success:
        raise SourceError(f"{response.url.copy_with(query=None)} answered {status}")


def _read(response: httpx.Response, deadline: float) -> bytes:
    """The body; httpx itself raises when fewer bytes come than Content-Length promised."""
    parts: list[bytes] = []
    size = 0
    for part in response.iter_bytes():
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            raise SourceError(f"{response.url.copy_with(query=None)} sends more than {_MOST_BYTES // 2**20} MB")
        if time.monotonic() > deadline:
            raise TransientSourceError(f"{response.url.copy_with(query=None)} sends too slowly")
    return b"".join(parts)


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that the header Retry-After asks for, given as a number or as a date."""
    text = str(response.headers.get("retry-after", "")).strip()
    if text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (until - datetime.now(UTC)).total_seconds()) if until.tzinfo else None


def read_json(body: bytes) -> Any:
    """What JSON text says. Raises ValueError for what is none, or holds half a character, which no database takes."""
    try:
        found = json.loads(body.decode("utf-8-sig"))
    except RecursionError as error:
        raise ValueError("its lists are inside each other too deep") from error
    if _HALF_CHARACTER.search(body):
        json.dumps(found, ensure_ascii=False).encode()
    return found
