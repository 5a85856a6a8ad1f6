"""The Calendar API: list events, watch, stop, list calendars. Shapes in, typed failures out.

Owns the list parameters (they never change between calls of one sync token), time-outs, and the retries of passing
faults. Knows no tokens' origin: it asks `Access` for one, and once more for a fresh one when Google refuses it.
Called by jobs.
"""

from __future__ import annotations

import datetime as dt
import functools
import http.client
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import httplib2
from googleapiclient import discovery
from googleapiclient.discovery_cache import get_static_doc
from googleapiclient.http import HttpRequest

from sync.clients.breakers import GOOGLE_API, Breakers
from sync.clients.google.answers import items_of, token_of
from sync.clients.google.calendar_list import read_list
from sync.clients.google.errors import AccessTokenRejected, breaker_of, failure_of
from sync.clients.google.http_transport import TIMEOUT_SECONDS, ThreadHttp, TooLong, TooManyBytes
from sync.clients.retrying import Retries, retry
from sync.errors import (
    AnswerTooLarge,
    AnswerTooSlow,
    AnswerUnbounded,
    BadRequest,
    CalendarLost,
    ChannelUnknown,
    ForeignAnswer,
    GoogleFailure,
    OutcomeUnknown,
    PageTokenRejected,
    QuotaWait,
    ResyncNeeded,
    RetryLater,
    SlowDown,
    UpstreamDown,
)
from sync.model import CalendarList, EventsPage, OpenChannel
from sync.telemetry.metrics import GOOGLE_BILLABLE, GOOGLE_DURATION, GOOGLE_REQUESTS
from sync.telemetry.registry import observed

# Google's default. Ten times as many are a call less for ten, and an answer of tens of megabytes, or none at all.
PAGE_SIZE = 250
# Of each request, for passing faults only; what outlives these waits for the calendar's own backoff.
RETRIES = Retries("google_api", attempts=3, first_seconds=1.0, most_seconds=4.0, asked_seconds=4.0)
ONCE = Retries("google_api", attempts=1, first_seconds=0.0, most_seconds=0.0)
# Only the reader's own attendee row: its answer is all a meeting needs, and other people's addresses stay at Google.
MAX_ATTENDEES = 1


class Access(Protocol):
    """A user's way in. Each request asks for a token: `token(fresh=True)` after Google refused the last one; it raises
    QuotaWait if no request may be made. `answered` is told how each ended. `is_waited_for`: a person waits."""

    is_waited_for: bool

    def token(self, *, fresh: bool = False) -> str: ...

    def answered(self, failure: GoogleFailure | None) -> None: ...


@functools.cache
def _resources(endpoint: str) -> tuple[Any, Any, Any]:
    """Events, channels and calendar list: what makes requests for them. Each builds all its methods from the document,
    which takes several milliseconds, and keeps nothing of a request."""
    document = get_static_doc("calendar", "v3")  # type: ignore[no-untyped-call]
    if document is None:
        raise RuntimeError("google-api-python-client holds no discovery document for calendar v3")
    # The transport given here is never used: every request names its thread's own.
    api: Any = discovery.build_from_document(  # type: ignore[attr-defined]
        document, http=httplib2.Http(), client_options={"api_endpoint": f"{endpoint}/calendar/v3/"}
    )
    return api.events(), api.channels(), api.calendarList()


