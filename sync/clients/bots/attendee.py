"""Attendee (open source, hosted or self-hosted): its REST API v1.

One bot per deduplication key while that bot lives, which makes creating safe to repeat. A scheduled bot can be changed
and deleted; in the last minutes before its time (`staged`) and in `ready` nothing works; from `joining` on it leaves.
Errors carry no codes: of a refusal only the field, or a few known texts, say what it is.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from typing import Any

from sync.bot_model import (
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
from sync.clients.bots.failures import failure_of, foreign_answer, is_done, refused_field
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
from sync.errors import BotAccountRefused, BotProviderBusy, BotProviderFailure, BotProviderRefused

# A key may be used again once its bot is in one of these.
KEY_IS_FREE = frozenset({"ended", "fatal_error", "data_deleted"})
OVER = KEY_IS_FREE | {"leaving", "post_processing"}
CHANGEABLE = "scheduled"
NOTHING_WORKS = frozenset({"staged", "ready"})
# Its internal errors are 400 too, and pass. Of the rest these concern every bot.
PASSING_TEXT = "an error occurred while creating the bot"
KEY_TAKEN_TEXT = "deduplication key already in use"
ACCOUNT_TEXTS = {
    "credit": "no_credit",
    "concurren": "too_many_bots",
    "zoom": "zoom_credentials_missing",
}
# A state may change between looking and asking.
ROUNDS = 3
FIND_PAGES = 5


class Attendee:
    name = BotProviderName.ATTENDEE
    limits = ProviderLimits(
        creates_per_minute=3000,
        changes_per_minute=600,
        reads_per_minute=600,
        reserve_seconds=0.0,
        # The deduplication key does not lapse.
        attempt_key_seconds=math.inf,
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

    def create(self, wanted: WantedBot, attempt_key: str, now: dt.datetime) -> ProviderBot:  # noqa: ARG002
        """The wanted bot's own key is what deduplicates, so the attempt's is not needed."""
        body = _body_of(wanted) | {"deduplication_key": wanted.key}
        if is_ahead(wanted.join_at, now):
            body["join_at"] = instant_text(wanted.join_at)
        if wanted.chat_message:
            body["bot_chat_message"] = {"message": wanted.chat_message, "to": "everyone"}
        answer = self._http.call("POST", "/bots", body=json.dumps(body).encode())
        if answer.status in {200, 201}:
            return _bot_of(answer.body)
        if answer.status != 400:
            raise failure_of(answer)
        # Whatever it says: an earlier attempt may have made the bot, which then holds the key.
        holder = next((bot for bot in self.find(wanted.key) if bot.state not in KEY_IS_FREE), None)
        if holder is None:
            is_of_time = refused_field(answer) == "join_at"
            raise (too_near(wanted, now) if is_of_time else None) or _refusal(answer)
        return holder

    def find(self, key: str) -> tuple[ProviderBot, ...]:
        found: list[ProviderBot] = []
        cursor: str | None = None
        for _ in range(FIND_PAGES):
            page = self._page({"deduplication_key": key}, cursor)
            # A filter that a server does not know is one that it ignores.
            found += [bot for bot in page.bots if bot.key == key]
            cursor = page.cursor
            if cursor is None:
                break
        return alive_first(found)

    def change(self, bot: BotRef, wanted: WantedBot, attempt_key: str, now: dt.datetime) -> ChangeOutcome:  # noqa: ARG002
        body = _body_of(wanted)
        if wanted.join_at != bot.join_at:
            if not is_ahead(wanted.join_at, now):
                # A time that is past is refused; only a new bot joins at once.
                return MakeNew("last_minutes")
            body["join_at"] = instant_text(wanted.join_at)
        answer = self._http.call("PATCH", f"/bots/{in_path(bot.id)}", body=json.dumps(body).encode())
        if answer.status == 200:
            return Changed(_bot_of(answer.body))
        if answer.status == 404:
            return MakeNew("gone")
        if answer.status != 400:
            raise failure_of(answer)
        return self._why_unchanged(bot, answer)

    def _why_unchanged(self, bot: BotRef, answer: Answer) -> MakeNew:
        """Its state, not its words, says whether it is too late or the change is refused."""
        now_there = self.get(bot.id)
        if now_there is None:
            return MakeNew("gone")
        if now_there.state == CHANGEABLE:
            raise _refusal(answer)
        if now_there.state in NOTHING_WORKS:
            return MakeNew("staged")
        return MakeNew("on_its_way" if now_there.is_alive else "over")

    def remove(self, bot: BotRef, attempt_key: str) -> RemoveOutcome:  # noqa: ARG002
        state = ""
        for _ in range(ROUNDS):
            found = self.get(bot.id)
            if found is None:
                return Removed("gone")
            state = found.state
            if not found.is_alive:
                return Removed("over")
            if state in NOTHING_WORKS:
                break
            if self._is_removed(bot, state):
                return Removed("deleted" if state == CHANGEABLE else "left")
        return NotNow(state)

    def _is_removed(self, bot: BotRef, state: str) -> bool:
        """False: the state has moved on meanwhile, or is one from which it cannot go."""
        method, path = ("DELETE", "") if state == CHANGEABLE else ("POST", "/leave")
        answer = self._http.call(method, f"/bots/{in_path(bot.id)}{path}")
        if is_done(answer):
            return True
        if answer.status in {400, 404}:
            return False
        raise failure_of(answer)

    def get(self, bot_id: str) -> ProviderBot | None:
        answer = self._http.call("GET", f"/bots/{in_path(bot_id)}")
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise failure_of(answer)
        return _bot_of(answer.body)

    def list_bots(
        self, cursor: str | None, join_after: dt.datetime | None = None, join_before: dt.datetime | None = None
    ) -> BotPage:
        bounds = {"join_at_after": join_after, "join_at_before": join_before}
        return self._page({name: instant_text(at) for name, at in bounds.items() if at}, cursor)

    def _page(self, query: Mapping[str, str], cursor: str | None) -> BotPage:
        answer = self._http.call("GET", "/bots", query={**query, **({"cursor": cursor} if cursor else {})})
        if answer.status != 200:
            raise failure_of(answer)
        return BotPage(tuple(map(_bot_of, results_of(answer))), cursor_of(answer, "cursor"))


def _body_of(wanted: WantedBot) -> dict[str, Any]:
    return {"meeting_url": wanted.meeting_url, "bot_name": wanted.bot_name, "metadata": wanted.labels}


def _bot_of(body: Any) -> ProviderBot:
    bot_id, labels = bot_id_of(body), labels_of(body.get("metadata"))
    state = text_of(body.get("state"))
    if state is None:
        raise foreign_answer()
    return ProviderBot(
        id=bot_id,
        key=text_of(body.get("deduplication_key")) or key_of(labels),
        metadata=labels,
        meeting_url=text_of(body.get("meeting_url")),
        join_at=instant_of(body.get("join_at")),
        state=state,
        is_alive=state not in OVER,
    )


def _refusal(answer: Answer) -> BotProviderFailure:
    field = refused_field(answer)
    said = answer.fields.get("error")
    text = said.lower() if isinstance(said, str) else ""
    if answer.body is None:
        return foreign_answer()
    if text.startswith(PASSING_TEXT):
        # Whether there is a bot was looked up.
        return BotProviderBusy("internal_error")
    if text.startswith(KEY_TAKEN_TEXT):
        # Its holder has ended between asking and looking.
        return BotProviderBusy("key_in_use", maybe_done=True)
    if field is None:
        for word, code in ACCOUNT_TEXTS.items():
            if word in text:
                return BotAccountRefused(code)
    return BotProviderRefused(f"refused_{field or 400}")
