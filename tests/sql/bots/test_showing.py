"""What users see of bots on their meetings: the wish, its request and its status, soon, and waiting for nobody."""

from __future__ import annotations

import json

import pytest

from tests.sql.bots.following import NOT_WANTED, Following, at, impatient
from tests.sql.database import Connection, Database, Row, part


@pytest.fixture
def calendar(db: Database, bots: Following) -> Row:
    """Alice's, with a meeting that wants a bot."""
    calendar = db.calendar()
    bots.sync(calendar, at(0))
    bots.decide()
    return calendar


def decide_again(bots: Following, **more: object) -> None:
    bots.db.admin.execute("update public.bot_wishes set due_at = now()")
    bots.decide(**more)


def test_a_meeting_shows_its_bot_step_by_step(bots: Following, calendar: Row) -> None:
    bots.show()
    assert bots.shown() == {
        "bot_status": "pending",
        "bot_reason": "join_rule",
        "bot_provider": "recall",
        "bot_id": None,
    }
    (request,) = bots.deliver()
    bots.show()
    assert bots.shown() == {
        "bot_status": "bot_scheduled",
        "bot_reason": "join_rule",
        "bot_provider": "recall",
        "bot_id": request["bot_id"],
    }
    for status in ("bot_joined", "transcribing", "completed"):
        bots.tell(request, status, message=status)
        assert bots.show() == 1
        assert bots.shown()["bot_status"] == status
    assert bots.show() == 0


def test_a_meeting_without_a_bot_says_why(db: Database, bots: Following) -> None:
    bots.sync(db.calendar(), at(0))
    bots.decide(**NOT_WANTED)
    bots.show()
    assert bots.shown() == {"bot_status": "pending", "bot_reason": "declined", "bot_provider": None, "bot_id": None}


@pytest.mark.parametrize("how_far", [None, "bot_scheduled"])
def test_a_bot_that_is_not_wanted_is_cancelled_at_once(bots: Following, calendar: Row, how_far: str | None) -> None:
    if how_far:
        bots.deliver()
    decide_again(bots, **NOT_WANTED)
    bots.show()
    assert (bots.shown()["bot_status"], bots.shown()["bot_reason"]) == ("cancelled", "declined")


def test_a_bot_that_is_in_the_call_says_so_until_it_is_out(bots: Following, calendar: Row) -> None:
    (request,) = bots.deliver()
    bots.tell(request, "bot_joined")
    decide_again(bots, **NOT_WANTED)
    bots.show()
    assert bots.shown()["bot_status"] == "bot_joined"
    bots.deliver()
    bots.show()
    assert bots.shown()["bot_status"] == "cancelled"


def test_who_leaves_a_shared_bot_does_not_see_what_becomes_of_it(db: Database, bots: Following) -> None:
    alice = db.user()
    stays, leaves = db.calendar(alice), db.calendar(alice)
    bots.sync(stays, at(0, "stays"))
    bots.sync(leaves, at(0, "leaves"))
    bots.decide()
    (request,) = bots.deliver()
    bots.sync(leaves, at(0, "leaves", event_status="declined"))
    bots.decide(**NOT_WANTED)
    bots.tell(request, "bot_joined")
    bots.show()
    assert (bots.shown("stays")["bot_status"], bots.shown("leaves")["bot_status"]) == ("bot_joined", "cancelled")


def test_what_the_provider_refuses_for_good_has_failed_and_says_so(bots: Following, calendar: Row) -> None:
    (claimed,) = bots.claim_requests()
    bots.end(claimed, "dead", error_code="bad_link")
    bots.show()
    assert (bots.shown()["bot_status"], bots.shown()["bot_reason"]) == ("failed", "refused_by_provider")
    decide_again(bots, **NOT_WANTED)
    bots.show()
    assert (bots.shown()["bot_status"], bots.shown()["bot_reason"]) == ("cancelled", "declined")


