"""The Calendar API: list events, watch, stop, list calendars. Shapes in, typed failures out.

Owns the list parameters (they never change between calls of one sync token), time-outs, and the retries of passing
faults. Knows no tokens' origin: it asks `Access` for one, and once more for a fresh one when Google refuses it.
Called by jobs.
"""

from __future__ import annotations

import datetime as dt
import http.client
import random
import time
from collections.abc import Callable
from typing import Any, Protocol

import httplib2
from googleapiclient import discovery
from googleapiclient.discovery_cache import get_static_doc
from googleapiclient.http import HttpRequest
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from sync.clients.google.errors import AccessTokenRejected, failure_of
from sync.clients.google.http_transport import ThreadHttp
from sync.errors import (
    BadRequest,
    CalendarLost,
    ChannelUnknown,
    OutcomeUnknown,
    PageTokenRejected,
    ResyncNeeded,
    RetryLater,
)
from sync.model import EventsPage, OpenChannel

# Google's cap. A page is one call, whatever it holds.
PAGE_SIZE = 2500
# Of each request, for passing faults only; what outlives these waits for the calendar's own backoff.
ATTEMPTS = 3
# A Retry-After up to this is waited for at once; a longer one becomes the calendar's backoff.
LONGEST_WAIT_SECONDS = 4.0
# Only the reader's own attendee row: its answer is all a meeting needs, and other people's addresses stay at Google.
MAX_ATTENDEES = 1


class Access(Protocol):
    """A user's way in. `token(fresh=True)` after Google refused the last one."""

    def token(self, *, fresh: bool = False) -> str: ...


