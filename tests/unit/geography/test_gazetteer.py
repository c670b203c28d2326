"""Names as people write them, on a small codifier whose rows are real."""

import csv
import re
import unicodedata
from datetime import date

import pytest

from asms.geography.gazetteer import (
    BUDGET_CODES,
    FORMER_NAMES,
    FormerName,
    Gazetteer,
    OtherCode,
    make_unit,
    read_budget_codes,
    read_former_names,
)

UNITS = """
UA01000000000013043 O Автономна Республіка Крим
UA01000000000013043/UA01140000000089413 P Перекопський
UA01000000000013043/UA01140000000089413/UA01140230000045556 H Красноперекопська
UA01000000000013043/UA01140000000089413/UA01140230000045556/UA01140230010018772 M Яни Капу
UA05000000000010236 O Вінницька
UA05000000000010236/UA05020000000026686 P Вінницький
UA05000000000010236/UA05020000000026686/UA05020030000031457 H Вінницька
UA05000000000010236/UA05020000000026686/UA05020030000031457/UA05020030010063857 M Вінниця
UA26000000000069363 O Івано-Франківська
UA26000000000069363/UA26040000000044161 P Івано-Франківський
UA26000000000069363/UA26040000000044161/UA26040190000081578 H Івано-Франківська
UA26000000000069363/UA26040000000044161/UA26040190000081578/UA26040190010080170 M Івано-Франківськ
UA32000000000030281 O Київська
UA32000000000030281/UA32000000000030281/UA32000000000030281/UA32000000020050699 M Чорнобиль
UA46000000000026241 O Львівська
UA46000000000026241/UA46100000000063989 P Стрийський
UA46000000000026241/UA46100000000063989/UA46100110000018989 H Миколаївська
UA46000000000026241/UA46100000000063989/UA46100110000018989/UA46100110010080264 M Миколаїв
UA48000000000039575 O Миколаївська
UA48000000000039575/UA48060000000094390 P Миколаївський
UA48000000000039575/UA48060000000094390/UA48060150000071713 H Миколаївська
UA48000000000039575/UA48060000000094390/UA48060150000071713/UA48060150010035747 M Миколаїв
UA48000000000039575/UA48040000000017575 P Вознесенський
UA48000000000039575/UA48040000000017575/UA48040250000044166 H Південноукраїнська
UA48000000000039575/UA48040000000017575/UA48040250000044166/UA48040250010045068 M Південноукраїнськ
UA59000000000057109 O Сумська
UA59000000000057109/UA59020000000036711 P Конотопський
UA59000000000057109/UA59020000000036711/UA59080190000055718 H Миколаївська
UA59000000000057109/UA59020000000036711/UA59080190000055718/UA59080190010010917 C Миколаївка
UA59000000000057109/UA59020000000036711/UA59080190000055718/UA59080190020010918 C Лиман
UA68000000000099709 O Хмельницька
UA68000000000099709/UA68020000000078188 P Кам’янець-Подільський
UA68000000000099709/UA68020000000078188/UA68020110000071202 H Кам’янець-Подільська
UA68000000000099709/UA68020000000078188/UA68020110000071202/UA68020110010047706 M Кам’янець-Подільський
UA68000000000099709/UA68020000000078188/UA68020110000071202/UA68020110020047707 C М’якоти
UA68000000000099709/UA68020000000078188/UA68020110000071202/UA68020110030047708 C Лиман
UA80000000000093317 K Київ
UA80000000000093317/UA80000000000093317/UA80000000000093317/UA80000000000093317/UA80000000000126643 B Голосіївський
UA85000000000065278 K Севастополь
"""
KYIV, SEVASTOPOL = "UA80000000000093317", "UA85000000000065278"
VINNYTSIA, KAMIANETS, FRANKIVSK = "UA05020030000031457", "UA68020110000071202", "UA26040190000081578"
MYKOLAIV_LVIV, MYKOLAIV, MYKOLAIV_SUMY = "UA46100110000018989", "UA48060150000071713", "UA59080190000055718"
PIVDENNOUKRAINSK = "UA48040250000044166"


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    units = [line.split(" ", 2) for line in UNITS.strip().splitlines()]
    return Gazetteer(
        (make_unit(path.split("/"), category, name + " ") for path, category, name in units),
        [
            FormerName(PIVDENNOUKRAINSK, "Южноукраїнськ", "settlement", date(2024, 10, 9)),
            FormerName(PIVDENNOUKRAINSK, "Южноукраїнська", "hromada", date(2025, 12, 31)),
            FormerName(KAMIANETS, "Колишнє", "settlement", date(2016, 5, 19)),
            FormerName(MYKOLAIV_SUMY, "Колишнє", "settlement", date(2024, 9, 19)),
        ],
        gone_units=[
            make_unit(["UA05000000000010236", "UA05020000000026686", VINNYTSIA, "UA05020030990099999"], "C", "Зникле")
        ],
        other_codes=[
            OtherCode("0510100000", VINNYTSIA),
            OtherCode("02536000000", VINNYTSIA, date(2021, 1, 1), date(2024, 1, 1)),
            OtherCode("3520382100", KAMIANETS, date(2018, 2, 18), date(2020, 8, 16)),
            OtherCode("3520382100", FRANKIVSK, date(2020, 8, 16)),
        ],
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (VINNYTSIA, VINNYTSIA),
        ("UA05020030010063857", VINNYTSIA),
        (" ua 0502003000003 1457 ", VINNYTSIA),
        ("UА05020030000031457", VINNYTSIA),  # the second letter is Cyrillic
        ("Вінниця", VINNYTSIA),
        ("ВІННИЦЯ ", VINNYTSIA),
        ("Biнниця", VINNYTSIA),  # Latin B and i
        ("Вінницька", VINNYTSIA),
        ("Вінницька міська територіальна громада", VINNYTSIA),
        ("Вінницька міська ТГ", VINNYTSIA),
        ("вінницька_міська_рада", VINNYTSIA),
        ("м.Вінниця", VINNYTSIA),
        ("місто Вінниця", VINNYTSIA),
        ("Вiнниця", VINNYTSIA),  # Latin i
        (unicodedata.normalize("NFD", "Івано-Франківськ, Івано-Франківська обл."), FRANKIVSK),
        (unicodedata.normalize("NFD", "Київ"), KYIV),
        ("Івано_Франківськ", FRANKIVSK),
        ("Івано Франківська МТГ", FRANKIVSK),
        ("Кам’янець-Подільський", KAMIANETS),
        ("Камʼянець–Подільський", KAMIANETS),
        ("Кам_янець_Подільський", KAMIANETS),
        ("Кам`янець-Подільська міська громада", KAMIANETS),
        ("Кам'янець-Подільський", KAMIANETS),
        ("М_якоти", KAMIANETS),
        ("с. М'якоти", KAMIANETS),
        ("Київ", KYIV),
        ("м. Київ", KYIV),
        ("Київська міська рада", KYIV),
        ("UA80000000000126643", KYIV),
        ("Севастополь", SEVASTOPOL),
        ("Яни Капу", "UA01140230000045556"),
        ("Южноукраїнськ", PIVDENNOUKRAINSK),
        ("Южноукраїнська міська ТГ", PIVDENNOUKRAINSK),
        ("Миколаївська сільська ТГ", MYKOLAIV_SUMY),
        ("Миколаївка", MYKOLAIV_SUMY),
        ("Миколаїв, Львівська область", MYKOLAIV_LVIV),
        ("Миколаїв (Миколаївська обл.)", MYKOLAIV),
        ("Миколаївська обл., м. Миколаїв", MYKOLAIV),
        ("Миколаївська міська ТГ, Стрийський р-н", MYKOLAIV_LVIV),
    ],
)
def test_a_name_is_resolved_however_it_is_written(gazetteer: Gazetteer, text: str, code: str) -> None:
    assert gazetteer.resolve(text).municipality_code == code


