"""Which occurrences of a series overlap a window: zones, DTSTART, RDATE and EXDATE, windows, bounds."""

from __future__ import annotations

import datetime as dt
from contextlib import AbstractContextManager
from zoneinfo import ZoneInfo

import pytest

from sync.core.series.recurrence import (
    MAX_OCCURRENCES,
    BadRecurrence,
    next_start,
    occurrence_starts,
)
from sync.core.series.rrule_walk import MAX_WORK
from sync.model import EventTime, Window
from tests.call_counts import at_most_calls, calls_made

ZURICH = "Europe/Zurich"
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def local(text: str, zone: str = ZURICH, *, fold: int = 0) -> EventTime:
    at = dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return EventTime(at=at.astimezone(dt.UTC), time_zone=zone)


def day(text: str) -> EventTime:
    return EventTime(date=dt.date.fromisoformat(text))


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def expand(
    start: EventTime,
    *lines: str,
    since: str = "2000-01-01",
    until: str = "2040-01-01",
    duration: dt.timedelta | None = None,
    calendar_zone: str = ZURICH,
) -> list[EventTime]:
    lasting = duration if duration is not None else (DAY if start.is_all_day else HOUR)
    return occurrence_starts(start, lines, Window(utc(since), utc(until)), lasting, calendar_zone)


def little_work() -> AbstractContextManager[None]:
    """A look at a day or at a time is about ten calls and returns, and MAX_WORK bounds how many there are."""
    return at_most_calls(15 * MAX_WORK)


def walls(found: list[EventTime], zone: str = ZURICH) -> list[str]:
    return [f"{time.at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" for time in found if time.at]


def instants(found: list[EventTime]) -> list[str]:
    return [f"{time.at:%Y-%m-%d %H:%M}" for time in found if time.at]


def dates(found: list[EventTime]) -> list[str]:
    return [str(time.date) for time in found if time.date]


# --- Local time -----------------------------------------------------------------------------------------------------


def test_weekly_nine_o_clock_stays_nine_o_clock_across_both_clock_changes() -> None:
    found = expand(local("2026-03-23 09:00"), "RRULE:FREQ=WEEKLY", since="2026-03-20", until="2026-11-09")

    assert {time.at.astimezone(ZoneInfo(ZURICH)).time() for time in found if time.at} == {dt.time(9)}
    assert instants(found)[:2] == ["2026-03-23 08:00", "2026-03-30 07:00"]
    assert instants(found)[-3:] == ["2026-10-19 07:00", "2026-10-26 08:00", "2026-11-02 08:00"]


def test_missing_local_time_moves_forward_by_the_gap() -> None:
    found = expand(local("2026-03-07 02:30", "America/New_York"), "RRULE:FREQ=DAILY;COUNT=3")

    assert walls(found, "America/New_York") == ["2026-03-07 02:30", "2026-03-08 03:30", "2026-03-09 02:30"]


def test_doubled_local_time_happens_once_at_the_first() -> None:
    found = expand(local("2026-10-31 01:30", "America/New_York"), "RRULE:FREQ=DAILY;COUNT=3")

    assert instants(found) == ["2026-10-31 05:30", "2026-11-01 05:30", "2026-11-02 06:30"]


def test_start_at_the_second_of_a_doubled_time_keeps_its_own_instant() -> None:
    start = local("2026-11-01 01:30", "America/New_York", fold=1)
    found = expand(start, "RRULE:FREQ=DAILY;COUNT=2")

    assert instants(found) == ["2026-11-01 06:30", "2026-11-02 06:30"]


def test_half_hour_clock_change_moves_by_half_an_hour() -> None:
    spring = expand(local("2026-10-03 02:15", "Australia/Lord_Howe"), "RRULE:FREQ=DAILY;COUNT=3")
    autumn = expand(local("2026-04-04 01:45", "Australia/Lord_Howe"), "RRULE:FREQ=DAILY;COUNT=3")

    assert walls(spring, "Australia/Lord_Howe") == ["2026-10-03 02:15", "2026-10-04 02:45", "2026-10-05 02:15"]
    assert instants(autumn) == ["2026-04-03 14:45", "2026-04-04 14:45", "2026-04-05 15:15"]


def test_day_which_a_zone_skipped_collapses_into_the_next() -> None:
    found = expand(local("2011-12-29 09:00", "Pacific/Apia"), "RRULE:FREQ=DAILY;COUNT=3")

    assert walls(found, "Pacific/Apia") == ["2011-12-29 09:00", "2011-12-31 09:00"]


