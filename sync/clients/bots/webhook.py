"""Bots of the operator's own: which are wanted is POSTed to BOT_WEBHOOK_URL, signed by Standard Webhooks.

`bot.wanted`, `bot.changed` and `bot.unwanted`, each with the bot's key; `webhook-id` is the attempt key, the same over
repeats, so that a receiver that keeps either does everything once. Its answers say what came of it: 2xx done, 404 or
410 no such bot, 409 not now (of a change: no more), 429 and 5xx later. What the bots then do comes back as `bot.status`
to `/functions/v1/bot-status/webhook`, signed with the same secret.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from standardwebhooks import Webhook

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
from sync.clients.bots.failures import failure_of
from sync.clients.bots.http import DEADLINE_SECONDS, Answer, ProviderHttp
from sync.clients.bots.reading import instant_text, text_of
from sync.clients.circuit import Breaker
from sync.errors import BotProviderRefused
from sync.states import BotStatus

GONE = frozenset({404, 410})
NOT_NOW = 409


class WebhookBots:
    name = BotProviderName.WEBHOOK
    limits = ProviderLimits(
        creates_per_minute=600,
        changes_per_minute=600,
        reads_per_minute=600,
        reserve_seconds=0.0,
        # A receiver is asked to keep ids for a day.
        attempt_key_seconds=86400.0,
        can_find=False,
    )

    def __init__(
        self,
        url: str,
        secrets: Sequence[bytes],
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        breaker: Breaker | None = None,
    ) -> None:
        self._http = ProviderHttp(url, {}, deadline_seconds=deadline_seconds, breaker=breaker)
        self._signers = [Webhook(secret) for secret in secrets]

    def close(self) -> None:
        self._http.close()

    def create(self, wanted: WantedBot, attempt_key: str, now: dt.datetime) -> ProviderBot:
        answer = self._post("bot.wanted", _data_of(wanted), attempt_key, now)
        if not _is_success(answer):
            raise failure_of(answer)
        # A receiver without ids of its own is spoken to by our key.
        return _bot_of(wanted, text_of(answer.fields.get("id")) or wanted.key)

    def find(self, key: str) -> tuple[ProviderBot, ...]:  # noqa: ARG002
        return ()

    def change(self, bot: BotRef, wanted: WantedBot, attempt_key: str, now: dt.datetime) -> ChangeOutcome:
        answer = self._post("bot.changed", {"bot_id": bot.id, **_data_of(wanted)}, attempt_key, now)
        if _is_success(answer):
            return Changed(_bot_of(wanted, bot.id))
        if answer.status in GONE:
            return MakeNew("gone")
        if answer.status == NOT_NOW:
            return MakeNew("unchangeable")
        raise failure_of(answer)

    def remove(self, bot: BotRef, attempt_key: str) -> RemoveOutcome:
        data = {"bot_id": bot.id, KEY_FIELD: bot.key}
        answer = self._post("bot.unwanted", data, attempt_key, dt.datetime.now(dt.UTC))
        if _is_success(answer):
            return Removed("deleted")
        if answer.status in GONE:
            return Removed("gone")
        if answer.status == NOT_NOW:
            return NotNow("unchangeable")
        raise failure_of(answer)

    def get(self, bot_id: str) -> ProviderBot | None:  # noqa: ARG002
        raise BotProviderRefused("cannot_look")

    def list_bots(
        self,
        cursor: str | None,  # noqa: ARG002
        join_after: dt.datetime | None = None,  # noqa: ARG002
        join_before: dt.datetime | None = None,  # noqa: ARG002
    ) -> BotPage:
        return BotPage((), None)

    def _post(self, kind: str, data: Mapping[str, Any], attempt_key: str, now: dt.datetime) -> Answer:
        body = json.dumps({"type": kind, "timestamp": instant_text(now), "data": data})
        # The time of this attempt, on this machine's clock: a receiver refuses what is older than five minutes.
        sent_at = dt.datetime.fromtimestamp(int(time.time()), dt.UTC)
        signatures = [signer.sign(attempt_key, sent_at, body) for signer in self._signers]
        headers = {
            "webhook-id": attempt_key,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        return self._http.call("POST", "", body=body.encode(), headers=headers)


def _is_success(answer: Answer) -> bool:
    return 200 <= answer.status < 300


def _data_of(wanted: WantedBot) -> dict[str, Any]:
    return {
        KEY_FIELD: wanted.key,
        "metadata": dict(wanted.metadata),
        "meeting_url": wanted.meeting_url,
        "bot_name": wanted.bot_name,
        "join_at": instant_text(wanted.join_at),
        "chat_message": wanted.chat_message,
    }


def _bot_of(wanted: WantedBot, bot_id: str) -> ProviderBot:
    return ProviderBot(
        id=bot_id,
        key=wanted.key,
        metadata=wanted.labels,
        meeting_url=wanted.meeting_url,
        join_at=wanted.join_at,
        state=BotStatus.BOT_SCHEDULED,
        is_alive=True,
    )
