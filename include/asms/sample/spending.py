"""Public spending of the sample in the words of spending.gov.ua and of ProZorro; payers, amounts and suppliers are made up."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from random import Random
from typing import Any

TRANSACTIONS_PATH = "/api/v2/api/transactions/page/"
REPORTS_PATH = re.compile(r"/api/v2/api/reports/(\d{8})/page")
TENDERS_PATH = "/api/2.5/tenders"
_PAYERS = {"99000001": 14, "99000002": 3, "99000003": 1}  # payments a working day
_FIRST, _DAYS = date(2023, 12, 1), 75
_TENDERS = 240
_STEP = 21_600  # seconds between two tenders of the feed
_SEED = 20231201


@cache
def _transactions(payer: str) -> tuple[dict[str, Any], ...]:
    random = Random(f"{_SEED} {payer}")  # noqa: S311 - a sample, and the same each time
    days = [_FIRST + timedelta(days=at) for at in range(_DAYS)]
    of_days = [day for day in days if day.weekday() not in (5, 6) for _ in range(_PAYERS.get(payer, 0))]
    return tuple(
        {
            "id": int(payer[-3:]) * 1_000_000 + no, "doc_vob": "1", "doc_number": str(no), "doc_date": str(day),
            "doc_v_date": str(day), "trans_date": str(day), "amount": round(random.lognormvariate(9, 1.5), 2), "currency": "UAH",
            "payer_edrpou": payer, "payer_name": f"Платник {payer}", "recipt_edrpou": f"98{random.randrange(10**6):06}",
            "recipt_name": "Отримувач", "payment_details": "За послуги згідно з договором", "region_id": 2,
            "payment_type": "nsep", "kekv": random.choice((2210, 2240, 2271)), "kpk": None, "contractId": None,
            "contractNumber": None, "budgetCode": None,
        }
        for no, day in enumerate(of_days, start=1)
    )  # fmt: skip


def transaction_page(query: Mapping[str, str]) -> bytes:
    """A page of a payer's transactions. Raises KeyError or ValueError for a question without a payer and days."""
    first, last = date.fromisoformat(query["startdate"]), date.fromisoformat(query["enddate"])
    found = [
        one for one in _transactions(query["payers_edrpous"]) if first <= date.fromisoformat(one["trans_date"]) <= last
    ]
    page, size = int(query.get("page", "0")), min(int(query.get("pageSize", "100")), 500)
    part = found[page * size : (page + 1) * size]
    return json.dumps({"transactions": part, "count": len(found), "page": page, "pageSize": size}).encode()


def report_page(payer: str, query: Mapping[str, str]) -> bytes:
    """A page of a payer's reports; one of them was cancelled and published anew."""
    rows = [("Q3", "2023-10-20", None), ("Q4", "2024-01-18", "2024-01-25"), ("Q4", "2024-01-25", None)]
    found = [
        {
            "id": int(payer[-3:]) * 1000 + no, "edrpou": payer, "reportName": "Звіт про використання коштів", "period": f"2023-{of}",
            "amount": 100_000.0 + no, "datePublish": day, "dateCancel": cancelled,
        }
        for no, (of, day, cancelled) in enumerate(rows if payer in _PAYERS else [], start=1)
    ]  # fmt: skip
    page, size = int(query.get("page", "0")), int(query.get("size", "20"))
    part = found[page * size : (page + 1) * size]
    return json.dumps({"content": part, "totalElements": len(found), "number": page, "size": size}).encode()


@cache
def _tenders() -> tuple[tuple[str, dict[str, Any]], ...]:
    random = Random(_SEED)  # noqa: S311 - a sample, and the same each time
    begin = int(datetime(2023, 12, 1, tzinfo=UTC).timestamp())
    feed: list[tuple[str, dict[str, Any]]] = []
    for no in range(1, _TENDERS + 1):
        seconds = begin + no * _STEP
        at = datetime.fromtimestamp(seconds - 5, UTC).isoformat()
        number = no if no % 12 else no - 11  # every twelfth entry is an older tender that was changed
        status = ("active.tendering", "complete", "cancelled")[2 if no % 24 == 0 else number % 2]
        contract = {
            "id": f"c{number:031}", "contractID": f"UA-2023-12-{number:06}-a-a1",
            "status": "cancelled" if status == "cancelled" else "active", "dateSigned": at,
            "value": {"amount": round(random.lognormvariate(11, 1.2), 2), "currency": "UAH"},
            "suppliers": [{"name": "Постачальник", "identifier": {"scheme": "UA-EDR", "id": f"98{number:06}"}}],
        }  # fmt: skip
        tender = {
            "id": f"{number:032}", "dateModified": at, "tenderID": f"UA-2023-12-{number:06}-a", "status": status,
            "procurementMethodType": "aboveThreshold", "dateCreated": at,
            "procuringEntity": {
                "name": "Замовник", "identifier": {"scheme": "UA-EDR", "id": f"9900000{1 + number % 3}"},
                "address": {"region": "Вінницька область", "locality": "Вінниця"},
            },
            "contracts": [contract] if status != "active.tendering" else [],
        }  # fmt: skip
        feed.append((f"{seconds}.{no:010}", tender))
    return tuple(feed)


def tender_page(query: Mapping[str, str]) -> bytes:
    """A page of the feed, oldest change first unless ``descending``. Raises ValueError for an offset that is none."""
    limit, is_descending = min(int(query.get("limit", "100")), 1000), bool(query.get("descending"))
    wanted = {"id", "dateModified", *query.get("opt_fields", "").split(",")}
    offset = query.get("offset", "")
    point = _parse_offset(offset) if offset else None
    feed = _tenders()[::-1] if is_descending else _tenders()
    found = [
        entry
        for entry in feed
        if point is None or (_parse_offset(entry[0]) < point if is_descending else _parse_offset(entry[0]) > point)
    ][:limit]
    answer: dict[str, Any] = {
        "data": [{key: value for key, value in tender.items() if key in wanted} for _, tender in found],
        "next_page": {"offset": found[-1][0] if found else offset, "path": TENDERS_PATH, "uri": ""},
    }
    if offset or is_descending:
        answer["prev_page"] = {"offset": found[0][0] if found else offset, "path": TENDERS_PATH, "uri": ""}
    return json.dumps(answer).encode()


def _parse_offset(text: str) -> tuple[int, int]:
    seconds, _, number = text.partition(".")
    if seconds.isdigit():
        return int(seconds), int(number or 0)
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()), 0
