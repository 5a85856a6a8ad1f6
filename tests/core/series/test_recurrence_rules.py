"""What the parts of an RRULE mean, as Google sends them, and which lines are refused."""

from __future__ import annotations

import pytest

from sync.core.series.rrule_text import MAX_RULES, MAX_VALUES, parse_recurrence
from tests.core.series.test_recurrence import dates, day, expand, local, walls


def days(start: str, rule: str, most: int = 6) -> list[str]:
    """The first dates of a timed series; one and the same for an all-day series."""
    timed = [text[:10] for text in walls(expand(local(f"{start} 09:00"), f"RRULE:{rule}"))][:most]
    assert dates(expand(day(start), f"RRULE:{rule}"))[:most] == timed
    return timed


@pytest.mark.parametrize(
    ("start", "rule", "expected"),
    [
        ("2026-06-01", "FREQ=DAILY;COUNT=3", "2026-06-01 2026-06-02 2026-06-03"),
        ("2026-06-01", "FREQ=DAILY;INTERVAL=10;COUNT=3", "2026-06-01 2026-06-11 2026-06-21"),
        ("2026-06-01", "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=4", "2026-06-01 2026-06-03 2026-06-08 2026-06-10"),
        ("2026-06-09", "FREQ=MONTHLY;BYDAY=2TU;COUNT=3", "2026-06-09 2026-07-14 2026-08-11"),
        ("2026-06-26", "FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", "2026-06-26 2026-07-31 2026-08-28"),
        ("2026-06-30", "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3", "2026-06-30 2026-07-31 2026-08-31"),
        ("2026-01-31", "FREQ=MONTHLY;COUNT=4", "2026-01-31 2026-03-31 2026-05-31 2026-07-31"),
        ("2024-02-29", "FREQ=YEARLY;COUNT=3", "2024-02-29 2028-02-29 2032-02-29"),
        (
            "2026-06-01",
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3",
            # The start is no last working day: extra.
            "2026-06-01 2026-06-30 2026-07-31 2026-08-31",
        ),
        ("2026-05-11", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=2", "2026-05-11 2027-05-17"),
        ("2026-05-11", "FREQ=YEARLY;BYWEEKNO=20;COUNT=2", "2026-05-11 2027-05-17"),
        ("2026-04-10", "FREQ=YEARLY;BYYEARDAY=100;COUNT=3", "2026-04-10 2027-04-10 2028-04-09"),
        ("2026-12-31", "FREQ=YEARLY;BYYEARDAY=-1;COUNT=2", "2026-12-31 2027-12-31"),
        ("2026-05-25", "FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO;COUNT=2", "2026-05-25 2027-05-31"),
        (
            "2026-11-03",
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;COUNT=2",
            "2026-11-03 2030-11-05",
        ),
        ("2026-06-01", "FREQ=MONTHLY;BYDAY=MO,1TU;COUNT=3", "2026-06-01 2026-06-02 2026-06-08"),
        ("2026-06-29", "FREQ=MONTHLY;BYDAY=5MO;COUNT=3", "2026-06-29 2026-08-31 2026-11-30"),
        ("2026-12-03", "FREQ=MONTHLY;BYMONTHDAY=-29;COUNT=3", "2026-12-03 2027-01-03 2027-03-03"),
        # RFC 5545 3.8.5.3: the same rule with another first day of the week.
        (
            "2025-08-05",
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
            "2025-08-05 2025-08-10 2025-08-19 2025-08-24",
        ),
        (
            "2025-08-05",
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
            "2025-08-05 2025-08-17 2025-08-19 2025-08-31",
        ),
        # The week's first Monday or Wednesday, begun on a Wednesday: its Monday, before the start, was the first.
        ("2026-06-03", "FREQ=WEEKLY;BYDAY=MO,WE;BYSETPOS=1;COUNT=2", "2026-06-03 2026-06-08 2026-06-15"),
    ],
)
def test_rule_gives_its_days(start: str, rule: str, expected: str) -> None:
    assert days(start, rule) == expected.split()


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20260603T070000Z", "2026-06-03"),  # exactly the last start: inclusive
        ("20260603T065959Z", "2026-06-02"),  # Google's "this and following": a second before
        ("20260603T090000", "2026-06-03"),  # local
        ("20260603T085959", "2026-06-02"),
        ("20260603", "2026-06-03"),  # a date: the whole local day
    ],
)
def test_until_of_a_timed_series_is_inclusive(until: str, last: str) -> None:
    found = expand(local("2026-06-01 09:00"), f"RRULE:FREQ=DAILY;UNTIL={until}")

    assert walls(found)[-1][:10] == last


