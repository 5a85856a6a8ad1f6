"""Whether all is as if nothing had gone wrong: each calendar against an expansion of its events that is not ours.

The truth is the emulator's (`scripts/stack/google/expansion.py`: dateutil, nothing of `sync`). Called by batch.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.stack.google.errors import JsonObject
from tests.chaos.bots import Bots
from tests.chaos.people import History, Member, Presence
from tests.chaos.told import Told
from tests.situations.history import history_differences
from tests.world import World

_STATE = """
select w.id::text, w.google_calendar_id, w.lease_expires_at is not null as is_leased, w.claims_unended,
  w.notifications_seen > w.notifications_synced as is_notified, w.consecutive_failures, w.last_error_code,
  w.paused_reason, w.access_lost_at, g.status, w.watch_failures, w.watch_error_code, w.due_reason,
  round(extract(epoch from w.due_at - clock_timestamp())) as due_in, w.last_synced_at,
  round(extract(epoch from w.not_before - clock_timestamp())) as rests_for,
  (select array_agg(c.id order by c.id) from public.calendar_channels c where c.calendar_id = w.id and c.state = 'live')
    as live
from public.calendar_webhooks w left join public.google_credentials g on g.user_id = w.user_id
where w.user_id = %s and w.is_active and w.duplicate_of is null
"""
_TABLES = ("meetings", "calendar_webhooks", "calendar_channels", "calendar_events", "google_credentials")
_AHEAD = "select title from public.meetings where user_id = %s and status <> 'cancelled' and end_time > now()"
_COMMITTED_TWICE = """
select calendar_id::text, fence from public.calendar_sync_logs
where status = 'completed' and fence is not null group by calendar_id, fence having count(*) > 1
"""
_LEFT_OVER = """
select 'tokens' as what from public.google_credentials
where user_id = %(user)s and (access_token is not null or refresh_token is not null)
union all select 'a live channel' from public.calendar_channels where user_id = %(user)s and state = 'live'
union all select 'a watched calendar' from public.calendar_webhooks where user_id = %(user)s and is_active
"""


def judged(world: World, histories: Sequence[History], bots: Bots, told: Told) -> dict[int, list[str]]:
    """The histories (by seed) that are not right, each with a line for each way. What is everybody's goes with the
    history that has the bots."""
    channels = world.google.channels()
    found = {history.seed: problems(world, history, channels) for history in histories}
    for history in histories:
        if bots.member in history.members:
            found[history.seed] += [*bots.problems(world), *told.problems(world), *_committed_twice(world)]
    return {seed: lines for seed, lines in found.items() if lines}


def _committed_twice(world: World) -> list[str]:
    """A claim is committed once, whatever became of the answer."""
    return [f"committed twice: {row['calendar_id']}, fence {row['fence']}" for row in world.rows(_COMMITTED_TWICE)]


def problems(world: World, history: History, channels: list[JsonObject]) -> list[str]:
    """A line for each way in which a history is not right."""
    found: list[str] = []
    for member in history.members:
        who = member.person.email
        match member.presence:
            case Presence.JOINED:
                lines = _of_joined(world, member, channels)
            case Presence.LEFT:
                lines = _of_left(world, member)
            case Presence.DELETED:
                lines = _of_deleted(world, member)
        found += [f"{who}: {line}" for line in lines]
    return found


def _of_joined(world: World, member: Member, channels: list[JsonObject]) -> list[str]:
    states = {row["google_calendar_id"]: row for row in world.rows(_STATE, member.person.user_id)}
    if set(states) != set(member.calendars):
        return [f"watched are {sorted(states)}"]
    found = []
    for name, row in states.items():
        at_google = [each["id"] for each in channels if _is_live(each, member, name)]
        found += [f"{name}: {line}" for line in _unquiet(row)]
        if len(at_google) != 1 or row["live"] != at_google:
            found.append(f"{name}: channels are {row['live']}, at Google {at_google}")
        found += [f"{name}: {line}" for line in _unlike(world, member, name)]
    return found


def _unlike(world: World, member: Member, name: str) -> list[str]:
    try:
        differing = world.differences(member.person, name)
    except AssertionError as doubled:
        return [str(doubled)]
    return [*differing, *[f"history: {line}" for line in history_differences(world, member.person, name)]]


def _unquiet(row: Mapping[str, Any]) -> list[str]:
    found = []
    if row["status"] != "connected" or row["paused_reason"] or row["access_lost_at"]:
        found.append(f"{row['status']}, paused: {row['paused_reason']}, lost: {row['access_lost_at']}")
    if row["is_leased"] or row["claims_unended"]:
        found.append(f"leased: {row['is_leased']}, claims unended: {row['claims_unended']}")
    if row["is_notified"]:
        found.append(f"notified, not synced: {row['due_reason']} in {row['due_in']} s, rests for {row['rests_for']}")
    if row["consecutive_failures"]:
        found.append(f"fails: {row['last_error_code']}")
    return found


def _is_live(channel: JsonObject, member: Member, name: str) -> bool:
    wanted = (member.person.email, member.calendars[name], "live")
    return (channel["account"], channel["calendar"], channel["state"]) == wanted


def _of_left(world: World, member: Member) -> list[str]:
    user = member.person.user_id
    ahead = [row["title"] for row in world.rows(_AHEAD, user)]
    left_over = [row["what"] for row in world.db.execute(_LEFT_OVER, {"user": user})]
    return ([f"has left, and still has {ahead}"] if ahead else []) + [f"has left, and there is {e}" for e in left_over]


def _of_deleted(world: World, member: Member) -> list[str]:
    counts = {
        table: world.rows(f"select count(*)::int as n from public.{table} where user_id = %s", member.person.user_id)
        for table in _TABLES
    }
    return [f"is deleted, and has {rows[0]['n']} {table}" for table, rows in counts.items() if rows[0]["n"]]