class GoogleCalendar:
    """Thread-safe; one per process."""

    def __init__(self, endpoint: str) -> None:
        document = get_static_doc("calendar", "v3")  # type: ignore[no-untyped-call]
        if document is None:
            raise RuntimeError("google-api-python-client holds no discovery document for calendar v3")
        # The transport given here is never used: every request names its thread's own.
        self._api: Any = discovery.build_from_document(  # type: ignore[attr-defined]
            document, http=httplib2.Http(), client_options={"api_endpoint": f"{endpoint}/calendar/v3/"}
        )
        self._threads = ThreadHttp()

    def list_events(
        self, access: Access, calendar_id: str, *, sync_token: str | None, page_token: str | None
    ) -> EventsPage:
        """One page of events.list: of the changes since `sync_token`, or without one of the whole calendar.

        Raises ResyncNeeded (token expired or corrupt), PageTokenRejected, CalendarLost, ReconnectNeeded, SlowDown,
        RetryLater.
        """
        request = self._api.events().list(
            calendarId=calendar_id,
            maxResults=PAGE_SIZE,
            maxAttendees=MAX_ATTENDEES,
            singleEvents=False,
            syncToken=sync_token,
            pageToken=page_token,
        )
        try:
            answer = self._execute(access, request)
        except BadRequest as rejected:
            if page_token:
                raise PageTokenRejected(rejected.code) from rejected
            if sync_token:
                # Seen in the wild beside the documented 410: 400 "Invalid sync token value."
                raise ResyncNeeded(rejected.code) from rejected
            raise
        return EventsPage(
            items=tuple(answer.get("items") or ()),
            next_page_token=answer.get("nextPageToken"),
            next_sync_token=answer.get("nextSyncToken"),
            time_zone=answer.get("timeZone") or "UTC",
        )

    def watch(
        self, access: Access, calendar_id: str, *, channel_id: str, token: str, address: str, now: dt.datetime
    ) -> OpenChannel:
        """Opens a push channel. Raises PushUnsupported, ChannelIdTaken, OutcomeUnknown (it may be open), and as
        above."""
        body = {"id": channel_id, "type": "web_hook", "address": address, "token": token}
        request = self._api.events().watch(calendarId=calendar_id, body=body)
        # Not repeated: a second try with this id would be refused if the first one arrived.
        answer = self._execute(access, request, attempts=1)
        try:
            return OpenChannel(channel_id, str(answer["resourceId"]), _expiration(answer.get("expiration"), now))
        except (LookupError, TypeError, ValueError, OverflowError) as broken:
            raise OutcomeUnknown("answer_unreadable") from broken

    def stop(self, access: Access, *, channel_id: str, resource_id: str) -> None:
        """Stops a channel. Raises ChannelUnknown when there is none (any more)."""
        request = self._api.channels().stop(body={"id": channel_id, "resourceId": resource_id})
        try:
            self._execute(access, request)
        except CalendarLost as unknown:
            raise ChannelUnknown(unknown.code) from unknown

    def list_calendars(self, access: Access) -> list[dict[str, Any]]:
        """The user's calendar list (id, summary, primary, accessRole, timeZone), all pages."""
        entries: list[dict[str, Any]] = []
        page_token = None
        while True:
            request = self._api.calendarList().list(maxResults=250, pageToken=page_token)
            answer = self._execute(access, request)
            entries.extend(answer.get("items") or ())
            page_token = answer.get("nextPageToken")
            if not page_token:
                return entries

    def _execute(self, access: Access, request: HttpRequest, *, attempts: int = ATTEMPTS) -> dict[str, Any]:
        retrying = Retrying(
            retry=retry_if_exception_type(RetryLater),
            stop=_stop_after(attempts),
            wait=_wait_seconds,
            sleep=time.sleep,
            reraise=True,
        )
        return retrying(self._attempt, access, request)

    def _attempt(self, access: Access, request: HttpRequest) -> dict[str, Any]:
        try:
            return self._send(access.token(), request)
        except AccessTokenRejected:
            pass
        try:
            return self._send(access.token(fresh=True), request)
        except AccessTokenRejected as rejected:
            # The grant gives tokens and the calendar refuses them: a matter of this calendar, not of the grant.
            raise CalendarLost("unauthorized") from rejected

    def _send(self, token: str, request: HttpRequest) -> dict[str, Any]:
        headers = {**(request.headers or {}), "authorization": f"Bearer {token}"}
        if request.body is not None:
            headers["content-type"] = "application/json"
        try:
            response, content = self._threads.http.request(
                request.uri, method=request.method, body=request.body, headers=headers
            )
        except (OSError, http.client.HTTPException, httplib2.HttpLib2Error) as broken:
            self._threads.http.close()
            raise OutcomeUnknown("no_answer", type(broken).__name__) from broken
        if response.status >= 300:
            raise failure_of(response.status, response, content)
        if response.status == 204 or not content:
            return {}
        try:
            answer = request.postproc(response, content)
        except ValueError as broken:
            raise OutcomeUnknown("answer_unreadable") from broken
        if not isinstance(answer, dict):
            raise OutcomeUnknown("answer_unreadable")
        return answer


def _stop_after(attempts: int) -> Callable[[RetryCallState], bool]:
    by_count = stop_after_attempt(attempts)

    def stop(state: RetryCallState) -> bool:
        failure = state.outcome.exception() if state.outcome else None
        asked = failure.retry_after_seconds if isinstance(failure, RetryLater) else None
        return by_count(state) or (asked or 0.0) > LONGEST_WAIT_SECONDS

    return stop


def _wait_seconds(state: RetryCallState) -> float:
    """min(2^n + random(0..1 s)), halved for a service that waits on it; at least what Retry-After asked."""
    failure = state.outcome.exception() if state.outcome else None
    asked = failure.retry_after_seconds if isinstance(failure, RetryLater) else None
    backoff: float = 0.25 * 2.0**state.attempt_number + random.random() / 2  # noqa: S311 - spreads load, guards nothing
    return max(backoff, asked or 0.0)


def _expiration(value: str | int | None, now: dt.datetime) -> dt.datetime:
    """Milliseconds since the epoch, sent as a string or a number. Absent: Google's documented default of a week."""
    if value is None:
        return now + dt.timedelta(days=7)
    return dt.datetime.fromtimestamp(int(value) / 1000, tz=dt.UTC)
