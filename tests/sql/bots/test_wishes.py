"""What makes a wish worth deciding, whoever writes it; and how decisions are kept."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable

import psycopg
import pytest

from tests.sql.bots.following import NOT_WANTED, Following, at, decision, impatient
from tests.sql.database import Connection, Database, Row, connect, facts, meeting, part


def as_user(connection: Connection, user_id: str) -> None:
    connection.execute("select set_config('request.jwt.claims', %s, false)", [json.dumps({"sub": str(user_id)})])
    connection.execute("set role authenticated")


def moved(db: Database, calendar: Row) -> None:
    db.sync(calendar, part([at(3)]))


def declined(db: Database, calendar: Row) -> None:
    db.sync(calendar, part([at(0, event_status="declined")]))


def vanished(db: Database, calendar: Row) -> None:
    db.sync(calendar, part(families=["event"]))


def swept(db: Database, calendar: Row) -> None:
    db.sync(calendar, part(), is_full=True, sync_type="full")


def rolled(db: Database, calendar: Row) -> None:
    claim = db.claim_one(calendar)
    rows = {**part([at(2)]), "entering": {}}
    db.call(
        "commit_roll",
        p_calendar_id=claim["calendar_id"],
        p_fence=claim["fence"],
        p_part={**facts(), **rows},
        p_horizon_until="2030-04-01",
        p_is_last=True,
        p_lease_seconds=60,
        p_generation=None,
    )


def removed(db: Database, calendar: Row) -> None:
    ids = [calendar["google_calendar_id"]]
    db.call("remove_calendars", p_user_id=calendar["user_id"], p_google_calendar_ids=ids, p_meetings="cancel")


def disconnected(db: Database, calendar: Row) -> None:
    db.call("begin_disconnect", p_user_id=calendar["user_id"], p_meetings="cancel")


def access_lost(db: Database, calendar: Row) -> None:
    db.call("lose_connection", p_user_id=calendar["user_id"], p_reason="r", p_used_refresh_token="v1.refresh")


def calendar_refused(db: Database, calendar: Row) -> None:
    db.fail(db.claim_one(calendar), p_lost_message="It is gone.")


def retired(db: Database, calendar: Row) -> None:
    db.set(calendar, access_lost_at="now() - interval '9 days'")
    db.admin.execute("update public.bot_wishes set due_at = null")
    db.admin.execute("delete from public.bot_marks")
    db.call("retire_lost_calendars", p_after_seconds=60.0, p_limit=10)


def overridden(db: Database, calendar: Row) -> None:
    with connect(db.postgres_url) as alice:
        as_user(alice, calendar["user_id"])
        alice.execute("update public.meetings set bot_override = 'off'")


def preferred(db: Database, calendar: Row) -> None:
    with connect(db.postgres_url) as alice:
        as_user(alice, calendar["user_id"])
        alice.execute("insert into public.bot_preferences (user_id, join_rule) values (auth.uid(), 'all')")


def preferred_otherwise(db: Database, calendar: Row) -> None:
    preferred(db, calendar)
    db.admin.execute("delete from public.bot_marks")
    with connect(db.postgres_url) as alice:
        as_user(alice, calendar["user_id"])
        alice.execute("update public.bot_preferences set join_rule = 'none'")
    row = db.row("select updated_at > created_at as touched from public.bot_preferences")
    assert row["touched"] is True


def preferred_no_more(db: Database, calendar: Row) -> None:
    preferred(db, calendar)
    db.admin.execute("delete from public.bot_marks")
    with connect(db.postgres_url) as alice:
        as_user(alice, calendar["user_id"])
        alice.execute("delete from public.bot_preferences")


def joined_a_tenant(db: Database, calendar: Row) -> None:
    db.insert("bot_tenants", user_id=calendar["user_id"], tenant="acme")


@pytest.mark.parametrize(
    "write",
    [
        moved, declined, vanished, swept, rolled, removed, disconnected, access_lost, calendar_refused, retired,
        overridden, preferred, preferred_otherwise, preferred_no_more, joined_a_tenant,
    ],
)  # fmt: skip
def test_every_writer_has_it_decided_anew(
    db: Database, bots: Following, write: Callable[[Database, Row], None]
) -> None:
    alice = db.user()
    db.credentials(alice)
    calendar = db.calendar(alice)
    bots.sync(calendar, at(0))
    bots.decide()
    (before,) = bots.wishes()
    assert (before["is_due"], bots.marked()) == (False, set())
    write(db, calendar)
    assert bots.marked() == {"event"}
    (claim,) = bots.claim()
    assert claim["revision"] == before["revision"] + 1
    assert bots.claim() == [], "leased"


def test_a_write_that_decides_nothing_marks_nothing(db: Database, bots: Following) -> None:
    calendar = db.calendar()
    bots.sync(calendar, at(0))
    bots.decide()
    bots.sync(calendar, at(0, title="Another", description="Told"))
    bots.show()
    assert (bots.marked(), bots.claim()) == (set(), [])


def test_what_is_over_or_cancelled_is_not_marked_anew(db: Database, bots: Following) -> None:
    calendar = db.calendar()
    bots.sync(calendar, at(-90_000, "over"), at(0, "gone", status="cancelled"), at(0, "ahead"))
    assert bots.marked() == {"ahead"}


def test_without_a_provider_nothing_is_marked(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([at(0)]))
    db.sync(calendar, part([at(1)]))
    assert db.rows("select 1 from public.bot_marks union all select 1 from public.bot_wishes") == []


def test_when_bots_begin_what_is_ahead_already_is_marked_in_steps(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([at(number, f"event{number}") for number in range(5)]))
    answers = [db.value("declare_bots", p_provider="recall", p_limit=2) for _ in range(5)]
    assert answers == [2, 2, 1, 0, 0]
    assert len(Following(db).claim()) == 5


def test_meetings_that_are_decided_of_already_are_looked_at_once(db: Database, bots: Following) -> None:
    """Or each call would pass over all of them again, to find the few that are left."""
    calendar = db.calendar()
    db.sync(calendar, part([at(number, f"event{number}") for number in range(5)]))
    bots.decide()
    db.admin.execute("update public.bot_providers set chosen_at = now() - interval '1 hour', marked_at = null")
    db.admin.execute(
        "delete from public.bot_wishes where meeting_id = (select max(id::text)::uuid from public.meetings)"
    )
    answers = [db.value("declare_bots", p_provider="recall", p_limit=2) for _ in range(4)]
    assert answers == [2, 2, 1, 0]
    assert len(bots.marked()) == 1


def test_changes_made_while_no_bots_are_made_are_decided_when_they_are_again(db: Database, bots: Following) -> None:
    calendar = db.calendar()
    bots.sync(calendar, at(0))
    bots.decide()
    db.admin.execute("update public.bot_providers set declared_at = now() - interval '2 minutes'")
    assert db.value("declare_bots", p_provider=None, p_limit=9) == 0
    assert db.row("select is_chosen from public.bot_providers")["is_chosen"] is False
    bots.sync(calendar, at(3), at(4, "new"))
    db.value("declare_bots", p_provider=None, p_limit=9)
    assert bots.marked() == set(), "nothing piles up"
    db.value("declare_bots", p_provider="recall", p_limit=9)
    assert {claim["start_time"].hour for claim in bots.claim()} == {15, 16}


def test_two_processes_that_differ_do_not_take_turns(db: Database, bots: Following) -> None:
    db.value("declare_bots", p_provider=None, p_limit=9)
    db.value("declare_bots", p_provider="attendee", p_limit=9)
    chosen = db.rows("select provider from public.bot_providers where is_chosen order by 1")
    assert [row["provider"] for row in chosen] == ["attendee", "recall"]


def test_a_claim_tells_what_decides(db: Database, bots: Following) -> None:
    alice = db.user()
    db.insert("bot_preferences", user_id=alice, join_rule="accepted", bot_name="Ada")
    db.insert("bot_tenants", user_id=alice, tenant="acme")
    calendar = db.calendar(alice, access_lost_at="2026-01-01")
    bots.sync(calendar, at(0, other_attendees=2, is_organiser=False, has_outsiders=True))
    db.set(calendar, access_lost_at="'2026-01-02'")
    (claim,) = bots.claim()
    told = ("tenant", "event_status", "other_attendees", "is_organiser", "has_outsiders", "room_key", "bot_start")
    assert [claim[name] for name in told] == ["acme", "accepted", 2, False, True, "zoom:1", None]
    assert claim["access_lost_at"] == dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    assert (claim["preferences"]["join_rule"], claim["preferences"]["bot_name"]) == ("accepted", "Ada")


def test_what_begins_within_the_hour_is_decided_before_what_waited_longer(db: Database, bots: Following) -> None:
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)).isoformat()
    late = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=2)).isoformat()
    calendar = db.calendar()
    bots.sync(calendar, at(0, "far"))
    bots.claim(lease=0)
    bots.sync(calendar, meeting("soon", start_time=soon, end_time=late))
    (first,) = db.call("claim_bot_wishes", p_limit=1, p_lease_seconds=60)
    assert first["start_time"].year < 2030


def test_a_lease_that_lapsed_is_claimed_again_and_a_mark_cuts_it_short(db: Database, bots: Following) -> None:
    calendar = db.calendar()
    bots.sync(calendar, at(0))
    assert len(bots.claim(lease=0)) == len(bots.claim(lease=600)) == 1
    assert bots.claim() == []
    bots.sync(calendar, at(1))
    assert len(bots.claim()) == 1


@pytest.mark.parametrize("is_drained", [True, False])
def test_a_decision_of_an_older_revision_is_passed_over(db: Database, bots: Following, is_drained: bool) -> None:
    calendar = db.calendar()
    bots.sync(calendar, at(0))
    (claim,) = bots.claim()
    bots.sync(calendar, at(1))
    if is_drained:
        (newer,) = bots.claim()
        assert newer["revision"] == claim["revision"] + 1
    assert bots.record(decision(claim)) == 0
    assert (bots.requests(), bots.wishes()[0]["decided_at"]) == ([], None)


def test_a_decision_is_kept_with_its_reason_and_again_changes_nothing(db: Database, bots: Following) -> None:
    bots.sync(db.calendar(), at(0))
    (claim,) = bots.claim()
    wish = decision(claim, reason="override_on", look_again_at="2029-01-01T00:00:00+00:00")
    assert bots.record(wish) == 1
    (kept,), (request,) = bots.wishes(), bots.requests()
    assert (kept["wanted"], kept["reason"], kept["due_at"].year) == (True, "override_on", 2029)
    assert kept["request_id"] == request["id"]
    assert bots.record(wish) == 1
    (again,) = bots.requests()
    assert {**again, "due_in": None} == {**request, "due_in": None}


def test_what_is_over_keeps_its_wish_and_its_bot(db: Database, bots: Following) -> None:
    bots.sync(db.calendar(), at(0))
    bots.decide()
    (request,) = bots.deliver()
    bots.db.admin.execute("update public.bot_wishes set due_at = now()")
    assert bots.decide(wanted=None, reason="meeting_over") == 1
    (kept,) = bots.wishes()
    assert (kept["wanted"], kept["reason"]) == (True, "join_rule")
    assert bots.request(request["id"])["revision"] == request["revision"]


def test_what_was_over_when_it_was_first_seen_says_so(db: Database, bots: Following) -> None:
    bots.sync(db.calendar(), at(0))
    bots.decide(wanted=None, reason="meeting_over")
    assert (bots.wishes()[0]["reason"], bots.requests()) == ("meeting_over", [])


def test_a_row_without_a_link_or_a_room_stops_nobody_elses_decision(db: Database, bots: Following) -> None:
    bots.sync(db.calendar(), at(0, "whole"), at(1, "linkless"), at(2, "roomless"))
    claims = {claim["start_time"].hour: claim for claim in bots.claim()}
    lacking = [decision(claims[12]), decision(claims[13], meeting_url=None), decision(claims[14], room_key=None)]
    assert bots.record(*lacking) == 3
    assert {wish["event"]: wish["reason"] for wish in bots.wishes()} == {
        "whole": "join_rule",
        "linkless": "no_link",
        "roomless": "join_rule",
    }
    assert len(bots.requests()) == 2


@pytest.mark.parametrize(
    "rules", ['{"a": "sometimes"}', "[]", '"all"', '{"a": 1}', '{"a": null}', '{"a": {"b": "all"}}', '{"a": ["all"]}']
)
def test_rules_of_single_calendars_are_join_rules(db: Database, rules: str) -> None:
    alice = db.user()
    good = {f"{uuid.uuid4()}": rule for rule in ("all", "accepted", "organised", "none")}
    db.insert("bot_preferences", user_id=alice, calendar_rules=json.dumps(good))
    with pytest.raises(psycopg.errors.CheckViolation):
        db.admin.execute("update public.bot_preferences set calendar_rules = %s", [rules])


def test_a_deleted_meeting_leaves_its_bot_to_be_removed(db: Database, bots: Following) -> None:
    alice = db.user()
    bots.sync(db.calendar(alice), at(0))
    bots.decide()
    bots.deliver()
    db.admin.execute("delete from auth.users where id = %s", (alice,))
    bots.claim()
    (request,) = bots.requests(wanted=None)
    assert (request["wanted"], request["is_due"], request["bot_id"] is not None) == (False, True, True)
    assert db.rows("select 1 from public.bot_marks") == []


def test_erasing_a_user_has_their_bots_removed_and_then_forgets_them(db: Database, bots: Following) -> None:
    alice = db.user()
    db.insert("bot_preferences", user_id=alice)
    bots.sync(db.calendar(alice), at(0))
    bots.decide()
    bots.deliver()
    counts = db.value("erase_user", p_user_id=alice)
    assert counts["bot_preferences"] == counts["meetings"] == 1
    bots.claim()
    assert db.value("drop_old_bots", p_keep_days=30, p_limit=10) == 0, "not before it is removed"
    bots.deliver()
    assert db.value("drop_old_bots", p_keep_days=30, p_limit=10) == 1
    assert bots.requests(wanted=None) == []


def test_a_users_bot_preferences_are_exported(db: Database) -> None:
    alice = db.user()
    db.insert("bot_preferences", user_id=alice, bot_name="Ada")
    page = db.value("export_user", p_user_id=alice, p_table="bot_preferences", p_after="", p_limit=10)
    assert [row["bot_name"] for row in page["rows"]] == ["Ada"]


def test_a_wish_that_is_being_deleted_is_not_waited_for(db: Database, bots: Following) -> None:
    bots.sync(db.calendar(), at(0), at(1, "other"))
    claims = bots.claim()
    deleting = db.another()
    with deleting.transaction():
        deleting.execute("delete from public.meetings where google_calendar_event_id = 'event'")
        assert bots.record(*map(decision, claims), by=impatient(db)) == 1
    assert [wish["event"] for wish in bots.wishes()] == ["other"]


def test_nobody_who_writes_waits_for_those_who_decide(db: Database, bots: Following) -> None:
    """A commit, a user's override and preferences go through while wishes are claimed, decided and shown."""
    alice = db.user()
    calendar = db.calendar(alice)
    bots.sync(calendar, at(0), at(1, "other"))
    deciding, hasty = db.another(), impatient(db)
    claim = db.claim_one(calendar)
    with deciding.transaction():
        claims = bots.claim(by=deciding)
        assert bots.record(*map(decision, claims), by=deciding) == 2
        sync = {**facts(), **part([at(5), at(6, "other")])}
        hasty.execute("select set_config('request.jwt.claims', %s, false)", [json.dumps({"sub": alice})])
        arguments = (claim["calendar_id"], claim["fence"], json.dumps(sync))
        hasty.execute("select * from public.commit_sync(%s, %s, %s)", arguments)
        hasty.execute("insert into public.bot_preferences (user_id) values (%s)", [alice])
        hasty.execute("update public.meetings set bot_override = 'off'")
    assert {wish["wanted"] for wish in bots.wishes()} == {True}
    assert bots.decide(**NOT_WANTED) == 2
    assert bots.requests() == []
