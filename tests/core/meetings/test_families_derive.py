"""Families: the meetings they come to, where they lie, and why other occurrences have none."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from typing import Any

import pytest

from sync.core.meetings.derive import derive
from sync.core.meetings.families import by_family
from sync.core.series.recurrence import MAX_OCCURRENCES
from sync.model import Derived, Meeting
from sync.states import Answer, EventStatus, Placement
from tests.call_counts import calls_made
from tests.core.items import HORIZON, LINK, ZONE, Item, at, daily, days, events, exception, single, tombstone


def derived(*items: Item, expand_from: dt.datetime = HORIZON.start, zone: str = ZONE) -> Derived:
    (members,) = by_family(events(*items)).values()
    return derive(members, HORIZON, expand_from, zone)


def only(*items: Item, **how: Any) -> Meeting:
    (meeting,) = derived(*items, **how).meetings
    return meeting


def test_a_single_event_is_one_meeting() -> None:
    meeting = only(
        single(
            "one",
            summary="Standup",
            description="Agenda",
            status="tentative",
            attendees=[{"self": True, "responseStatus": "declined"}],
        )
    )

    assert meeting == Meeting(
        google_calendar_event_id="one",
        base_event_id="one",
        title="Standup",
        description="Agenda",
        meeting_url=LINK,
        start_time=at("2026-03-12 10:00"),
        end_time=at("2026-03-12 11:00"),
        event_status=Answer.DECLINED,
        status=EventStatus.TENTATIVE,
        is_all_day=False,
        time_zone="UTC",
        provider="zoom",
        room_key=meeting.room_key,
        placement=Placement.INSIDE,
    )


def test_instances_are_named_as_google_names_them() -> None:
    ids = [
        m.google_calendar_event_id for m in derived(daily("day_R20260310T090000", rule="FREQ=DAILY;COUNT=2")).meetings
    ]

    assert ids == ["day_20260310T090000Z", "day_20260311T090000Z"]


def test_an_exception_speaks_for_itself() -> None:
    moved = exception("day", "2026-03-10 09:00", "2026-03-20 18:00", summary="Moved", description="Now")

    meeting = only(daily("day", rule="FREQ=DAILY;COUNT=1"), moved)

    assert (meeting.title, meeting.description, meeting.start_time) == ("Moved", "Now", at("2026-03-20 18:00"))
    assert meeting.google_calendar_event_id == "day_20260310T090000Z"


def test_an_exception_with_an_opaque_id_takes_its_occurrences_place() -> None:
    moved = exception("day", "2026-03-10 09:00", "2026-03-20 18:00") | {"id": "opaque"}

    meeting = only(daily("day", rule="FREQ=DAILY;COUNT=1"), moved)

    assert (meeting.google_calendar_event_id, meeting.start_time) == ("day_20260310T090000Z", at("2026-03-20 18:00"))


@pytest.mark.parametrize(
    ("start", "minutes", "placement"),
    [
        ("2026-03-09 11:00", 60, "before"),
        ("2026-03-09 11:00", 61, "inside"),
        ("2026-03-09 12:00", 0, "inside"),
        ("2026-03-09 11:59", 0, "before"),
        ("2026-05-09 11:59", 60, "inside"),
        ("2026-05-09 12:00", 60, "beyond"),
        ("2027-01-01 12:00", 60, "beyond"),
    ],
)
def test_a_meeting_lies_before_inside_or_beyond_the_horizon(start: str, minutes: int, placement: str) -> None:
    end = {"dateTime": (at(start) + dt.timedelta(minutes=minutes)).isoformat()}

    assert only(single(start=start, end=end)).placement == placement


def test_an_exception_moved_out_of_the_horizon_takes_its_occurrence_along() -> None:
    series = daily("day", rule="FREQ=DAILY;COUNT=1")

    assert only(series, exception("day", "2026-03-10 09:00", "2026-07-01 09:00")).placement == "beyond"
    assert only(series, exception("day", "2026-03-10 09:00", "2026-01-01 09:00")).placement == "before"


def test_a_series_is_expanded_inside_the_horizon_or_as_far_back_as_asked() -> None:
    series = daily("day", "2026-01-01 09:00", rule="FREQ=DAILY")

    inside = derived(series).meetings
    further = derived(series, expand_from=at("2026-03-01 00:00")).meetings
    narrower = derived(series, expand_from=at("2026-04-01 00:00")).meetings

    assert (inside[0].start_time, inside[-1].start_time) == (at("2026-03-10 09:00"), at("2026-05-09 09:00"))
    assert further[0].start_time == at("2026-03-01 09:00")
    assert {m.placement for m in further} == {"before", "inside"}
    assert narrower == inside


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [
        ("UTC", "2026-03-29 00:00", "2026-03-30 00:00"),
        # The day clocks go forward has 23 hours.
        ("Europe/Zurich", "2026-03-28 23:00", "2026-03-29 22:00"),
        ("America/New_York", "2026-03-29 04:00", "2026-03-30 04:00"),
        ("Pacific/Auckland", "2026-03-28 11:00", "2026-03-29 11:00"),
    ],
)
def test_an_all_day_event_stands_in_the_calendars_zone(zone: str, start: str, end: str) -> None:
    meeting = only(single() | days("2026-03-29", "2026-03-30"), zone=zone)

    assert (meeting.start_time, meeting.end_time) == (at(start), at(end))
    assert (meeting.is_all_day, meeting.time_zone) == (True, zone)


def test_an_all_day_series_keeps_its_dates_when_clocks_change() -> None:
    series = single("day", recurrence=["RRULE:FREQ=DAILY;COUNT=3"]) | days("2026-03-28", "2026-03-29")

    meetings = derived(series, tombstone("day_20260330")).meetings

    assert [m.google_calendar_event_id for m in meetings] == ["day_20260328", "day_20260329"]
    assert [m.start_time for m in meetings] == [at("2026-03-27 23:00"), at("2026-03-28 23:00")]
    assert [m.end_time for m in meetings] == [at("2026-03-28 23:00"), at("2026-03-29 22:00")]


def test_a_weekly_series_keeps_its_local_time_when_clocks_change() -> None:
    zurich = {
        "start": {"dateTime": "2026-03-23T09:00:00+01:00", "timeZone": ZONE},
        "end": {"dateTime": "2026-03-23T10:00:00+01:00", "timeZone": ZONE},
    }

    meetings = derived(single("week", recurrence=["RRULE:FREQ=WEEKLY;COUNT=2"]) | zurich).meetings

    assert [m.start_time for m in meetings] == [at("2026-03-23 08:00"), at("2026-03-30 07:00")]


def test_a_series_in_a_zone_that_no_database_has_keeps_the_offset_it_was_written_with() -> None:
    """Not the calendar's rules, whose clocks change in between."""
    written = {
        "start": {"dateTime": "2026-03-23T09:00:00+01:00", "timeZone": "Somebody's Own"},
        "end": {"dateTime": "2026-03-23T10:00:00+01:00", "timeZone": "Somebody's Own"},
    }

    meetings = derived(single("week", recurrence=["RRULE:FREQ=WEEKLY;COUNT=2"]) | written).meetings

    assert [m.start_time for m in meetings] == [at("2026-03-23 08:00"), at("2026-03-30 08:00")]
    assert {m.time_zone for m in meetings} == {"Etc/GMT-1"}


