"""The mail about a candidate that waits: counts, both languages, nothing in it that a sender could make act."""

from asms.notify.candidate import compose_candidate
from asms.warehouse.difference import Difference, IndicatorDifference, TableDifference, ValueChange
from tests.unit.notify.test_compose import Tags

_FOUND = Difference(
    3, None, [TableDifference("fct_indicator_value", 5, 1, 2)], [IndicatorDifference("POP.001", 4, 1, 2, 6, 12.5, "return")],
    [ValueChange("changed", "UA1", "POP.001", "2024", "T", 1234.5, "A", None, "M_Q", None, "return", "<script>\u202ex.xlsx")], 7,
)  # fmt: skip


def test_both_parts_tell_counts_values_and_what_to_do_in_both_languages() -> None:
    letter = compose_candidate(9, _FOUND, in_airflow=True, is_sample=False)
    assert letter.subject == "АСМС: збірка 9 чекає на публікацію, змін 7 / build 9 waits to be published"
    for part in (letter.text, Tags(letter.html).text):
        assert (
            part.count("fct_indicator_value")
            == part.count("approve_release")
            == part.count("asms release publish")
            == 2
        )
        assert "Проти випуску 3 змінюється значень: 7" in part
        assert "differ from release 3: 7" in part
        assert "1 234.5 → M_Q" in part
    assert letter == compose_candidate(9, _FOUND, in_airflow=True, is_sample=False)


def test_names_of_files_are_escaped_and_cleaned() -> None:
    letter = compose_candidate(9, _FOUND, in_airflow=False, is_sample=True)
    assert "script" not in Tags(letter.html).tags
    assert "&lt;script&gt;x.xlsx" in letter.html
    assert "\u202e" not in letter.html + letter.text
    assert "approve_release" not in letter.html + letter.text
    assert "навчальні дані" in letter.text


def test_the_first_release_has_nothing_to_be_compared_with() -> None:
    letter = compose_candidate(1, None, in_airflow=False, is_sample=False)
    assert "Випуску, з яким її порівняти, ще немає" in letter.text
    assert "There is no release yet" in letter.html
