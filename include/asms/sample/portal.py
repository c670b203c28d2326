"""The portal of open data in the sample: datasets as CKAN tells of them, tables made from the hromadas of the sample."""

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Sequence

from asms.sample.hromadas import Hromada, read_hromadas

CHANGED_AT = "2022-11-30T10:00:00.000000"
_EPOCH = (1980, 1, 1, 0, 0, 0)
# Real statuses of some hromadas of the sample (Minreintegration's lists of 2022): occupied in September, freed in spring, in the war zone.
_OCCUPIED_CODES = {"UA14140050000020560", "UA44120110000010163"}
_FREED_CODES = {"UA32080070000050759"}
_WAR_ZONE_CODES = {"UA14120090000098500", "UA63140170000087785"}


def declarations_table() -> bytes:
    """Declarations: shares of the population, as cp1251 with semicolons, as older spreadsheets save it."""
    lines: list[Sequence[object]] = [
        (
            "area", "hromada_code", "hromada_name", "total", "female", "male", "urban", "rural", "youth", "working_age_total",
            "male_18_60",
        )
    ]  # fmt: skip
    lines += [_declarations(one) for one in _with_population()]
    return _csv(lines, ";").encode("cp1251")


def war_status_table() -> bytes:
    """War status by date, as a ZIP with one CSV in it."""
    dates = [f"war_zone_{day}_2022" for day in ("27_04", "20_06", "23_08", "10_10")]
    lines: list[Sequence[object]] = [
        (
            "oblast_short_name",
            "hromada_short_name",
            "hromada_type",
            *dates,
            "hromada_code",
            "Status_war_sept",
            "deoccupation_date",
        )
    ]
    for one in _with_population():
        code = one.municipality_code
        in_zone = int(code in _OCCUPIED_CODES | _WAR_ZONE_CODES)
        status = "occupied" if code in _OCCUPIED_CODES else "deoccupied" if code in _FREED_CODES else "not occupied"
        status += ", in the war zone" * (code in _WAR_ZONE_CODES)
        freed = "March-April" if code in _FREED_CODES else "0"
        oblast = one.oblast_uk.removesuffix(" область")
        lines.append((oblast, one.name_uk, one.type_uk, *[in_zone] * len(dates), code, status, freed))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("readme.pdf", _EPOCH), b"%PDF-1.4")
        archive.writestr(zipfile.ZipInfo("war_status.csv", _EPOCH), _csv(lines, ",").encode("utf-8-sig"))
    return buffer.getvalue()


def package(dataset: str, file_name: str) -> bytes:
    """What package_show answers: an older table, the newest one, and the passport of the dataset, which is no table."""
    resource = {"state": "active", "created": "2021-01-01T00:00:00.000000"}
    base = f"/dataset/{dataset}/resource"
    resources = [
        {**resource, "id": "older", "format": "CSV", "url": f"{base}/older/download/old.csv", "last_modified": "2021-06-01T00:00:00"},
        {
            **resource, "id": "newest", "format": file_name.rpartition(".")[2].upper(), "last_modified": CHANGED_AT,
            "url": f"{base}/newest/download/{file_name}",
        },
        {**resource, "id": "passport", "format": "PDF", "url": f"{base}/passport/download/p.pdf", "last_modified": "2023-01-01T00:00:00"},
    ]  # fmt: skip
    return json.dumps({"success": True, "result": {"id": dataset, "state": "active", "resources": resources}}).encode()


def _with_population() -> list[Hromada]:
    return [one for one in read_hromadas() if one.raion_uk]


def _declarations(one: Hromada) -> Sequence[object]:
    total = round((one.population_2022 or 0) * 0.8)
    female, urban = round(total * 0.53), total if one.type_uk == "міська" else 0
    return (
        one.oblast_uk.removesuffix(" область"), one.municipality_code, one.name_uk, total, female, total - female, urban,
        total - urban, round(total * 0.38), round(total * 0.6), round(total * 0.27),
    )  # fmt: skip


def _csv(lines: Iterable[Sequence[object]], delimiter: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(lines)
    return text.getvalue()
