"""Whatever bytes come, readers answer with what they read or with their own named error, and nothing else.

``mutations`` of good inputs, a few here and, with ``ASMS_BENCH_FUZZ``, as many as wanted in ``make bench`` (tests/bench/test_fuzz.py).
"""

import io
import random
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import pytest
from hypothesis import strategies as st

from asms.catalogue.grammar import FormulaError, parse_check, parse_formula
from asms.catalogue.load import load_catalogue
from asms.intake.form_definition import Form, load_forms
from asms.intake.form_reading import scan_return
from asms.intake.problem import ProblemError
from asms.intake.template import TemplateAnswer, TemplateRow, write_template
from asms.sources import SourceError
from asms.sources.boundaries import read_events
from asms.sources.ckan import newest_resource
from asms.sources.currency import read_rates
from asms.sources.open_budget_answer import KINDS, Request, parse_answer
from asms.sources.table_file import read_table
from asms.sources.treasury_answer import read_days
from asms.sources.world_bank import join_pages, read_values

_TOKENS = (
    b"", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\r\n", b";", b",", b'"', b"'", b"{", b"}", b"[", b"]", b"<", b">", b"&#0;",
    b"]]>", b"<![CDATA[", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"1e999", b"-0", b"NaN", b"9" * 400, b"\\ud800", b"null", b"true",
    b"=cmd|' /C calc'!A0", b"../../", "…".encode(), "Ї".encode(), "\u202e".encode(), b"A99999999999", b" ", b"()" * 200, b"[" * 50_000,
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """``read`` may give anything for an input, or raise one of ``errors``."""

    seeds: tuple[bytes, ...]
    read: Callable[[bytes], object]
    errors: tuple[type[Exception], ...]
    is_zip: bool = False


def mutations(target: Target, count: int) -> None:
    """Read ``count`` damaged copies of the target's good inputs."""

    @hypothesis.settings(
        max_examples=count, database=None, deadline=None, phases=[hypothesis.Phase.generate], derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(st.integers(0, 2**64))
    def read(number: int) -> None:
        chosen = random.Random(number)  # noqa: S311 - nothing is secret here
        seed = chosen.choice(target.seeds)
        data = _damage_part(chosen, seed) if target.is_zip and chosen.random() < 0.8 else _damage(chosen, seed)
        try:
            target.read(data)
        except target.errors as error:
            assert str(error), "an error without a word"

    read()


def _damage(chosen: random.Random, data: bytes) -> bytes:
    for _ in range(chosen.randint(1, 6)):
        at = chosen.randint(0, len(data))
        end = min(len(data), at + chosen.choice((0, 1, 1, 2, 8, 64)))
        match chosen.randint(0, 4):
            case 0:
                data = data[:at] + bytes((chosen.randrange(256),)) + data[end:]
            case 1:
                data = data[:at] + chosen.choice(_TOKENS) + data[end:]
            case 2:
                data = data[:at] + data[end:]
            case 3:
                data = data[:end] + data[at:]
            case _:
                data = data[:at] if chosen.random() < 0.1 else data
    return data


def _damage_part(chosen: random.Random, data: bytes) -> bytes:
    """The archive with one of its parts damaged, and whole otherwise."""
    parts = _unpack(data)
    damaged = chosen.choice(sorted(parts))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, _damage(chosen, part) if name == damaged else part)
    return packed.getvalue()


@cache
def _unpack(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@cache
def _template() -> bytes:
    rows = [TemplateRow("POP.001", "POP", "Населення", "Населення", "Population", "осіб", True)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.xlsx"
        write_template(
            path, indicators=rows, municipality_code="UA05020030000031457", municipality_name="Вінницька", time_period="2024",
            catalogue_version="1", answers={("POP.001", "T"): TemplateAnswer(7)},
        )  # fmt: skip
        return path.read_bytes()


@cache
def _forms() -> tuple[Form, ...]:
    return tuple(load_forms())


def _reader(name: str) -> Callable[[bytes], object]:
    return lambda data: scan_return(data, name, _forms())


_CSV = "form;ASMS-ANNUAL\nmunicipality_code;UA05020030000031457\ntime_period;2024\ncode;value\nPOP.001;7\nTER.001;1,5\n"
_JSON = (
    '{"form": "ASMS-ANNUAL", "municipality_code": "UA05020030000031457", "time_period": "2024", '
    '"answers": [{"code": "POP.001", "sex": "T", "value": 7}, {"code": "TER.001", "value": "1,5"}]}'
)
_BUDGET = (
    "REP_PERIOD;FUND_TYP;COD_BUDGET;COD_INCO;NAME_INC;ZAT_AMT;PLANS_AMT;FAKT_AMT\n"
    "01.2022;T;0253600000;11010000;Податок;1.00;2.00;3.00\n"
)
_EVENTS = (
    "event_code,event_kind,known_by,act,predecessor_code,successor_code,weight\n"
    "E1,joined,2020-06-12,акт,UA05020030000031457,UA05020030000031458,1\n"
)


def _formulas() -> tuple[bytes, ...]:
    cards = [card.formula for card in load_catalogue().indicators if card.formula]
    return tuple(text.encode() for text in cards[:60])


def _checks() -> tuple[bytes, ...]:
    return tuple(rule.expression.encode() for rule in load_catalogue().rules if rule.expression)[:60]


_RATES = b'[{"cc": "USD", "exchangedate": "03.01.2022", "rate": 27.28, "units": 1}]'
_BANK = (
    b'[{"page": 1, "pages": 1, "total": 1}, [{"indicator": {"id": "SP.POP.TOTL", "value": "Population"}, "countryiso3code": "UKR", '
    b'"date": "2022", "value": 41048766, "obs_status": ""}]]'
)
_PORTAL = (
    b'{"success": true, "result": {"resources": [{"id": "a", "url": "https://example.org/a.csv", "format": "CSV", "name": "a", '
    b'"last_modified": "2024-01-01T00:00:00", "created": "2024-01-01T00:00:00", "hash": "", "state": "active"}]}}'
)
_DAYS = (
    b'[{"id": 1, "doc_number": "1", "trans_date": "2024-01-02", "amount": 1.5, "payer_edrpou": "99000001", "payer_name": "a", '
    b'"recipt_edrpou": "1", "recipt_name": "b", "payment_details": "c", "kekv": 2240, "kpk": "0611010"}]'
)


def _read_bank(data: bytes) -> object:
    return read_values(join_pages(lambda _: data, "SP.POP.TOTL"), "SP.POP.TOTL")


_REQUEST = Request("0253600000", "UA05020030000031457", KINDS[0], 2022)


def make_targets() -> dict[str, Target]:
    bad_return, bad_source, bad_formula = (ProblemError,), (SourceError,), (FormulaError,)
    return {
        "workbook": Target((_template(),), _reader("t.xlsx"), bad_return, is_zip=True),
        "csv return": Target((_CSV.encode(), _CSV.encode("cp1251", "replace")), _reader("t.csv"), bad_return),
        "json return": Target((_JSON.encode(),), _reader("t.json"), bad_return),
        "formula": Target(_formulas(), lambda data: parse_formula(data.decode(errors="replace"), "X"), bad_formula),
        "check": Target(_checks(), lambda data: parse_check(data.decode(errors="replace"), "X"), bad_formula),
        "open budget": Target((_BUDGET.encode(),), lambda data: parse_answer(data, _REQUEST), bad_source),
        "boundary events": Target((_EVENTS.encode(),), lambda data: read_events(data, "events.csv"), bad_source),
        "table": Target(
            (b"code,name\n1,a\n2,b\n", b'[{"code": "1", "name": "a"}]'),
            lambda data: read_table(data, "table", ("code", "name")),
            bad_source,
        ),
        "rates": Target((_RATES,), lambda data: read_rates(data, "USD", 2022), bad_source),
        "world bank": Target((_BANK,), _read_bank, bad_source),
        "portal": Target((_PORTAL,), lambda data: newest_resource(data, "https://example.org"), bad_source),
        "treasury": Target(
            (_DAYS,), lambda data: read_days(data, "99000001", date(2024, 1, 1), date(2024, 1, 31)), bad_source
        ),
    }


TARGETS: Sequence[str] = tuple(make_targets())


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_is_read_or_refused_by_name(name: str) -> None:
    mutations(make_targets()[name], 150)
