"""The oracle's expansion against an independent implementation, and against facts worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import recurring_ical_events
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from scripts.stack.google import expansion
from tests.stack.google_clients import timed

ZURICH = ZoneInfo("Europe/Zurich")
UNTIL = datetime(2027, 4, 15, tzinfo=UTC)


def stamps(start: dict[str, Any], *lines: str, until: datetime = UNTIL) -> list[str]:
    """Id suffixes of the occurrences of a one-hour (or one-day) series."""
    return [slot.stamp for slot in expansion.slots(series(start, *lines), ZURICH, until)]


def series(start: dict[str, Any], *lines: str) -> dict[str, Any]:
    if "date" in start:
        end = {"date": (date.fromisoformat(start["date"]) + timedelta(days=1)).isoformat()}
    else:
        finish = datetime.fromisoformat(start["dateTime"]) + timedelta(hours=1)
        end = {"dateTime": finish.isoformat(), "timeZone": start["timeZone"]}
    return {"start": start, "end": end, "recurrence": list(lines)}


def at(local: str, zone: str = "Europe/Zurich") -> dict[str, str]:
    return {"dateTime": datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).isoformat(), "timeZone": zone}


@pytest.mark.parametrize(
    ("start", "lines", "expected"),
    [
        pytest.param(
            at("2026-03-23T09:00"), ["RRULE:FREQ=WEEKLY;COUNT=2"], ["20260323T080000Z", "20260330T070000Z"],
            id="wall-clock time is kept across the change to summer time",
        ),
        pytest.param(
            at("2026-03-28T02:30"), ["RRULE:FREQ=DAILY;COUNT=3"],
            ["20260328T013000Z", "20260329T013000Z", "20260330T003000Z"], id="a skipped time moves forward",
        ),
        pytest.param(
            at("2026-10-24T02:30"), ["RRULE:FREQ=DAILY;COUNT=3"],
            ["20261024T003000Z", "20261025T003000Z", "20261026T013000Z"], id="an ambiguous time is the first",
        ),
        pytest.param(
            {"date": "2026-03-28"}, ["RRULE:FREQ=DAILY;UNTIL=20260330"], ["20260328", "20260329", "20260330"],
            id="all-day until is inclusive",
        ),
        pytest.param(
            at("2026-03-28T09:00"), ["RRULE:FREQ=DAILY;UNTIL=20260330T070000Z"],
            ["20260328T080000Z", "20260329T070000Z", "20260330T070000Z"], id="UTC until is an inclusive instant",
        ),
        pytest.param(
            at("2026-03-28T09:00"), ["RRULE:FREQ=DAILY;UNTIL=20260330T070000"],
            ["20260328T080000Z", "20260329T070000Z"], id="local until is wall-clock time",
        ),
        pytest.param(
            at("2026-03-02T09:00"),
            ["RRULE:FREQ=WEEKLY;COUNT=3", "RDATE;TZID=America/New_York:20260304T030000", "EXDATE:20260309T080000Z"],
            ["20260302T080000Z", "20260304T080000Z", "20260316T080000Z"], id="dates added and removed in other zones",
        ),
        pytest.param(
            at("2026-03-02T09:00"), ["RDATE;TZID=Europe/Zurich:20260401T090000,20260403T100000"],
            ["20260302T080000Z", "20260401T070000Z", "20260403T080000Z"], id="dates without a rule include the start",
        ),
        pytest.param(
            at("2026-01-31T09:00"), ["RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3"],
            ["20260131T080000Z", "20260228T080000Z", "20260331T070000Z"], id="last day of the month",
        ),
        pytest.param(
            at("2026-03-02T09:00"), ["RRULE:FREQ=DAILY;COUNT=4", "EXRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=5"],
            ["20260302T080000Z", "20260304T080000Z", "20260305T080000Z"], id="a rule of exceptions",
        ),
        pytest.param(
            at("2026-03-04T09:00"), ["RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=2"],
            ["20260304T080000Z", "20260309T080000Z", "20260316T080000Z"], id="a start off the rule is not counted",
        ),
        pytest.param(
            at("2026-03-04T09:00"), ["RRULE:FREQ=DAILY;UNTIL=20260303T080000Z", "RDATE:20260306T080000Z"],
            ["20260306T080000Z"], id="a start after the end of all rules is none",
        ),
    ],
)  # fmt: skip
def test_known_series(start: dict[str, Any], lines: list[str], expected: list[str]) -> None:
    assert stamps(start, *lines) == expected


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        pytest.param(expansion.Reading(), ["20260227T080000Z", "20270227T080000Z"], id="Google: in the start's month"),
        pytest.param(
            expansion.Reading(yearly_month_day_in_start_month=False),
            ["20260227T080000Z", "20260327T080000Z"],
            id="RFC 5545: every month",
        ),
    ],
)
def test_a_yearly_day_of_the_month_without_a_month(reading: expansion.Reading, expected: list[str]) -> None:
    yearly = series(at("2026-02-27T09:00"), "RRULE:FREQ=YEARLY;BYMONTHDAY=27;COUNT=2")
    assert [slot.stamp for slot in expansion.slots(yearly, ZURICH, UNTIL, reading)] == expected


@pytest.mark.parametrize("line", ["EXDATE;VALUE=DATE:20260303", "EXDATE:20260303"])
@pytest.mark.parametrize("hour", ["00", "09"])
@pytest.mark.parametrize("removes", [False, True])
def test_a_date_among_the_exceptions_of_a_timed_series(line: str, hour: str, removes: bool) -> None:
    daily = series(at(f"2026-03-02T{hour}:00"), "RRULE:FREQ=DAILY;COUNT=3", line)
    reading = expansion.Reading(date_exdate_removes_day=removes)
    assert len(list(expansion.slots(daily, ZURICH, UNTIL, reading))) == (2 if removes else 3)


def test_the_duration_is_exact_across_a_change_of_time() -> None:
    night = timed("2026-03-27T23:00:00+01:00", "2026-03-28T05:00:00+01:00", recurrence=["RRULE:FREQ=DAILY;COUNT=2"])
    _, second = expansion.slots(night, ZURICH, UNTIL)
    assert second.end["dateTime"] == "2026-03-29T06:00:00+02:00"


@pytest.mark.parametrize(
    "line", ["RRULE:FREQ=SECONDLY", "RRULE:COUNT=2", "DTSTART:20260101", "RRULE:FREQ=DAILY;BYDAY=XX"]
)
def test_lines_google_would_not_store_are_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        expansion.check([line], at("2026-03-02T09:00"))


def test_an_instance_is_found_by_its_stamp_only_if_the_rule_makes_it() -> None:
    master = series(at("2026-03-02T09:00"), "RRULE:FREQ=WEEKLY")
    assert expansion.slot_by_stamp(master, ZURICH, "20260330T070000Z") is not None
    assert expansion.slot_by_stamp(master, ZURICH, "20260330T080000Z") is None
    assert expansion.slot_by_stamp(master, ZURICH, "20260330") is None


RULES = st.builds(
    lambda frequency, interval, days, ending: f"RRULE:FREQ={frequency};INTERVAL={interval}{days}{ending}",
    st.sampled_from(["DAILY", "WEEKLY"]),
    st.integers(1, 4),
    st.sampled_from(["", ";BYDAY=MO", ";BYDAY=MO,WE,FR"]),
    st.sampled_from([";COUNT=12", ";UNTIL=20261101T080000Z", ""]),
) | st.builds(
    lambda days, ending: f"RRULE:FREQ=MONTHLY;BYDAY={days}{ending}",
    st.sampled_from(["1MO", "-1FR", "3WE"]),
    st.sampled_from([";COUNT=12", ";UNTIL=20261101T080000Z", ""]),
)


@settings(max_examples=60, deadline=None)
@given(
    rule=RULES, zone=st.sampled_from(["Europe/Zurich", "America/New_York", "Asia/Kathmandu"]), hour=st.integers(4, 23)
)
def test_expansion_agrees_with_recurring_ical_events(rule: str, zone: str, hour: int) -> None:
    start = at(f"2026-03-02T{hour:02d}:00", zone)
    local = f"20260302T{hour:02d}0000"
    text = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n"
        f"DTSTART;TZID={zone}:{local}\r\nDURATION:PT1H\r\n{rule}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    found = recurring_ical_events.of(Calendar.from_ical(text)).between(datetime(2026, 3, 1, tzinfo=UTC), UNTIL)
    theirs = {event["DTSTART"].dt.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ") for event in found}
    mine = {slot.stamp for slot in expansion.slots(series(start, rule), ZURICH, UNTIL)}
    assert theirs == mine
