"""The letter: what it says, in which order, and that nothing found in a file can get out of its place."""

import importlib.resources
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
import yaml

from asms.notify.compose import clean, compose, spell_figures
from asms.notify.news import BrokenRule, Example, FailedCheck, LostSource, News, Run

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> {{ 7 * 7 }} {% raw %} &amp; "
    "\"'\r\nBcc: thief@example.org\r\n\r\n\u202egnp.exe\u200b\x00" + "я" * 5000
)

EXAMPLE = Example(
    file_name="Вінницька/звіт.xlsx", sheet="POP", cell="D7", municipality="Вінницька UA05020030000063857",
    time_period="2024", indicator_code="POP.001", sex="T", value_found="сорок", value_expected=None, detail_uk=None,
    detail_en=None, remedy_uk=None, remedy_en=None, is_withheld=False,
)  # fmt: skip
RULE = BrokenRule(
    dataset="submissions", rule_id="CELL_NOT_A_NUMBER", severity="error", title_uk="У клітинці для числа стоїть текст",
    title_en="A cell for a number holds text", remedy_uk="Впишіть число.", remedy_en="Write a number.", count=1,
    fingerprint="f", examples=(EXAMPLE,),
)  # fmt: skip
CHECK = FailedCheck(
    gate="staging", engine="gx", dataset="staging.stg_open_budget__row", check_id="GX_STG_OPEN_BUDGET_FUNDS_ADD_UP",
    severity="critical", message_uk="Фонди не дають разом суми.", message_en="Funds do not add up.",
    remedy_uk="Завантажте ще раз.", remedy_en="Load again.", unexpected_count=3, observed_value=None,
    failing_rows_sql="select 1\n  from staging.stg_open_budget__row",
)  # fmt: skip
RUN = Run(7, "published", None, "manual__1", 4, datetime(2024, 7, 1, 0, 30, tzinfo=UTC))
NEWS = News(RUN, (), (), (RULE,), is_whole=True)
CLOSED = replace(NEWS, run=replace(RUN, status="gate_closed", closed_gate="staging"), checks=(CHECK,))