@pytest.mark.parametrize("zone", [None, "", "Europe", "../etc/passwd", "GMT+24:00", "x" * 999])
def test_series_without_a_usable_zone_repeats_in_the_calendars(zone: str | None) -> None:
    start = EventTime(at=utc("2026-03-23 08:00"), time_zone=zone)
    found = expand(start, "RRULE:FREQ=WEEKLY;COUNT=2")

    assert instants(found) == ["2026-03-23 08:00", "2026-03-30 07:00"]
    assert {time.time_zone for time in found} == {ZURICH}


@pytest.mark.parametrize(
    ("zone", "second", "known_as"),
    [
        ("W. Europe Standard Time", "2026-03-30 07:00", "Europe/Berlin"),
        ("Eastern Standard Time", "2026-03-30 08:00", "America/New_York"),
        ("Asia/Calcutta", "2026-03-30 08:00", "Asia/Calcutta"),
        ("US/Pacific", "2026-03-30 08:00", "US/Pacific"),
        ("GMT-03:00", "2026-03-30 08:00", "Etc/GMT+3"),
        ("GMT+02:00", "2026-03-30 08:00", "Etc/GMT-2"),
        ("UTC+5", "2026-03-30 08:00", "Etc/GMT-5"),
        ("Etc/GMT+3", "2026-03-30 08:00", "Etc/GMT+3"),
        ("+0530", "2026-03-30 08:00", "UTC+05:30"),
        ("(utc-03:30)", "2026-03-30 08:00", "UTC-03:30"),
        ("UTC-14:00", "2026-03-30 08:00", "UTC-14:00"),
        ("GMT+0", "2026-03-30 08:00", "GMT+0"),
        ("UTC+00:00", "2026-03-30 08:00", "UTC"),
    ],
)
def test_series_repeats_in_the_zone_its_name_means(zone: str, second: str, known_as: str) -> None:
    """Europe's clocks change on 29 March, New York's long before; the calendar's zone is Zurich."""
    found = expand(EventTime(at=utc("2026-03-23 08:00"), time_zone=zone), "RRULE:FREQ=WEEKLY;COUNT=2")

    assert instants(found) == ["2026-03-23 08:00", second]
    assert {time.time_zone for time in found} == {known_as}
    assert expand(found[0], "RRULE:FREQ=WEEKLY;COUNT=2") == found


@pytest.mark.parametrize(("zone", "wall"), [("GMT-03:00", "05:00"), ("UTC+5", "13:00"), ("+0530", "13:30")])
def test_a_fixed_offset_counts_east_of_greenwich(zone: str, wall: str) -> None:
    start = EventTime(at=utc("2026-06-01 08:00"), time_zone=zone)

    assert instants(expand(start, f"EXDATE;TZID={zone}:20260601T{wall.replace(':', '')}00")) == []


def test_series_and_calendar_without_usable_zones_repeat_in_utc() -> None:
    start = EventTime(at=utc("2026-03-23 08:00"), time_zone="Nowhere")
    found = expand(start, "RRULE:FREQ=WEEKLY;COUNT=2", calendar_zone="Nowhere either")

    assert instants(found) == ["2026-03-23 08:00", "2026-03-30 08:00"]


# --- All-day --------------------------------------------------------------------------------------------------------


def test_all_day_series_keeps_its_dates_across_clock_changes() -> None:
    found = expand(day("2026-03-28"), "RRULE:FREQ=DAILY;COUNT=3", since="2026-03-27", until="2026-04-10")

    assert dates(found) == ["2026-03-28", "2026-03-29", "2026-03-30"]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [(ZURICH, ["2026-06-02", "2026-06-03"]), ("America/Los_Angeles", ["2026-06-01", "2026-06-02"])],
)
def test_all_day_occurrences_meet_the_window_in_the_calendars_zone(zone: str, expected: list[str]) -> None:
    found = expand(
        day("2026-06-01"), "RRULE:FREQ=DAILY", since="2026-06-01 23:00", until="2026-06-02 23:00", calendar_zone=zone
    )

    assert dates(found) == expected


def test_all_day_ends_at_local_midnight_of_a_23_hour_day() -> None:
    on_the_day = expand(day("2026-03-29"), since="2026-03-29 21:59", until="2026-03-30")
    after_it = expand(day("2026-03-29"), since="2026-03-29 22:00", until="2026-03-30")

    assert dates(on_the_day) == ["2026-03-29"]
    assert after_it == []


