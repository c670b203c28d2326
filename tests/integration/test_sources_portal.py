"""Datasets of the portal of open data: the newest file, once; what is wrong is told and the last good one stands."""

import dataclasses
import json
from pathlib import Path
from types import ModuleType

import pytest

from asms.intake.landing import LandingStore
from asms.sample.portal import declarations_table
from asms.sample.server import Fault, serve
from asms.sample.services import ACTION_PATH, Reply
from asms.settings import Settings
from asms.sources import SourceError, SourceResult, TransientSourceError, health_declarations, war_status
from asms.sources.ckan import newest_resource
from asms.sources.http import Patience
from asms.warehouse.connection import Warehouse

pytestmark = pytest.mark.usefixtures("source_rules")
IMPATIENT = Patience(tries=2, sleep=lambda _: None)


class Fetcher:
    """Fetches one source; ``requests`` are those of the last fetch."""

    def __init__(self, warehouse: Warehouse, settings: Settings) -> None:
        self.warehouse, self.settings = warehouse, settings
        self.requests: list[str] = []

    def __call__(
        self,
        fault: Fault | None = None,
        *,
        source: ModuleType = health_declarations,
        replay: Path | None = None,
        force: bool = False,
    ) -> SourceResult:
        put = LandingStore(self.settings.landing).put
        with serve(replay, fault=fault) as server:
            self.requests = server.requests
            pointed = self.settings.model_copy(update={"urls": server.urls})
            result: SourceResult = source.fetch(self.warehouse, pointed, put, patience=IMPATIENT, force=force)
        return result

    def ask(self, query: str) -> list[tuple[object, ...]]:
        with self.warehouse.connect("gate") as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]


@pytest.fixture
def fetch(warehouse: Warehouse, settings: Settings) -> Fetcher:
    return Fetcher(warehouse, settings)


def _of_file(change: Fault) -> Fault:
    """Bend the file and leave the API's answer."""
    return lambda path, reply: reply if path.startswith(ACTION_PATH) else change(path, reply)


def test_an_unchanged_file_is_not_downloaded_again(fetch: Fetcher) -> None:
    first = fetch()
    assert [path.partition("?")[0] for path in fetch.requests] == [
        ACTION_PATH, "/dataset/health_declarations/resource/newest/download/declarations.csv"
    ]  # fmt: skip
    second = fetch()
    assert len(fetch.requests) == 1, "the portal says that it is the same file"
    assert (first.new_loads, second.new_loads, second.unchanged_loads) == (1, 0, 1)
    assert first.row_count == second.row_count > 20
    assert fetch(force=True).new_loads == 1
    assert fetch.ask("select distinct as_of_text from raw.health_declarations_row") == [("2022-11-30T10:00:00.000000",)]
    assert fetch.ask("select hromada_name from raw.health_declarations_row where hromada_code = 'UA05020030000031457'") == [
        ("Вінницька",), ("Вінницька",)
    ], "cp1251 was read as such"  # fmt: skip