def test_a_meeting_that_is_back_begins_anew(bots: Following, calendar: Row) -> None:
    bots.deliver()
    decide_again(bots, **NOT_WANTED)
    bots.deliver()
    decide_again(bots)
    bots.show()
    assert bots.shown()["bot_status"] == "pending"


def test_a_sync_resets_nothing_that_is_shown(db: Database, bots: Following, calendar: Row) -> None:
    bots.deliver()
    bots.show()
    before = bots.shown()
    db.sync(calendar, part([at(0, title="Another")]), is_full=True, sync_type="full")
    db.sync(calendar, part([at(1)]))
    assert bots.shown() == before


def test_what_is_shown_already_is_not_written(db: Database, bots: Following, calendar: Row) -> None:
    bots.show()
    before = db.meetings(calendar)
    decide_again(bots)
    bots.show()
    assert db.meetings(calendar) == before


@pytest.fixture(params=["bot_wishes", "bot_requests", "meetings"])
def held(request: pytest.FixtureRequest, db: Database, calendar: Row) -> Connection:
    """A transaction that has rows of one of the tables."""
    holder = db.another()
    holder.execute("begin")
    holder.execute(f"select 1 from public.{request.param} for update".encode())
    return holder


def test_showing_waits_for_nobody_and_the_next_one_shows_the_rest(
    db: Database, bots: Following, held: Connection
) -> None:
    bots.show(by=impatient(db))
    held.execute("commit")
    bots.show()
    assert bots.shown()["bot_reason"] == "join_rule"
    left = db.rows(
        "select 1 from bot_wishes where not is_shown union all select 1 from bot_requests where not is_shown"
    )
    assert left == []


def test_one_meeting_that_refuses_does_not_keep_the_others_from_being_shown(db: Database, bots: Following) -> None:
    """As the check of an original database may, that knows other words."""
    bots.sync(db.calendar(), at(0, "refuses"), at(1, "takes"))
    bots.decide()
    db.admin.execute(
        "alter table public.meetings add constraint theirs"
        " check (google_calendar_event_id <> 'refuses' or bot_reason is null)"
    )
    try:
        bots.show()
    finally:
        db.admin.execute("alter table public.meetings drop constraint theirs")
    assert (bots.shown("takes")["bot_reason"], bots.shown("refuses")["bot_reason"]) == ("join_rule", None)
    assert bots.show() == 0


def test_steps_are_bounded_and_go_on(db: Database, bots: Following) -> None:
    bots.sync(db.calendar(), *(at(number, f"event{number}") for number in range(5)))
    bots.decide(**NOT_WANTED)
    assert [bots.show(limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_explaining_tells_the_wish_its_request_and_who_shares_it(db: Database, bots: Following) -> None:
    alice = db.user()
    for _ in range(2):
        bots.sync(db.calendar(alice), at(0))
    (one, _) = db.rows("select id from public.meetings order by id")
    assert db.value("explain_bot", p_meeting_id=one["id"]) == {"is_decided": False}
    bots.claim(lease=0)
    assert db.value("explain_bot", p_meeting_id=one["id"])["is_decided"] is False
    bots.decide()
    (request,) = bots.deliver()
    told = db.value("explain_bot", p_meeting_id=one["id"])
    assert (told["wanted"], told["reason"], told["is_decided"], told["shared_with"]) == (True, "join_rule", True, 1)
    assert (told["request"]["bot_id"], told["request"]["is_told"], told["request"]["is_dead"]) == (
        request["bot_id"],
        True,
        False,
    )
    db.admin.execute("update public.bot_providers set not_before = now() + interval '1 hour'")
    db.admin.execute("update public.bot_wishes set request_id = null where meeting_id <> %s", [one["id"]])
    told = db.value("explain_bot", p_meeting_id=one["id"])
    assert (told["shared_with"], told["provider_paused_until"] is not None) == (0, True)
    assert json.dumps(told)