def test_date_only_until_means_the_local_day_not_the_utc_day() -> None:
    found = expand(local("2026-06-01 21:00", "America/Los_Angeles"), "RRULE:FREQ=DAILY;UNTIL=20260603")

    assert walls(found, "America/Los_Angeles")[-1] == "2026-06-03 21:00"


@pytest.mark.parametrize("until", ["20260603", "20260603T000000Z", "20260603T070000Z", "20260603T235959"])
def test_until_of_an_all_day_series_is_the_date_in_its_digits(until: str) -> None:
    assert dates(expand(day("2026-06-01"), f"RRULE:FREQ=DAILY;UNTIL={until}"))[-1] == "2026-06-03"


def test_count_with_until_ends_at_whichever_comes_first() -> None:
    assert len(expand(local("2026-06-01 09:00"), "RRULE:FREQ=DAILY;COUNT=9;UNTIL=20260603")) == 3
    assert len(expand(local("2026-06-01 09:00"), "RRULE:FREQ=DAILY;COUNT=2;UNTIL=20260603")) == 2


def test_excluded_and_added_occurrences_do_not_change_count() -> None:
    found = expand(
        local("2026-06-01 09:00"), "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260602T070000Z", "RDATE:20260610T070000Z"
    )

    assert [text[5:10] for text in walls(found)] == ["06-01", "06-03", "06-10"]


def test_hourly_rule_keeps_its_phase_far_from_its_start() -> None:
    found = expand(
        local("2020-06-01 09:20", "UTC"), "RRULE:FREQ=HOURLY;INTERVAL=7", since="2026-06-01", until="2026-06-02"
    )

    hours = [int(text[11:13]) for text in walls(found, "UTC")]
    assert hours == sorted(hours)
    assert {text[14:] for text in walls(found, "UTC")} == {"20"}
    first = expand(
        local("2020-06-01 09:20", "UTC"), "RRULE:FREQ=HOURLY;INTERVAL=7", since="2020-06-01", until="2020-06-02"
    )
    assert [text[11:] for text in walls(first, "UTC")] == ["09:20", "16:20", "23:20"]


@pytest.mark.parametrize(
    "line",
    [
        "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=2",
        "rrule:freq=weekly;byday=mo,we;count=2",
        "  RRULE : FREQ = WEEKLY ; BYDAY = MO, WE ; COUNT = 2 ; ",
        "RRULE:COUNT=2;BYDAY=WE,MO;WKST=SU;INTERVAL=1;FREQ=WEEKLY;",
    ],
)
def test_rule_is_read_however_it_is_written(line: str) -> None:
    assert [text[:10] for text in walls(expand(local("2026-06-01 09:00"), "", line))] == ["2026-06-01", "2026-06-03"]


