"""Compares what people wish with the bots that a fake has, by rules of its own: from the meetings, which equal the
calendars, and from what their users said."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from typing import Any

from sync.bot_model import BotProviderName
from sync.core.bots.provider_states import status_of
from tests.flows.bots.stage import LEAD, BotStage
from tests.world import JsonObject, Person

_ROWS = """
select m.*, p.join_rule, t.tenant, c.google_calendar_id
from meetings m join calendar_webhooks c on c.id = m.calendar_id
left join bot_preferences p on p.user_id = m.user_id left join bot_tenants t on t.user_id = m.user_id
"""
# What is this near is joined at once.
NOW_SECONDS = 6


def problems(stage: BotStage, people: list[Person], sharing: str, *, knows_states: bool) -> list[str]:
    """A line for each way in which bots, meetings and queue are not as wished."""
    world = stage.world
    found = [f"not the calendar: {line}" for person in people for line in world.differences(person)]
    rows = world.rows(_ROWS)
    ahead = [row for row in rows if row["end_time"] > world.now]
    slots = {_slot(row, sharing): row for row in ahead if _is_wished(row)}
    bots = stage.alive()
    found += _unlike(slots, bots, world.now)
    # Who cannot be asked and whose message is lost is not known.
    knows_states = knows_states and stage.fake.kind != "webhook"
    found += _untrue(
        stage.fake.kind,
        ahead,
        {name: bot for bot in bots for name in (bot["id"], bot["key"])},
        knows_states=knows_states,
    )
    for request in world.rows("select * from bot_requests where due_at is not null or dead_at is not null"):
        found.append(f"not quiet: {request}")
    return found


def _is_wished(row: JsonObject) -> bool:
    rule = row["join_rule"] or "all"
    if row["status"] == "cancelled" or row["bot_override"] == "off":
        return False
    if row["bot_override"] == "on":
        return True
    refused = row["event_status"] == "declined" or (rule == "accepted" and row["event_status"] != "accepted")
    return rule != "none" and not refused


def _slot(row: JsonObject, sharing: str) -> tuple[str, str, dt.datetime]:
    """One bot each."""
    whose = {"room": row["tenant"] or row["user_id"], "user": row["user_id"], "none": row["id"]}[sharing]
    return str(whose), row["meeting_url"], row["start_time"]


def _unlike(slots: dict[Any, JsonObject], bots: list[JsonObject], now: dt.datetime) -> list[str]:
    soon = now + dt.timedelta(seconds=NOW_SECONDS)
    wished: Counter[tuple[str, str]] = Counter()
    for row in slots.values():
        join_at = row["start_time"] - LEAD
        wished[row["meeting_url"], "now" if join_at <= soon else join_at.isoformat()] += 1
    there: dict[tuple[str, str], list[str]] = defaultdict(list)
    for bot in bots:
        at = dt.datetime.fromisoformat(bot["join_at"]) if bot["join_at"] else now
        there[bot["wish"]["meeting_url"], "now" if at <= soon else at.isoformat()].append(f"{bot['id']} {bot['state']}")
    return [
        f"wished {wished[each]}, there {there.get(each)}: {each}"
        for each in {*wished, *there}
        if wished[each] != len(there.get(each, ()))
    ]


def _untrue(kind: str, rows: list[JsonObject], alive: dict[str, JsonObject], *, knows_states: bool) -> list[str]:
    """Meetings that do not show what is so."""
    found = []
    for row in rows:
        shown = f"{row['title']} {row['start_time']} shows {row['bot_status']}, {row['bot_reason']}, {row['bot_id']}"
        if not _is_wished(row):
            # Of a bot that was never asked for, nothing is said.
            is_untouched = row["bot_status"] == "pending" and row["bot_id"] is None
            if row["bot_status"] in {"pending", "bot_scheduled", "bot_joined", "failed"} and not is_untouched:
                found.append(f"not wished: {shown}")
        elif (bot := alive.get(row["bot_id"])) is None:
            found.append(f"no such bot: {shown}")
        elif knows_states and row["bot_status"] != status_of(BotProviderName(kind), bot["state"]):
            found.append(f"is {bot['state']}: {shown}")
    return found
