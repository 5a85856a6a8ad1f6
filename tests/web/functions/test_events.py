"""GET /functions/v1/events: pages of the feed by cursor, for the service alone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.web.calls import assert_problem, bearer, call
from tests.world import World

PATH = "/functions/v1/events"


def ask(world: World, key: str | None = None, **query: Any) -> httpx.Response:
    return call(world, PATH, bearer(key or world.supabase.service_key), method="GET", params=query)


@pytest.fixture
def meetings(world: World) -> World:
    """Five events: a calendar's, and of four meetings."""
    user_id = world.supabase.create_user("alice@example.com")
    world.db.execute("insert into calendar_webhooks (user_id) values (%s)", (user_id,))
    world.db.execute(
        "insert into meetings (user_id, calendar_id, title, start_time)"
        " select user_id, id, n::text, now() from calendar_webhooks, generate_series(1, 4) n"
    )
    return world


def test_pages_follow_one_another_and_the_end_can_be_asked_again(meetings: World) -> None:
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    for _ in range(4):
        page = ask(meetings, **query).json()
        seen += [event["id"] for event in page["events"]]
        query["after"] = page["next"]

    assert len(seen) == len(set(seen)) == 5
    assert ask(meetings, after=seen[-1]).json() == {"events": [], "next": seen[-1]}
    meetings.db.execute("update meetings set title = 'New' where title = '1'")
    (new,) = ask(meetings, after=seen[-1]).json()["events"]
    assert set(new) == {"id", "type", "timestamp", "data"}
    assert (new["type"], new["data"]["changed"]) == ("meeting.updated", ["title"])


def test_an_empty_feed_has_a_cursor_too(world: World) -> None:
    found = ask(world).json()
    assert found["events"] == []
    assert ask(world, after=found["next"]).status_code == 200


@pytest.mark.parametrize("after", ["", "5", "evt_", "evt_x", "evt_-1", "evt_1 or 1=1", "\x00"])
def test_what_is_no_cursor_is_refused_by_name(world: World, after: str) -> None:
    assert_problem(ask(world, after=after), 400, "after_malformed")


def test_a_cursor_of_another_feed_is_refused(meetings: World) -> None:
    assert_problem(ask(meetings, after="evt_99"), 400, "after_unknown")


def test_a_cursor_from_before_what_is_kept_is_told_so(meetings: World) -> None:
    meetings.services.store.feed.read(0, 0)
    meetings.db.execute("update change_events set occurred_at = now() - interval '40 days' where position < 4")
    meetings.services.store.feed.drop(30, 100, 0)

    assert "EVENT_RETENTION_DAYS" in assert_problem(ask(meetings, after="evt_1"), 410, "after_expired")["detail"]
    assert [event["id"] for event in ask(meetings).json()["events"]] == ["evt_4", "evt_5"]
    assert ask(meetings, after="evt_3").status_code == 200


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "ten", "", "1e3", "²"])
def test_a_limit_beyond_bounds_is_refused(world: World, limit: str) -> None:
    assert_problem(ask(world, limit=limit), 400, "limit_malformed")


def test_neither_a_user_nor_a_scheduler_reads_the_feed(world: World) -> None:
    alice = world.person()
    secret = world.environment["CRON_SECRET"]
    for key in (world.supabase.user_jwt(alice.user_id), world.supabase.anon_key, secret, "nothing"):
        assert_problem(ask(world, key), 401, "unauthorized")
        assert_problem(call(world, "/functions/v1/subscriptions", bearer(key), method="GET"), 401, "unauthorized")
