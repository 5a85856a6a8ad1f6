"""What follows from each failure, by tables."""

from __future__ import annotations

import pytest

from sync.core.polling.failure_policy import (
    CONFIRM_SECONDS,
    UNLESS_PAUSED_SECONDS,
    react_to_refused_grant,
    react_to_sync_failure,
    react_to_watch_failure,
)
from sync.errors import (
    CalendarLost,
    ChannelIdTaken,
    ForeignAnswer,
    Misconfigured,
    OutcomeUnknown,
    PageTokenRejected,
    PushUnsupported,
    RequestRejected,
    ResyncNeeded,
    RetryLater,
    SlowDown,
    StoreRejected,
    StoreUnavailable,
    SyncError,
    TokenUnreadable,
)
from sync.states import Standing

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


@pytest.mark.parametrize(
    ("error", "before", "seconds"),
    [
        (RetryLater("backendError"), 0, 5),
        (RetryLater("backendError"), 3, 40),
        (RetryLater("backendError"), 50, 30 * MINUTE),
        (RetryLater("backendError", retry_after_seconds=90), 0, 90),
        (RetryLater("backendError", retry_after_seconds=0), 0, 5),
        (RetryLater("backendError", retry_after_seconds=10 * DAY), 0, 6 * HOUR),
        (RetryLater("backendError", retry_after_seconds=float("inf")), 0, 6 * HOUR),
        (ForeignAnswer("foreign_answer_403"), 0, 5),
        (ForeignAnswer("foreign_answer_403"), 50, 30 * MINUTE),
        (Misconfigured("invalid_client"), 0, 5 * MINUTE),
        (Misconfigured("invalid_client"), 99, HOUR),
        (SlowDown("rateLimitExceeded"), 0, 5),
        (SlowDown("rateLimitExceeded", retry_after_seconds=2 * HOUR), 9, 2 * HOUR),
        (OutcomeUnknown("no_answer"), 1, 10),
        (CalendarLost("notFound"), 0, 15 * MINUTE),
        (CalendarLost("notFound"), 2, HOUR),
        (CalendarLost("notFound"), 99, DAY),
        (RequestRejected("accessNotConfigured"), 0, 5 * MINUTE),
        (RequestRejected("accessNotConfigured"), 99, HOUR),
        (TokenUnreadable("token_key_missing"), 99, HOUR),
        (PageTokenRejected("invalid"), 0, 5),
        (ResyncNeeded("fullSyncRequired"), 0, 5),
        (StoreUnavailable("PGRST000"), 0, 5),
        (StoreRejected("23505"), 1, 10),
        (SyncError("internal_error"), 2, 20),
    ],
)
def test_a_failed_sync_is_tried_again_by_itself(error: SyncError, before: int, seconds: float) -> None:
    reaction = react_to_sync_failure(error, before, 0.0)

    assert reaction.retry_seconds == pytest.approx(seconds)
    assert reaction.lose_connection is False


@pytest.mark.parametrize(
    ("error", "before", "seconds"),
    [
        (RetryLater("backendError"), 0, MINUTE),
        (RetryLater("backendError"), 2, 4 * MINUTE),
        (RetryLater("backendError"), 99, 6 * HOUR),
        (SlowDown("rateLimitExceeded", retry_after_seconds=900), 0, 900),
        (ChannelIdTaken("answer_lost"), 0, MINUTE),
        (RequestRejected("push.webhookUrlNotHttps"), 1, 2 * MINUTE),
        (CalendarLost("notFound"), 0, MINUTE),
        (PushUnsupported("pushNotSupportedForRequestedResource"), 0, 7 * DAY),
        (PushUnsupported("pushNotSupportedForRequestedResource"), 40, 7 * DAY),
    ],
)
def test_a_failed_watch_is_tried_again_by_itself(error: SyncError, before: int, seconds: float) -> None:
    reaction = react_to_watch_failure(error, before, 0.0)

    assert reaction.retry_seconds == pytest.approx(seconds)
    assert reaction.lose_connection is False


@pytest.mark.parametrize("standing", Standing)
def test_only_a_lost_grant_stops_a_users_syncing(standing: Standing) -> None:
    assert react_to_refused_grant(standing, 0.9).lose_connection is (standing is Standing.CONFIRMED)


def test_a_suspected_grant_is_tried_again_when_a_second_refusal_counts() -> None:
    waits = [react_to_refused_grant(Standing.SUSPECTED, jitter).retry_seconds for jitter in (0.0, 0.5, 0.99)]

    assert all(CONFIRM_SECONDS + 10 < wait < 120 for wait in waits)
    assert len(set(waits)) == 3


def test_a_user_who_reconnected_does_not_wait_for_the_old_grants_failure() -> None:
    assert react_to_refused_grant(Standing.SUPERSEDED, 0.9).retry_seconds == UNLESS_PAUSED_SECONDS


def test_another_oauth_client_is_tried_again_like_any_misconfiguration() -> None:
    assert react_to_refused_grant(Standing.OTHER_CLIENT, 0.0).retry_seconds == 5 * MINUTE


def test_those_that_failed_together_do_not_return_together() -> None:
    waits = {react_to_sync_failure(RetryLater("backendError"), 3, jitter).retry_seconds for jitter in (0, 0.3, 0.6)}

    assert len(waits) == 3