def test_times_in_an_all_day_rule_are_ignored() -> None:
    found = expand(day("2026-06-01"), "RRULE:FREQ=DAILY;COUNT=2;BYHOUR=8,17")

    assert dates(found) == ["2026-06-01", "2026-06-02"]


# --- Windows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "until", "inside"),
    [
        ("2026-06-01 08:00", "2026-06-01 09:00", True),
        ("2026-06-01 07:59", "2026-06-01 08:01", True),
        ("2026-06-01 08:59", "2026-06-01 12:00", True),
        ("2026-06-01 09:00", "2026-06-01 12:00", False),
        ("2026-06-01 07:00", "2026-06-01 08:00", False),
    ],
)
def test_occurrence_overlaps_a_half_open_window(since: str, until: str, inside: bool) -> None:
    found = expand(local("2026-05-25 10:00"), "RRULE:FREQ=WEEKLY", since=since, until=until)

    assert bool(found) is inside


@pytest.mark.parametrize(("since", "inside"), [("2026-06-01 08:00", True), ("2026-06-01 08:01", False)])
def test_occurrence_without_length_counts_where_it_starts(since: str, inside: bool) -> None:
    found = expand(
        local("2026-05-25 10:00"), "RRULE:FREQ=WEEKLY", since=since, until="2026-06-02", duration=dt.timedelta(0)
    )

    assert bool(found) is inside


def test_occurrence_longer_than_its_interval_overlaps_from_long_before() -> None:
    found = expand(
        local("2020-01-06 10:00"),
        "RRULE:FREQ=WEEKLY",
        since="2026-06-03",
        until="2026-06-04",
        duration=dt.timedelta(days=16),
    )

    assert walls(found) == ["2026-05-18 10:00", "2026-05-25 10:00", "2026-06-01 10:00"]


def test_event_without_recurrence_is_its_own_only_occurrence() -> None:
    assert walls(expand(local("2026-06-01 10:00"))) == ["2026-06-01 10:00"]


def test_long_all_day_occurrence_from_summer_time_overlaps_until_its_winter_midnight() -> None:
    found = expand(
        day("2026-01-05"),
        "RRULE:FREQ=WEEKLY",
        since="2026-11-10 22:30",
        until="2026-11-10 22:45",
        duration=30 * DAY,
    )

    assert dates(found)[0] == "2026-10-12"


# --- DTSTART --------------------------------------------------------------------------------------------------------


def test_start_off_the_rule_is_an_extra_first_instance_not_counted() -> None:
    """The case of googleapis/google-api-nodejs-client#2214: COUNT=5 shows six events."""
    found = expand(local("2020-06-08 13:00"), "RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=TU,TH,SA;COUNT=5")

    assert [text[5:10] for text in walls(found)] == ["06-08", "06-09", "06-11", "06-13", "06-16", "06-18"]


def test_start_on_the_rule_is_counted() -> None:
    found = expand(local("2020-06-09 13:00"), "RRULE:FREQ=WEEKLY;BYDAY=TU,TH,SA;COUNT=2")

    assert [text[5:10] for text in walls(found)] == ["06-09", "06-11"]


def test_start_off_the_rule_is_not_repeated_by_the_fast_forward() -> None:
    found = expand(local("2020-06-08 13:00"), "RRULE:FREQ=WEEKLY;BYDAY=TU", since="2026-06-01", until="2026-06-09")

    assert walls(found) == ["2026-06-02 13:00"]


def test_series_whose_rule_ended_before_its_start_has_no_occurrence() -> None:
    """sabre-io/vobject#371: Google leaves such series behind, and shows nothing of them."""
    assert expand(day("2023-10-02"), "RRULE:FREQ=WEEKLY;UNTIL=20231001;INTERVAL=2;BYDAY=MO") == []
    assert expand(local("2023-10-02 09:00"), "RRULE:FREQ=DAILY;UNTIL=20231002T065959Z") == []


def test_start_can_be_excluded() -> None:
    found = expand(local("2026-06-01 09:00"), "RRULE:FREQ=DAILY;COUNT=2", "EXDATE;TZID=Europe/Zurich:20260601T090000")

    assert walls(found) == ["2026-06-02 09:00"]