class GoogleCalendar:
    """Thread-safe; one per process. `pause` waits so many seconds before a request is repeated."""

    def __init__(
        self,
        endpoint: str,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        breakers: Breakers | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._events, self._channels, self._calendars = _resources(endpoint)
        self._threads = ThreadHttp(timeout_seconds)
        self._breaker = breaker_of(breakers or Breakers(), GOOGLE_API)
        self._pause = pause

    def list_events(
        self,
        access: Access,
        calendar_id: str,
        *,
        sync_token: str | None,
        page_token: str | None,
        page_size: int = PAGE_SIZE,
    ) -> EventsPage:
        """One page of events.list: of the changes since `sync_token`, or without one of the whole calendar. A page
        token belongs to the `page_size` it was given under.

        Raises AnswerTooLarge (a smaller page may come through), ResyncNeeded (token expired or corrupt),
        PageTokenRejected, CalendarLost, ReconnectNeeded, SlowDown, RetryLater.
        """
        request = self._events.list(
            calendarId=calendar_id,
            maxResults=page_size,
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
            items=tuple(items_of(answer, "calendar#events")),
            next_page_token=token_of(answer, "nextPageToken"),
            next_sync_token=token_of(answer, "nextSyncToken"),
            time_zone=token_of(answer, "timeZone"),
            # Only shown: a name that is none stops nothing.
            calendar_name=name if isinstance(name := answer.get("summary"), str) else None,
        )

    def get_event(self, access: Access, calendar_id: str, event_id: str) -> Mapping[str, Any] | None:
        """One event, cancelled ones included; None if Google knows none by this id. Raises ReconnectNeeded, SlowDown,
        RetryLater."""
        request = self._events.get(calendarId=calendar_id, eventId=event_id, maxAttendees=MAX_ATTENDEES)
        try:
            answer = self._execute(access, request)
        except (BadRequest, CalendarLost, ResyncNeeded):
            # A calendar that is lost says so when it is listed.
            return None
        if answer.get("id") != event_id:
            raise ForeignAnswer("foreign_answer_200")
        return answer

    def watch(
        self, access: Access, calendar_id: str, *, channel_id: str, token: str, address: str, now: dt.datetime
    ) -> OpenChannel:
        """Opens a push channel. Raises PushUnsupported, ChannelIdTaken, OutcomeUnknown (it may be open), and as
        above."""
        body = {"id": channel_id, "type": "web_hook", "address": address, "token": token}
        request = self._events.watch(calendarId=calendar_id, body=body)
        # Not repeated: a second try with this id would be refused if the first one arrived.
        answer = self._execute(access, request, ONCE)
        try:
            return OpenChannel(channel_id, str(answer["resourceId"]), _expiration(answer.get("expiration"), now))
        except (LookupError, TypeError, ValueError, OverflowError) as broken:
            raise ForeignAnswer("foreign_answer_200") from broken

    def stop(self, access: Access, *, channel_id: str, resource_id: str) -> None:
        """Stops a channel. Raises ChannelUnknown when there is none (any more)."""
        request = self._channels.stop(body={"id": channel_id, "resourceId": resource_id})
        try:
            self._execute(access, request)
        except CalendarLost as unknown:
            raise ChannelUnknown(unknown.code) from unknown

    def list_calendars(self, access: Access) -> list[dict[str, Any]]:
        """The user's calendar list (id, summary, primary, accessRole, timeZone), all pages. With those they have
        hidden: that says nothing of who meets there."""
        return list(self.calendar_list(access).entries)

    def calendar_list(self, access: Access, known: CalendarList | None = None) -> CalendarList:
        """The same. `known`: as it was; Google then tells only what has changed since."""
        # The parameters must be the same for a sync token as they were for the list it came with.
        return read_list(
            lambda page: self._execute(access, self._calendars.list(maxResults=250, showHidden=True, **page)), known
        )

    def _execute(self, access: Access, request: HttpRequest, rule: Retries = RETRIES) -> dict[str, Any]:
        return retry(
            lambda: self._attempt(access, request),
            rule,
            passes=lambda failure: _may_pass_at_once(failure, access.is_waited_for),
            asked=_asked_seconds,
            pause=self._pause,
        )

    def _attempt(self, access: Access, request: HttpRequest) -> dict[str, Any]:
        self._breaker.refuse_while_down()
        try:
            return self._ask(access, access.token(), request)
        except AccessTokenRejected:
            pass
        try:
            return self._ask(access, access.token(fresh=True), request)
        except AccessTokenRejected as rejected:
            # The grant gives tokens and the calendar refuses them: a matter of this calendar, not of the grant.
            raise CalendarLost("unauthorized") from rejected

    def _ask(self, access: Access, token: str, request: HttpRequest) -> dict[str, Any]:
        try:
            answer = self._breaker.call(lambda: self._send(token, request), subject=hash(token))
        except GoogleFailure as failure:
            access.answered(failure)
            raise
        access.answered(None)
        return answer

    def _send(self, token: str, request: HttpRequest) -> dict[str, Any]:
        with observed(GOOGLE_REQUESTS, GOOGLE_DURATION, (request.methodId or "").removeprefix("calendar.")):
            return self._exchange(token, request)

    def _exchange(self, token: str, request: HttpRequest) -> dict[str, Any]:
        headers = {**(request.headers or {}), "authorization": f"Bearer {token}"}
        if request.body is not None:
            headers["content-type"] = "application/json"
        try:
            response, content = self._threads.http.request(
                request.uri, method=request.method, body=request.body, headers=headers
            )
        except TooManyBytes as unbounded:
            self._threads.http.close()
            raise AnswerTooLarge("answer_too_large") from unbounded
        except TooLong as unbounded:
            self._threads.http.close()
            raise AnswerTooSlow("answer_too_slow") from unbounded
        except (OSError, http.client.HTTPException, httplib2.HttpLib2Error) as broken:
            self._threads.http.close()
            raise OutcomeUnknown("no_answer", type(broken).__name__) from broken
        if response.status >= 300:
            raise failure_of(response.status, response, content)
        GOOGLE_BILLABLE.inc()
        if response.status == 204 or not content:
            return {}
        try:
            answer = request.postproc(response, content)
        except (ValueError, RecursionError) as broken:
            raise ForeignAnswer("foreign_answer_200") from broken
        if not isinstance(answer, dict):
            raise ForeignAnswer("foreign_answer_200")
        return answer


def _may_pass_at_once(failure: BaseException, is_waited_for: bool) -> bool:
    """A quota that is used up is left alone, unless a person waits: to ask once more costs less than to send them
    away."""
    if isinstance(failure, SlowDown):
        return is_waited_for and not isinstance(failure, QuotaWait)
    return isinstance(failure, RetryLater) and not isinstance(failure, AnswerUnbounded | UpstreamDown)


def _asked_seconds(failure: BaseException) -> float:
    return (failure.retry_after_seconds or 0.0) if isinstance(failure, RetryLater) else 0.0


def _expiration(value: str | int | None, now: dt.datetime) -> dt.datetime:
    """Milliseconds since the epoch, sent as a string or a number. Absent: Google's documented default of a week."""
    if value is None:
        return now + dt.timedelta(days=7)
    return dt.datetime.fromtimestamp(int(value) / 1000, tz=dt.UTC)
