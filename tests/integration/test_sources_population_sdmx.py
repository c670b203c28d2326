"""Population of regions by SDMX: what the service says once, what is wrong told, the last good answer stands."""

import dataclasses
from collections.abc import Callable

import pytest

from asms.intake.landing import LandingStore
from asms.sample.server import Fault, serve
from asms.sample.services import Reply
from asms.settings import Settings
from asms.sources import SourceError, SourceResult, TransientSourceError, population_sdmx
from asms.sources.http import Patience
from asms.warehouse.connection import Warehouse

pytestmark = pytest.mark.usefixtures("source_rules")
IMPATIENT = Patience(tries=2, sleep=lambda _: None)
KYIV, CRIMEA, COUNTRY = "UA80000000000093317", "UA01000000000013043", "UA00000000000000000"


def _fetch(warehouse: Warehouse, settings: Settings, fault: Fault | None = None) -> SourceResult:
    with serve(fault=fault) as server:
        pointed = settings.model_copy(update={"urls": server.urls})
        put = LandingStore(settings.landing).put
        return population_sdmx.fetch(warehouse, pointed, put, patience=IMPATIENT)


def _ask(warehouse: Warehouse, query: str) -> list[tuple[object, ...]]:
    with warehouse.connect("gate") as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def _swap(old: bytes, new: bytes, count: int = -1) -> Callable[[Reply], Reply]:
    return lambda reply: dataclasses.replace(reply, body=reply.body.replace(old, new, count))


def test_regions_come_by_year_and_only_once(warehouse: Warehouse, settings: Settings) -> None:
    first, second = _fetch(warehouse, settings), _fetch(warehouse, settings)
    assert (first.new_loads, second.new_loads, second.unchanged_loads) == (1, 0, 1), (
        "although each message has its own time"
    )
    assert _ask(
        warehouse,
        "select region_code, age_code, gender_code, terrain_code, freq, time_period, value_text "
        f"from raw.population_sdmx_value where time_period = '2022' and region_code = '{KYIV}'",
    ) == [(KYIV, "_T", "_T", "_T", "A", "2022", "2952301")]
    country, regions = (
        f"select sum(value_text::int) from raw.population_sdmx_value where time_period = '2021' and region_code {which} '{COUNTRY}'"
        for which in ("=", "<>")
    )
    difference = int(str(_ask(warehouse, country)[0][0])) - int(str(_ask(warehouse, regions)[0][0]))
    assert abs(difference) < 27, "each is rounded by itself"
    assert _ask(warehouse, f"select 1 from raw.population_sdmx_value where region_code = '{CRIMEA}'") == []


@pytest.mark.parametrize(
    ("bend", "words", "passes"),
    [
        (lambda _: Reply(429), "answered 429", True),
        (lambda _: Reply(404, b"No Results Found", "text/plain"), "answered 404", False),
        (lambda _: Reply(body=b""), "empty body", True),
        (lambda _: Reply(body=b"<html>maintenance</html>", content_type="text/html"), "HTML", False),
        (lambda _: Reply(body=b"INDICATOR,REGION\n", content_type="text/csv"), "no SDMX-ML", False),
        (lambda reply: dataclasses.replace(reply, body=reply.body[:-300]), "breaks off", True),
        (lambda reply: dataclasses.replace(reply, body=reply.body[:3000] + b"</message:StructureSpecificData>"), "no SDMX-ML", False),
        (_swap(b" REGION=", b" KATOTTG="), "lack REGION", False),
        (_swap(b"OBS_VALUE=", b"VALUE="), "lack OBS_VALUE", False),
        (_swap(b"TIME_PERIOD=\"", b"TIME=\""), "no SDMX-ML message of data", False),
        (_swap(b'TIME_PERIOD="2021"', b'TIME_PERIOD="2020"'), "two figures for PNMI_01 UA", False),
    ],
)  # fmt: skip
def test_a_bad_answer_leaves_the_last_good_one(
    warehouse: Warehouse, settings: Settings, bend: Callable[[Reply], Reply], words: str, passes: bool
) -> None:
    count = _fetch(warehouse, settings).row_count
    with pytest.raises(SourceError, match=words) as error:
        _fetch(warehouse, settings, lambda _, reply: bend(reply))
    assert isinstance(error.value, TransientSourceError) == passes
    assert _ask(warehouse, "select count(*) from raw.population_sdmx_value") == [(count,)]
    assert _ask(warehouse, "select is_ok, last_ok_at is not null from ops.source_status") == [(False, True)]


def test_a_message_without_series_blocks(warehouse: Warehouse, settings: Settings) -> None:
    def emptied(_: str, reply: Reply) -> Reply:
        head, rest = reply.body.split(b"<Series", 1)
        return dataclasses.replace(reply, body=head + rest.rpartition(b"</Series>")[2])

    with pytest.raises(SourceError, match="no figure"):
        _fetch(warehouse, settings, emptied)


def test_a_new_attribute_informs_and_an_odd_value_is_told(warehouse: Warehouse, settings: Settings) -> None:
    def bent(_: str, reply: Reply) -> Reply:
        body = reply.body.replace(b'<Obs TIME_PERIOD="2022"', b'<Obs UNIT_MEASURE="PERS" TIME_PERIOD="2022"')
        return dataclasses.replace(reply, body=body.replace(b'OBS_VALUE="2952301"', b'OBS_VALUE="2952,3"'))

    count = _fetch(warehouse, settings, bent).row_count
    assert count == _ask(warehouse, "select count(*) from raw.population_sdmx_value")[0][0]
    found = _ask(warehouse, "select rule_id, severity, value_found from quality.finding order by rule_id")
    assert found == [("SOURCE_COLUMN_NEW", "info", "UNIT_MEASURE"), ("SOURCE_VALUE_INVALID", "warning", "2952,3")]