# --- RDATE, EXDATE, EXRULE, several RRULEs --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "EXDATE;TZID=Europe/Zurich:20260602T090000",
        "EXDATE:20260602T070000Z",
        "EXDATE;TZID=America/New_York:20260602T030000",
        "EXDATE:20260602T090000",
        "EXDATE;TZID=W. Europe Standard Time:20260602T090000",
        'EXDATE;TZID="(UTC+01:00) Amsterdam; Berlin":20260602T090000',
        "EXDATE;TZID=(UTC+01:00) Amsterdam:20260602T090000",
        "EXDATE:20260602T070000ZZ",
        "EXDATE;VALUE=DATE-TIME;TZID=Europe/Zurich:20250101T090000,20260602T090000",
        " exdate;tzid=Europe/Zurich : 20260602t090000 , 20250101t090000",
    ],
)
def test_exdate_excludes_in_every_form(line: str) -> None:
    found = expand(local("2026-06-01 09:00"), "RRULE:FREQ=DAILY;COUNT=3", line)

    assert walls(found) == ["2026-06-01 09:00", "2026-06-03 09:00"]


@pytest.mark.parametrize("line", ["EXDATE;VALUE=DATE:20260602", "EXDATE:20260602", "EXDATE:20260602Z"])
def test_exdate_of_a_date_does_not_touch_a_timed_series(line: str) -> None:
    """Google shows the occurrence all the same."""
    assert len(expand(local("2026-06-01 09:00"), "RRULE:FREQ=DAILY;COUNT=3", line)) == 3


def test_exdate_at_another_time_of_the_day_excludes_nothing() -> None:
    found = expand(local("2026-06-01 09:00"), "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260602T090000Z")

    assert len(found) == 3


@pytest.mark.parametrize("line", ["EXDATE;TZID=America/New_York:20260308T023000", "EXDATE:20260308T073000Z"])
def test_exdate_excludes_an_occurrence_moved_by_a_gap(line: str) -> None:
    found = expand(local("2026-03-07 02:30", "America/New_York"), "RRULE:FREQ=DAILY;COUNT=3", line)

    assert walls(found, "America/New_York") == ["2026-03-07 02:30", "2026-03-09 02:30"]


@pytest.mark.parametrize(
    "line",
    [
        "EXDATE;VALUE=DATE:20260602",
        "EXDATE:20260602",
        "EXDATE;TZID=Europe/Zurich:20260602T000000",
        "EXDATE:20260601T220000Z",
        "EXDATE:20260602T000000Z",
        "EXDATE;VALUE=DATE;TZID=America/New_York:20260602",
    ],
)
def test_exdate_excludes_a_day_of_an_all_day_series_in_every_form(line: str) -> None:
    found = expand(day("2026-06-01"), "RRULE:FREQ=DAILY;COUNT=3", line)

    assert dates(found) == ["2026-06-01", "2026-06-03"]


@pytest.mark.parametrize(
    ("line", "extra"),
    [
        ("RDATE;TZID=Europe/Zurich:20260701T120000", "2026-07-01 12:00"),
        ("RDATE:20260701T100000Z", "2026-07-01 12:00"),
        ("RDATE:20260701T120000", "2026-07-01 12:00"),
        ("RDATE;VALUE=DATE:20260701", "2026-07-01 09:00"),
        ("RDATE;VALUE=PERIOD:20260701T100000Z/20260701T113000Z", "2026-07-01 12:00"),
        ("RDATE;VALUE=PERIOD:20260701T100000Z/PT1H30M", "2026-07-01 12:00"),
        ("RRULE:DATE;TZID=Europe/Zurich:20260701T120000", "2026-07-01 12:00"),
        ("RRULE:DATE:20260701T100000Z", "2026-07-01 12:00"),
        ('RDATE;TZID="Europe/Zurich";X-A="b:c;d":20260701T120000', "2026-07-01 12:00"),
    ],
)
def test_rdate_adds_in_every_form(line: str, extra: str) -> None:
    found = expand(local("2026-06-01 09:00"), "RRULE:FREQ=DAILY;COUNT=2", line)

    assert walls(found) == ["2026-06-01 09:00", "2026-06-02 09:00", extra]


def test_rdate_on_an_occurrence_adds_nothing_and_exdate_beats_rdate() -> None:
    found = expand(
        local("2026-06-01 09:00"),
        "RDATE:20260602T070000Z,20260603T070000Z",
        "RRULE:FREQ=DAILY;COUNT=2",
        "EXDATE:20260603T070000Z",
    )

    assert walls(found) == ["2026-06-01 09:00", "2026-06-02 09:00"]


