"""Which meetings share a bot, whose content it has, and what becomes of it when one of them moves or goes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.sql.bots.following import NOT_WANTED, Following, at, decision
from tests.sql.database import NOON, Database, Row, at_once, part


def two_in_one_room(db: Database, bots: Following) -> tuple[Row, Row]:
    """Two calendars of Alice's have one meeting; the bot's name in each says whose words count first."""
    alice = db.user()
    calendars = [db.calendar(alice), db.calendar(alice)]
    for calendar in calendars:
        bots.sync(calendar, at(0))
    claims = sorted(bots.claim(), key=lambda claim: str(claim["meeting_id"]))
    bots.record(*(decision(claim, bot_name=name) for claim, name in zip(claims, ("first", "second"), strict=True)))
    by_id = {calendar["id"]: calendar for calendar in calendars}
    first, second = (by_id[claim["calendar_id"]] for claim in claims)
    return first, second


def decide_named(bots: Following, first: Row, **more: Any) -> None:
    """As before, where the calendar whose words count first names its bot `first`."""
    claims = bots.claim()
    names = {first["id"]: "first"}
    assert bots.record(
        *(decision(claim, **{"bot_name": names.get(claim["calendar_id"], "second"), **more}) for claim in claims)
    ) == len(claims)


def test_one_room_at_two_times_has_two_bots(db: Database, bots: Following) -> None:
    bots.sync(db.calendar(), at(0, "morning"), at(3, "evening"))
    bots.decide()
    assert [request["meeting_start"].hour for request in bots.requests()] == [12, 15]


def test_one_room_at_one_time_in_two_calendars_has_one_bot(db: Database, bots: Following) -> None:
    two_in_one_room(db, bots)
    (request,) = bots.requests()
    assert {wish["request_id"] for wish in bots.wishes()} == {request["id"]}


@pytest.mark.parametrize("tenants", [("acme", "acme"), ("acme", "other"), (None, None)])
def test_two_users_share_a_bot_within_a_tenant_alone(
    db: Database, bots: Following, tenants: tuple[str | None, str | None]
) -> None:
    for tenant in tenants:
        user = db.user()
        if tenant:
            db.insert("bot_tenants", user_id=user, tenant=tenant)
        bots.sync(db.calendar(user), at(0))
    bots.decide()
    assert len(bots.requests()) == (1 if tenants == ("acme", "acme") else 2)


def test_two_who_decide_at_once_make_one_bot(db: Database, bots: Following) -> None:
    for _ in range(2):
        user = db.user()
        db.insert("bot_tenants", user_id=user, tenant="acme")
        bots.sync(db.calendar(user), *(at(number, f"event{number}") for number in range(4)))
    claims = bots.claim()
    halves = [[claim for claim in claims if claim["user_id"] == user] for user in {each["user_id"] for each in claims}]
    connections = [db.another() for _ in halves]
    kept = at_once(
        *(
            lambda half=half, by=by: bots.record(*map(decision, half), by=by)
            for half, by in zip(halves, connections, strict=True)
        )
    )
    assert kept == [4, 4]
    assert len(bots.requests()) == 4


def test_those_who_share_do_not_take_turns_in_what_the_bot_is_to_be(db: Database, bots: Following) -> None:
    first, _ = two_in_one_room(db, bots)
    (request,) = bots.requests()
    assert request["bot_name"] == "first"
    for _ in range(3):
        db.admin.execute("update public.bot_wishes set due_at = now()")
        decide_named(bots, first)
    assert bots.request(request["id"])["revision"] == request["revision"]


def test_when_the_first_leaves_the_bot_is_what_the_other_wants(db: Database, bots: Following) -> None:
    first, _ = two_in_one_room(db, bots)
    bots.deliver()
    bots.sync(first, at(0, event_status="declined"))
    decide_named(bots, first, **NOT_WANTED)
    (request,) = bots.requests()
    assert (request["bot_name"], request["is_due"]) == ("second", True)


def test_when_the_first_is_deleted_the_bot_is_what_the_other_wants(db: Database, bots: Following) -> None:
    first, _ = two_in_one_room(db, bots)
    bots.deliver()
    db.admin.execute("delete from public.meetings where calendar_id = %s", [first["id"]])
    bots.claim()
    (request,) = bots.requests(wanted=None)
    assert (request["wanted"], request["bot_name"], request["is_due"]) == (True, "second", True)


def test_when_the_last_leaves_the_bot_is_to_be_removed(db: Database, bots: Following) -> None:
    two_in_one_room(db, bots)
    bots.deliver()
    db.admin.execute("update public.bot_wishes set due_at = now()")
    bots.decide(**NOT_WANTED)
    (request,) = bots.requests(wanted=None)
    assert (request["wanted"], request["is_due"]) == (False, True)


def test_when_one_of_two_moves_it_gets_a_bot_of_its_own_and_the_other_keeps_theirs(
    db: Database, bots: Following
) -> None:
    first, _ = two_in_one_room(db, bots)
    (shared,) = bots.deliver()
    bots.sync(first, at(3))
    decide_named(bots, first)
    (stays, new) = bots.requests()
    assert (stays["id"], stays["meeting_start"], stays["bot_name"]) == (shared["id"], NOON, "second")
    assert (new["meeting_start"], new["bot_name"], new["bot_id"]) == (NOON + dt.timedelta(hours=3), "first", None)


def test_when_both_move_together_they_share_one_again(db: Database, bots: Following) -> None:
    first, second = two_in_one_room(db, bots)
    for calendar in (first, second):
        bots.sync(calendar, at(3))
    decide_named(bots, first)
    (request,) = bots.requests()
    assert request["meeting_start"] == NOON + dt.timedelta(hours=3)
    bots.deliver()
    assert len(bots.requests(wanted=None)) == 1, "moved, not made anew"


def test_a_bot_alone_moves_with_its_meeting(db: Database, bots: Following) -> None:
    calendar = db.calendar()
    bots.sync(calendar, at(0))
    bots.decide()
    (before,) = bots.deliver()
    bots.sync(calendar, at(3, meeting_url="https://zoom.us/j/2", room_key="zoom:2"))
    bots.decide()
    (moved,) = bots.requests(wanted=None)
    assert (moved["id"], moved["bot_id"], moved["is_due"]) == (before["id"], before["bot_id"], True)
    assert (moved["meeting_url"], moved["room_key"]) == ("https://zoom.us/j/2", "zoom:2")
    assert moved["join_at"] == before["join_at"] + dt.timedelta(hours=3)
    assert moved["meeting_end"] == before["meeting_end"] + dt.timedelta(hours=3)
    assert moved["revision"] == before["revision"] + 1 == moved["told_revision"] + 1


def test_a_bot_that_was_in_the_meeting_stays_with_that_time(db: Database, bots: Following) -> None:
    calendar = db.calendar()
    bots.sync(calendar, at(0))
    bots.decide()
    (before,) = bots.deliver()
    bots.tell(before, "bot_joined")
    bots.sync(calendar, at(3))
    bots.decide()
    (old,) = bots.requests(wanted=False)
    (new,) = bots.requests()
    assert (old["id"], old["is_due"], new["bot_id"]) == (before["id"], True, None)


def test_a_longer_meeting_keeps_the_bot_that_is_in_it(db: Database, bots: Following) -> None:
    calendar = db.calendar()
    bots.sync(calendar, at(0))
    bots.decide()
    (before,) = bots.deliver()
    bots.tell(before, "bot_joined")
    bots.sync(calendar, at(0, end_time="2030-01-15T16:00:00+00:00"))
    bots.decide()
    (request,) = bots.requests(wanted=None)
    assert (request["id"], request["meeting_end"].hour) == (before["id"], 16)


def test_a_slot_that_is_freed_is_taken_by_another_bot(db: Database, bots: Following) -> None:
    """A bot on its way out is not called back."""
    calendar = db.calendar()
    bots.sync(calendar, at(0))
    bots.decide()
    bots.deliver()
    for wish in (NOT_WANTED, {}):
        db.admin.execute("update public.bot_wishes set due_at = now()")
        bots.decide(**wish)
    old, new = sorted(bots.requests(wanted=None), key=lambda each: each["wanted"])
    assert (old["wanted"], new["wanted"], new["bot_id"]) == (False, True, None)
    assert bots.wishes()[0]["request_id"] == new["id"]


def test_two_that_swap_their_times_have_one_bot_each(db: Database, bots: Following) -> None:
    calendar = db.calendar()
    bots.sync(calendar, at(0, "one"), at(3, "two"))
    bots.decide()
    bots.deliver()
    bots.sync(calendar, at(3, "one"), at(0, "two"))
    bots.decide()
    bots.deliver()
    assert [request["meeting_start"].hour for request in bots.requests()] == [12, 15]
    wished = {wish["event"]: bots.request(wish["request_id"])["meeting_start"].hour for wish in bots.wishes()}
    assert wished == {"one": 15, "two": 12}


def test_a_user_who_changes_tenants_leaves_the_shared_bot_to_the_others(db: Database, bots: Following) -> None:
    for name in ("alice", "bob"):
        user = db.user(name)
        db.insert("bot_tenants", user_id=user, tenant="acme")
        bots.sync(db.calendar(user), at(0, name))
    bots.decide()
    db.admin.execute("update public.bot_tenants set tenant = 'other' where user_id = %s", [user])
    bots.decide()
    assert {request["scope"] for request in bots.requests()} == {"tenant:acme", "tenant:other"}


def test_another_provider_has_a_bot_of_its_own_and_the_first_one_loses_theirs(db: Database, bots: Following) -> None:
    db.sync(db.calendar(), part([at(0)]))
    bots.decide()
    bots.deliver()
    db.admin.execute("update public.bot_wishes set due_at = now()")
    bots.decide(provider="attendee")
    assert {(each["provider"], each["wanted"]) for each in bots.requests(wanted=None)} == {
        ("recall", False),
        ("attendee", True),
    }