@pytest.mark.parametrize(
    ("items", "withheld"),
    [
        ([single(location="Room 12")], {"one": "no_link"}),
        ([single(eventType="focusTime")], {"one": "event_type"}),
        ([single(start="2026-03-12 10:00", end=None)], {"one": "no_time"}),
        ([single() | {"start": None, "end": None}], {"one": "no_time"}),
        ([daily("day") | {"start": None}], {"day": "bad_recurrence"}),
        (
            [daily("day", rule="FREQ=DAILY;COUNT=1"), exception("day", "2026-03-10 09:00", location=None)],
            {"day_20260310T090000Z": "no_link"},
        ),
    ],
)
def test_what_has_no_meeting_has_a_reason(items: list[Item], withheld: dict[str, str]) -> None:
    outcome = derived(*items)

    assert (outcome.meetings, dict(outcome.withheld)) == ((), withheld)


def test_deleted_events_have_neither_meeting_nor_reason() -> None:
    outcome = derived(tombstone("one"))

    assert (outcome.meetings, dict(outcome.withheld)) == ((), {})


def test_an_unreadable_series_does_not_hide_its_exceptions() -> None:
    moved = exception("day", "2026-03-11 09:00", "2026-03-11 15:00")
    outcome = derived(daily("day") | {"start": None}, moved)

    assert [m.start_time for m in outcome.meetings] == [at("2026-03-11 15:00")]
    assert dict(outcome.withheld) == {"day": "bad_recurrence"}


