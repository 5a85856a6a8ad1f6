"""The emulator through Google's own client library: reading, writing, sync tokens, and every refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest

from scripts.stack.google.control import GoogleControl
from scripts.stack.google.errors import ControlError
from tests.stack.google_clients import ALICE, BOB, WINDOW, list_all, official, refused, single, weekly

READ_ONLY = ["https://www.googleapis.com/auth/calendar.events.readonly"]
TEAM = "team@group.calendar.google.com"


@pytest.fixture
def google(google: GoogleControl) -> GoogleControl:
    google.add_account(ALICE, time_zone="Europe/Zurich")
    return google


def test_calendar_list_pages_and_syncs(google: GoogleControl) -> None:
    for number in range(4):
        google.add_calendar(ALICE, f"c{number}@group.calendar.google.com")
    lists = official(google).calendarList()
    first = lists.list(maxResults=3).execute()
    last = lists.list(maxResults=3, pageToken=first["nextPageToken"]).execute()
    assert first["items"][0]["primary"]
    assert len(first["items"] + last["items"]) == 5
    google.add_calendar(ALICE, TEAM, summary="Team")
    delta = lists.list(syncToken=last["nextSyncToken"]).execute()
    assert [item["summary"] for item in delta["items"]] == ["Team"]
    google.share_calendar(TEAM, ALICE, "none")
    delta = lists.list(syncToken=delta["nextSyncToken"]).execute()
    assert delta["items"][0]["deleted"] is True


def test_full_listing_comes_in_pages_and_ends_with_a_sync_token(google: GoogleControl) -> None:
    google.bulk_insert(ALICE, [single(f"n{n}") for n in range(7)])
    items, token = list_all(official(google), maxResults=3)
    assert [item["summary"] for item in items] == [f"n{n}" for n in range(7)]
    assert token


def test_delta_has_each_changed_event_once_in_its_latest_state(google: GoogleControl) -> None:
    kept, changed, dropped = google.bulk_insert(ALICE, [single("kept"), single("changed"), single("dropped")])
    service = official(google)
    _, token = list_all(service)
    google.patch_event(ALICE, changed["id"], {"summary": "once"})
    google.delete_event(ALICE, dropped["id"])
    google.patch_event(ALICE, changed["id"], {"summary": "twice"})
    items, following = list_all(service, syncToken=token)
    assert [item["id"] for item in items] == [dropped["id"], changed["id"]]
    assert items[0].keys() == {"kind", "etag", "id", "status"}
    assert items[0]["status"] == "cancelled"
    assert items[1]["summary"] == "twice"
    assert list_all(service, syncToken=following) == ([], following)
    assert kept["id"] not in {item["id"] for item in items}


def test_a_change_during_paging_is_in_the_next_delta(google: GoogleControl) -> None:
    events = google.bulk_insert(ALICE, [single(f"n{n}") for n in range(4)])
    service = official(google)
    page = service.events().list(calendarId="primary", maxResults=2).execute()
    google.patch_event(ALICE, events[3]["id"], {"summary": "changed"})
    last = service.events().list(calendarId="primary", maxResults=2, pageToken=page["nextPageToken"]).execute()
    items, _ = list_all(service, syncToken=last["nextSyncToken"])
    assert [item["summary"] for item in items] == ["changed"]


def test_masters_exceptions_and_cancelled_instances_are_separate_items(google: GoogleControl) -> None:
    master = google.insert_event(ALICE, weekly())["id"]
    google.patch_event(ALICE, f"{master}_20260309T080000Z", {"summary": "moved"})
    google.delete_event(ALICE, f"{master}_20260330T070000Z")
    items, token = list_all(official(google))
    assert [item.get("recurringEventId") for item in items] == [None, master, master]
    assert items[2]["status"] == "cancelled"
    assert items[2]["originalStartTime"]["dateTime"] == "2026-03-30T09:00:00+02:00"
    google.delete_event(ALICE, master)
    assert list_all(official(google))[0] == []
    gone, _ = list_all(official(google), syncToken=token)
    assert {item["id"] for item in gone} == {master, f"{master}_20260309T080000Z"}


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({}, {"kind", "etag", "id", "status", "recurringEventId", "originalStartTime"}),
        ({"cancelled_exceptions": "sparse"}, {"id", "status"}),
    ],
)
def test_cancelled_exceptions_can_be_sparse(
    google: GoogleControl, switches: dict[str, Any], expected: set[str]
) -> None:
    google.configure(**switches)
    master = google.insert_event(ALICE, weekly())["id"]
    google.delete_event(ALICE, f"{master}_20260309T080000Z")
    items, _ = list_all(official(google))
    assert items[1].keys() == expected


def test_orphaned_exceptions_may_vanish_unlisted(google: GoogleControl) -> None:
    google.configure(list_orphaned_exceptions=False)
    master = google.insert_event(ALICE, weekly())["id"]
    google.patch_event(ALICE, f"{master}_20260309T080000Z", {"summary": "moved"})
    _, token = list_all(official(google))
    google.delete_event(ALICE, master)
    items, _ = list_all(official(google), syncToken=token)
    assert [item["id"] for item in items] == [master]


def test_exceptions_can_come_before_their_master(google: GoogleControl) -> None:
    google.configure(list_order="reversed", page_size_limit=1)
    master = google.insert_event(ALICE, weekly())["id"]
    google.patch_event(ALICE, f"{master}_20260309T080000Z", {"summary": "moved"})
    items, _ = list_all(official(google))
    assert items[0]["recurringEventId"] == items[1]["id"] == master


def test_single_events_are_expanded_and_bounded(google: GoogleControl) -> None:
    master = google.insert_event(ALICE, weekly(rule="RRULE:FREQ=WEEKLY"))["id"]
    google.patch_event(ALICE, f"{master}_20260316T080000Z", {"summary": "an exception comes once"})
    window = {"timeMin": "2026-03-09T00:00:00Z", "timeMax": "2026-04-06T00:00:00+02:00"}
    items, token = list_all(official(google), singleEvents=True, orderBy="startTime", **window)
    starts = [item["start"]["dateTime"] for item in items]
    assert starts == [f"2026-03-{day}T09:00:00+0{hours}:00" for day, hours in (("09", 1), (16, 1), (23, 1), (30, 2))]
    assert token is None


def test_reading_options_are_honoured(google: GoogleControl) -> None:
    people = [{"email": f"p{n}@example.com"} for n in range(3)] + [{"email": ALICE, "responseStatus": "accepted"}]
    event = google.insert_event(ALICE, single("Budget", attendees=people))
    google.insert_event(ALICE, single("Focus", eventType="focusTime"))
    events = official(google).events()
    shown = events.get(calendarId="primary", eventId=event["id"], maxAttendees=1, timeZone="UTC").execute()
    assert shown["attendeesOmitted"] is True
    assert shown["attendees"] == [{"email": ALICE, "responseStatus": "accepted", "self": True}]
    assert shown["start"]["dateTime"] == "2026-03-03T13:00:00Z"
    assert [item["summary"] for item in list_all(official(google), eventTypes=["focusTime"])[0]] == ["Focus"]
    assert [item["summary"] for item in list_all(official(google), q="budget p2")[0]] == ["Budget"]
    assert [item["summary"] for item in list_all(official(google), iCalUID=event["iCalUID"])[0]] == ["Budget"]
    sparse = events.list(calendarId="primary", fields="items(id,start/dateTime),nextSyncToken", q="Budget").execute()
    assert sparse["items"] == [{"id": event["id"], "start": {"dateTime": "2026-03-03T14:00:00+01:00"}}]
    assert sparse.keys() == {"items", "nextSyncToken"}


def test_private_events_lose_their_details_for_readers(google: GoogleControl) -> None:
    google.add_account(BOB)
    google.share_calendar(ALICE, BOB, "reader")
    google.insert_event(ALICE, single("Doctor", visibility="private"))
    seen, _ = list_all(official(google, BOB), ALICE)
    assert "summary" not in seen[0]
    assert seen[0]["visibility"] == "private"


def test_writing_through_the_client(google: GoogleControl) -> None:
    events = official(google).events()
    made = events.insert(calendarId="primary", body=single("Made", id="abcde12345")).execute()
    assert made["iCalUID"] == "abcde12345@google.com"
    assert made["organizer"] == {"email": ALICE, "self": True}
    patched = events.patch(calendarId="primary", eventId=made["id"], body={"location": "Bern"}).execute()
    assert (patched["summary"], patched["location"], patched["sequence"]) == ("Made", "Bern", 0)
    replaced = events.update(calendarId="primary", eventId=made["id"], body=single("New", day="2026-03-04")).execute()
    assert ("location" in replaced, replaced["sequence"]) == (False, 1)
    events.delete(calendarId="primary", eventId=made["id"]).execute()
    assert events.get(calendarId="primary", eventId=made["id"]).execute()["status"] == "cancelled"
    with refused(410, "deleted"):
        events.delete(calendarId="primary", eventId=made["id"]).execute()
    imported = events.import_(calendarId="primary", body=single("Imported", iCalUID="x@elsewhere")).execute()
    again = events.import_(calendarId="primary", body=single("Again", iCalUID="x@elsewhere")).execute()
    assert (again["id"], again["summary"]) == (imported["id"], "Again")


def test_a_patched_instance_keeps_its_original_start(google: GoogleControl) -> None:
    events = official(google).events()
    master = events.insert(calendarId="primary", body=weekly()).execute()["id"]
    instances = events.instances(calendarId="primary", eventId=master).execute()["items"]
    moved = single(day="2026-03-10")
    events.patch(calendarId="primary", eventId=instances[1]["id"], body=moved).execute()
    shown = events.get(calendarId="primary", eventId=f"{master}_20260309T080000Z").execute()
    assert shown["start"]["dateTime"] == "2026-03-10T14:00:00+01:00"
    assert shown["originalStartTime"]["dateTime"] == "2026-03-09T09:00:00+01:00"
    assert shown["recurringEventId"] == master
    assert len(events.instances(calendarId="primary", eventId=master).execute()["items"]) == 8


def test_a_move_leaves_an_id_only_stub(google: GoogleControl) -> None:
    google.add_calendar(ALICE, TEAM)
    service = official(google)
    event = google.insert_event(ALICE, single())
    _, token = list_all(service)
    service.events().move(calendarId="primary", eventId=event["id"], destination=TEAM).execute()
    assert list_all(service, syncToken=token)[0] == [{"id": event["id"], "status": "cancelled"}]
    assert [item["id"] for item in list_all(service, TEAM)[0]] == [event["id"]]


@pytest.mark.parametrize("style", ["web", "client"])
def test_this_and_following_leaves_no_gap_and_no_duplicate(google: GoogleControl, style: Any) -> None:
    master = google.insert_event(ALICE, weekly())["id"]
    before = [item["start"]["dateTime"] for item in google.instances(ALICE, *WINDOW)]
    new = google.split_series(ALICE, master, "20260330T070000Z", {"summary": "After"}, style)
    after = google.instances(ALICE, *WINDOW)
    assert [item["start"]["dateTime"] for item in after] == before
    assert [item["summary"] for item in after] == ["Weekly"] * 4 + ["After"] * 4
    base = master if style == "web" else new["id"]
    assert after[4]["id"] == f"{base}_20260330T070000Z"
    assert new["id"].startswith(f"{master}_R20260330T090000") is (style == "web")
    assert google.get_event(ALICE, after[4]["id"])["recurringEventId"] == new["id"]


def test_a_conference_arrives_in_a_later_delta(google: GoogleControl) -> None:
    service = official(google)
    body = single(conferenceData={"createRequest": {"requestId": "r1"}})
    event = service.events().insert(calendarId="primary", body=body, conferenceDataVersion=1).execute()
    assert event["conferenceData"]["createRequest"]["status"] == {"statusCode": "pending"}
    assert "conferenceData" not in service.events().insert(calendarId="primary", body=body).execute()
    _, token = list_all(service)
    google.complete_conference(ALICE, event["id"], "https://meet.google.com/abc-defg-hij")
    items, _ = list_all(service, syncToken=token)
    assert items[0]["hangoutLink"] == "https://meet.google.com/abc-defg-hij"
    assert items[0]["conferenceData"]["entryPoints"][0]["entryPointType"] == "video"


def test_attendees_get_copies_and_answer_on_them(google: GoogleControl) -> None:
    google.configure(attendee_copies=True)
    google.add_account(BOB)
    event = google.insert_event(ALICE, single(attendees=[{"email": BOB}, {"email": ALICE}]))
    google.patch_event(BOB, event["id"], {"attendees": [{"email": BOB, "responseStatus": "declined"}]})
    seen = {item["email"]: item for item in google.get_event(ALICE, event["id"])["attendees"]}
    assert seen[BOB]["responseStatus"] == "declined"
    assert google.get_event(BOB, event["id"])["attendees"][0]["self"] is True
    google.delete_event(ALICE, event["id"])
    assert google.get_event(BOB, event["id"])["status"] == "cancelled"


TIME = "2026-03-01T00:00:00Z"
TOKEN = "<a good sync token>"
BARRED_WITH_TOKEN: dict[str, Any] = {
    "iCalUID": "x",
    "privateExtendedProperty": "a=b",
    "q": "x",
    "sharedExtendedProperty": "a=b",
    "timeMin": TIME,
    "timeMax": TIME,
    "updatedMin": TIME,
    "showDeleted": False,
    "singleEvents": True,
    "eventTypes": ["default"],
}
DAY, NEXT_DAY = {"date": "2026-03-01"}, {"date": "2026-03-02"}
DAILY_WITHOUT_ZONE = {"start": {"dateTime": TIME}, "end": {"dateTime": TIME}, "recurrence": ["RRULE:FREQ=DAILY"]}
# What the case is, the code, the reason, the method of events, its arguments (calendarId is primary unless given).
REFUSALS: list[tuple[str, int, str, str, dict[str, Any]]] = [
    ("orderBy with token", 400, "syncTokenWithNonDefaultOrdering", "list", {"syncToken": TOKEN, "orderBy": "updated"}),
    ("corrupt sync token", 410, "fullSyncRequired", "list", {"syncToken": "nope"}),
    ("token of another calendar", 410, "fullSyncRequired", "list", {"syncToken": TOKEN, "calendarId": TEAM}),
    ("corrupt page token", 400, "invalid", "list", {"pageToken": "nope"}),
    ("sync token as page token", 400, "invalid", "list", {"pageToken": TOKEN}),
    ("updatedMin long ago", 410, "updatedMinTooLongAgo", "list", {"updatedMin": "2020-01-01T00:00:00Z"}),
    ("empty time range", 400, "timeRangeEmpty", "list", {"timeMin": TIME, "timeMax": TIME}),
    ("naive time", 400, "invalid", "list", {"timeMin": "2026-03-01T00:00:00"}),
    ("start order without expansion", 400, "invalid", "list", {"orderBy": "startTime"}),
    ("unknown field", 400, "invalidParameter", "list", {"fields": "items(nope)"}),
    ("unknown time zone", 400, "invalid", "list", {"timeZone": "Mars/Base"}),
    ("unknown calendar", 404, "notFound", "list", {"calendarId": "nobody@example.com"}),
    ("unknown event", 404, "notFound", "get", {"eventId": "nothere"}),
    ("instance no rule makes", 404, "notFound", "get", {"eventId": "series00_20260303T080000Z"}),
    ("id taken", 409, "duplicate", "insert", {"body": single(id="series00")}),
    ("id malformed", 400, "invalid", "insert", {"body": single(id="UPPER_case")}),
    ("no end", 400, "required", "insert", {"body": {"start": DAY}}),
    ("end before start", 400, "timeRangeEmpty", "insert", {"body": {"start": NEXT_DAY, "end": DAY}}),
    ("date with dateTime", 400, "invalid", "insert", {"body": {"start": DAY, "end": {"dateTime": TIME}}}),
    ("series without zone", 400, "required", "insert", {"body": DAILY_WITHOUT_ZONE}),
    ("broken rule", 400, "invalid", "insert", {"body": weekly(rule="RRULE:FREQ=NEVER")}),
    (
        "move of an instance",
        400,
        "cannotChangeOrganizerOfInstance",
        "move",
        {"eventId": "series00_20260302T080000Z", "destination": TEAM},
    ),
    ("move of a focus time", 400, "eventTypeRestriction", "move", {"eventId": "focus000", "destination": TEAM}),
]
REFUSALS += [
    (f"{name} with token", 400, "syncTokenWithRequestRestrictions", "list", {"syncToken": TOKEN, name: value})
    for name, value in BARRED_WITH_TOKEN.items()
]


@pytest.mark.parametrize(
    ("name", "code", "reason", "method", "arguments"), REFUSALS, ids=[item[0] for item in REFUSALS]
)
def test_what_google_refuses_is_refused(
    google: GoogleControl, name: str, code: int, reason: str, method: str, arguments: dict[str, Any]
) -> None:
    google.add_calendar(ALICE, TEAM)
    google.insert_event(ALICE, weekly(id="series00"))
    google.insert_event(ALICE, single(id="focus000", eventType="focusTime"))
    service = official(google)
    _, token = list_all(service)
    given = {key: token if value == TOKEN else value for key, value in ({"calendarId": "primary"} | arguments).items()}
    with refused(code, reason):
        getattr(service.events(), method)(**given).execute()


def test_corrupt_sync_tokens_can_be_a_bad_request(google: GoogleControl) -> None:
    google.configure(corrupt_token="bad_request")
    with refused(400, "invalid"):
        official(google).events().list(calendarId="primary", syncToken="nope").execute()


def test_sync_tokens_expire_by_age_by_order_and_by_acl(google: GoogleControl) -> None:
    expirations: list[Callable[[], None]] = [
        lambda: google.expire_sync_tokens(ALICE),
        lambda: google.share_calendar(ALICE, ALICE, "owner"),
        lambda: google.advance(31 * 86400),
    ]
    for expire in expirations:
        _, token = list_all(official(google))
        expire()
        with refused(410, "fullSyncRequired"):
            official(google).events().list(calendarId="primary", syncToken=token).execute()


def test_a_stale_etag_is_a_failed_precondition(google: GoogleControl) -> None:
    event = google.insert_event(ALICE, single())
    google.patch_event(ALICE, event["id"], {"summary": "other"})
    call = official(google).events().patch(calendarId="primary", eventId=event["id"], body={"summary": "mine"})
    call.headers["If-Match"] = event["etag"]
    with refused(412, "conditionNotMet"):
        call.execute()


def test_scopes_roles_and_tokens_are_checked(google: GoogleControl) -> None:
    google.add_account(BOB)
    google.share_calendar(ALICE, BOB, "reader")
    with refused(403, "insufficientPermissions"):
        official(google, scopes=READ_ONLY).events().insert(calendarId="primary", body=single()).execute()
    with refused(403, "requiredAccessLevel"):
        official(google, BOB).events().insert(calendarId=ALICE, body=single()).execute()
    service = official(google)
    google.advance(3600)
    with refused(401, "authError"):
        service.events().list(calendarId="primary").execute()


def test_a_batch_counts_every_inner_call(google: GoogleControl) -> None:
    service = official(google)
    answers: list[Any] = []
    batch: Any = BatchHttpRequest(
        callback=lambda _id, answer, error: answers.append(error or answer),
        batch_uri=f"{google.base_url}/batch/calendar/v3",
    )
    batch.add(service.events().list(calendarId="primary"))
    batch.add(service.events().get(calendarId="primary", eventId="nothere"))
    batch.execute()
    assert answers[0]["kind"] == "calendar#events"
    assert answers[1].status_code == 404
    assert google.counters()["calls"] == {"events.list": 1, "events.list.full": 1, "events.get": 1}


def test_paths_outside_the_api_are_not_served(google: GoogleControl) -> None:
    """`api_endpoint` replaces the service path too: without /calendar/v3/ it fails here as it does at Google."""
    service = official(google)
    service._baseUrl = f"{google.base_url}/"
    with pytest.raises(HttpError, match="404"):
        service.events().list(calendarId="primary").execute()


def test_control_refuses_what_it_does_not_know(google: GoogleControl) -> None:
    with pytest.raises(ControlError, match="no switch"):
        google.configure(pusch="drop")
    with pytest.raises(ControlError, match="no fault kind"):
        google.add_fault("meteor")
    event = google.insert_event(ALICE, single())
    google.delete_event(ALICE, event["id"])
    with pytest.raises(ControlError, match="410 deleted"):
        google.delete_event(ALICE, event["id"])
