"""A field that the records of a JSON answer did not have before is told, whichever reader meets it; what is known is not."""

import json
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pytest

from asms.findings import Finding
from asms.sample.spending import report_page, tender_page, transaction_page
from asms.sources import prozorro, war_status
from asms.sources.budget_classification import read_list
from asms.sources.ckan import Resource
from asms.sources.currency import read_rates
from asms.sources.ledger import Reading
from asms.sources.new_column import new_columns
from asms.sources.treasury import FEED, Payer, read_month
from asms.sources.treasury_answer import new_fields, new_report_fields, read_days
from asms.sources.world_bank import read_values

Records = list[dict[str, Any]]
PAYER = "99000001"
RATE = {
    "exchangedate": "02.01.2023", "r030": 840, "cc": "USD", "txt": "Долар США", "enname": "US Dollar", "rate": 36.5686, "units": 1,
    "rate_per_unit": 36.5686, "group": "1", "calcdate": "30.12.2022",
}  # fmt: skip
VALUE = {
    "indicator": {"id": "SP.POP.TOTL", "value": "Population"}, "country": {"id": "UA", "value": "Ukraine"}, "countryiso3code": "UKR",
    "date": "2020", "value": 44132049, "unit": "", "obs_status": "", "decimal": 0,
}  # fmt: skip
TRANSACTIONS = json.loads(
    transaction_page({"payers_edrpous": PAYER, "startdate": "2024-01-01", "enddate": "2024-01-31"})
)["transactions"]
REPORTS = json.loads(report_page(PAYER, {}))["content"]
TENDERS = json.loads(tender_page({"limit": "3", "opt_fields": prozorro._FIELDS}))["data"]
CODE = {"code": "2170", "name": "Будівництво", "level": 3, "isactive": "1", "endDoc": None}


def _of(reading: Reading | None) -> Sequence[Finding]:
    assert reading is not None
    return reading.findings


def _of_month(records: Records) -> Sequence[Finding]:
    data = b"[" + b",\n".join(json.dumps(record).encode() for record in records) + b"]"
    days = read_days(data, PAYER, date(2024, 1, 1), date(2024, 1, 31))
    return _of(read_month(Payer(PAYER, "UA"), "month", days, {}, None, new_fields(data, FEED.source, "month")))


def _of_page(records: Records) -> Sequence[Finding]:
    data = json.dumps({"next_offset": "1704067200.1", "data": records}).encode()
    return _of(prozorro.read_page(data, lambda _: {}))


READERS: dict[str, tuple[Records, Callable[[Records], Sequence[Finding]]]] = {
    "currency": ([RATE, RATE], lambda records: _of(read_rates(json.dumps(records).encode(), "USD", 2023))),
    "world_bank": ([VALUE, VALUE], lambda records: _of(read_values(json.dumps(records).encode(), "SP.POP.TOTL"))),
    "budget_classification": ([CODE], lambda records: _of(read_list("kekv.json", json.dumps(records).encode()))),
    "transactions": (TRANSACTIONS, _of_month),
    "reports": (REPORTS, lambda records: new_report_fields(json.dumps(records).encode(), FEED.source, "reports")),
    "tenders": (TENDERS, _of_page),
}


@pytest.mark.parametrize("name", READERS)
def test_a_new_field_is_told_and_the_rest_read(name: str) -> None:
    records, read = READERS[name]
    assert list(read(records)) == []
    changed = [*records[:-1], {**records[-1], "extra": {"a": 1}}]
    assert [(one.rule_id, one.cell) for one in read(changed)] == [("SOURCE_COLUMN_NEW", "extra")]


def test_a_new_field_of_contracts_is_told() -> None:
    bent = json.loads(json.dumps(TENDERS).replace('"contractID"', '"extra": 1, "contractID"'))
    assert [(one.file_name, one.cell) for one in _of_page(bent)] == [("tenders.contracts", "extra")]


def test_what_no_database_takes_is_cut_from_a_title() -> None:
    (one,) = new_columns(["\0" + "a" * 300, ""], "t", ())
    assert one.cell == "a" * 200


def test_a_list_of_no_day_of_the_calendar_is_a_new_column() -> None:
    titles = [
        "hromada_code",
        "hromada_short_name",
        "Status_war_sept",
        "deoccupation_date",
        "war_zone_10_10_2022",
        "war_zone_31_02_2022",
    ]
    table = f"{','.join(titles)}\nUA05020030000031457,Вінницька,not occupied,0,0,1\n".encode()
    reading = war_status.read_rows(table, Resource("1", "", "2022-11-30", None))
    assert [(one.rule_id, one.cell) for one in reading.findings] == [("SOURCE_COLUMN_NEW", "war_zone_31_02_2022")]
    assert [row[3] for row in reading.rows] == ["war_zone_10_10_2022", "status_war_sept", "deoccupation_date"]