def test_an_unreadable_rule_leaves_the_start_of_its_series_and_its_exceptions() -> None:
    outcome = derived(daily("day", rule="nonsense"), exception("day", "2026-03-11 09:00", "2026-03-11 15:00"))

    assert [m.start_time for m in outcome.meetings] == [at("2026-03-10 09:00"), at("2026-03-11 15:00")]
    assert dict(outcome.withheld) == {}


def test_where_two_series_of_a_family_meet_the_later_one_has_the_occurrence() -> None:
    old = daily("day", rule="FREQ=DAILY;COUNT=5", summary="Old")
    new = daily("day_R20260312T090000", "2026-03-12 09:00", rule="FREQ=DAILY;COUNT=3", summary="New")

    for items in ([old, new], [new, old]):
        titles = {m.start_time.day: m.title for m in derived(*items).meetings}
        assert titles == {10: "Old", 11: "Old", 12: "New", 13: "New", 14: "New"}


@pytest.mark.parametrize(
    "end",
    [
        {"start": {"dateTime": "2026-03-12T10:00:00Z"}, "end": {"dateTime": "8999-12-31T00:00:00Z"}},
        {"start": {"dateTime": "0002-01-01T00:00:00Z"}, "end": {"dateTime": "8999-12-31T00:00:00Z"}},
        {"start": {"dateTime": "0001-01-01T00:00:00+14:00"}, "end": {"dateTime": "9999-12-31T23:59:59-12:00"}},
        {"start": {"date": "0001-01-01"}, "end": {"date": "9999-12-31"}},
        {"start": {"date": "0002-01-01"}, "end": {"date": "8999-12-31"}},
        {"start": {"dateTime": "2026-03-12T10:00:00Z"}, "end": {"dateTime": "2026-03-12T09:00:00Z"}},
        {"start": {"date": "2026-03-12"}, "end": {"dateTime": "2026-03-12T09:00:00Z"}},
    ],
)
@pytest.mark.parametrize("recurrence", [None, ["RRULE:FREQ=DAILY"], ["RRULE:FREQ=YEARLY;COUNT=9000"]])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
def test_absurd_times_in_an_invitation_stop_nothing(end: Item, recurrence: list[str] | None, zone: str) -> None:
    outcome = derived(single(recurrence=recurrence) | end, zone=zone)

    # It has meetings, none of which ends before it begins, and no more than others have; or it is said why it has none.
    assert bool(outcome.meetings) != ("one" in outcome.withheld)
    assert len(outcome.meetings) <= MAX_OCCURRENCES
    assert all(meeting.start_time <= meeting.end_time for meeting in outcome.meetings)


def test_history_takes_nothing_of_the_limit_on_what_is_ahead() -> None:
    """Half-hourly, with rows a year back: more than the limit lies behind."""
    series = daily("often", "2024-01-01 00:00", rule="FREQ=MINUTELY;INTERVAL=30")
    horizon_alone = derived(series)

    outcome = derived(series, expand_from=at("2025-03-10 00:00"))

    ahead = [m for m in outcome.meetings if m.placement is not Placement.BEFORE]
    behind = [m for m in outcome.meetings if m.placement is Placement.BEFORE]
    assert tuple(ahead) == horizon_alone.meetings
    assert len(ahead) > 2879
    assert outcome.cut == ()
    # The latest part of history, without a gap, and since when it is whole.
    assert outcome.covered_from is not None
    assert at("2025-06-01 00:00") < outcome.covered_from < at("2026-03-01 00:00")
    assert len(behind) > MAX_OCCURRENCES / 3
    assert min(m.start_time for m in behind) - outcome.covered_from < dt.timedelta(hours=1)
    gaps = {later.start_time - one.start_time for one, later in itertools.pairwise([*behind, *ahead])}
    assert gaps == {dt.timedelta(minutes=30)}