def test_a_file_with_another_date_and_equal_bytes_is_no_news(fetch: Fetcher) -> None:
    fetch()

    def touched(_: str, reply: Reply) -> Reply:
        return dataclasses.replace(reply, body=reply.body.replace(b"2022-11-30", b"2022-12-01"))

    assert fetch(touched).unchanged_loads == 1
    assert len(fetch.requests) == 2
    assert fetch(touched).unchanged_loads == 1
    assert len(fetch.requests) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda _, __: Reply(404, b'{"success": false}', "application/json"), "answered 404"),
        (
            lambda _, __: Reply(body=b'{"success": false, "error": {"message": "Access denied"}}'),
            "refuses the dataset.*Access",
        ),
        (lambda _, __: Reply(body=b'{"success": true, "result": {"resources": []}}'), "no resource at all"),
        (lambda _, __: Reply(body=b"[]"), "no description of a dataset"),
        (_of_file(lambda _, __: Reply(body=b"<html>moved</html>", content_type="text/html")), "HTML"),
        (_of_file(lambda _, __: Reply(429)), "answered 429"),
        (
            _of_file(lambda _, reply: dataclasses.replace(reply, headers={"Content-Length": "999999"})),
            "no whole answer",
        ),
        (
            _of_file(lambda _, reply: dataclasses.replace(reply, body=reply.body.replace(b"female", b"women"))),
            "lacks the column.*female",
        ),
        (_of_file(lambda _, reply: dataclasses.replace(reply, body=b"<<<<<<< HEAD\n" + reply.body)), "conflict marker"),
        (_of_file(lambda _, __: Reply(body=json.dumps({"UA1": {"total": 1}}).encode())), "has become an object"),
    ],
)
def test_a_bad_answer_leaves_the_last_good_one(fetch: Fetcher, fault: Fault, words: str) -> None:
    fetch()
    before = fetch.ask("select count(*), min(load_id) from raw.health_declarations_row")

    def changed(path: str, reply: Reply) -> Reply:
        """Whatever is wrong with it, the portal says that there is something new."""
        bent = fault(path, reply)
        return dataclasses.replace(bent, body=bent.body.replace(b"2022-11-30", b"2022-12-01"))

    with pytest.raises(SourceError, match=words):
        fetch(changed)
    assert fetch.ask("select count(*), min(load_id) from raw.health_declarations_row") == before
    assert fetch.ask("select is_ok, last_ok_at is not null from ops.source_status") == [(False, True)]
    assert fetch().unchanged_loads == 1
    assert fetch.ask("select is_ok from ops.source_status") == [(True,)]


def test_odd_codes_and_figures_are_told_and_kept(fetch: Fetcher) -> None:
    table = declarations_table().decode("cp1251").splitlines()
    table[1] = table[1].replace("UA0", "UA", 1)
    cells = table[2].split(";")
    table[2] = ";".join([*cells[:3], "багато", *cells[4:]])
    body = "\r\n".join(table).encode("cp1251")
    fetch(_of_file(lambda _, reply: dataclasses.replace(reply, body=body)))
    found = fetch.ask("select rule_id, cell, value_found from quality.finding order by cell")
    assert [row[:2] for row in found] == [
        ("SOURCE_VALUE_INVALID", "hromada_code:2"),
        ("SOURCE_VALUE_INVALID", "total:3"),
    ]
    assert found[1][2] == "багато"


def test_the_newest_table_is_chosen_by_the_publisher_s_dates() -> None:
    def one(name: str, changed: str | None, form: str = "CSV", **more: str) -> dict[str, object]:
        return {
            "id": name,
            "url": f"/{name}",
            "format": form,
            "last_modified": changed,
            "created": "2020-01-01T00:00:00",
            **more,
        }

    def choose(*resources: dict[str, object]) -> str:
        answer = json.dumps({"success": True, "result": {"resources": resources}}).encode()
        return newest_resource(answer, "http://portal").resource_id

    assert choose(one("old", "2021-05-01T00:00:00"), one("new", "2031-01-01T00:00:00"), one("mid", None)) == "new", (
        "a skewed clock"
    )
    assert choose(one("a", "2022-01-01T00:00:00"), one("b", "2023-01-01T00:00:00", "PDF")) == "a"
    assert choose(one("a", "2022-01-01T00:00:00"), one("b", "2023-01-01T00:00:00", state="deleted")) == "a"


@pytest.mark.parametrize(
    ("address", "words"), [("", "no dataset is set in ASMS_WAR_STATUS_URL"), ("http://x/y", "write the dataset's page")]
)
def test_without_a_dataset_it_says_what_to_set(fetch: Fetcher, address: str, words: str) -> None:
    settings = fetch.settings.model_copy(update={"urls": {"war_status": address}})
    with pytest.raises(SourceError, match=words) as error:
        war_status.fetch(fetch.warehouse, settings, LandingStore(settings.landing).put)
    assert not isinstance(error.value, TransientSourceError)


def test_the_real_files_are_loaded_whole(fetch: Fetcher, real_data: Path) -> None:
    assert fetch(replay=real_data).row_count == 1402
    assert fetch(source=war_status, replay=real_data).row_count == 1469 * 6
    assert fetch.ask("select count(*) from quality.finding") == [(0,)]