@pytest.mark.parametrize(
    ("text", "reason", "candidates"),
    [
        ("Миколаїв", "ambiguous", {MYKOLAIV_LVIV, MYKOLAIV}),
        ("Миколаївська", "ambiguous", {MYKOLAIV_LVIV, MYKOLAIV, MYKOLAIV_SUMY}),
        ("Миколаївська міська громада", "ambiguous", {MYKOLAIV_LVIV, MYKOLAIV}),
        ("с. Лиман", "ambiguous", {MYKOLAIV_SUMY, KAMIANETS}),
        ("м. Лиман", "unknown", set()),
        ("Атлантида", "unknown", set()),
        ("UA99999999999999999", "unknown", set()),
        ("UA05000000000010236", "not_a_municipality", set()),
        ("Чорнобиль", "unknown", set()),
        ("", "empty", set()),
        (" – ", "empty", set()),
    ],
)
def test_what_is_not_one_municipality_is_none(
    gazetteer: Gazetteer, text: str, reason: str, candidates: set[str]
) -> None:
    found = gazetteer.resolve(text)
    assert (found.municipality_code, found.reason) == (None, reason)
    assert {candidate.municipality_code for candidate in found.candidates} == candidates


def test_candidates_are_told_apart_by_raion_and_oblast(gazetteer: Gazetteer) -> None:
    labels = [candidate.label for candidate in gazetteer.resolve("Миколаїв").candidates]
    assert labels == [
        "Миколаївська громада, Стрийський район, Львівська область (UA46100110000018989)",
        "Миколаївська громада, Миколаївський район, Миколаївська область (UA48060150000071713)",
    ]


