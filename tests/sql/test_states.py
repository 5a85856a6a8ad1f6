"""The words of SQL and the types of `sync/states.py` are the same sets, and `docs/states.md` draws them all."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import pytest

from sync import states
from sync.bot_model import BotProviderName, JoinRule
from tests.sql.database import Database

PAGE = Path(__file__).parents[2] / "docs" / "states.md"
ALL = [each for each in vars(states).values() if isinstance(each, type) and issubclass(each, StrEnum)][1:]

# Every column whose words a check constraint closes.
CLOSED = {
    ("alert_deliveries", "severity"): set(states.AlertSeverity),
    ("alert_deliveries", "state"): set(states.DeliveryState),
    ("alerts", "severity"): set(states.AlertSeverity),
    ("alerts", "state"): set(states.AlertState),
    ("bot_preferences", "attendance"): {"any", "external", "internal"},
    ("bot_preferences", "join_rule"): set(JoinRule),
    ("bot_preferences", "when_access_lost"): {"keep", "remove"},
    ("bot_providers", "provider"): set(BotProviderName),
    ("bot_requests", "status"): set(states.BotStatus),
    ("calendar_channels", "state"): set(states.ChannelState),
    ("calendar_events", "kind"): set(states.EventKind),
    ("calendar_events", "status"): set(states.EventStatus),
    ("calendar_notifications", "outcome"): set(states.NotifiedOutcome) - {states.NotifiedOutcome.UNKNOWN_CHANNEL},
    ("calendar_queue", "lane"): set(states.QueueLane),
    ("calendar_set_aside", "reason"): set(states.SetAsideReason),
    ("calendar_sync_logs", "status"): set(states.LOGGED_STATUSES),
    ("calendar_sync_logs", "sync_type"): set(states.SyncType),
    ("calendar_webhooks", "initial_sync"): set(states.InitialSync),
    ("calendar_webhooks", "paused_reason"): set(states.PausedReason),
    # The others need no look.
    ("calendar_webhooks", "push_state"): set(states.PushState)
    - {states.PushState.DISCONNECTED, states.PushState.PAUSED, states.PushState.UNSUPPORTED},
    ("change_events", "type"): set(states.ChangeType),
    ("event_deliveries", "state"): set(states.DeliveryState),
    ("event_subscriptions", "content"): set(states.SubscriptionContent),
    ("event_subscriptions", "state"): set(states.SubscriptionState),
    ("freshness_rollups", "found_by"): {"push", "poll"},
    ("google_credentials", "status"): set(states.ConnectionStatus),
    ("ingress_regions", "state"): set(states.RegionState),
    ("lane_pauses", "lane"): set(states.Lane),
    ("meetings", "bot_override"): {"on", "off"},
    ("meetings", "event_status"): set(states.Answer),
    ("meetings", "status"): set(states.EventStatus),
    ("operator_actions", "door"): set(states.OperatorDoor),
    ("operator_actions", "outcome"): set(states.DeedOutcome),
    ("service_breakers", "state"): set(states.CircuitState) - {states.CircuitState.HALF_OPEN},
    ("user_notifications", "kind"): set(states.UserNotice),
}


def words(text: str) -> set[str]:
    return set(re.findall(r"'([\w.]+)'", text))


def test_check_constraints_hold_the_same_words_as_the_types(db: Database) -> None:
    checks = db.rows(
        "select con.conrelid::regclass::text as of, pg_get_constraintdef(con.oid) as says from pg_constraint con"
        " where con.contype = 'c' and con.connamespace = 'public'::regnamespace"
    )
    found = {}
    for check in checks:
        closed = re.search(r"(\w+)\)? = ANY \(+ARRAY\[(.*?)\]", check["says"])
        if closed:
            found[check["of"].removeprefix("public."), closed[1]] = words(closed[2])
    assert found == CLOSED


def test_health_of_a_calendar_has_the_words_of_its_type(db: Database) -> None:
    for name in ("calendar_status", "my_calendars"):
        (view,) = db.rows("select pg_get_viewdef(%s::regclass) as says", f"public.{name}")
        case = view["says"][: view["says"].index("AS state")]
        assert set(re.findall(r"(?:THEN|ELSE) '(\w+)'", case)) == set(states.CalendarState)


def test_a_notification_comes_to_the_words_of_its_type(db: Database) -> None:
    (function,) = db.rows("select prosrc as says from pg_proc where proname = 'record_notification'")
    said = re.findall(r"(?:then|else|select|v_outcome :=) '(\w+)'", function["says"])
    assert set(said) == set(states.NotifiedOutcome)


@pytest.mark.parametrize("state", ALL, ids=lambda state: state.__name__)
def test_page_draws_every_word_of_every_type(state: type[StrEnum]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    start = page.index(f"`{state.__name__}`") if f"`{state.__name__}`" in page else page.index(f"`{state.__name__}")
    section = page[page.rindex("\n## ", 0, start) :].split("\n## ")[1]
    assert [word for word in state if not re.search(rf"(?:--> |`){word}\b", section)] == []


def test_every_diagram_moves_between_words_that_exist() -> None:
    known = {"due", "leased", "none"} | {str(word) for state in ALL for word in state}
    arrows = re.findall(r"^  (\S+) --> (\w+)", PAGE.read_text(encoding="utf-8"), flags=re.M)
    assert len(arrows) > 50
    assert {end for arrow in arrows for end in arrow} - {"[*]"} <= known


def test_bot_statuses_are_ordered_as_their_type_is(db: Database) -> None:
    (function,) = db.rows("select prosrc as says from pg_proc where proname = 'further'")
    (order, *others) = re.findall(r"array\[(.*?)\]", function["says"])
    assert re.findall(r"'(\w+)'", order) == [str(status) for status in states.BotStatus]
    assert set(others) == {order}
