"""The types that cross floors: what `core` decides on, what `clients` carry, what `jobs` pass between them.

Owns no behaviour beyond tiny derivations of its own fields. Knows nothing of Google's JSON (see
`core/meetings/translate`) nor of table columns (see `clients/store`). Every datetime is aware UTC.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.states import Answer, EventKind, EventStatus, Placement, SetAsideReason

# Characters of an event's text that go along with its row: what has more of it weighs as much as several.
ORDINARY_TEXT = 1000


@dataclass(frozen=True, slots=True)
class EventTime:
    """One end of an event: either an all-day `date`, or an instant `at` with the zone it was written in: a name that
    `core/series/local_time` finds, or None.

    Exactly one of `date` and `at` is set. `time_zone` matters for series: they repeat in local time.
    """

    date: dt.date | None = None
    at: dt.datetime | None = None
    time_zone: str | None = None

    @property
    def is_all_day(self) -> bool:
        return self.date is not None


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of time, [start, end), aware UTC."""

    start: dt.datetime
    end: dt.datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One item of a calendar as the mirror holds it: a single event, a series master or an exception.

    `base_id` names its family: all that shares a namespace of instance ids (`base_event_id` of
    `core/series/recurrence`). `details` is Google's own JSON, trimmed to what can matter; every other field is read
    from it.
    """

    id: str
    base_id: str
    kind: EventKind
    status: EventStatus
    details: Mapping[str, Any]
    series_id: str | None = None
    start: EventTime | None = None
    end: EventTime | None = None
    original_start: EventTime | None = None
    recurrence: tuple[str, ...] = ()
    updated_at: dt.datetime | None = None

    @property
    def is_live(self) -> bool:
        return self.status is not EventStatus.CANCELLED


@dataclass(frozen=True, slots=True)
class MirrorRow:
    """An Event as a row of `calendar_events`: its details, and the columns that queries need."""

    google_event_id: str
    base_event_id: str
    recurring_event_id: str | None
    kind: EventKind
    status: EventStatus
    starts_at: dt.datetime | None
    ends_at: dt.datetime | None
    original_start_at: dt.datetime | None
    google_updated_at: dt.datetime | None
    details: Mapping[str, Any]

    @property
    def weight(self) -> int:
        """In rows of ordinary text."""
        texts = [self.details.get("description") or "", *(self.details.get("recurrence") or ())]
        return 1 + sum(map(len, texts)) // ORDINARY_TEXT


@dataclass(frozen=True, slots=True)
class Meeting:
    """One occurrence as a row of `meetings`. `other_attendees`, `has_outsiders`: None where Google does not tell."""

    google_calendar_event_id: str
    base_event_id: str
    title: str
    description: str | None
    meeting_url: str
    start_time: dt.datetime
    end_time: dt.datetime
    event_status: Answer
    status: EventStatus
    is_all_day: bool
    time_zone: str | None
    provider: str
    room_key: str
    placement: Placement
    is_private: bool = False
    is_organiser: bool = False
    other_attendees: int | None = 0
    has_outsiders: bool | None = None

    @property
    def weight(self) -> int:
        """In rows of ordinary text."""
        return 1 + len(self.description or "") // ORDINARY_TEXT


@dataclass(frozen=True, slots=True)
class Derived:
    """What whole families come to: their meetings, and why other occurrences have none (id → reason).

    `cut`: the series that have more occurrences in the horizon than a limit allows. `covered_from`: where there are too
    many for all of history, what began before was not derived, so that its absence says nothing.
    """

    meetings: tuple[Meeting, ...]
    withheld: Mapping[str, str]
    cut: tuple[str, ...] = ()
    covered_from: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class FamilyPart:
    """One family to be made true, or a chunk of one that is too large for a part.

    `known_from`: its rows that start then or later and are not named here are gone from the calendar, however long they
    are over; None: of what is over only `ended` and `withheld` are known to be no meetings. `ended`: occurrences that
    the calendar calls cancelled. `closes` False: a chunk, rows it does not name stay; `present`: what such chunks
    wrote. `entering`: members that put something behind the horizon's end, and when the first of it starts. `cut`:
    series with more occurrences than a limit allows, of which only the first have rows. `alone`: only these exceptions
    of it, which concern no other occurrence: it closes nothing, and `entering` tells of its own events.
    """

    base_id: str
    events: tuple[MirrorRow, ...]
    meetings: tuple[Meeting, ...]
    withheld: Mapping[str, str]
    forgotten: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    known_from: dt.datetime | None = None
    present: tuple[str, ...] = ()
    entering: Mapping[str, dt.datetime] = field(default_factory=dict)
    closes: bool = True
    cut: tuple[str, ...] = ()
    alone: bool = False

    @property
    def size(self) -> int:
        """Rows, and reasons why an occurrence has none."""
        return len(self.events) + len(self.forgotten) + len(self.meetings) + len(self.withheld) + len(self.ended)

    @property
    def weight(self) -> int:
        """Its size in rows of ordinary text."""
        surplus = sum(event.weight - 1 for event in self.events) + sum(meeting.weight - 1 for meeting in self.meetings)
        return self.size + surplus


@dataclass(frozen=True, slots=True)
class NamedException:
    """An exception that a delta names, of which the mirror is asked whether it stands alone."""

    base_event_id: str
    google_event_id: str
    series_id: str
    original_start_at: dt.datetime


@dataclass(frozen=True, slots=True)
class SyncPart:
    """Families to be made true together. Rows that end after `absent_from` and are not named are gone."""

    families: tuple[FamilyPart, ...]
    absent_from: dt.datetime

    @property
    def size(self) -> int:
        return sum(family.size for family in self.families)

    @property
    def families_cut(self) -> int:
        """Of how many families a limit cuts a series, each counted once: a large one is closed by its last chunk."""
        return sum(family.closes and bool(family.cut) for family in self.families)


@dataclass(frozen=True, slots=True)
class SetAside:
    """A family that could not be written, and why; `code`: what broke."""

    base_id: str
    reason: SetAsideReason
    code: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """The settings that change what a row of `meetings` means. `sync_format`: what the code keeps of an event."""

    hide_private: bool
    horizon_past_days: int
    horizon_future_days: int
    sync_format: int


@dataclass(frozen=True, slots=True)
class InForce:
    """The meaning that every process works under, whatever its own settings say; generations only grow."""

    generation: int
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class SealedTokens:
    """A user's tokens as stored: ciphertext (or, in rows of the original system, plaintext)."""

    access: str | None
    access_expires_at: dt.datetime | None
    refresh: str | None
    connected_at: dt.datetime | None = None
    refresh_expires_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class PollingFacts:
    """What is believed of a calendar, as its row has it (`core/polling/belief`), and what its next look hangs on.

    `planned_seconds`: from the last look to the next, as planned. `notified_since`: the first notification that no sync
    has answered. `channel_…`: of its live channel. `next_start_at`: of its next meeting.
    """

    changes: float = 0.0
    change_days: float = 0.0
    announced: float = 0.0
    missed: float = 0.0
    doubt: float = 0.0
    unproven_days: float = 0.0
    delay_seconds: float = 0.0
    reopened_in_vain: int = 0
    planned_seconds: float = 0.0
    notified_since: dt.datetime | None = None
    channel_opened_at: dt.datetime | None = None
    channel_expires_at: dt.datetime | None = None
    channel_address: str | None = None
    next_start_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class PollingState:
    """What holds for all calendars, as the store has it: `plan` is the row of `polling_plan`, empty before there is
    one. Requests that Google answered, by its day."""

    plan: Mapping[str, Any]
    polls_today: float
    requests_today: float
    requests_this_month: float
    requests_yesterday: float | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A calendar this worker holds the lease of."""

    calendar_id: str
    user_id: str
    google_calendar_id: str
    fence: int
    due_reason: str
    sync_token: str | None
    settings_generation: int | None
    time_zone: str | None
    notifications_seen: int
    notifications_synced: int
    last_webhook_received: dt.datetime | None
    last_synced_at: dt.datetime | None
    consecutive_failures: int
    webhook_failures: int
    has_live_channel: bool
    tokens: SealedTokens
    horizon_until: dt.datetime | None = None
    lane: str = "poll"
    is_watched: bool = True
    polling: PollingFacts = PollingFacts()

    @property
    def is_notified(self) -> bool:
        return self.notifications_seen > self.notifications_synced


@dataclass(frozen=True, slots=True)
class RollClaim:
    """A calendar whose mirror has something that is to enter the horizon, under the lease of a sync."""

    calendar_id: str
    fence: int
    time_zone: str


@dataclass(frozen=True, slots=True)
class WatchClaim:
    """A calendar whose watch this worker is to open or renew."""

    calendar_id: str
    user_id: str
    google_calendar_id: str
    watch_failures: int
    tokens: SealedTokens


@dataclass(frozen=True, slots=True)
class AdoptableChannel:
    """A channel whose opening was never answered, and which speaks. `expires_at`: as it told, if it did."""

    channel_id: str
    calendar_id: str
    resource_id: str
    expires_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class DeadChannel:
    """A channel that is to be stopped at Google."""

    channel_id: str
    resource_id: str
    user_id: str
    tokens: SealedTokens


@dataclass(frozen=True, slots=True)
class CalendarList:
    """A user's calendar list as Google has it. `sync_token`: asks for what changed since; None if Google gave none."""

    entries: tuple[dict[str, Any], ...]
    sync_token: str | None


@dataclass(frozen=True, slots=True)
class EventsPage:
    """One page of events.list. The sync token comes on the last page only; empty tokens, zone and name are None."""

    items: tuple[Mapping[str, Any], ...]
    next_page_token: str | None
    next_sync_token: str | None
    time_zone: str | None
    calendar_name: str | None = None


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """Google's answer to watch."""

    channel_id: str
    resource_id: str
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed in. `implicit_tls`: from the first byte (smtps); else by STARTTLS."""

    host: str
    port: int
    sender: str
    implicit_tls: bool
    is_loopback: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """What the token endpoint gave. `refresh_token` only when Google sent a new one; `refresh_token_expires_in`
    (seconds) when Google said so, as it does for OAuth apps in testing."""

    access_token: str
    expires_at: dt.datetime
    refresh_token: str | None
    scopes: tuple[str, ...]
    refresh_token_expires_in: int | None = None
