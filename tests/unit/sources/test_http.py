"""The client is patient with what passes, fails at once on what does not, and never takes half an answer."""

import dataclasses
from collections.abc import Callable

import httpx
import pytest

from asms.sample.server import Fault, serve
from asms.sample.services import BUDGET_PATH, Reply
from asms.sources import SourceError, TransientSourceError
from asms.sources.http import Patience, get_bytes, new_client
from asms.sources.open_budget_answer import check_whole

QUERY = {"budgetCode": "0253600000", "budgetItem": "INCOMES", "period": "MONTH", "year": "2023"}


def _ask(fault: Fault | None, *, tries: int = 3, total: float = 60.0) -> tuple[bytes, int, list[float]]:
    """(body, requests made, seconds that the client wanted to sleep)."""
    slept: list[float] = []
    with serve(fault=fault) as server, new_client() as client:
        try:
            body = get_bytes(
                client, server.base_url + BUDGET_PATH, QUERY, check=check_whole,
                patience=Patience(tries=tries, total=total, sleep=slept.append),
            )  # fmt: skip
        except SourceError as error:
            error.add_note(f"{len(server.requests)} requests, slept {slept}")
            raise
    return body, len(server.requests), slept


def _first(count: int, bend: Callable[[Reply], Reply]) -> Fault:
    """Bend the first ``count`` replies."""
    seen: list[str] = []

    def fault(path: str, reply: Reply) -> Reply:
        seen.append(path)
        return bend(reply) if len(seen) <= count else reply

    return fault


def _requests(error: pytest.ExceptionInfo[SourceError]) -> int:
    return int(error.value.__notes__[0].split()[0])


def test_a_good_answer_is_taken_whole() -> None:
    body, requests, slept = _ask(None)
    assert body.startswith(b"REP_PERIOD;FUND_TYP;COD_BUDGET;")
    assert (requests, slept) == (1, [])


def test_429_is_waited_out_as_long_as_the_service_asks() -> None:
    _, requests, slept = _ask(_first(2, lambda _: Reply(429, b"slow down", headers={"Retry-After": "7"})))
    assert (requests, slept) == (3, [7.0, 7.0])


def test_waits_grow_when_the_service_names_none() -> None:
    _, requests, slept = _ask(_first(2, lambda _: Reply(503)))
    assert requests == 3
    assert 0.5 <= slept[0] <= 1.0
    assert 1.0 <= slept[1] <= 1.5


def test_429_for_ever_ends() -> None:
    with pytest.raises(TransientSourceError, match="answered 429") as error:
        _ask(_first(99, lambda _: Reply(429)))
    assert _requests(error) == 3


def test_a_wait_longer_than_the_whole_patience_is_not_begun() -> None:
    with pytest.raises(TransientSourceError, match="answered 429") as error:
        _ask(_first(99, lambda _: Reply(429, headers={"Retry-After": "3600"})), total=60)
    assert _requests(error) == 1


def test_an_empty_body_is_asked_again() -> None:
    body, requests, _ = _ask(_first(1, lambda reply: dataclasses.replace(reply, body=b"")))
    assert body
    assert requests == 2


def test_an_empty_body_for_ever_is_an_error() -> None:
    with pytest.raises(TransientSourceError, match="empty body"):
        _ask(_first(99, lambda reply: dataclasses.replace(reply, body=b"")))


@pytest.mark.parametrize(
    "page",
    [
        Reply(body=b"<!DOCTYPE html><html>maintenance</html>\n", content_type="text/csv"),
        Reply(body=b"Sorry\n", content_type="text/html; charset=utf-8"),
    ],
)
def test_a_web_page_fails_at_once(page: Reply) -> None:
    with pytest.raises(SourceError, match="HTML") as error:
        _ask(_first(99, lambda _: page))
    assert not isinstance(error.value, TransientSourceError)
    assert _requests(error) == 1


def test_fewer_bytes_than_promised_are_asked_again() -> None:
    def cut(reply: Reply) -> Reply:
        promised = {"Content-Length": str(len(reply.body))}
        return dataclasses.replace(reply, body=reply.body[:500], headers=promised)

    body, requests, _ = _ask(_first(1, cut))
    assert len(body) > 500
    assert requests == 2


def test_a_body_cut_with_its_frame_is_asked_again_and_then_refused() -> None:
    with pytest.raises(TransientSourceError, match="breaks off") as error:
        _ask(_first(99, lambda reply: dataclasses.replace(reply, body=reply.body[:-3])))
    assert _requests(error) == 3


def test_a_wrong_address_fails_at_once() -> None:
    with pytest.raises(SourceError, match="answered 404") as error:
        _ask(_first(99, lambda _: Reply(404)))
    assert not isinstance(error.value, TransientSourceError)
    assert _requests(error) == 1


def test_nobody_there_is_worth_another_try() -> None:
    slept: list[float] = []
    with serve() as server:
        address = server.base_url
    with new_client() as client, pytest.raises(TransientSourceError, match="no whole answer"):
        get_bytes(client, address, patience=Patience(tries=2, sleep=slept.append))
    assert len(slept) == 1


def test_a_time_out_is_worth_another_try() -> None:
    def too_slow(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too slow", request=request)

    slept: list[float] = []
    transport = httpx.MockTransport(too_slow)
    with httpx.Client(transport=transport) as client, pytest.raises(TransientSourceError, match="ReadTimeout"):
        get_bytes(client, "http://127.0.0.1/", patience=Patience(tries=2, sleep=slept.append))
    assert len(slept) == 1
