"""Requests are claimed soonest first, as far as the provider's rates allow, by one worker at a time; and what ends a
claim leaves each due for what is still to be done."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.sql.bots.following import NOT_WANTED, Following, at, decision, impatient
from tests.sql.database import Database, Row, at_once, in_background


@pytest.fixture
def request_of_one(db: Database, bots: Following) -> Row:
    """A meeting that wants a bot, whose request is claimed."""
    bots.sync(db.calendar(), at(0))
    bots.decide()
    (claimed,) = bots.claim_requests()
    return claimed


def many(db: Database, bots: Following, count: int) -> None:
    bots.sync(db.calendar(), *(at(number, f"event{number}") for number in reversed(range(count))))
    bots.decide()


def want_otherwise(bots: Following, **more: Any) -> None:
    bots.db.admin.execute("update public.bot_wishes set due_at = now()")
    bots.decide(**more)


# Claims


def test_soonest_is_claimed_first_of_both_kinds_together(db: Database, bots: Following) -> None:
    many(db, bots, 4)
    for request in bots.claim_requests(limit=2):
        bots.end(request)
    bots.sync(db.calendar_row(db.row("select id from calendar_webhooks")["id"]), at(0.5, "event1"))
    bots.decide()
    hours = [row["join_at"].hour for row in bots.claim_requests(limit=2)]
    assert sorted(hours) == [12, 13], "a change at 12:28, then a creation at 13:58"


def test_a_claimed_request_is_nobody_elses_until_its_lease_lapses(bots: Following, request_of_one: Row) -> None:
    want_otherwise(bots, bot_name="Another")
    assert bots.claim_requests() == [], "though something else is wanted by now"
    bots.db.admin.execute("update public.bot_requests set lease_expires_at = now()")
    (again,) = bots.claim_requests()
    assert (again["fence"], again["attempts"], again["maybe_created"]) == (request_of_one["fence"] + 1, 1, True)


def test_two_at_once_share_what_is_due(db: Database, bots: Following) -> None:
    many(db, bots, 8)
    connections = [db.another() for _ in range(4)]
    claimed = at_once(*(lambda by=by: bots.claim_requests(limit=3, by=by) for by in connections))
    ids = [request["id"] for each in claimed for request in each]
    assert len(ids) == len(set(ids)) == 8


def test_a_claim_does_not_wait_for_a_request_that_is_held(db: Database, bots: Following) -> None:
    many(db, bots, 2)
    holder = db.another()
    with holder.transaction():
        holder.execute("select 1 from public.bot_requests order by join_at limit 1 for update")
        (free,) = bots.claim_requests(by=impatient(db))
    assert free["join_at"].hour == 12


def test_a_provider_that_asked_to_be_left_alone_is(bots: Following, request_of_one: Row) -> None:
    bots.end(request_of_one, "retry", retry_seconds=0, pause_seconds=600, error_code="throttled")
    assert bots.claim_requests() == []
    told = bots.db.row("select last_error_code, not_before > now() as paused from public.bot_providers")
    assert told == {"last_error_code": "throttled", "paused": True}
    bots.db.admin.execute("update public.bot_providers set not_before = now()")
    assert len(bots.claim_requests()) == 1


# Rates


@pytest.mark.parametrize("per_minute", [1, 2, 5, 7.5, 60, 3000])
def test_never_more_than_the_rate_in_any_minute_and_never_none(db: Database, per_minute: float) -> None:
    """The bucket itself, over ten minutes of calls at random that take all they can, or less."""
    chance = random.Random(7)
    filled = "select calendar_internal.filled(%s, make_interval(secs => %s), %s) as tokens"
    now, tokens, taken = 0.0, 1e9, list[float]()
    while now < 600:
        passed = chance.choice([0.01, 0.5, 1, 7, 30])
        now += passed
        tokens = db.row(filled, tokens, passed, float(per_minute))["tokens"]
        count = int(tokens) if chance.random() < 0.8 else chance.randint(0, int(tokens))
        tokens -= count
        taken += [now] * count
    most = max(sum(start <= each < start + 60 for each in taken) for start in set(taken))
    assert most <= per_minute
    assert len(taken) >= per_minute * 3


def test_a_claim_takes_no_more_than_the_rate_allows_and_counts_before_the_work(db: Database, bots: Following) -> None:
    many(db, bots, 14)
    assert len(bots.claim_requests(creates=60)) == 10
    # At six in a minute one comes in twelve seconds: none while we ask.
    assert bots.claim_requests(creates=6) == []
    db.admin.execute("update public.bot_providers set filled_at = filled_at - interval '13 seconds'")
    assert len(bots.claim_requests(creates=6)) == 1


def test_changes_have_a_bucket_of_their_own(db: Database, bots: Following) -> None:
    many(db, bots, 12)
    bots.deliver()
    want_otherwise(bots, bot_name="Another")
    bots.sync(db.calendar(), at(40, "new"))
    bots.decide()
    db.admin.execute("update public.bot_providers set create_tokens = 0, filled_at = now()")
    assert {row["bot_id"] is None for row in bots.claim_requests(creates=1)} == {False}


# What ends a claim


def test_what_was_told_needs_no_more_work(bots: Following, request_of_one: Row) -> None:
    assert bots.end(request_of_one, calls=1) is True
    (request,) = bots.requests()
    assert (request["due_at"], request["told_revision"], request["status"]) == (None, 1, "bot_scheduled")
    assert (request["told_join_at"], request["told_url"]) == (request["join_at"], request["meeting_url"])
    assert (request["attempts"], request["calls"], request["lease_expires_at"]) == (0, 1, None)


def test_whoever_lost_the_lease_records_nothing(bots: Following, request_of_one: Row) -> None:
    bots.db.admin.execute("update public.bot_requests set lease_expires_at = now()")
    (newer,) = bots.claim_requests()
    assert bots.end(request_of_one, "dead") is False
    assert bots.end(newer) is True
    assert bots.end(newer, "dead") is False, "and nobody twice"
    assert bots.requests()[0]["dead_at"] is None


@pytest.mark.parametrize("outcome", ["told", "dead"])
def test_what_has_changed_meanwhile_leaves_it_due(bots: Following, request_of_one: Row, outcome: str) -> None:
    want_otherwise(bots, bot_name="Another")
    bots.end(request_of_one, outcome)
    (request,) = bots.requests()
    assert (request["is_due"], request["dead_at"]) == (True, None)
    assert request["told_revision"] < request["revision"]


def test_a_bot_that_is_no_more_wanted_once_it_is_made_is_removed(bots: Following, request_of_one: Row) -> None:
    want_otherwise(bots, **NOT_WANTED)
    bots.end(request_of_one)
    (claimed,) = bots.claim_requests()
    assert (claimed["wanted"], claimed["bot_id"] is not None) == (False, True)
    bots.end(claimed, "removed")
    (gone,) = bots.requests(wanted=False)
    assert (gone["status"], gone["due_at"]) == ("cancelled", None)


def test_a_failure_is_tried_again_after_its_time(bots: Following, request_of_one: Row) -> None:
    bots.end(request_of_one, "retry", retry_seconds=120, error_code="provider_unavailable", maybe_created=True)
    (request,) = bots.requests()
    assert 110 < request["due_in"] <= 120
    assert (request["last_error_code"], request["maybe_created"], request["attempts"]) == (
        "provider_unavailable",
        True,
        1,
    )
    assert bots.claim_requests() == []


def test_a_retry_under_another_key_is_another_attempt(bots: Following, request_of_one: Row) -> None:
    bots.end(request_of_one, "retry", retry_seconds=0, new_key=True, maybe_created=False)
    (again,) = bots.claim_requests()
    assert (again["attempt_series"], again["generation"], again["maybe_created"]) == (2, 1, False)


def test_what_is_refused_for_good_is_given_up_until_something_else_is_wanted(
    bots: Following, request_of_one: Row
) -> None:
    bots.end(request_of_one, "dead", error_code="bad_link")
    (request,) = bots.requests()
    assert (request["dead_at"] is not None, request["due_at"]) == (True, None)
    want_otherwise(bots, meeting_url="https://zoom.us/j/9")
    (claimed,) = bots.claim_requests()
    assert (claimed["dead_at"], claimed["meeting_url"]) == (None, "https://zoom.us/j/9")


def test_what_cannot_be_done_in_this_state_waits_for_the_next_one(bots: Following, request_of_one: Row) -> None:
    bots.end(request_of_one)
    want_otherwise(bots, **NOT_WANTED)
    (claimed,) = bots.claim_requests()
    bots.end(claimed, "not_now", retry_seconds=60, provider_state="staged")
    (request,) = bots.requests(wanted=False)
    assert (50 < request["due_in"] <= 60, request["attempts"]) == (True, 0)
    bots.tell(request, "bot_scheduled")
    assert len(bots.claim_requests()) == 1


def test_a_bot_that_was_found_is_changed_next_if_it_is_otherwise(bots: Following, request_of_one: Row) -> None:
    bots.end(request_of_one, "found", bot_id="found", status="bot_scheduled")
    (claimed,) = bots.claim_requests()
    assert (claimed["bot_id"], claimed["told_revision"], claimed["maybe_created"]) == ("found", 0, False)
    bots.end(claimed)
    bots.db.admin.execute("update public.bot_requests set due_at = now(), in_doubt = true")
    (looked,) = bots.claim_requests()
    bots.end(looked, "found", bot_id="found")
    assert (bots.requests()[0]["due_at"], bots.requests()[0]["in_doubt"]) == (None, False)


def test_a_bot_that_cannot_be_changed_is_left_behind_and_another_one_made(bots: Following, request_of_one: Row) -> None:
    bots.end(request_of_one, bot_id="first")
    want_otherwise(bots, bot_name="Another")
    (claimed,) = bots.claim_requests()
    bots.end(claimed, "make_new")
    (new,), (left,) = bots.requests(), bots.requests(wanted=False)
    assert (new["bot_id"], new["generation"], new["status"], new["is_due"]) == (None, 2, "pending", True)
    assert (left["bot_id"], left["bot_key"], left["is_left_behind"]) == ("first", f"{new['id']}.1", True)
    for request in bots.claim_requests():
        bots.end(request, "told" if request["wanted"] else "removed")
    assert [each["status"] for each in bots.requests(wanted=None)] == ["bot_scheduled", "cancelled"]
    assert bots.db.row("select count(*) as n from bot_wishes where request_id = %s", left["id"])["n"] == 0


@pytest.mark.parametrize("result", [{"is_gone": True, "bot_id": None}, {}])
def test_what_is_gone_or_never_was_is_not_left_behind(bots: Following, request_of_one: Row, result: Row) -> None:
    if result:
        bots.end(request_of_one, bot_id="first")
        want_otherwise(bots, bot_name="Another")
        (request_of_one,) = bots.claim_requests()
    bots.end(request_of_one, "make_new", **result)
    assert [each["generation"] for each in bots.requests(wanted=None)] == [2]


def test_a_change_and_its_delivery_wait_for_each_other_and_the_later_wish_stays(
    db: Database, bots: Following, request_of_one: Row
) -> None:
    """The delivery is recorded while a decision about the same request is not committed yet."""
    deciding, recording = db.another(), db.another()
    db.admin.execute("update public.bot_wishes set due_at = now()")
    (claim,) = bots.claim()
    with deciding.transaction():
        bots.record(decision(claim, bot_name="Another"), by=deciding)
        recorded = in_background(lambda: bots.end(request_of_one, by=recording))
        db.await_waiting()
    assert recorded.result(60) is True
    (request,) = bots.requests()
    assert (request["is_due"], request["bot_name"], request["told_revision"]) == (True, "Another", 1)


def test_requests_and_messages_are_dropped_when_they_are_old(db: Database, bots: Following) -> None:
    calendar = db.calendar()
    bots.sync(calendar, at(0), at(3, "kept"))
    bots.decide()
    old, kept = bots.deliver()
    for request in (old, kept):
        bots.tell(request, "completed", message=str(request["id"]))
    db.admin.execute(
        "update public.bot_requests set meeting_end = now() - interval '31 days' where id = %s", [old["id"]]
    )
    drop = {"p_keep_days": 30, "p_limit": 10}
    assert db.value("drop_old_bots", **drop) == 0, "its meeting is ahead after all"
    db.admin.execute("update public.meetings set start_time = '2020-01-01', end_time = '2020-01-01'")
    holder = db.another()
    with holder.transaction():
        holder.execute("select 1 from public.bot_wishes for update")
        assert db.value("drop_old_bots", **drop) == 0, "whoever decides is not waited for"
    assert db.value("drop_old_bots", **drop) == 1
    assert [request["id"] for request in bots.requests(wanted=None)] == [kept["id"]]
    db.admin.execute("update public.bot_messages set received_at = now() - interval '31 days'")
    assert db.value("drop_old_bots", p_keep_days=30, p_limit=1) == 1
    assert db.value("drop_old_bots", **drop) == 1
