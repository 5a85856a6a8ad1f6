"""Google's JSON → Event: kinds, links to series, times, and what of an event is kept."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.core.meetings.translate import event_from_google, event_time, trim
from sync.model import EventTime
from tests.core.items import at, daily, exception, single, tombstone

Item = dict[str, Any]

STARTS = {"dateTime": "2026-03-12T10:00:00Z"}
NINE = EventTime(at=at("2026-03-11 09:00"))


@pytest.mark.parametrize(
    ("item", "kind", "base_id", "series_id", "original"),
    [
        (single("one"), "single", "one", None, None),
        (daily("day"), "series", "day", None, None),
        (daily("day_R20260312T100000"), "series", "day", None, None),
        (
            exception("day", "2026-03-11 09:00"),
            "exception",
            "day",
            "day",
            EventTime(at=at("2026-03-11 09:00"), time_zone="UTC"),
        ),
        (
            exception("day_R20260311T090000", "2026-03-11 09:00"),
            "exception",
            "day",
            "day_R20260311T090000",
            EventTime(at=at("2026-03-11 09:00"), time_zone="UTC"),
        ),
        # A sparse cancelled exception is linked by its id alone.
        (tombstone("day_20260311T090000Z"), "exception", "day", "day", NINE),
        (tombstone("day_20260311"), "exception", "day", "day", EventTime(date=dt.date(2026, 3, 11))),
        (
            tombstone("day_20260311T090000Z", recurringEventId="day_R20260301T090000"),
            "exception",
            "day",
            "day_R20260301T090000",
            NINE,
        ),
        (exception("day", "2026-03-11 09:00") | {"originalStartTime": None}, "exception", "day", "day", NINE),
        # An opaque id: linked by what Google says of it.
        (
            exception("day", "2026-03-11 09:00") | {"id": "opaque", "originalStartTime": {}},
            "exception",
            "day",
            "day",
            None,
        ),
        # Sparse tombstones of masters and singles are no exceptions.
        (tombstone("day"), "single", "day", None, None),
        (tombstone("day_R20260312T100000"), "single", "day", None, None),
        # Only looks like an instance: it has a start and names no series.
        (single("call_20260311"), "single", "call", None, None),
        (tombstone("call_20260311", start=STARTS), "single", "call", None, None),
        # Eight digits that are no date.
        (tombstone("call_99999999"), "single", "call_99999999", None, None),
    ],
)
def test_an_item_is_a_single_a_series_or_an_exception_of_one(
    item: Item, kind: str, base_id: str, series_id: str | None, original: EventTime | None
) -> None:
    event = event_from_google(item)

    assert (event.kind, event.base_id, event.series_id, event.original_start) == (kind, base_id, series_id, original)


@pytest.mark.parametrize(
    ("status", "known"),
    [
        ("confirmed", "confirmed"),
        ("tentative", "tentative"),
        ("cancelled", "cancelled"),
        ("invented", "confirmed"),
        (None, "confirmed"),
    ],
)
def test_an_event_is_live_unless_google_says_cancelled(status: str | None, known: str) -> None:
    event = event_from_google(single(status=status))

    assert (event.status, event.is_live) == (known, known != "cancelled")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ({}, None),
        ({"date": "2026-03-29"}, EventTime(date=dt.date(2026, 3, 29))),
        ({"date": "someday"}, None),
        ({"dateTime": "2026-03-12T10:00:00Z"}, EventTime(at=at("2026-03-12 10:00"))),
        (
            {"dateTime": "2026-03-12T11:00:00+01:00", "timeZone": "Europe/Zurich"},
            EventTime(at=at("2026-03-12 10:00"), time_zone="Europe/Zurich"),
        ),
        # Zones that no database has: the offset that is written.
        (
            {"dateTime": "2026-03-12T10:00:00-05:30", "timeZone": "Nowhere/Really"},
            EventTime(at=at("2026-03-12 15:30"), time_zone="UTC-05:30"),
        ),
        (
            {"dateTime": "2026-03-12T10:00:00+01:00", "timeZone": "tzone://Microsoft/Custom"},
            EventTime(at=at("2026-03-12 09:00"), time_zone="Etc/GMT-1"),
        ),
        ({"dateTime": "2026-03-12T10:00:00Z", "timeZone": "?"}, EventTime(at=at("2026-03-12 10:00"), time_zone="UTC")),
        (
            {"dateTime": "2026-07-12T10:00:00+05:00", "timeZone": "GMT-03:00"},
            EventTime(at=at("2026-07-12 05:00"), time_zone="Etc/GMT+3"),
        ),
        (
            {"dateTime": "2026-03-12T10:00:00+01:00", "timeZone": "W. Europe Standard Time"},
            EventTime(at=at("2026-03-12 09:00"), time_zone="Europe/Berlin"),
        ),
        ({"dateTime": "2026-03-12T10:00:00Z", "timeZone": ""}, EventTime(at=at("2026-03-12 10:00"))),
        # Without an offset: local time of the zone, if one is named.
        (
            {"dateTime": "2026-07-12T10:00:00", "timeZone": "Europe/Zurich"},
            EventTime(at=at("2026-07-12 08:00"), time_zone="Europe/Zurich"),
        ),
        (
            {"dateTime": "2026-07-12T10:00:00", "timeZone": "GMT-03:00"},
            EventTime(at=at("2026-07-12 13:00"), time_zone="Etc/GMT+3"),
        ),
        ({"dateTime": "2026-03-12T10:00:00", "timeZone": "Nowhere/Really"}, None),
        ({"dateTime": "2026-03-12T10:00:00"}, None),
        ({"dateTime": "half past ten"}, None),
        ({"timeZone": "Europe/Zurich"}, None),
        # Where zones and durations would overflow.
        ({"dateTime": "0001-01-01T00:00:00+14:00"}, None),
        ({"dateTime": "9999-12-31T23:59:59-12:00"}, None),
        ({"date": "0001-01-01"}, None),
        ({"date": "9999-12-31"}, None),
        ({"date": "1604-02-29"}, EventTime(date=dt.date(1604, 2, 29))),
    ],
)
def test_times_are_dates_or_utc_instants_or_nothing(value: Item | None, expected: EventTime | None) -> None:
    assert event_time(value) == expected


def test_an_event_knows_when_google_last_changed_it() -> None:
    assert event_from_google(single(updated="2026-03-01T08:00:00.123Z")).updated_at == at("2026-03-01 08:00:00.123")
    assert event_from_google(single(updated="yesterday")).updated_at is None


def test_an_item_without_an_id_is_refused() -> None:
    with pytest.raises(KeyError):
        event_from_google({"status": "cancelled"})


def test_other_peoples_addresses_are_not_kept() -> None:
    kept = trim(
        single(
            attendees=[
                {"email": "alice@example.com", "self": True, "responseStatus": "declined", "comment": "sorry"},
                {"email": "bob@example.com", "responseStatus": "accepted"},
            ],
            organizer={"email": "bob@example.com"},
            creator={"email": "bob@example.com"},
            conferenceData={"entryPoints": [{"uri": "https://meet.google.com/x", "pin": "987654"}], "notes": "secret"},
            extendedProperties={"private": {"key": "secret"}},
        )
    )

    text = json.dumps(kept)
    assert not [word for word in ("bob@", "alice@", "sorry", "987654", "secret") if word in text]
    assert kept["attendees"] == [{"self": True, "responseStatus": "declined"}]


@pytest.mark.parametrize(
    ("more", "attendees"),
    [
        ({}, None),
        ({"attendees": []}, None),
        ({"attendees": [{"email": "b@example.com"}]}, []),
        ({"attendeesOmitted": True}, []),
        ({"attendees": [{"self": True}]}, [{"self": True, "responseStatus": "needsAction"}]),
    ],
)
def test_no_guests_and_guests_without_the_reader_stay_apart_when_read_back(
    more: Item, attendees: list[Item] | None
) -> None:
    kept = trim(single(**more))

    assert kept.get("attendees") == attendees
    assert trim(json.loads(json.dumps(kept))) == kept


ALICE, BOB, EVE = (
    {"email": "alice@firm.example", "self": True},
    {"email": "bob@Firm.example"},
    {"email": "eve@x.example"},
)
ROOM = {"email": "room@resource.example", "resource": True}


@pytest.mark.parametrize(
    ("more", "others"),
    [
        ({}, None),
        ({"attendees": [ALICE, ROOM]}, None),
        ({"attendees": [ALICE, BOB, ROOM]}, {"count": 1, "outside": False}),
        ({"attendees": [ALICE, BOB, EVE]}, {"count": 2, "outside": True}),
        ({"attendees": [BOB, EVE]}, {"count": 2, "outside": None}),
        ({"attendees": [BOB], "organizer": ALICE}, {"count": 1, "outside": False}),
        (
            {"attendees": [{"email": "a@gmail.com", "self": True}, {"email": "b@gmail.com"}]},
            {"count": 1, "outside": None},
        ),
        ({"attendees": [ALICE], "attendeesOmitted": True}, {"count": None, "outside": None}),
        ({"attendees": [ALICE, EVE], "attendeesOmitted": True}, {"count": None, "outside": True}),
        ({"attendees": [ALICE, {"displayName": "No address"}]}, {"count": 1, "outside": None}),
    ],
)
def test_of_other_people_only_their_number_is_kept_and_whether_any_is_from_outside(
    more: Item, others: Item | None
) -> None:
    kept = trim(single(**more))

    assert kept.get("others") == others
    assert trim(json.loads(json.dumps(kept))) == kept


_texts = st.none() | st.text(max_size=10)
_times = st.sampled_from(
    [None, {}, {"date": "2026-03-11"}, {"dateTime": "2026-03-11T09:00:00Z", "timeZone": "UTC"}, {"date": "never"}]
)
_people = st.fixed_dictionaries(
    {}, optional={"email": st.text(max_size=5), "self": st.booleans(), "responseStatus": _texts}
)
_points = st.fixed_dictionaries({}, optional={"entryPointType": _texts, "uri": _texts, "pin": _texts})
_items = st.fixed_dictionaries(
    {"id": st.sampled_from(["a", "a_20260311", "a_20260311T090000Z", "a_R20260311T090000", "_é", "a_99999999"])},
    optional={
        "status": st.sampled_from([None, "confirmed", "tentative", "cancelled", "odd"]),
        "summary": _texts,
        "location": _texts,
        "start": _times,
        "end": _times,
        "originalStartTime": _times,
        "recurringEventId": st.sampled_from([None, "a", "a_R20260311T090000"]),
        "recurrence": st.sampled_from([None, [], ["RRULE:FREQ=DAILY"], ["RRULE:nonsense"]]),
        "attendees": st.none() | st.lists(_people, max_size=3),
        "attendeesOmitted": st.booleans(),
        "organizer": st.none() | _people,
        "conferenceData": st.none()
        | st.fixed_dictionaries({}, optional={"entryPoints": st.none() | st.lists(_points, max_size=2)}),
        "updated": st.sampled_from([None, "2026-03-01T08:00:00Z", "never"]),
        "unknown": _texts,
    },
)


# A busy machine makes drawing items slow; that says nothing of the rule.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_items)
def test_a_trimmed_event_read_back_is_the_same_event(item: Item) -> None:
    event = event_from_google(item)

    stored = json.loads(json.dumps(event.details))

    assert event_from_google(stored) == event
