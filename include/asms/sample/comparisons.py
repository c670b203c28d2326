"""Exchange rates and indicators of the sample, in the words of the National Bank and of the World Bank; the figures are made up."""

import json
from datetime import date, timedelta

_RATES = {"USD": 36.5686, "EUR": 39.4}  # hryvnias; the dollar's was the official one from July 2022 to October 2023
_SCALES = {"SP.POP.TOTL": 40_000_000.0, "SP.URB.TOTL.IN.ZS": 69.5, "NY.GDP.PCAP.CD": 4_500.0, "FP.CPI.TOTL.ZG": 9.0}
_FIRST_YEAR, _LAST_YEAR = 1991, 2023


def rates(currency: str, first: date, last: date) -> bytes:
    """Days from ``first`` to ``last``, both included, of one currency; none for a currency that is not known."""
    rate = _RATES.get(currency)
    days = [first + timedelta(days=at) for at in range((last - first).days + 1)] if rate else []
    return json.dumps(
        [
            {"exchangedate": f"{day:%d.%m.%Y}", "cc": currency, "rate": rate, "units": 1, "rate_per_unit": rate}
            for day in days
        ]
    ).encode()


def indicator_page(indicator: str, countries: list[str], page: int, per_page: int) -> bytes:
    """One page of an indicator, newest year first; the newest has no figure yet. An unknown indicator is refused with status 200."""
    scale = _SCALES.get(indicator)
    if scale is None:
        message = {"id": "120", "key": "Invalid value", "value": "The provided parameter value is not valid"}
        return json.dumps([{"message": [message]}]).encode()
    records = [
        {
            "indicator": {"id": indicator, "value": indicator}, "countryiso3code": country, "date": str(year), "obs_status": "",
            "value": None if year == _LAST_YEAR else round(scale / (1 + at) * (1 + (year - 2000) / 1000), 4),
        }
        for at, country in enumerate(countries)
        for year in range(_LAST_YEAR, _FIRST_YEAR - 1, -1)
    ]  # fmt: skip
    pages = -(-len(records) // per_page)
    head = {"page": page, "pages": pages, "per_page": per_page, "total": len(records), "lastupdated": "2026-01-01"}
    return json.dumps([head, records[(page - 1) * per_page : page * per_page]]).encode()
