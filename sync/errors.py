"""The failure vocabulary: everything that can go wrong with Google or the store, as types.

`clients` raise these, at the one place that reads status codes; `core/polling/failure_policy` decides what
follows; `jobs` record it. `code` is stable and safe to store, log and show. No message carries a token, a header or an
event's content.
"""

from __future__ import annotations

from enum import StrEnum


class SyncError(Exception):
    """Base of all expected failures. `code` is a stable slug."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class GoogleFailure(SyncError):
    """Google did not do what it was asked to."""


class RetryLater(GoogleFailure):
    """A passing fault: network, time-out, 5xx, an answer cut short. `retry_after_seconds` if Google named one."""

    def __init__(self, code: str, detail: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(code, detail)
        self.retry_after_seconds = retry_after_seconds


class OutcomeUnknown(RetryLater):
    """The request was sent and its answer lost: it may have been carried out."""


class ForeignAnswer(OutcomeUnknown):
    """The answer has not Google's form (a proxy's page, a portal's, a part of JSON): it says nothing about the
    calendar, nor about the grant."""


class AnswerUnbounded(OutcomeUnknown):
    """The answer was given up before its end: asking for the same again at once would take as long."""


class AnswerTooLarge(AnswerUnbounded):
    """More bytes, sent or unpacked, than anybody reads into memory: less at once may come through."""


class AnswerTooSlow(AnswerUnbounded):
    """Its bytes came, but not its end in time."""


class QuotaOf(StrEnum):
    """Whose quota was hit, as far as Google says."""

    USER = "user"
    PROJECT = "project"
    EITHER = "either"


class SlowDown(RetryLater):
    """A quota was hit. Never a sign of lost access, whatever the status code (403 or 429)."""

    def __init__(
        self, code: str, detail: str = "", retry_after_seconds: float | None = None, whose: QuotaOf = QuotaOf.EITHER
    ) -> None:
        super().__init__(code, detail, retry_after_seconds)
        self.whose = whose


class QuotaWait(SlowDown):
    """Nothing was sent: of the quota that all processes share there is none for this request within
    `retry_after_seconds`."""


class TokenEndpointBusy(RetryLater):
    """The token endpoint throttles us (429): it is there, and no quota of the calendars is meant."""


class UpstreamDown(RetryLater):
    """Nothing was sent: Google, or its token endpoint, has answered nobody lately (`clients/breakers`). No calendar's
    fault, and no user's. `retry_after_seconds` until it is asked again."""

    def __init__(self, code: str, retry_after_seconds: float) -> None:
        super().__init__(code, retry_after_seconds=retry_after_seconds)
        self.seconds = retry_after_seconds


class ResyncNeeded(GoogleFailure):
    """The sync token is of no use any more (410, or a 400 for a corrupt one): list everything anew."""


class PageTokenRejected(GoogleFailure):
    """Google refused a continuation: start over from the last committed sync token."""


class ReconnectNeeded(GoogleFailure):
    """The user's grant is dead or lacks a scope: only the user can mend it."""


class GrantRefused(ReconnectNeeded):
    """The token endpoint refuses the refresh token. Once may be a passing fault of its: it is asked again, a pause
    later, before anybody is told."""


class CalendarLost(GoogleFailure):
    """This calendar cannot be read now: gone, unshared or refused. May come back; nothing is wiped."""


class PushUnsupported(GoogleFailure):
    """Google does not push this calendar's changes. It is polled."""


class ChannelIdTaken(GoogleFailure):
    """The channel id was used before: an earlier request with it had succeeded unseen."""


class ChannelUnknown(GoogleFailure):
    """Google knows no such channel: there is nothing left to stop."""


class RequestRejected(GoogleFailure):
    """Google refuses what we ask: our bug."""


class Misconfigured(RequestRejected):
    """The OAuth client or the Google Cloud project is set up wrongly: only the operator can mend it, and no user's
    grant is in doubt."""


class BadRequest(RequestRejected):
    """400: something in this one request is refused; of a listing, the token it carries."""


class TokenUnreadable(SyncError):
    """A stored token opens with none of the keys, or was moved from another user's row."""


class StoreFailure(SyncError):
    """The store did not do what it was asked to."""


class StoreUnavailable(StoreFailure):
    """Supabase did not answer, or not in time: the outcome is unknown, every call may be repeated."""


class StoreDown(StoreUnavailable):
    """The same, and nothing was sent: the database has answered nobody lately."""


class StoreTooSlow(StoreUnavailable):
    """A statement ran out of its time: less at once may come through."""


class StoreRejected(StoreFailure):
    """Supabase refused the call. `code` is PostgREST's or Postgres' own."""


class StoreMisconfigured(StoreRejected):
    """The database, or the key to it, is not set up as this code needs it: every call would be refused so until the
    operator mends it. `code` is ours (`core/operations/mends`)."""


class DataRefused(StoreRejected):
    """The database cannot take a value among those it was given: without it the others may pass."""


class MailFailure(SyncError):
    """A mail was not taken by its server."""


class LeaseLost(SyncError):
    """Another worker has this calendar now; what this one found is void."""


class SettingsMoved(SyncError):
    """Other settings are in force than those the work was done under: it is void, and begins anew."""


class Stopping(SyncError):
    """This process is asked to stop, or its time budget is used up; the claim is given back."""


class BotProviderFailure(SyncError):
    """A bot provider did not do what it was asked to. `code` is ours: no text of the provider's is passed on."""


class BotProviderBusy(BotProviderFailure):
    """A passing fault: network, time-out, throttling, 5xx. `retry_after_seconds` if the provider named one.

    `maybe_done`: the request may have been carried out. Then look for the bot by its key, and else repeat it under the
    same attempt key. Without it nothing was done, and the next attempt takes a new attempt key, since a provider may
    replay its refusal under the old one.
    """

    def __init__(self, code: str, retry_after_seconds: float | None = None, *, maybe_done: bool = False) -> None:
        super().__init__(code)
        self.retry_after_seconds = retry_after_seconds
        self.maybe_done = maybe_done


class BotProviderDown(BotProviderBusy):
    """Nothing was sent: the provider has answered nobody lately. `retry_after_seconds` until it is asked again."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__("provider_down", retry_after_seconds)
        self.seconds = retry_after_seconds


class NewKeyNeeded(BotProviderBusy):
    """No bot was to be had (507), and the provider repeats that under this attempt key: wait, then ask under a new
    one."""


class BotProviderRefused(BotProviderFailure):
    """The provider refuses this bot for good: trying the same again does not help."""


class BotAccountRefused(BotProviderRefused):
    """It refuses every bot now (no credit, too many at a time, another service in its place): the operator's to mend,
    and worth asking again after hours."""


class BotProviderKeyRejected(BotProviderFailure):
    """The API key is refused: only the operator can mend it, and no bot's wish is in doubt."""


class SignatureRefused(SyncError):
    """A message that says to be a provider's is not signed as theirs, or not now. `code`: unsigned, malformed, stale,
    wrong_signature."""