def test_several_rules_unite_and_exrule_takes_away() -> None:
    found = expand(
        local("2026-06-01 09:00"),
        "RRULE:FREQ=DAILY;COUNT=4",
        "RRULE:FREQ=WEEKLY;COUNT=2",
        "EXRULE:FREQ=DAILY;INTERVAL=2;COUNT=2",
    )

    assert [text[5:10] for text in walls(found)] == ["06-02", "06-04", "06-08"]


# --- Bounds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frequency", ["YEARLY", "MONTHLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"])
@pytest.mark.parametrize("end", ["", ";COUNT=3", ";COUNT=999999999"])
def test_rule_which_never_matches_ends_quickly(frequency: str, end: str) -> None:
    with little_work():
        found = expand(
            local("1990-06-01 09:00"),
            f"RRULE:FREQ={frequency};BYMONTH=2;BYMONTHDAY=31{end}",
            since="2026-06-01",
            until="2026-08-01",
        )

    assert found == []


@pytest.mark.parametrize("frequency", ["YEARLY", "DAILY", "SECONDLY"])
def test_rule_which_never_matches_is_not_searched_beyond_the_window(frequency: str) -> None:
    # About 2,000; where only MAX_WORK ends it 6,000 to a million, and dateutil alone makes millions.
    with at_most_calls(4_000):
        expand(
            local("1990-06-01 09:00"),
            f"RRULE:FREQ={frequency};BYMONTH=2;BYMONTHDAY=31",
            since="2026-06-01",
            until="2026-08-01",
        )


def test_secondly_rule_gives_the_first_occurrences_of_the_window_up_to_the_cap() -> None:
    with little_work():
        found = expand(local("1990-06-01 09:00"), "RRULE:FREQ=SECONDLY", since="2026-06-01", until="2026-08-01")

    assert MAX_OCCURRENCES - 1 <= len(found) <= MAX_OCCURRENCES
    assert found[0].at == utc("2026-05-31 23:00:01")


SIXTY = ",".join(map(str, range(60)))
HOURS = ",".join(map(str, range(24)))


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY;BYHOUR=3;COUNT=999999999",
        f"FREQ=HOURLY;BYMINUTE={SIXTY};BYSECOND={SIXTY};BYMONTH=2;BYMONTHDAY=31;COUNT=5",
        f"FREQ=YEARLY;BYDAY=MO;BYHOUR={HOURS};BYMINUTE={SIXTY};BYSECOND={SIXTY};COUNT=999999999",
        f"FREQ=DAILY;BYHOUR={HOURS};BYMINUTE={SIXTY};BYSECOND={SIXTY};BYSETPOS={','.join(map(str, range(1, 101)))}",
        "FREQ=WEEKLY;INTERVAL=999999999",
        "FREQ=SECONDLY;INTERVAL=999999999;COUNT=999999999",
    ],
)
def test_hostile_rule_is_bounded(rule: str) -> None:
    with little_work():
        found = expand(local("1990-06-01 09:00"), f"RRULE:{rule}", since="2026-06-01", until="2026-08-01")

    assert len(found) <= MAX_OCCURRENCES


@pytest.mark.parametrize(
    "rule",
    [
        f"FREQ=MONTHLY;BYDAY=MO;BYHOUR={HOURS};BYMINUTE={SIXTY};BYSECOND={SIXTY};COUNT=9999999{{}}",
        f"FREQ=YEARLY;BYYEARDAY={','.join(map(str, range(1, 366)))};COUNT=9999999{{}}",
    ],
)
def test_eight_hostile_rules_of_one_series_are_hardly_more_work_than_one(rule: str) -> None:
    def calls(rules: int) -> int:
        lines = [f"RRULE:{rule.format(number)}" for number in range(1, rules + 1)]
        return calls_made(
            lambda: expand(local("1990-06-01 09:00"), *lines, since="2026-06-01 09:00", until="2026-06-01 09:01")
        )

    assert calls(8) < 2 * calls(1)


def test_a_date_that_is_left_out_is_little_work() -> None:
    first = dt.datetime.fromisoformat("2026-06-01T09:00")
    dates = [f"{first + dt.timedelta(hours=number):%Y%m%dT%H%M%S}" for number in range(1000)]

    def calls(*values: str) -> int:
        line = f"EXDATE;TZID={ZURICH}:" + ",".join(values)
        return calls_made(lambda: expand(local("2026-06-01 09:00"), "RRULE:FREQ=DAILY;COUNT=2", line))

    assert calls(*dates) - calls(dates[0]) < 40 * len(dates)