class Tags(HTMLParser):
    """Tags and text of a page, as a mail program would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def parts(news: News) -> list[str]:
    letter = compose(news, is_sample=False)
    return [letter.text, Tags(letter.html).text]


def test_both_parts_say_file_sheet_cell_value_rule_and_remedy_in_both_languages() -> None:
    for part in parts(NEWS):
        for told in (
            "Вінницька/звіт.xlsx", "POP", "D7", "сорок", "Вінницька UA05020030000063857", "2024", "POP.001[T]",
            "У клітинці для числа стоїть текст", "A cell for a number holds text", "Впишіть число.", "Write a number.",
            "CELL_NOT_A_NUMBER", "подання громад", "returns of municipalities", "помилка", "error", "реліз 4",
            "01.07.2024 03:30",
        ):  # fmt: skip
            assert told in part, told


def test_ukrainian_comes_before_english() -> None:
    for part in parts(NEWS):
        assert part.index("Впишіть число.") < part.index("Write a number.")


def test_closed_gate_comes_first_and_says_that_the_old_release_serves() -> None:
    for part in parts(CLOSED):
        assert part.index("Фонди не дають разом суми.") < part.index("У клітинці для числа стоїть текст")
        assert part.index("Funds do not add up.") < part.index("A cell for a number holds text")
        assert "Далі діє попередній реліз 4" in part and "The last release keeps serving: release 4" in part
        assert "select 1 from staging.stg_open_budget__row" in part
    subject = compose(CLOSED, is_sample=False).subject
    assert subject == "АСМС: публікацію зупинено (staging); помилка 1 / publishing stopped"


def test_counts_add_up() -> None:
    """Shown and further findings of a rule are all of it; the rules are all of a severity; severities all there is."""
    many = replace(RULE, count=23, examples=(EXAMPLE,) * 10)
    warning = replace(RULE, severity="warning", rule_id="CHK.X", count=4, examples=(EXAMPLE,) * 4)
    news = replace(NEWS, rules=(many, replace(RULE, rule_id="CELL_DATE"), warning))
    for part in parts(news):
        assert "фатальна — 0; помилка — 24; попередження — 4; усього — 28." in part
        assert "Ще зауважень за цим правилом: 13" in part
        assert part.count("Ще зауважень за цим правилом") == 1
        assert part.count("звіт.xlsx") == 2 * (10 + 1 + 4)


def test_rules_after_the_thirtieth_have_a_line_each() -> None:
    rules = tuple(replace(RULE, rule_id=f"RULE_{number:03}", count=number) for number in range(1, 601))
    for part in parts(replace(NEWS, rules=rules)):
        assert part.count("Вінницька/звіт.xlsx") == 2 * 30
        assert all(part.count(rule.rule_id) == 2 for rule in rules), "in both languages"
    assert len(compose(replace(NEWS, rules=rules), is_sample=False).html) < 300_000
    for part in parts(NEWS):
        assert "quality.open_finding" not in part


def test_source_that_was_lost_is_named_with_its_message() -> None:
    news = replace(NEWS, sources=(LostSource("open_budget", "429 весь час / 429 for ever", None),), rules=())
    for part in parts(news):
        assert "виконання бюджетів (Open Budget)" in part and "429 for ever" in part and "ще не було" in part
    assert "не завантажено: open_budget" in compose(news, is_sample=False).subject


def test_value_of_a_restricted_indicator_is_said_to_be_withheld() -> None:
    hidden = replace(EXAMPLE, indicator_code="SAF.001", value_found=None, is_withheld=True)
    for part in parts(replace(NEWS, rules=(replace(RULE, examples=(hidden,)),))):
        assert "приховано" in part and "withheld" in part and "порожньо" not in part


def test_hostile_values_stay_values() -> None:
    example = replace(
        EXAMPLE, file_name=HOSTILE, sheet=HOSTILE, cell=HOSTILE, municipality=HOSTILE, value_found=HOSTILE,
        value_expected=HOSTILE, detail_uk=HOSTILE, detail_en=HOSTILE, remedy_uk=HOSTILE, remedy_en=HOSTILE,
    )  # fmt: skip
    news = replace(
        CLOSED,
        run=replace(CLOSED.run, airflow_run=HOSTILE),
        checks=(replace(CHECK, message_uk=HOSTILE, observed_value=HOSTILE, dataset=HOSTILE),),
        sources=(LostSource(HOSTILE, HOSTILE, None),),
        rules=(replace(RULE, examples=(example,), dataset=HOSTILE),),
    )
    letter = compose(news, is_sample=True)
    page = Tags(letter.html)
    assert page.tags.isdisjoint({"script", "img"})
    assert page.attributes <= {"lang", "charset", "border", "cellpadding", "cellspacing"}
    assert "<script>alert(1)</script>" in page.text, "escaped, and so still readable"
    for part in (letter.text, letter.html, letter.subject):
        assert "\u202e" not in part and "\x00" not in part and "\u200b" not in part
        assert "я" * 400 not in part
    for part in (letter.text, page.text):
        assert "{{ 7 * 7 }}" in part and "49" not in part and "{% raw %}" in part
    assert not any(line.startswith("Bcc:") for line in letter.text.splitlines())
    assert "\n" not in letter.subject and "\r" not in letter.subject


def test_every_word_is_there_in_both_languages_and_nothing_else() -> None:
    source = importlib.resources.files("asms.notify").joinpath("words.yaml")
    for group in yaml.safe_load(source.read_text(encoding="utf-8")).values():
        for word in group.values():
            assert list(word) == ["uk", "en"] and all(word.values())


def test_each_piece_of_the_text_part_stands_on_a_line_of_its_own() -> None:
    """A template's whitespace is easily lost, and then rows run together."""
    news = replace(CLOSED, rules=(replace(RULE, count=2), RULE), sources=(LostSource("population", "немає", None),))
    lines = compose(news, is_sample=False).text.splitlines()
    for start in (
        "* [критична] Фонди", "  Набір даних: staging.", "  Що робити: Завантажте", "  Показати всі рядки: select",
        "ПЕРЕВІРКИ, ЩО ЗУПИНИЛИ ПУБЛІКАЦІЮ", "ДЖЕРЕЛА, ЯКІ НЕ ВДАЛОСЯ ЗАВАНТАЖИТИ", "* населення: немає",
        "* [помилка] У клітинці", "  Що робити: Впишіть число.", "    – Вінницька", "      знайдено: сорок",
        "    Ще зауважень за цим правилом: 1", "CHECKS THAT STOPPED PUBLISHING", "ЗАУВАЖЕННЯ ДО ДАНИХ", "-----",
    ):  # fmt: skip
        assert any(line.startswith(start) for line in lines), start


def test_finding_on_a_whole_file_has_no_empty_places() -> None:
    """No stray commas, and no value «empty» where no cell was looked at."""
    bare = replace(
        EXAMPLE, sheet=None, cell=None, municipality=None, time_period=None, indicator_code=None, sex=None,
        value_found=None, detail_uk="Файл порожній: 0 байтів", detail_en="The file is empty: 0 bytes",
    )  # fmt: skip
    letter = compose(replace(NEWS, rules=(replace(RULE, examples=(bare,)),)), is_sample=False)
    assert "    – файл «Вінницька/звіт.xlsx»\n      Файл порожній: 0 байтів\n" in letter.text
    assert "порожньо" not in letter.text and "порожньо" not in letter.html