YEARS_27TH = "2026-06-27 2027-06-27 2028-06-27"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=YEARLY;BYMONTHDAY=27;COUNT=3", YEARS_27TH),
        ("FREQ=YEARLY;BYMONTHDAY=27;UNTIL=20281231", YEARS_27TH),
        ("FREQ=YEARLY;BYMONTHDAY=27;INTERVAL=2;COUNT=2", "2026-06-27 2028-06-27"),
        ("FREQ=YEARLY;BYMONTHDAY=27,28;COUNT=3", "2026-06-27 2026-06-28 2027-06-27"),
        ("FREQ=YEARLY;BYMONTHDAY=-4;COUNT=3", YEARS_27TH),
        ("FREQ=YEARLY;BYMONTHDAY=27;BYMONTH=6,7;COUNT=3", "2026-06-27 2026-07-27 2027-06-27"),
        # With a weekday beside it every month is meant: Saturdays the 27th.
        ("FREQ=YEARLY;BYMONTHDAY=27;BYDAY=SA;COUNT=2", "2026-06-27 2027-02-27"),
    ],
)
def test_a_day_of_the_month_in_a_yearly_rule_means_the_starts_month(rule: str, expected: str) -> None:
    """As Google shows it; by RFC 5545 it would be every month."""
    assert days("2026-06-27", rule) == expected.split()


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("RRULE:FREQ=DAILY;X-EVOLUTION-ENDDATE=20200101T000000Z", "FREQ=DAILY"),
        ("RRULE:X-NAME=a;FREQ=DAILY;X-EMPTY=", "FREQ=DAILY"),
        ("RRULE:RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=OMIT", "FREQ=MONTHLY"),
        ("RRULE:FREQ=DAILY;INTERVAL=0", "FREQ=DAILY"),
        ("RRULE:FREQ=DAILY;INTERVAL=-1", "FREQ=DAILY"),
        ("RRULE:FREQ=DAILY;COUNT=-1", "FREQ=DAILY"),
        ("RRULE:FREQ=DAILY;COUNT=0", "FREQ=DAILY"),
        ("RRULE:FREQ=DAILY;COUNT=", "FREQ=DAILY"),
        ("RRULE:FREQ=WEEKLY;BYDAY=;COUNT=3", "FREQ=WEEKLY;COUNT=3"),
        ("RRULE:FREQ=DAILY;COUNT=2;COUNT=3", "FREQ=DAILY;COUNT=3"),
        ("RRULE:FREQ=WEEKLY;FREQ=WEEKLY;WKST=SU;WKST=SU", "FREQ=WEEKLY;WKST=SU"),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO;BYDAY=WE", "FREQ=WEEKLY;BYDAY=MO,WE"),
        ("RRULE:FREQ=WEEKLY;BYDAY=0MO", "FREQ=WEEKLY;BYDAY=MO"),
        ("RRULE:FREQ=DAILY;UNTIL=20260603T070000ZZ", "FREQ=DAILY;UNTIL=20260603T070000Z"),
        ("RRULE:FREQ=DAILY;UNTIL=20260603Z", "FREQ=DAILY;UNTIL=20260603"),
        ("RRULE:RRULE:FREQ=DAILY", "FREQ=DAILY"),
        ("FREQ=DAILY;COUNT=3", "FREQ=DAILY;COUNT=3"),
    ],
)
def test_a_line_beyond_the_rfc_is_read_as_it_is_meant(line: str, meant: str) -> None:
    read = parse_recurrence([line])

    assert read == parse_recurrence([f"RRULE:{meant}"])
    assert read.rules
    assert read.unread == ()


@pytest.mark.parametrize("line", ["RRULE:", "RRULE:;", "X-RULE:whatever", "X-RULE"])
def test_a_line_that_says_nothing_is_no_trouble(line: str) -> None:
    assert parse_recurrence([line]) == parse_recurrence([])


