"""A fake of Recall.ai's REST API v1 and its webhooks, from its documentation.

Refuses what it refuses, and unknown fields and filters too. An `Idempotency-Key` replays its answer for an hour of the
fake's clock, refusals and 507 as well.
"""

from __future__ import annotations

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

PREFIX = "/api/v1/bot/"
RESERVE_SECONDS = 600.0
REPLAY_SECONDS = 3600.0
FIELDS = frozenset({"meeting_url", "bot_name", "join_at", "metadata", "recording_config", "automatic_leave", "chat"})
FILTERS = frozenset({"page", "join_at_after", "join_at_before", "meeting_url", "status", "platform"})
BEFORE_JOINING = "ready"
ENDED = frozenset({"call_ended", "recording_done", "done", "fatal"})
RATES = {"create": 60, "find": 60, "get": 300, "change": 300, "remove": 300, "leave": 300}


class FakeRecall(FakeProvider):
    over = ENDED
    course = Course(before_joining=((BEFORE_JOINING, "joining_call", 0.0),), after={"call_ended": (30.0, "done")})
    own_faults = frozenset({"pool_empty", "in_flight", "no_credit"})
    switches_at_first: ClassVar[Mapping[str, Any]] = {
        "page_size": 5,
        "creates_per_minute": 60,
        # Bots to be had at once; None: enough.
        "pool_size": None,
        # text, or object as in some answers.
        "meeting_url_form": "object",
        # webhook, svix, or unsigned.
        "signed_as": "webhook",
    }

    def reset(self) -> None:
        super().reset()
        with self.lock:
            self._answers: dict[str, tuple[float, Response]] = {}

    def call_of(self, request: Request) -> tuple[str, str]:
        if request.headers.get("authorization") != f"Token {self.api_key}":
            raise Refusal(401, {"detail": "Authentication credentials were not provided.", "code": "not_authenticated"})
        if (request.method == "GET" and request.body) or b"localhost" in request.body:
            raise Refusal(403, "<html>Request blocked</html>", page=True)
        parts = request.path.removeprefix(PREFIX).split("/")
        if not request.path.startswith(PREFIX) or parts[-1] or len(parts) > 3:
            raise Refusal(404, {"detail": "Not found."})
        calls = {("POST", 1): "create", ("GET", 1): "find", ("GET", 2): "get", ("PATCH", 2): "change"}
        calls |= {("DELETE", 2): "remove"} | ({("POST", 3): "leave"} if parts[1:2] == ["leave_call"] else {})
        call = calls.get((request.method, len(parts)))
        if call is None:
            raise Refusal(405, {"detail": f'Method "{request.method}" not allowed.'})
        return call, unquote(parts[0])

    def rate_of(self, call: str) -> tuple[str, int] | None:
        return call, self.switches["creates_per_minute"] if call == "create" else RATES[call]

    def perform(self, call: str, bot_id: str, request: Request, struck: Mapping[str, Rule]) -> Response:
        key = request.headers.get("idempotency-key")
        if call not in {"create", "change", "leave"} or not key:
            return self._perform(call, bot_id, request, struck)
        if "in_flight" in struck:
            raise Refusal(409, {"detail": "A request with this idempotency key is in progress."})
        now = self.clock.seconds()
        kept = self._answers.get(key)
        if kept is not None and now - kept[0] < REPLAY_SECONDS:
            return kept[1]
        try:
            response = self._perform(call, bot_id, request, struck)
        except Refusal as refused:
            response = refused.response()
        self._answers[key] = (now, response)
        return response

    def _perform(self, call: str, bot_id: str, request: Request, struck: Mapping[str, Rule]) -> Response:
        if call == "create":
            return self._create(_body(request), struck)
        if call == "find":
            return self._list(request)
        bot = self.found(bot_id)
        if call == "change":
            self._change(bot, _body(request))
        elif call == "remove":
            if not self._is_reserved(bot):
                raise Refusal(405, {"detail": "Only scheduled bots can be deleted.", "code": "method_not_allowed"})
            bot.removed = "deleted"
            return Response(204)
        elif call == "leave":
            self._leave(bot)
        return Response.of_json(self._shown(bot), pretty=False)

    def _create(self, body: dict[str, Any], struck: Mapping[str, Rule]) -> Response:
        self._check(body, required=("meeting_url",))
        if "no_credit" in struck:
            raise Refusal(402, {"detail": "Insufficient credit balance.", "code": "insufficient_credit_balance"})
        now, join_at = self.clock.seconds(), seconds_of(body.get("join_at"))
        if "pool_empty" in struck or (not self._is_far(join_at) and not self._takes_from_pool()):
            raise Refusal(507, {"detail": "All ad-hoc bots are in use.", "code": "adhoc_pool_depleted"}, retry_after=30)
        bot = Bot(str(uuid.uuid4()), body, join_at, BEFORE_JOINING, now, (body.get("metadata") or {}).get("bot_key"))
        bot.moves(BEFORE_JOINING, now)
        self.bots[bot.id] = bot
        if join_at is None:
            bot.join_at = now
            self.tick()
        return Response.of_json(self._shown(bot), 201, pretty=False)

    def _takes_from_pool(self) -> bool:
        if self.switches["pool_size"] is None:
            return True
        self.switches["pool_size"] -= 1
        return bool(self.switches["pool_size"] >= 0)

    def _is_far(self, at: float | None) -> bool:
        return at is not None and at > self.clock.seconds() + RESERVE_SECONDS

    def _is_reserved(self, bot: Bot) -> bool:
        return bot.state == BEFORE_JOINING and self._is_far(bot.join_at)

    def _change(self, bot: Bot, body: dict[str, Any]) -> None:
        self._check(body)
        if not self._is_reserved(bot):
            raise _unchangeable("Cannot validate partial without join call task")
        if "join_at" in body:
            join_at = seconds_of(body["join_at"])
            if not self._is_far(join_at):
                raise _unchangeable("Not enough time to launch new bot")
            bot.join_at = join_at
        bot.wish |= body

    def _leave(self, bot: Bot) -> None:
        if bot.state in ENDED:
            raise Refusal(400, {"detail": "Cannot command a completed bot.", "code": "cannot_command_completed_bot"})
        if self._is_reserved(bot):
            raise Refusal(400, {"detail": "Cannot command an unstarted bot.", "code": "cannot_command_unstarted_bot"})
        before, bot.removed = bot.state, "left"
        bot.moves("call_ended", self.clock.seconds(), "bot_received_leave_call")
        self.tell(bot, before)

    def _check(self, body: dict[str, Any], *, required: tuple[str, ...] = ()) -> None:
        errors = {name: ["Unknown field."] for name in body.keys() - FIELDS}
        errors |= {name: ["This field is required."] for name in required if name not in body}
        for name, value in body.items():
            if problem := self._problem(name, value):
                errors[name] = [problem]
        if errors:
            raise Refusal(400, errors)

    def _problem(self, name: str, value: Any) -> str | None:
        if name == "meeting_url" and not (isinstance(value, str) and urlsplit(value).hostname):
            return "Enter a valid URL."
        if name == "bot_name" and not (isinstance(value, str) and 0 < len(value) <= 100):
            return "Ensure this field has no more than 100 characters."
        if name == "join_at":
            at = seconds_of(value)
            return None if at is not None and at >= self.clock.seconds() else "Must be a date-time that is not past."
        if name == "metadata":
            is_good = isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
            return None if is_good else "Must be an object of strings."
        return None

    def _list(self, request: Request) -> Response:
        query = {name: values[-1] for name, values in request.query.items()}
        wanted = {name.removeprefix("metadata__"): query[name] for name in query if name.startswith("metadata__")}
        if unknown := sorted(name for name in query.keys() - FILTERS if not name.startswith("metadata__")):
            raise Refusal(400, {name: ["Unknown filter."] for name in unknown})
        after, before = seconds_of(query.get("join_at_after")), seconds_of(query.get("join_at_before"))
        matching = [
            bot
            for bot in reversed(self.bots.values())
            if bot.removed != "deleted"
            and wanted.items() <= (bot.wish.get("metadata") or {}).items()
            and query.get("status") in {None, bot.state}
            and (after is None or (self._join_at(bot) or 0.0) >= after)
            and (before is None or (self._join_at(bot) or before + 1) <= before)
        ]
        page, size = int(query.get("page", "1")), int(self.switches["page_size"])
        shown = matching[(page - 1) * size : page * size]
        following = f"https://recall.invalid{PREFIX}?page={page + 1}" if page * size < len(matching) else None
        results = [self._shown(bot) for bot in shown]
        body = {"count": len(matching), "next": following, "previous": None, "results": results}
        return Response.of_json(body, pretty=False)

    def _join_at(self, bot: Bot) -> float | None:
        """Cleared once it has joined."""
        return bot.join_at if bot.state in {BEFORE_JOINING, "joining_call"} else None

    def _shown(self, bot: Bot) -> dict[str, Any]:
        url, at = bot.wish["meeting_url"], self._join_at(bot)
        as_object = {"meeting_id": urlsplit(url).path.strip("/"), "platform": "google_meet"}
        # Of a bot that waits for its time nothing is told yet.
        told = [each for each in bot.history if each["state"] != BEFORE_JOINING]
        return {
            "id": bot.id,
            "meeting_url": url if self.switches["meeting_url_form"] == "text" else as_object,
            "bot_name": bot.wish.get("bot_name", "Meeting Notetaker"),
            "join_at": text_of(at) if at is not None else None,
            "metadata": bot.wish.get("metadata") or {},
            "status_changes": [
                {"code": each["state"], "sub_code": each["detail"], "created_at": each["at"], "message": None}
                for each in told
            ],
        }

    def message_of(self, bot: Bot, before: str) -> Message | None:  # noqa: ARG002
        last, message_id = bot.history[-1], f"msg_{uuid.uuid4().hex}"
        told = {"code": bot.state, "sub_code": last["detail"], "updated_at": last["at"]}
        body = {
            "event": f"bot.{bot.state}",
            "data": {"data": told, "bot": {"id": bot.id, "metadata": bot.wish.get("metadata") or {}}},
        }
        return Message(message_id, body, lambda: self._signed(message_id, body))

    def _signed(self, message_id: str, body: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        raw = Response.of_json(body, pretty=False).body
        family = self.switches["signed_as"]
        return raw, {} if family == "unsigned" else signing.standard(message_id, raw, self.secret, family)


def _body(request: Request) -> dict[str, Any]:
    try:
        return request.json_object()
    except ValueError:
        raise Refusal(400, {"detail": "JSON parse error", "code": "parse_error"}) from None


def _unchangeable(detail: str) -> Refusal:
    return Refusal(400, {"code": "update_bot_failed", "detail": detail})
