"""Present population of regions by year, from the SDMX endpoint of the statistics service (stat.gov.ua).

One flow answers by КАТОТТГ code of the region: the country, oblasts, Kyiv and Sevastopol, and not hromadas, whose figures the
workbook of ``population`` has. The message names its dimensions and comes without a structure definition: extra ones cannot be
told from attributes, so a new one informs, and only two figures for one region and year block.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from io import BytesIO, StringIO

import httpx

from asms.findings import Finding
from asms.settings import Settings
from asms.sources import SourceError, SourceResult, TransientSourceError
from asms.sources.answers import Question, load_answers
from asms.sources.http import Patience, client_for, get_bytes
from asms.sources.ledger import Feed, Reading, Store
from asms.warehouse.connection import Warehouse

BASE_URL = "https://stat.gov.ua/sdmx/workspaces/default:integration/registry/sdmx/2.1"
FLOW = "SSSU,DF_POPULATION_STRUCTURE"
PRESENT, TOTAL, YEARLY = "PNMI_01", "_T", "A"
"""Codes of the service: present population (``PNMI_02`` is the resident one), all of a dimension, frequency."""
DIMENSIONS = ("INDICATOR", "REGION", "AGE", "GENDER", "TERRAIN_TYPE", "FREQ", "TIME_PERIOD")
FEED = Feed(
    source="population_sdmx",
    channel="api:population_sdmx",
    reader_version="1",
    table="raw.population_sdmx_value",
    columns=(
        "row_no", "indicator_code", "region_code", "age_code", "gender_code", "terrain_code", "freq", "time_period",
        "value_text", "obs_status",
    ),
)  # fmt: skip
_ROOT = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?<([\w:.-]+)")
_CLOCK = re.compile(rb"<((?:\w+:)?(?:ID|Prepared))>[^<]*</\1>")
_HEADER_END = re.compile(rb"</(?:\w+:)?Header>")
_PATTERNS = {
    "REGION": re.compile(r"UA\d{17}"),
    "TIME_PERIOD": re.compile(r"\d{4}"),
    "OBS_VALUE": re.compile(r"\d{1,12}(\.0+)?"),
}


def fetch(
    warehouse: Warehouse,
    settings: Settings,
    store: Store,
    *,
    force: bool = False,
    client: httpx.Client | None = None,
    patience: Patience | None = None,
) -> SourceResult:
    """Load ``raw.population_sdmx_value``: every year of every region. Raises as ``load_answers``."""
    base_url = settings.urls.get(FEED.source, BASE_URL).rstrip("/")
    key = ".".join((PRESENT, "", TOTAL, TOTAL, TOTAL, YEARLY))
    with client_for(client) as own_client:

        def ask() -> bytes:
            url = f"{base_url}/data/{FLOW}/{key}/all"
            return without_clock(get_bytes(own_client, url, check=_check_whole, patience=patience))

        return load_answers(warehouse, settings, store, FEED, [Question(FLOW, ask, read_values)], force=force)


def without_clock(message: bytes) -> bytes:
    """The message without the id and the time of its making, so that equal figures are equal bytes."""
    end = _HEADER_END.search(message)
    head, rest = (message[: end.start()], message[end.start() :]) if end else (b"", message)
    return _CLOCK.sub(b"", head) + rest


def read_values(data: bytes) -> Reading:
    """Cut a message into rows of raw.population_sdmx_value (after ``load_id``), text as found.

    Raises SourceError for what is no message of data, lacks a dimension, has no figure, or two for one region and year.
    """
    figures = list(_figures(data))
    if not figures:
        raise SourceError("the message has no figure: the service has changed its codes, and the reader must follow")
    present = {name for figure in figures for name in figure}
    lost = [name for name in (*DIMENSIONS, "OBS_VALUE") if name not in present]
    if lost:
        raise SourceError(f"the figures lack {', '.join(lost)}: the structure has changed, and the reader must follow")
    keys = [tuple(figure.get(name) for name in DIMENSIONS) for figure in figures]
    if len(set(keys)) != len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise SourceError(f"two figures for {' '.join(map(str, twice))}: the structure has a dimension more")
    findings = [_new_column(name) for name in sorted(present - {*DIMENSIONS, "OBS_VALUE", "OBS_STATUS"})]
    rows = []
    for row_no, figure in enumerate(figures, start=1):
        rows.append((row_no, *(figure.get(name) for name in (*DIMENSIONS, "OBS_VALUE", "OBS_STATUS"))))
        findings += [
            _odd(row_no, name, figure.get(name), pattern.pattern)
            for name, pattern in _PATTERNS.items()
            if not pattern.fullmatch(figure.get(name) or "")
        ]
    return Reading(rows, findings)


def _check_whole(body: bytes) -> None:
    """Refuse what is no XML, and XML whose first element does not end."""
    root = _ROOT.match(body)
    if not root:
        raise SourceError("the answer is no SDMX-ML message")
    if not body.rstrip().endswith(b"</" + root[1] + b">"):
        raise TransientSourceError(f"the message breaks off after {len(body)} bytes")


def _figures(data: bytes) -> Iterator[Mapping[str, str]]:
    """Dimensions, value and attributes of each observation, by name."""
    import sdmx
    from sdmx.exceptions import XMLParseError
    from sdmx.message import DataMessage

    logging.getLogger("sdmx").setLevel(logging.ERROR)  # it warns at each message without a structure definition
    try:
        with redirect_stdout(StringIO()):  # where it stops, it prints all that it holds
            message = sdmx.read_sdmx(BytesIO(data), format="XML")
    except (XMLParseError, AssertionError, RuntimeError) as error:
        cause = " ".join(str(error).split())[:200]
        raise SourceError(f"the answer is no SDMX-ML message of data ({cause}): the service has changed") from error
    if not isinstance(message, DataMessage):
        raise SourceError(f"the service answered with {type(message).__name__} instead of data")
    for data_set in message.data:
        for observation in data_set.obs:
            figure = {name: str(one.value) for name, one in observation.key.values.items()}
            figure |= {name: str(one.value) for name, one in observation.attached_attribute.items()}
            if observation.value is not None:
                figure["OBS_VALUE"] = str(observation.value)
            yield figure


def _new_column(name: str) -> Finding:
    return Finding(
        rule_id="SOURCE_COLUMN_NEW",
        dataset=FEED.source,
        message_uk=f"Новий вимір чи атрибут «{name}»; дані завантажено без нього",
        message_en=f"a new dimension or attribute '{name}'; the data was loaded without it",
        file_name=FLOW,
        value_found=name,
    )


def _odd(row_no: int, name: str, value: str | None, expected: str) -> Finding:
    return Finding(
        rule_id="SOURCE_VALUE_INVALID",
        dataset=FEED.source,
        message_uk=f"Спостереження {row_no}, {name}: «{value or ''}»; його не використано",
        message_en=f"observation {row_no}, {name}: '{value or ''}'; it is not used",
        file_name=FLOW,
        cell=f"{name}:{row_no}",
        value_found=(value or "")[:200],
        value_expected=expected,
    )