UNREADABLE = [
    ("nonsense", "unknown property"),
    ("DTSTART:20260601T090000Z", "unknown property"),
    ("RRULE:INTERVAL=2", "FREQ"),
    ("RRULE:FREQ=FORTNIGHTLY", "FREQ"),
    ("RRULE:FREQ=", "FREQ"),
    ("RRULE:FREQ=DAILY;BYEASTER=0", "unknown part"),
    ("RRULE:RSCALE=HEBREW;FREQ=YEARLY", "RSCALE"),
    ("RRULE:FREQ=MONTHLY;SKIP=FORWARD", "SKIP"),
    ("RRULE:FREQ=DAILY;INTERVAL=two", "INTERVAL"),
    ("RRULE:FREQ=DAILY;COUNT=" + "9" * 5000, "COUNT"),
    ("RRULE:FREQ=DAILY;UNTIL=tomorrow", "UNTIL"),
    ("RRULE:FREQ=DAILY;UNTIL=20260231", "UNTIL"),
    ("RRULE:FREQ=DAILY;UNTIL=00000101", "UNTIL"),
    ("RRULE:FREQ=WEEKLY;BYDAY=XX", "BYDAY"),
    ("RRULE:FREQ=MONTHLY;BYDAY=54MO", "BYDAY"),
    ("RRULE:FREQ=WEEKLY;WKST=1MO", "WKST"),
    ("RRULE:FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY"),
    ("RRULE:FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY"),
    ("RRULE:FREQ=YEARLY;BYMONTH=-1", "BYMONTH"),
    ("RRULE:FREQ=YEARLY;BYWEEKNO=54", "BYWEEKNO"),
    ("RRULE:FREQ=DAILY;BYHOUR=24", "BYHOUR"),
    ("RRULE:FREQ=DAILY;BYSETPOS=" + ",".join(map(str, range(1, 200))), "BYSETPOS"),
    ("EXDATE:yesterday", "EXDATE"),
    ("EXDATE", "EXDATE"),
    ("EXDATE:20260601T250000Z", "EXDATE"),
    ("RDATE:99991231T000000Z", "RDATE"),
]


@pytest.mark.parametrize(("line", "problem"), UNREADABLE)
def test_an_unreadable_line_is_set_aside_and_named(line: str, problem: str) -> None:
    read = parse_recurrence(["RRULE:FREQ=DAILY", line])

    assert len(read.rules) == 1
    (unread,) = read.unread
    assert unread.number == 2
    assert problem in unread.problem
    assert len(unread.problem) < 200


@pytest.mark.parametrize(("line", "problem"), UNREADABLE)
def test_an_unreadable_line_hides_nothing_but_itself(line: str, problem: str) -> None:
    start = local("2026-06-01 09:00")

    assert walls(expand(start, line)) == ["2026-06-01 09:00"]
    assert dates(expand(day("2026-06-01"), line)) == ["2026-06-01"]
    both = expand(start, "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260602T070000Z", line)
    assert [text[8:10] for text in walls(both)] == ["01", "03"]


def test_the_readable_dates_of_a_line_stay() -> None:
    found = expand(local("2026-06-01 09:00"), "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:never,20260602T070000Z,")

    assert [text[8:10] for text in walls(found)] == ["01", "03"]


def test_the_start_stays_where_a_rule_ended_before_it_and_another_cannot_be_read() -> None:
    ended = "RRULE:FREQ=DAILY;UNTIL=20200101"

    assert expand(local("2026-06-01 09:00"), ended) == []
    assert walls(expand(local("2026-06-01 09:00"), ended, "RRULE:FREQ=SOMETIMES")) == ["2026-06-01 09:00"]


def test_rules_and_dates_beyond_the_limits_are_set_aside() -> None:
    rules = parse_recurrence(["RRULE:FREQ=DAILY"] * (MAX_RULES + 1))
    many = parse_recurrence(["EXDATE:" + ",".join(["20260601"] * (MAX_VALUES + 1))])
    lines = parse_recurrence([""] * (MAX_VALUES + 1))

    assert (len(rules.rules), rules.unread[0].number) == (MAX_RULES, MAX_RULES + 1)
    assert (len(many.exclusion_dates), len(many.unread)) == (MAX_VALUES, 1)
    assert [unread.problem for unread in lines.unread] == [f"more than {MAX_VALUES} lines"]