@pytest.mark.parametrize("region", ["Львівська", "Львівська область", "UA46000000000026241", "Стрийський район"])
def test_a_region_decides(gazetteer: Gazetteer, region: str) -> None:
    assert gazetteer.resolve("Миколаїв", region=region).municipality_code == MYKOLAIV_LVIV


def test_an_unknown_region_decides_nothing(gazetteer: Gazetteer) -> None:
    assert gazetteer.resolve("Миколаїв", region="2024").reason == "ambiguous"
    assert gazetteer.resolve("Вінниця", region="2024").municipality_code == VINNYTSIA


def test_the_reason_says_how_it_was_found(gazetteer: Gazetteer) -> None:
    texts = (VINNYTSIA, "Вінниця", "Южноукраїнськ", "Миколаївка")
    assert [gazetteer.resolve(text).reason for text in texts] == ["code", "name", "former_name", "settlement"]


def test_former_names_are_names_of_somebody_else_no_more() -> None:
    names = read_former_names(FORMER_NAMES)
    assert len(names) > 50
    assert len({(former.municipality_code, former.name) for former in names}) == len(names)
    for former in names:
        assert re.fullmatch(r"UA\d{17}", former.municipality_code)
        assert former.unit_kind in ("hromada", "settlement")
        assert not re.search(r"[A-Za-z'ʼ`]|^\s|\s$", former.name), former.name
    with FORMER_NAMES.open(encoding="utf-8") as stream:
        assert all(row["source"] for row in csv.DictReader(stream))


@pytest.mark.parametrize(
    ("at", "code"),
    [(None, None), (date(2015, 1, 1), None), (date(2020, 1, 1), MYKOLAIV_SUMY), (date(2026, 1, 1), None)],
)
def test_a_day_decides_between_those_who_bore_the_name(gazetteer: Gazetteer, at: date | None, code: str | None) -> None:
    found = gazetteer.resolve("Колишнє", at=at)
    assert found.municipality_code == code
    assert found.reason == ("former_name" if code else "ambiguous")


def test_a_name_that_nobody_bore_that_day_is_still_recognised(gazetteer: Gazetteer) -> None:
    """Days of renamings are bounds, and people use old names for years."""
    for at in (date(2018, 1, 1), date(2026, 1, 1)):
        for name in ("Южноукраїнськ", "Південноукраїнськ"):
            assert gazetteer.resolve(name, at=at).municipality_code == PIVDENNOUKRAINSK


@pytest.mark.parametrize(
    ("text", "at", "code"),
    [
        ("0510100000", None, VINNYTSIA),
        ("510100000", None, VINNYTSIA),  # a spreadsheet dropped the zero
        ("02536000000", date(2022, 1, 1), VINNYTSIA),
        ("3520382100", date(2019, 1, 1), KAMIANETS),
        ("3520382100", date(2021, 1, 1), FRANKIVSK),
        ("3520382100", None, None),
        ("9999999999", None, None),
        ("UA05020030990099999", None, VINNYTSIA),  # a village that is no more
    ],
)
def test_other_codes_and_codes_that_went(gazetteer: Gazetteer, text: str, at: date | None, code: str | None) -> None:
    assert gazetteer.resolve(text, at=at).municipality_code == code


def test_budget_codes_of_the_seed_are_of_municipalities() -> None:
    codes = read_budget_codes(BUDGET_CODES)
    assert len(codes) > 50
    assert all(
        re.fullmatch(r"\d{10,11}", code.code) and re.fullmatch(r"UA\d{17}", code.municipality_code) for code in codes
    )
