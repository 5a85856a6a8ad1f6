"""Recall.ai: its REST API v1, of one region.

It does not deduplicate bots: an `Idempotency-Key` replays the answer for an hour, refusals too, and after that only our
key in the metadata finds what an attempt made. More than ten minutes before its time a bot is reserved, and can be
changed and deleted; later it can only leave.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from sync.bot_model import (
    KEY_FIELD,
    BotPage,
    BotProviderName,
    BotRef,
    Changed,
    ChangeOutcome,
    MakeNew,
    NotNow,
    ProviderBot,
    ProviderLimits,
    Removed,
    RemoveOutcome,
    WantedBot,
)
from sync.clients.bots.failures import failure_of, is_done, refused_field
from sync.clients.bots.http import DEADLINE_SECONDS, Answer, ProviderHttp
from sync.clients.bots.provider import is_ahead, too_near
from sync.clients.bots.reading import (
    alive_first,
    bot_id_of,
    cursor_of,
    in_path,
    instant_of,
    instant_text,
    key_of,
    labels_of,
    results_of,
    text_of,
)
from sync.clients.circuit import Breaker
from sync.errors import BotProviderFailure, BotProviderRefused, NewKeyNeeded

RESERVE_SECONDS = 600.0
POOL_EMPTY = 507
POOL_EMPTY_SECONDS = 30.0
# Ours, for a bot of which nothing is told yet.
NOTHING_TOLD = "scheduled"
OVER = frozenset({"call_ended", "recording_done", "done", "fatal", "analysis_done", "analysis_failed", "media_expired"})
FIND_PAGES = 5


class Recall:
    name = BotProviderName.RECALL
    limits = ProviderLimits(
        creates_per_minute=60,
        changes_per_minute=300,
        reads_per_minute=60,
        reserve_seconds=RESERVE_SECONDS,
        attempt_key_seconds=3600.0,
        can_find=True,
    )

    def __init__(
        self,
        api_url: str,
        api_key: str,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        breaker: Breaker | None = None,
    ) -> None:
        self._http = ProviderHttp(
            api_url, {"Authorization": f"Token {api_key}"}, deadline_seconds=deadline_seconds, breaker=breaker
        )

    def close(self) -> None:
        self._http.close()

    def create(self, wanted: WantedBot, attempt_key: str, now: dt.datetime) -> ProviderBot:
        body = _body_of(wanted)
        if is_ahead(wanted.join_at, now):
            body["join_at"] = instant_text(wanted.join_at)
        if wanted.chat_message:
            body["chat"] = {"on_bot_join": {"send_to": "everyone", "message": wanted.chat_message}}
        headers = {"Idempotency-Key": attempt_key}
        answer = self._http.call("POST", "/bot/", body=json.dumps(body).encode(), headers=headers)
        if answer.status in {200, 201}:
            return _bot_of(answer.body)
        if answer.status == 400 and refused_field(answer) == "join_at":
            raise too_near(wanted, now) or _failure_of(answer)
        raise _failure_of(answer)

    def find(self, key: str) -> tuple[ProviderBot, ...]:
        found: list[ProviderBot] = []
        cursor: str | None = None
        for _ in range(FIND_PAGES):
            page = self._page({f"metadata__{KEY_FIELD}": key}, cursor)
            # A filter that a server does not know is one that it ignores.
            found += [bot for bot in page.bots if bot.key == key]
            cursor = page.cursor
            if cursor is None:
                break
        return alive_first(found)

    def change(self, bot: BotRef, wanted: WantedBot, attempt_key: str, now: dt.datetime) -> ChangeOutcome:  # noqa: ARG002
        """A change says how the bot is to be, so it may be repeated without its attempt key; and under one, a refusal
        would be repeated for an hour."""
        body = _body_of(wanted)
        if wanted.join_at != bot.join_at:
            if not is_ahead(wanted.join_at, now, RESERVE_SECONDS):
                return MakeNew("last_minutes")
            body["join_at"] = instant_text(wanted.join_at)
        answer = self._http.call("PATCH", f"/bot/{in_path(bot.id)}/", body=json.dumps(body).encode())
        if answer.status == 200:
            return Changed(_bot_of(answer.body))
        if answer.status == 404:
            return MakeNew("gone")
        if answer.status not in {400, 405} or answer.body is None:
            raise _failure_of(answer)
        if refused_field(answer) in {"meeting_url", "bot_name", "metadata"}:
            raise BotProviderRefused(f"refused_{refused_field(answer)}")
        # Already sent, or too near its time: it says so in several words.
        return MakeNew("unchangeable")

    def remove(self, bot: BotRef, attempt_key: str) -> RemoveOutcome:  # noqa: ARG002
        """Deleting and leaving may be repeated: what is gone is gone."""
        answer = self._http.call("DELETE", f"/bot/{in_path(bot.id)}/")
        if is_done(answer):
            return Removed("deleted")
        if answer.status == 404:
            return Removed("gone")
        if answer.status not in {400, 405}:
            raise _failure_of(answer)
        return self._leave(bot)

    def _leave(self, bot: BotRef) -> RemoveOutcome:
        answer = self._http.call("POST", f"/bot/{in_path(bot.id)}/leave_call/")
        if is_done(answer):
            return Removed("left")
        if answer.status == 404:
            return Removed("gone")
        if answer.status not in {400, 405}:
            raise _failure_of(answer)
        found = self.get(bot.id)
        if found is None:
            return Removed("gone")
        return NotNow(found.state) if found.is_alive else Removed("over")

    def get(self, bot_id: str) -> ProviderBot | None:
        answer = self._http.call("GET", f"/bot/{in_path(bot_id)}/")
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise _failure_of(answer)
        return _bot_of(answer.body)

    def list_bots(
        self, cursor: str | None, join_after: dt.datetime | None = None, join_before: dt.datetime | None = None
    ) -> BotPage:
        bounds = {"join_at_after": join_after, "join_at_before": join_before}
        return self._page({name: instant_text(at) for name, at in bounds.items() if at}, cursor)

    def _page(self, query: Mapping[str, str], cursor: str | None) -> BotPage:
        answer = self._http.call("GET", "/bot/", query={**query, **({"page": cursor} if cursor else {})})
        if answer.status != 200:
            raise _failure_of(answer)
        return BotPage(tuple(map(_bot_of, results_of(answer))), cursor_of(answer, "page"))


def _body_of(wanted: WantedBot) -> dict[str, Any]:
    return {"meeting_url": wanted.meeting_url, "bot_name": wanted.bot_name, "metadata": wanted.labels}


def _bot_of(body: Any) -> ProviderBot:
    bot_id, labels = bot_id_of(body), labels_of(body.get("metadata"))
    state = _state_of(body)
    return ProviderBot(
        id=bot_id,
        key=key_of(labels),
        metadata=labels,
        # Of some answers this is an object that names the room and not the link.
        meeting_url=text_of(body.get("meeting_url")),
        join_at=instant_of(body.get("join_at")),
        state=state,
        is_alive=state not in OVER,
    )


def _state_of(body: Mapping[str, Any]) -> str:
    changes = body.get("status_changes")
    last = changes[-1] if isinstance(changes, list) and changes else None
    return (text_of(last.get("code")) if isinstance(last, dict) else None) or NOTHING_TOLD


def _failure_of(answer: Answer) -> BotProviderFailure:
    if answer.status == POOL_EMPTY:
        return NewKeyNeeded("pool_empty", answer.retry_after_seconds or POOL_EMPTY_SECONDS)
    if answer.status == 403 and answer.body is None:
        # Its firewall's page, and not its API's answer: something in this one request.
        return BotProviderRefused("blocked")
    return failure_of(answer)
