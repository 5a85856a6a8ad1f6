"""Bot providers' error answers → typed failures: what all of them share. The only place that reads these statuses.

What one provider alone means by a status stands with that provider.
"""

from __future__ import annotations

from sync.clients.bots.http import Answer
from sync.errors import (
    BotAccountRefused,
    BotProviderBusy,
    BotProviderFailure,
    BotProviderKeyRejected,
    BotProviderRefused,
)

# What we send, and whose refusal is about this bot alone. Other words of a refusal are not passed on.
_OUR_FIELDS = ("meeting_url", "bot_name", "join_at", "metadata", "bot_chat_message", "chat", "deduplication_key")


def failure_of(answer: Answer) -> BotProviderFailure:
    """The typed failure of an answer that is no success."""
    status = answer.status
    if status == 429:
        return BotProviderBusy("throttled", answer.retry_after_seconds)
    if status >= 500 or status in {408, 409, 425}:
        # 409: another attempt under this key is being carried out.
        return BotProviderBusy(f"http_{status}", answer.retry_after_seconds, maybe_done=True)
    if status in {401, 403}:
        return BotProviderKeyRejected("key_rejected")
    if status == 402:
        return BotAccountRefused("no_credit")
    if status < 400 or status == 404:
        # A redirect, or nothing at that address: the URL is not the provider's API.
        return BotAccountRefused(f"http_{status}")
    if answer.body is None:
        return foreign_answer()
    return BotProviderRefused(f"refused_{refused_field(answer) or status}")


def is_done(answer: Answer) -> bool:
    """Whether something was removed. A page in the place of an answer says so of nothing; what is gone is gone when it
    is asked again."""
    if answer.status == 204:
        return True
    if answer.status in {200, 202} and answer.body is None:
        raise foreign_answer()
    return answer.status in {200, 202}


def foreign_answer() -> BotProviderBusy:
    """An answer that has not the provider's form (a proxy's page, a part of JSON): it says nothing."""
    return BotProviderBusy("foreign_answer", maybe_done=True)


def refused_field(answer: Answer) -> str | None:
    """Which of the fields we sent the refusal is about."""
    return next((name for name in _OUR_FIELDS if name in answer.fields), None)
