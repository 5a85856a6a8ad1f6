"""A receiver of BOT_WEBHOOK_URL: the bots of an operator's own, asked for by messages in the form of Standard Webhooks.

Refuses what is not signed, or not now. What it has seen under a `webhook-id` it answers again and does not do again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from scripts.stack.http_values import Request, Response

from . import signing
from .bots import Bot, Course, seconds_of, text_of
from .errors import Refusal
from .fake import FakeProvider
from .faults import Rule
from .messages import Message

CALLS = {"bot.wanted": "create", "bot.changed": "change", "bot.unwanted": "remove"}
FIELDS = frozenset({"bot_id", "bot_key", "metadata", "meeting_url", "bot_name", "join_at", "chat_message"})
NEEDED = {"create": FIELDS - {"bot_id"}, "change": FIELDS, "remove": frozenset({"bot_id", "bot_key"})}


class FakeReceiver(FakeProvider):
    over = frozenset({"completed", "failed"})
    course = Course(before_joining=(), after={})
    switches_at_first: ClassVar[Mapping[str, Any]] = {"gives_ids": True, "is_unchangeable": False}

    def reset(self) -> None:
        super().reset()
        with self.lock:
            self._answers: dict[str, Response] = {}

    def call_of(self, request: Request) -> tuple[str, str]:
        if request.method != "POST":
            raise Refusal(405, {"error": "POST only"})
        if not signing.is_standard(request.headers, request.body, self.secret):
            raise Refusal(401, {"error": "unsigned"})
        body = _body(request)
        call, data = CALLS.get(body.get("type", "")), body.get("data")
        if call is None or not isinstance(data, dict) or seconds_of(body.get("timestamp")) is None:
            raise Refusal(422, {"error": "not a message about a bot"})
        if set(data) != NEEDED[call] or (call != "remove" and seconds_of(data["join_at"]) is None):
            raise Refusal(422, {"error": f"needs {sorted(NEEDED[call])}"})
        return call, str(data["bot_key"])

    def rate_of(self, call: str) -> tuple[str, int] | None:  # noqa: ARG002
        return None

    def perform(self, call: str, bot_id: str, request: Request, struck: Mapping[str, Rule]) -> Response:  # noqa: ARG002
        message_id, data = request.headers["webhook-id"], _body(request)["data"]
        if message_id in self._answers:
            return self._answers[message_id]
        response = self._create(data) if call == "create" else self._change(call, self._of_key(bot_id), data)
        self._answers[message_id] = response
        return response

    def _of_key(self, key: str) -> Bot:
        return self.found(next((bot.id for bot in self.bots.values() if bot.key == key), ""))

    def _create(self, data: dict[str, Any]) -> Response:
        now, gives_ids = self.clock.seconds(), self.switches["gives_ids"]
        bot_id = f"own_{self.number()}" if gives_ids else data["bot_key"]
        bot = Bot(bot_id, data, seconds_of(data["join_at"]), "bot_scheduled", now, data["bot_key"])
        bot.moves("bot_scheduled", now)
        self.bots[bot.id] = bot
        return Response.of_json({"id": bot_id}, 201, pretty=False) if gives_ids else Response(204)

    def _change(self, call: str, bot: Bot, data: dict[str, Any]) -> Response:
        if self.switches["is_unchangeable"] or (call == "change" and bot.state in self.over):
            raise Refusal(409, {"error": "not now"})
        if call == "remove":
            bot.removed = "deleted"
        else:
            bot.wish, bot.join_at = data, seconds_of(data["join_at"])
        return Response(204)

    def message_of(self, bot: Bot, before: str) -> Message | None:  # noqa: ARG002
        last, message_id = bot.history[-1], f"msg_{uuid.uuid4().hex}"
        data = {"bot_key": bot.key, "bot_id": bot.id, "status": bot.state, "detail": last["detail"]}
        body = {"type": "bot.status", "timestamp": text_of(bot.state_at), "data": data}
        raw = json.dumps(body).encode()
        return Message(message_id, body, lambda: (raw, signing.standard(message_id, raw, self.secret)))


def _body(request: Request) -> dict[str, Any]:
    try:
        return request.json_object()
    except ValueError:
        raise Refusal(422, {"error": "no JSON"}) from None