def test_same_news_make_the_same_letter() -> None:
    assert compose(CLOSED, is_sample=False) == compose(CLOSED, is_sample=False)


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a\r\n b\t\tc", "a b c"), ("\u200fא\u202e", "א"), ("x" * 301, "x" * 299 + "…"), (" \x07 ", ""), (0.5, "0.5")],
)
def test_clean(value: object, shown: str) -> None:
    assert clean(value) == shown


@pytest.mark.parametrize(
    ("text", "uk", "en"),
    [
        ("≤ 6632338.4", "≤ 6\u00a0632\u00a0338,4", "≤ 6,632,338.4"),
        ("41.7 … 56.5", "41,7 … 56,5", "41.7 … 56.5"),
        ("-12345.6 … 4521", "-12\u00a0345,6 … 4521", "-12,345.6 … 4521"),
        ("… 100000", "… 100\u00a0000", "… 100,000"),
        ("≈ 4.6", "≈ 4,6", "≈ 4.6"),
        ("0.3 (WST.001 × 1000 / POP.001)", "0,3 (WST.001 × 1000 / POP.001)", "0.3 (WST.001 × 1000 / POP.001)"),
        *(
            (text, text, text)
            for text in ("0, 1, 2", "1.234,5", "01.05.2024", "сорок 5.5", "5.5 тис. грн", "TER: 0 / 31", "")
        ),
    ],
)
def test_figures_are_spelled_as_the_language_does_and_other_text_stays(text: str, uk: str, en: str) -> None:
    assert (spell_figures(text, "uk"), spell_figures(text, "en")) == (uk, en)


@pytest.mark.parametrize(
    ("found", "expected", "told"),
    [
        ("1.866595 (IMP.004 / IMP.002)", "2 … 25", "1,867 (IMP.004 / IMP.002)"),
        ("0.004999 (LND.010 / LND.008)", "0.005 … 300", "0,004999 (LND.010 / LND.008)"),
        ("0.000412 (LND.010 / LND.008)", "0.005 … 300", "0,000412 (LND.010 / LND.008)"),
        ("300.000123 (LND.010 / LND.008)", "0.005 … 300", "300,0001 (LND.010 / LND.008)"),
        ("300.06789 (LND.010 / LND.008)", "0.005 … 300", "300,1 (LND.010 / LND.008)"),
        ("162345.678912 (REV.001 × 1000 / POP.001)", "100 … 150000", "162\u00a0346 (REV.001 × 1000 / POP.001)"),
        ("-0.5 (A.1 / B.1)", "≥ 0", "-0,5 (A.1 / B.1)"),
        ("12345.678901", "≤ 100", "12\u00a0345,678901"),
        ("1234.567891 (A.1 + A.2)", "≤ 1000", "1234,567891 (A.1 + A.2)"),
    ],
)
def test_a_quotient_is_rounded_and_stays_on_its_side_of_what_was_expected(found: str, expected: str, told: str) -> None:
    assert spell_figures(found, "uk", expected) == told


def test_a_range_is_spelled_in_both_languages_in_both_parts() -> None:
    example = replace(EXAMPLE, value_found="6700000.5", value_expected="≤ 6632338.4")
    for part in parts(replace(NEWS, rules=(replace(RULE, examples=(example,)),))):
        for told in ("6\u00a0700\u00a0000,5", "≤ 6\u00a0632\u00a0338,4", "6,700,000.5", "≤ 6,632,338.4"):
            assert told in part


def test_standing_warnings_have_one_digest_whatever_the_build_and_urgent_news_one_each() -> None:
    later = replace(NEWS, run=replace(RUN, build_id=8))
    assert later.digest == NEWS.digest
    assert replace(NEWS, run=replace(RUN, release_id=5)).digest != NEWS.digest
    assert replace(NEWS, rules=(replace(RULE, fingerprint="g"),)).digest != NEWS.digest
    urgent = [
        replace(NEWS, run=replace(RUN, status="failed")),
        replace(NEWS, checks=(CHECK,)),
        replace(NEWS, sources=(LostSource("population", None, None),)),
        replace(NEWS, rules=(replace(RULE, severity="fatal"),)),
    ]
    for news in urgent:
        assert replace(news, run=replace(news.run, build_id=8)).digest != news.digest


@pytest.mark.parametrize(
    ("news", "is_good"),
    [
        (replace(NEWS, rules=()), True),
        (replace(NEWS, run=replace(RUN, status="unchanged"), rules=()), True),
        (replace(NEWS, run=replace(RUN, status="failed"), rules=()), False),
        (replace(NEWS, run=replace(RUN, status="failed"), rules=(), is_whole=False), True),
        (NEWS, False),
    ],
)
def test_when_there_is_anything_to_tell(news: News, is_good: bool) -> None:
    assert news.is_good is is_good


def test_every_end_of_a_build_has_words() -> None:
    ends = ("running", "held", "gate_closed", "published", "unchanged", "failed", "superseded", "not_started")
    for end in ends:
        text, page = parts(replace(NEWS, run=replace(RUN, status=end)))
        assert text and page, end
