"""Datasets of the portal of open data (data.gov.ua) by its CKAN API: the newest resource of a dataset, and not twice.

The library ckanapi is not used: it brings an HTTP client of its own, without the patience of ``asms.sources.http``, for one GET
(docs/adr/0010-sources-of-open-data.md).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import httpx

from asms.settings import Settings
from asms.sources import SourceError, SourceNotSetError, SourceResult
from asms.sources.answers import Question, load_answers
from asms.sources.http import Patience, client_for, get_bytes, read_json
from asms.sources.ledger import Feed, Reading, Store
from asms.warehouse.connection import Warehouse

ACTION_PATH = "/api/3/action/package_show"
_ADDRESS = re.compile(r"(?P<base>https?://[^/]+)/dataset/(?P<id>[\w-]+)/?")
_FORMATS = {"CSV", "XLSX", "JSON", "ZIP"}


@dataclass(frozen=True)
class Resource:
    """One file of a dataset. ``changed_at`` is what the publisher says, as text; ``tag`` names its bytes, None when nothing does."""

    resource_id: str
    url: str
    changed_at: str
    tag: str | None


def fetch_dataset(
    warehouse: Warehouse,
    settings: Settings,
    store: Store,
    feed: Feed,
    read: Callable[[bytes, Resource], Reading],
    *,
    force: bool,
    client: httpx.Client | None,
    patience: Patience | None,
) -> SourceResult:
    """Load the newest resource of the dataset at ``ASMS_<SOURCE>_URL`` (https://data.gov.ua/dataset/…), cut by ``read``.

    A resource whose hash or time is that of the last one is not downloaded. Raises SourceNotSetError without an
    address, else as ``load_answers``.
    """
    address = settings.urls.get(feed.source, "")
    name = f"ASMS_{feed.source.upper()}_URL"
    remedy = "write the dataset's page, like https://data.gov.ua/dataset/5a3b7c4d-…"
    if not address:
        raise SourceNotSetError(f"no dataset is set in {name}: {remedy}")
    with client_for(client) as own_client:

        def questions() -> Iterator[Question]:
            found = _ADDRESS.fullmatch(address)
            if not found:
                raise SourceError(f"{name} is {address!r}: {remedy}")
            answer = get_bytes(own_client, found["base"] + ACTION_PATH, {"id": found["id"]}, patience=patience)
            resource = newest_resource(answer, found["base"])
            yield Question(
                found["id"],
                lambda: get_bytes(own_client, resource.url, patience=patience),
                lambda data: read(data, resource),
                tag=resource.tag,
            )

        return load_answers(warehouse, settings, store, feed, questions(), force=force)


def newest_resource(answer: bytes, base_url: str) -> Resource:
    """Choose from an answer of package_show the table that was changed last, by what the publisher says; never by a clock of ours.

    Raises SourceError when the answer is none, or the dataset has no table.
    """
    try:
        content: dict[str, Any] = read_json(answer)
        if not content["success"]:
            raise SourceError(f"the portal refuses the dataset: {content.get('error')}")
        return _choose(content["result"]["resources"], base_url)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            f"the portal's answer is no description of a dataset ({type(error).__name__} {error})"
        ) from error


def _choose(resources: list[dict[str, Any]], base_url: str) -> Resource:
    tables = [
        one
        for one in resources
        if str(one.get("format", "")).upper() in _FORMATS and one.get("state", "active") == "active"
    ]
    if not tables:
        formats = ", ".join(sorted({str(one.get("format")) for one in resources})) or "no resource at all"
        raise SourceError(f"the dataset has no {', '.join(sorted(_FORMATS))}: {formats}")
    newest = max(tables, key=_changed_at)
    changed_at = _changed_at(newest)
    mark = newest.get("hash") or changed_at
    return Resource(
        str(newest.get("id")),
        urljoin(base_url, str(newest["url"])),
        changed_at,
        f"{newest.get('id')} {mark}" if mark else None,
    )


def _changed_at(resource: dict[str, Any]) -> str:
    """ISO text, so that it sorts; '' where the publisher says nothing."""
    return str(resource.get("last_modified") or resource.get("created") or "")
