"""Many at once about the bots of one room: nobody waits in a circle, and each room has one bot in the end."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable

import psycopg
from psycopg.types.json import Jsonb

from tests.sql.bots.following import NOT_WANTED, Following, at, decision, impatient
from tests.sql.database import Connection, Database, Row, at_once, call, connect, facts, in_background, part

ROUNDS = 20
JOINS = """
with joined as (insert into auth.users (id, email) values (gen_random_uuid(), gen_random_uuid()) returning id),
tenant as (insert into public.bot_tenants (user_id, tenant) select id, 'acme' from joined)
insert into public.meetings (user_id, google_calendar_event_id, start_time, end_time, meeting_url, room_key)
select id, n, '2030-01-15 12:00Z', '2030-01-15 13:00Z', 'https://zoom.us/j/1', 'zoom:1'
from joined, generate_series(1, 3) n
"""
Job = Callable[[Connection, Following, Row, random.Random], None]


def sync(by: Connection, bots: Following, calendar: Row, chance: random.Random) -> None:
    """Two of three meetings move, in an order of their own, in several statements of one transaction."""
    claimed = call(
        by,
        "claim_due_calendars",
        p_worker="w",
        p_limit=5,
        p_lease_seconds=5,
        p_calendar_ids=[calendar["id"]],
        p_even_if_not_due=True,
    )
    for claim in claimed:
        moved = [at(chance.randint(0, 2), f"event{number}") for number in chance.sample(range(3), 2)]
        known = facts(notifications_read=claim["notifications_seen"])
        rows = part(moved, withheld={"event2": "declined"} if chance.random() < 0.3 else {})
        arguments = {"p_calendar_id": calendar["id"], "p_fence": claim["fence"], "p_sync": {**known, **rows}}
        call(by, "commit_sync", **arguments)


def decide(by: Connection, bots: Following, calendar: Row, chance: random.Random) -> None:
    claims = bots.claim(lease=1, by=by)
    chance.shuffle(claims)
    bots.record(*(decision(claim, **chance.choice([{}, {}, NOT_WANTED])) for claim in claims), by=by)


def deliver(by: Connection, bots: Following, calendar: Row, chance: random.Random) -> None:
    for request in bots.claim_requests(limit=3, by=by):
        outcome = chance.choice(["told", "make_new", "not_now", "retry"]) if request["wanted"] else "removed"
        bots.end(request, outcome, by=by, **({"pause_seconds": 0} if outcome == "retry" else {}))


def listen(by: Connection, bots: Following, calendar: Row, chance: random.Random) -> None:
    rows = by.execute("select id, bot_id, generation from public.bot_requests").fetchall()
    listed = [
        {"id": row["bot_id"] or "made", "key": f"{row['id']}.{row['generation']}", "is_alive": True} for row in rows
    ]
    call(by, "compare_bots", p_provider="recall", p_bots=Jsonb(listed))
    call(by, "end_comparison", p_provider="recall", p_since="2040-01-01")
    call(by, "drop_old_bots", p_keep_days=0, p_limit=10)


def show(by: Connection, bots: Following, calendar: Row, chance: random.Random) -> None:
    bots.show(by=by)


def say(by: Connection, bots: Following, calendar: Row, chance: random.Random) -> None:
    """The user overrides a meeting, and changes their preferences."""
    with by.transaction():
        by.execute("select set_config('request.jwt.claims', %s, true)", [json.dumps({"sub": str(calendar["user_id"])})])
        by.execute("set local role authenticated")
        by.execute(
            "insert into public.bot_preferences (user_id, bot_name) values (auth.uid(), 'a')"
            " on conflict (user_id) do update set bot_name = excluded.bot_name || random()"
        )
        by.execute("update public.meetings set bot_override = 'on' where google_calendar_event_id = 'event1'")


def leave(by: Connection, bots: Following, calendar: Row, chance: random.Random) -> None:
    """Somebody joins the tenant and the room, and somebody of the tenant is deleted."""
    with connect(bots.db.admin_url) as admin:
        admin.execute(JOINS)
        others = "select user_id from public.bot_tenants where user_id <> %s order by random() limit 1"
        admin.execute(f"delete from auth.users where id = ({others})".encode(), [calendar["user_id"]])


def repeat(db: Database, job: Job, calendar: Row, seed: int) -> Counter[str]:
    """The job in a connection of its own, again and again; how often which error came."""
    errors: Counter[str] = Counter()
    bots, chance = Following(db), random.Random(seed)
    with db.service_connection() as connection:
        for _ in range(ROUNDS):
            try:
                job(connection, bots, calendar, chance)
            except psycopg.Error as error:
                errors[f"{job.__name__}: {error.sqlstate} {error}"] += 1
    return errors


def test_nothing_that_meets_on_a_room_waits_in_a_circle_and_one_bot_is_left(db: Database, bots: Following) -> None:
    """Takes seconds: circles form seldom."""
    alice = db.user()
    db.insert("bot_tenants", user_id=alice, tenant="acme")
    calendar = db.calendar(alice)
    bots.sync(calendar, *(at(0, f"event{number}") for number in range(3)))
    bots.decide()
    jobs: list[Job] = [sync, sync, decide, decide, deliver, deliver, listen, show, show, say, leave, leave]
    errors = at_once(*(lambda job=job, seed=seed: repeat(db, job, calendar, seed) for seed, job in enumerate(jobs)))
    assert sum(errors, Counter()) == Counter()

    db.admin.execute("update public.bot_requests set lease_expires_at = null, due_at = now(), is_shown = false")
    db.admin.execute("update public.bot_providers set not_before = null")
    db.admin.execute("update public.bot_wishes set due_at = now()")
    bots.decide(bot_name="Notetaker")
    bots.deliver()
    slots = {(each["scope"], each["room_key"], each["meeting_start"]) for each in bots.requests()}
    assert len(bots.requests()) == len(slots)
    for wish in bots.wishes():
        request = bots.request(wish["request_id"])
        assert (request["wanted"], request["due_at"], request["told_revision"]) == (True, None, request["revision"])
    alive = db.rows("select 1 from public.bot_requests where not wanted and status = 'bot_scheduled'")
    assert alive == []


def test_wishes_are_claimed_while_their_requests_are_decided(db: Database, bots: Following) -> None:
    """Who decides has the first request and waits for the second; the claim has the third, and a wish of the first."""
    calendar = db.calendar()
    bots.sync(calendar, *(at(number, f"event{number}") for number in range(3)))
    claims = bots.claim()
    bots.record(*(decision(claim) for claim in claims))
    first, second, third = sorted(bots.wishes(), key=lambda wish: wish["request_id"])
    db.admin.execute("update public.meetings set bot_override = 'on' where id = %s", [first["meeting_id"]])
    db.insert("bot_marks", request_id=third["request_id"])
    deciding, claiming, blocker = db.another(), impatient(db), db.another()
    with blocker.transaction(force_rollback=True):
        blocker.execute("update public.bot_requests set calls = calls where id = %s", [second["request_id"]])
        decided = in_background(lambda: bots.record(*(decision(claim) for claim in claims), by=deciding))
        db.await_waiting()
        claimed = bots.claim(by=claiming)
    assert [claim["meeting_id"] for claim in claimed] == [first["meeting_id"]]
    assert decided.result(60) == 2
