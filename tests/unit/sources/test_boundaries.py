"""Tables beside the codifier, as people send them: what is refused as a whole, what becomes a finding."""

from datetime import date

import pytest

from asms.sources import SourceError
from asms.sources.boundaries import read_councils, read_events, read_koatuu, read_memberships

HEADER = "event_code,event_kind,known_by,act,predecessor_code,successor_code,weight"
A, B, C, D = (f"UA050200{number:02}000000000" for number in range(1, 5))


def events(*lines: str) -> bytes:
    return "\n".join([HEADER, *lines]).encode()


def split(
    weight_a: object = 0.5, weight_b: object = 0.5, event: str = "R1", day: str = "2026-01-01", old: str = A
) -> tuple[str, str]:
    return f"{event},split,{day},акт,{old},{B},{weight_a}", f"{event},split,{day},акт,{old},{C},{weight_b}"


def test_an_event_is_read_as_it_stands() -> None:
    reading = read_events(events(*split('"0,25"', 0.75)), "boundary_events.csv")
    assert next(iter(reading.rows)) == (2, "R1", "split", date(2026, 1, 1), "акт", A, B, 0.25)
    assert list(read_events(events(*split("", "")), "f").rows)[1][-1] is None, "not known is not an equal share"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (split(0.5, 0.4), r"f: weights of \w+ in event R1 add up to 0\.9 over 2 of 2 successors"),
        (split(0.5, ""), "over 1 of 2 successors"),
        (split(0, 1), r"line 2: weight '0' is no share"),
        (split(1.5, 0.5), r"line 2: weight '1\.5' is no share"),
        (split("half", 0.5), "line 2: weight 'half'"),
        (split(day="2026-02-30"), "line 2: '2026-02-30' is no date"),
        ((*split(), *split(event="R2")), "events R1 and R2 contradict: both say what became of"),
        ((*split(), split()[0]), "names .* twice"),
        (
            (*split(), *split(event="R2", day="2027-01-01")),
            "event R2 of 2027-01-01 contradicts R1, by which .* had ceased",
        ),
        ((*split(), f"R1,split,2026-05-01,,{D},{B},1"), "event R1 has two dates"),
        ((f"R1,renamed,2026-01-01,,{A},{A},1",), "event_kind 'renamed' is none of"),
        (("R1,split,2026-01-01,,Вінниця,Київ,1",), "line 2: predecessor_code is 'Вінниця', which is no code"),
        (("R1,split,2026-01-01",), "line 2: 3 fields instead of 7"),
        (("<<<<<<< HEAD", *split()), "line 2: a merge conflict was left in the file"),
        ((), "has no lines"),
    ],
)
def test_what_contradicts_or_does_not_add_up_is_refused(lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_events(events(*lines), "f")


def test_a_code_that_went_may_come_again() -> None:
    again = (f"R2,created,2027-01-01,,{B},{A},1", f"R3,split,2028-01-01,,{A},{D},1")
    assert len(list(read_events(events(*split(), *again), "f").rows)) == 4


def test_a_council_in_two_hromadas_on_one_day_is_a_finding() -> None:
    lines = f"date,rada_code,hromada_code\n2020-08-16,0510100000,{A}\n2020-08-16,0510100000,{B}\n2020-08-16,0510300000,{A}\n"
    reading = read_memberships(lines.encode(), "time_rada.csv")
    (finding,) = reading.findings
    assert len(list(reading.rows)) == 3, "raw keeps what was found"
    assert (finding.rule_id, finding.cell) == ("BOUNDARY_EVENT_CONTRADICTS", "B2")
    assert "0510100000" in finding.message_uk and "lines 2, 3" in finding.message_en


def test_a_renamed_column_blocks_and_a_new_one_informs() -> None:
    with pytest.raises(SourceError, match="lacks the column hromada_code"):
        read_memberships(f"date,rada_code,hromada\n2020-08-16,0510100000,{A}\n".encode(), "time_rada.csv")
    reading = read_memberships(
        f"date,rada_code,hromada_code,why\n2020-08-16,0510100000,{A},\n".encode(), "time_rada.csv"
    )
    assert [finding.rule_id for finding in reading.findings] == ["SOURCE_COLUMN_NEW"]


def test_titles_and_values_are_read_however_they_are_written() -> None:
    table = "\ufeffКодифікатор,Код об'єкта КОАТУУ ,Категорія об’єкта,Назва об’єкта\nUA01,0100000000,О,Крим \n"
    assert list(read_koatuu(table.encode(), "f").rows) == [(2, "UA01", "0100000000", "О", "Крим")]
    assert next(iter(read_koatuu(table.replace("\ufeff", "").encode("cp1251"), "f").rows))[4] == "Крим"
    councils = (
        "rada_code,rada_name,hromada_code,hromada_name,rai_center,oblast,note\n110100000,Рада,NA,NA,м.Місто,Крим,NA\n"
    )
    assert list(read_councils(councils.encode(), "f").rows) == [
        (2, "110100000", "Рада", None, None, "м.Місто", "Крим", None)
    ]