def test_history_that_fits_is_whole() -> None:
    outcome = derived(daily("day", "2025-01-01 09:00", rule="FREQ=DAILY"), expand_from=at("2025-06-01 00:00"))

    assert (outcome.cut, outcome.covered_from) == ((), None)


def test_a_series_that_has_more_occurrences_ahead_than_the_limit_says_so() -> None:
    outcome = derived(daily("often", "2020-01-01 00:00", rule="FREQ=MINUTELY"))

    assert outcome.cut == ("often",)
    assert MAX_OCCURRENCES - 1 <= len(outcome.meetings) <= MAX_OCCURRENCES
    assert outcome.meetings[0].start_time < HORIZON.start + dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("times", "start", "end"),
    [
        # Google shows it as one day.
        (days("2026-03-12", "2026-03-12"), "2026-03-11 23:00", "2026-03-12 23:00"),
        (days("2026-03-12", "2026-03-10"), "2026-03-11 23:00", "2026-03-12 23:00"),
        (
            {"start": {"date": "2026-03-12"}, "end": {"dateTime": "2026-03-20T09:00:00Z"}},
            "2026-03-11 23:00",
            "2026-03-12 23:00",
        ),
        (
            {"start": {"dateTime": "2026-03-12T10:00:00Z"}, "end": {"dateTime": "2026-03-12T09:00:00Z"}},
            "2026-03-12 10:00",
            "2026-03-12 10:00",
        ),
        (
            {"start": {"dateTime": "2026-03-12T10:00:00Z"}, "end": {"date": "2026-03-20"}},
            "2026-03-12 10:00",
            "2026-03-12 10:00",
        ),
    ],
)
@pytest.mark.parametrize("recurrence", [None, ["RRULE:FREQ=DAILY;COUNT=1"]])
def test_an_end_that_cannot_be_meant_is_read_as_google_shows_it(
    times: Item, start: str, end: str, recurrence: list[str] | None
) -> None:
    meeting = only(single(recurrence=recurrence) | times)

    assert (meeting.start_time, meeting.end_time) == (at(start), at(end))


def test_the_order_of_members_never_matters() -> None:
    items = [
        daily("day", rule="FREQ=DAILY;UNTIL=20260311T090000Z"),
        daily("day_R20260312T090000", "2026-03-12 09:00"),
        exception("day", "2026-03-11 09:00", "2026-03-11 15:00"),
        exception("day_R20260312T090000", "2026-03-13 09:00", "2026-03-13 15:00"),
        tombstone("day_20260314T090000Z"),
        exception("day", "2026-03-15 09:00", "2026-03-15 15:00"),
    ]
    expected = {m.google_calendar_event_id: m for m in derived(*items).meetings}
    order = random.Random(7)

    for _ in range(50):
        order.shuffle(items)
        assert {m.google_calendar_event_id: m for m in derived(*items).meetings} == expected


def test_a_frequent_series_with_a_text_of_almost_links_costs_little() -> None:
    """Its text is searched once, and not for each of its occurrences: that took seconds of a core."""
    often, once = "FREQ=HOURLY;BYMINUTE=0,15,30,45", "FREQ=DAILY;COUNT=1"
    almost_links = "https://zoom.us/" + "a/" * 4000

    def calls(rule: str, text: str) -> int:
        series = daily("day", rule=rule, location="", description=text)
        return calls_made(lambda: derived(series))

    assert len(derived(daily("day", rule=often, location="", description=almost_links)).withheld) > 1000
    assert calls(often, almost_links) < calls(often, "no link") + calls(once, almost_links)
