"""`calendar`: calendars as a list, or one of them with its story, as the dashboard shows them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console

from sync.cli.choosing import uuid_of
from sync.cli.desk import AsJson, Desk, desk_of
from sync.cli.faults import Refused
from sync.cli.output import graded, listing, pairs
from sync.core.operations.formatting import length, since, stamp
from sync.core.operations.words import words
from sync.states import CalendarState

_COLUMNS = ("calendar", "account", "Google's id", "state", "why", "last synced", "next look")
# Of an entry: told by its columns, or nothing to a reader.
_UNSAID = ("channel_id", "freshness_ms")


def calendar(
    context: typer.Context,
    which: Annotated[
        str, typer.Argument(metavar="WHICH", help="A calendar's id, a user's id, or how a Google account begins.")
    ] = "",
    state: Annotated[list[CalendarState] | None, typer.Option(help="Only calendars in this state; repeatable.")] = None,
    after: Annotated[str, typer.Option(help="List on from this calendar's id.", metavar="ID")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="Calendars, or entries of one's story.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Calendars as a list, or one with its story: state and why, next look and why then, channels, what happened.

    Examples:

    \b
      calendar-monitor calendar
      calendar-monitor calendar anna@example.com
      calendar-monitor calendar --state overdue --state retrying --limit 100
      calendar-monitor calendar 0b9f6f0e-6b1b-4a0e-9a0e-1f8f3a2b4c5d
    """
    desk = desk_of(context, as_json)
    found_id, after_id = uuid_of(which) if which else None, uuid_of(after) if after else None
    if after and after_id is None:
        raise Refused("calendar_malformed", f"{after!r} is no calendar's id.")
    card = desk.services.store.operators.calendar(found_id) if found_id else None
    if card is not None:
        _show_one(desk, card, limit)
        return
    calendars, following = desk.services.store.overview.calendars(
        user_id=found_id,
        account=which.lower() if which and found_id is None else None,
        states=[str(each) for each in state] if state else None,
        after=after_id,
        limit=limit,
    )
    if which and not calendars:
        raise Refused("not_found", f"There is no calendar {which!r}, no user of it, and no such Google account.")
    _show_list(desk, calendars, following)


def _show_list(desk: Desk, calendars: Sequence[Mapping[str, Any]], following: str | None) -> None:
    now = desk.services.clock()

    def show(console: Console) -> None:
        console.print(listing(_COLUMNS, [_row(each, now) for each in calendars]))
        if following:
            desk.out.say(f"There are more: --after {following}")

    desk.out.answer({"calendars": calendars, "next": following}, show)


def _row(each: Mapping[str, Any], now: dt.datetime) -> tuple[object, ...]:
    return (
        each["calendar_id"],
        each["google_account"],
        each["google_calendar_id"],
        graded(each["state"], words(each["state"])),
        words(each["reason"]),
        since(each["last_synced_at"], now),
        since(each["next_look_at"], now),
    )


def _show_one(desk: Desk, card: Mapping[str, Any], limit: int) -> None:
    entries = desk.services.store.overview.timeline(card["calendar_id"], None, limit)
    now = desk.services.clock()

    def show(console: Console) -> None:
        console.print(pairs(_facts(card, now)))
        channels = [
            (graded(each["state"]), since(each["opened_at"], now), since(each["expires_at"], now),
             since(each["last_notification_at"], now), words(each["error_code"]))
            for each in card["channels"]
        ]  # fmt: skip
        console.print(listing(("channel", "opened", "lapses", "last spoke", ""), channels))
        story = [(stamp(each["at"]), graded(each["kind"]), words(each["reason"]), _details(each)) for each in entries]
        console.print(listing(("at (UTC)", "what", "why", ""), story))

    desk.out.answer({"calendar": card, "timeline": entries}, show)


def _facts(card: Mapping[str, Any], now: dt.datetime) -> dict[str, object]:
    look = (
        f"under way, by {card['leased_by']}"
        if card["leased_until"]
        else f"{since(card['next_look_at'], now)}: {words(card['next_look_reason'])}"
    )
    error = f"{words(card['last_error_code'])}, {since(card['last_error_at'], now)}" if card["last_error_code"] else "–"
    return {
        "calendar": card["calendar_id"],
        "Google's id": card["google_calendar_id"],
        "user": f"{card['user_id']} {card['google_account'] or ''}",
        "connection": f"{words(card['connection']) or 'none'} {words(card['connection_reason'])}",
        "state": graded(card["state"], f"{words(card['state'])} {words(card['reason'])}"),
        "push": graded(card["push_state"], f"{words(card['push_state'])} {words(card['push_reason'])}"),
        "last synced": f"{since(card['last_synced_at'], now)}, last change {since(card['last_change_at'], now)}",
        "last notification": since(card["last_webhook_received"], now),
        "next look": look,
        "not before": since(card["not_before"], now) if card["not_before"] else "–",
        "bound": f"{length(card['stale_bound_seconds'])}, broken {card['bounds_broken']} times",
        "last error": f"{error} ({card['consecutive_failures']} in a row)" if card["consecutive_failures"] else error,
        "set aside": f"{card['set_aside']} events",
        "audited": since(card["audited_at"], now),
    }


def _details(entry: Mapping[str, Any]) -> str:
    said = {name: value for name, value in entry["details"].items() if name not in _UNSAID and value}
    return ", ".join(words(name) if value is True else f"{words(name)} {value}" for name, value in said.items())
