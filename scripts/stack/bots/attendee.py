"""A fake of Attendee's REST API v1 and its webhooks, from its documentation.

Refuses what it refuses, with its texts, and unknown fields and filters too, which it would ignore: here they are a
client's mistake.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from scripts.stack.http_values import Request, Response

from . import signing
from .bots import Bot, Course, seconds_of, text_of
from .errors import Refusal
from .fake import FakeProvider
from .faults import Rule
from .messages import Message

PREFIX = "/api/v1/bots"
STAGED_SECONDS = 180.0
THREE_YEARS_SECONDS = 3 * 365 * 86400.0
FIELDS = frozenset(
    {
        "meeting_url",
        "bot_name",
        "join_at",
        "deduplication_key",
        "metadata",
        "bot_chat_message",
        "webhooks",
        "recording_settings",
        "automatic_leave_settings",
    }
)
CHANGEABLE = frozenset({"join_at", "meeting_url", "bot_name", "bot_image", "recording_settings"})
FILTERS = frozenset({"cursor", "deduplication_key", "join_at_after", "join_at_before", "states", "meeting_url"})
CAN_LEAVE = ("joining", "waiting_room", "joined_", "leaving_breakout_room", "joining_breakout_room")
KEY_IS_FREE = frozenset({"ended", "fatal_error", "data_deleted"})
CREATION_REFUSALS = {
    "internal_error": "An error occurred while creating the bot. Error ID: 5b6f",
    "no_credit": "Organization has run out of credits. Please add more credits in the Account -> Billing page.",
    "too_many_bots": "You have exceeded the maximum number of concurrent bots for your account.",
    "zoom_credentials": "Zoom App credentials are required to create a Zoom bot.",
}


class FakeAttendee(FakeProvider):
    over = KEY_IS_FREE | {"leaving", "post_processing"}
    course = Course(
        before_joining=(("scheduled", "staged", STAGED_SECONDS), ("staged", "joining", 0.0)),
        after={"ready": (5.0, "joining"), "leaving": (5.0, "post_processing"), "post_processing": (30.0, "ended")},
    )
    own_faults = frozenset(CREATION_REFUSALS)
    switches_at_first: ClassVar[Mapping[str, Any]] = {"page_size": 5, "posts_per_minute": 3000}

    def call_of(self, request: Request) -> tuple[str, str]:
        if request.headers.get("authorization") != f"Token {self.api_key}":
            raise Refusal(401, {"detail": "Invalid token."})
        rest = request.path.removeprefix(PREFIX)
        parts = rest.split("/")
        if not request.path.startswith(PREFIX) or (rest and parts[0]) or len(parts) > 3 or (rest and not parts[-1]):
            raise Refusal(404, {"detail": "Not found."})
        calls = {("POST", 1): "create", ("GET", 1): "find", ("GET", 2): "get", ("PATCH", 2): "change"}
        calls |= {("DELETE", 2): "remove"} | ({("POST", 3): "leave"} if parts[2:] == ["leave"] else {})
        call = calls.get((request.method, len(parts)))
        if call is None:
            raise Refusal(405, {"detail": f'Method "{request.method}" not allowed.'})
        return call, unquote(parts[1]) if len(parts) > 1 else ""

    def rate_of(self, call: str) -> tuple[str, int] | None:
        return ("post", self.switches["posts_per_minute"]) if call in {"create", "leave"} else None

    def perform(self, call: str, bot_id: str, request: Request, struck: Mapping[str, Rule]) -> Response:
        if call == "create":
            return self._create(_body(request), struck)
        if call == "find":
            return self._list(request)
        bot = self.found(bot_id)
        if call == "change":
            self._change(bot, _body(request))
        elif call == "remove":
            if bot.state != "scheduled":
                raise Refusal(400, {"error": f"Bot is in state {bot.state} and cannot be deleted."})
            bot.removed = "deleted"
            return Response.of_json({}, pretty=False)
        elif call == "leave":
            self._leave(bot)
        return Response.of_json(self._shown(bot), pretty=False)

    def _create(self, body: dict[str, Any], struck: Mapping[str, Rule]) -> Response:
        self._check(body, required=("meeting_url", "bot_name"))
        for kind, text in CREATION_REFUSALS.items():
            if kind in struck:
                raise Refusal(400, {"error": text})
        key = body.get("deduplication_key")
        if key and any(
            bot.key == key and bot.state not in KEY_IS_FREE and bot.removed != "deleted" for bot in self.bots.values()
        ):
            text = "Deduplication key already in use. A bot in a non-terminal state with this deduplication key exists."
            raise Refusal(400, {"error": text})
        join_at, now = seconds_of(body.get("join_at")), self.clock.seconds()
        bot = Bot(f"bot_{self.number():012d}", body, join_at, "ready" if join_at is None else "scheduled", now, key)
        bot.moves(bot.state, now)
        self.bots[bot.id] = bot
        return Response.of_json(self._shown(bot), 201, pretty=False)

    def _change(self, bot: Bot, body: dict[str, Any]) -> None:
        self._check(body, allowed=CHANGEABLE | {"metadata"})
        if bot.state != "scheduled" and CHANGEABLE & body.keys():
            raise Refusal(400, {"error": f"Bot is in state {bot.state} but must be in state scheduled to update."})
        bot.wish |= body
        if "join_at" in body:
            bot.join_at = seconds_of(body["join_at"])

    def _leave(self, bot: Bot) -> None:
        if not bot.state.startswith(CAN_LEAVE):
            raise Refusal(400, {"error": f"Bot is in state {bot.state} and cannot leave."})
        before, bot.removed = bot.state, "left"
        bot.moves("leaving", self.clock.seconds())
        self.tell(bot, before)

    def _check(self, body: dict[str, Any], *, required: tuple[str, ...] = (), allowed: frozenset[str] = FIELDS) -> None:
        errors = {name: ["Unknown field."] for name in body.keys() - allowed}
        errors |= {name: ["This field is required."] for name in required if name not in body}
        for name, value in body.items():
            if problem := self._problem(name, value):
                errors[name] = [problem]
        if errors:
            raise Refusal(400, errors)

    def _problem(self, name: str, value: Any) -> str | None:
        now = self.clock.seconds()
        at = seconds_of(value) if name == "join_at" else None
        if name == "meeting_url" and not _is_url(value):
            return "Enter a valid URL."
        if name == "bot_name" and not (isinstance(value, str) and value):
            return "This field may not be blank."
        if name == "join_at" and (at is None or at > now + THREE_YEARS_SECONDS):
            return "join_at must be an ISO 8601 date-time, at most 3 years ahead."
        if name == "join_at" and at is not None and at < now:
            return "join_at cannot be in the past"
        if name == "deduplication_key" and not (isinstance(value, str) and 0 < len(value) <= 1024):
            return "Ensure this field has no more than 1024 characters."
        if name == "metadata":
            return _metadata_problem(value)
        if name == "bot_chat_message":
            return _chat_problem(value)
        return None

    def _list(self, request: Request) -> Response:
        query = {name: values[-1] for name, values in request.query.items()}
        if unknown := sorted(query.keys() - FILTERS):
            raise Refusal(400, {name: ["Unknown filter."] for name in unknown})
        states = request.query.get("states")
        after, before = seconds_of(query.get("join_at_after")), seconds_of(query.get("join_at_before"))
        matching = [
            bot
            for bot in reversed(self.bots.values())
            if bot.removed != "deleted"
            and query.get("deduplication_key") in {None, bot.key}
            and query.get("meeting_url") in {None, bot.wish["meeting_url"]}
            and (states is None or bot.state in states)
            and (after is None or (bot.join_at is not None and bot.join_at >= after))
            and (before is None or (bot.join_at is not None and bot.join_at <= before))
        ]
        start, size = int(query.get("cursor", "0")), int(self.switches["page_size"])
        base = f"https://attendee.invalid{PREFIX}?cursor="
        following = f"{base}{start + size}" if start + size < len(matching) else None
        results = [self._shown(bot) for bot in matching[start : start + size]]
        return Response.of_json({"next": following, "previous": None, "results": results}, pretty=False)

    def _shown(self, bot: Bot) -> dict[str, Any]:
        return {
            "id": bot.id,
            "metadata": bot.wish.get("metadata"),
            "meeting_url": bot.wish["meeting_url"],
            "state": bot.state,
            "events": [{"type": each["state"], "created_at": each["at"]} for each in bot.history],
            "transcription_state": "not_started",
            "recording_state": "not_started",
            "join_at": text_of(bot.join_at) if bot.join_at is not None else None,
            "deduplication_key": bot.key,
        }

    def message_of(self, bot: Bot, before: str) -> Message | None:
        last = bot.history[-1]
        message_id = str(uuid.uuid4())
        body = {
            "idempotency_key": message_id,
            "bot_id": bot.id,
            "bot_metadata": bot.wish.get("metadata"),
            "trigger": "bot.state_change",
            "data": {
                "new_state": bot.state,
                "old_state": before,
                "created_at": last["at"],
                "event_type": "state_change",
                "event_sub_type": last["detail"],
                "event_metadata": {},
            },
        }
        return Message(message_id, body, lambda: signing.attendee(body, self.secret))


def _body(request: Request) -> dict[str, Any]:
    try:
        return request.json_object()
    except ValueError:
        raise Refusal(400, {"detail": "JSON parse error"}) from None


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and urlsplit(value).scheme in {"http", "https"} and bool(urlsplit(value).hostname)


def _metadata_problem(value: Any) -> str | None:
    if not isinstance(value, dict) or not value or not all(isinstance(each, str) for each in value.values()):
        return "Metadata must be a non-empty object of strings."
    return "Metadata must be 1000 characters or less." if len(json.dumps(value)) > 1000 else None


def _chat_problem(value: Any) -> str | None:
    is_good = isinstance(value, dict) and isinstance(value.get("message"), str) and value["message"]
    receivers = {"everyone", "specific_user", "everyone_but_host"}
    return None if is_good and value.get("to") in receivers else "Needs a message, and whom to."