@pytest.mark.parametrize("year", [1, 9999])
def test_start_in_an_impossible_year_is_refused(year: int) -> None:
    with pytest.raises(BadRecurrence):
        expand(EventTime(date=dt.date(year, 1, 1)), "RRULE:FREQ=DAILY")
    with pytest.raises(BadRecurrence):
        expand(EventTime(at=dt.datetime(year, 6, 1, tzinfo=dt.UTC)), "RRULE:FREQ=DAILY")


def test_absurd_duration_overflows_nothing() -> None:
    assert expand(local("1990-06-01 09:00"), duration=dt.timedelta.max)
    assert expand(day("1990-06-01"), duration=dt.timedelta.max)


# --- What comes next -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "after", "next_at"),
    [
        ([], "2026-06-01 07:00", "2026-06-01 07:00"),
        ([], "2026-06-01 07:01", None),
        (["RRULE:FREQ=DAILY"], "2020-01-01 00:00", "2026-06-01 07:00"),
        (["RRULE:FREQ=DAILY"], "2126-07-01 07:00", "2126-07-01 07:00"),
        (["RRULE:FREQ=DAILY"], "2126-07-01 07:01", "2126-07-02 07:00"),
        (["RRULE:FREQ=DAILY", "EXDATE:20260603T070000Z"], "2026-06-02 07:01", "2026-06-04 07:00"),
        (["RRULE:FREQ=DAILY;COUNT=3"], "2026-06-03 07:00", "2026-06-03 07:00"),
        (["RRULE:FREQ=DAILY;COUNT=3"], "2026-06-03 07:01", None),
        (["RRULE:FREQ=DAILY;UNTIL=20260603T070000Z"], "2026-06-03 07:01", None),
        (["RRULE:FREQ=DAILY;COUNT=3", "RRULE:FREQ=WEEKLY"], "2026-06-03 07:01", "2026-06-08 07:00"),
        (["RRULE:FREQ=DAILY;COUNT=3", "RDATE:20270101T090000Z"], "2026-06-03 07:01", "2027-01-01 09:00"),
        (["RRULE:FREQ=SOMETIMES"], "2026-06-01 07:01", None),
        # Rarer than the search reaches: looked for again then.
        (["RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"], "2026-07-01 07:00", "2027-08-05 07:00"),
        (["RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"], "2027-08-05 07:00", "2028-02-29 08:00"),
    ],
)
def test_the_next_start_of_a_timed_series(lines: list[str], after: str, next_at: str | None) -> None:
    found = next_start(local("2026-06-01 09:00"), lines, utc(after), ZURICH)

    assert found == (utc(next_at) if next_at else None)


@pytest.mark.parametrize(
    ("lines", "after", "next_at"),
    [
        ([], "2026-05-31 22:00", "2026-05-31 22:00"),
        ([], "2026-05-31 22:01", None),
        (["RRULE:FREQ=DAILY;COUNT=3"], "2026-05-31 22:01", "2026-06-01 22:00"),
        (["RRULE:FREQ=DAILY;UNTIL=20260603"], "2026-06-02 22:01", None),
        (["RRULE:FREQ=WEEKLY", "EXDATE;VALUE=DATE:20260608"], "2026-06-01 00:00", "2026-06-14 22:00"),
    ],
)
def test_the_next_start_of_an_all_day_series(lines: list[str], after: str, next_at: str | None) -> None:
    assert next_start(day("2026-06-01"), lines, utc(after), ZURICH) == (utc(next_at) if next_at else None)


def test_the_next_start_is_not_too_late_where_an_earlier_local_time_is_moved_past_a_later_one() -> None:
    lines = ["RRULE:FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,30"]  # on the 29th 02:30 becomes 03:30, after 03:00
    start, after = local("2026-03-28 02:30"), utc("2026-03-29 01:00")
    at_three = [time.at for time in expand(start, *lines, since="2026-03-29", until="2026-03-30") if time.at]

    found = next_start(start, lines, after, ZURICH)

    assert utc("2026-03-29 01:00") in at_three
    assert found == after


def test_a_rule_too_dear_to_be_walked_is_looked_at_again_each_time() -> None:
    after = utc("2026-07-01 07:00")

    assert next_start(local("2026-06-01 09:00"), ["RRULE:FREQ=SECONDLY;BYSECOND=0;BYSETPOS=2"], after, ZURICH) == after
