"""The closed sets of words that rows, answers and logs carry, as types; and who moves each state, on what event.

Every value is the one on the wire and in SQL, where check constraints hold the same sets (`tests/sql/test_states.py`
compares both). `docs/states.md` draws the transitions. Ground floor: everybody may use it, it uses nobody.
"""

from __future__ import annotations

from enum import StrEnum


class SyncStatus(StrEnum):
    """How a claim ended. Each claim ends once, so there are no transitions.

    completed: `commit_sync` took it. failed: `end_claim` with an error; tried again with backoff. skipped: `end_claim`,
    since the plan asked for nothing. released: the process is to stop, or Google is down: the claim is given back
    (`release_calendar`).
    lost: the fence has moved on, another worker has the calendar. The last two write nothing: only `LOGGED_STATUSES`
    stand in `calendar_sync_logs.status`.
    """

    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    RELEASED = "released"
    LOST = "lost"


LOGGED_STATUSES = frozenset({SyncStatus.COMPLETED, SyncStatus.FAILED, SyncStatus.SKIPPED})


class SyncType(StrEnum):
    """Who asked for a sync (`calendar_sync_logs.sync_type`). `core/polling/plan` decides it before the sync.

    incremental → full: a poll that finds its sync token expired lists everything instead, and is logged so.
    """

    INITIAL = "initial"
    WEBHOOK = "webhook"
    INCREMENTAL = "incremental"
    FULL = "full"
    MANUAL = "manual"


class CircuitState(StrEnum):
    """A breaker between this process and one upstream (`clients/breakers`; `service_breakers.state`). Starts as closed.

    closed → open: calls fail in a row. open → half_open: its time is over, one call is let through. half_open → closed:
    that one was answered. half_open → open: it failed too. The row knows open and closed only.
    """

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class NotifiedOutcome(StrEnum):
    """What `record_notification` made of one notification. An answer, so it has no transitions.

    due: the calendar waits for a sync. handshake: the first of a channel, with nothing to sync. dead_channel: the
    channel should be silent, it is to be stopped. unknown_channel: none of ours by that id. refused: not its resource.
    """

    DUE = "due"
    HANDSHAKE = "handshake"
    DEAD_CHANNEL = "dead_channel"
    UNKNOWN_CHANNEL = "unknown_channel"
    REFUSED = "refused"


class InitialSync(StrEnum):
    """How far a calendar's first listing is (`calendar_webhooks.initial_sync`). Starts as pending.

    pending, failed → running: `claim_due_calendars`. running → done: `commit_sync`. running → failed: `end_claim` with
    failed. running → pending: `release_calendar`, or `end_claim` with skipped. any → pending: the calendar is let
    go (removed, its user leaves or connects another Google account). A worker that dies leaves running, and the next
    claim goes on from there.
    """

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class PausedReason(StrEnum):
    """Why nobody syncs a calendar (`calendar_webhooks.paused_reason`; null: it is not paused).

    null → needs_reauth: `lose_connection`, when Google says that the grant is dead. null → user_gone: the upgrade of an
    original database, for rows whose user is not in auth.users. any → null: the user connects again, or the
    calendar is let go.
    """

    NEEDS_REAUTH = "needs_reauth"
    USER_GONE = "user_gone"


class CalendarState(StrEnum):
    """A calendar's health as `calendar_status` shows it: computed from its row at each look, the first that holds.

    inactive: its user watches it no more. paused: it has a `PausedReason`, or Google refuses this calendar alone.
    poisoned: its last claims were never ended, each may have killed its process; it waits, alone, longer each time.
    overdue: past its own bound, for nobody takes it up, or no sync of it ends. connecting: never synced, never failed.
    retrying: the last syncs failed. polled_only: no live channel. push_doubtful: push missed changes, or its channel
    has never spoken. healthy: none of these.
    """

    INACTIVE = "inactive"
    PAUSED = "paused"
    POISONED = "poisoned"
    OVERDUE = "overdue"
    CONNECTING = "connecting"
    RETRYING = "retrying"
    POLLED_ONLY = "polled_only"
    PUSH_DOUBTFUL = "push_doubtful"
    HEALTHY = "healthy"


class ChannelState(StrEnum):
    """A push channel (`calendar_channels.state`). Starts as opening, stored before Google is asked (`begin_channel`).

    opening, failed → live: Google opened it (`activate_channel`; also one whose answer came late). opening, failed →
    superseded: the same, but its user has left meanwhile. opening → failed: Google refused (`fail_channel`), or the
    process died (abandoned). live → superseded: a newer channel is live, or its user left. any that is
    to be stopped → expired: its time was over before it could be. superseded, failed, expired, and live of a calendar
    that is let go → stopped: Google has stopped it, or does not know it (`end_channel`).
    """

    OPENING = "opening"
    LIVE = "live"
    SUPERSEDED = "superseded"
    STOPPED = "stopped"
    FAILED = "failed"
    EXPIRED = "expired"


class PushState(StrEnum):
    """How far a calendar's push can be relied on (`calendar_status.push_state`); the first that holds.

    disconnected, paused: nobody syncs it. unsupported: Google opens no channel for it. failing: no channel lives, or
    pushes keep missing, also on new channels. suspect: a miss, a silence that is improbable, or its region is in
    trouble: it is looked at. quiet: nothing was announced for a day, and nothing missed. healthy: none of these.
    """

    DISCONNECTED = "disconnected"
    PAUSED = "paused"
    UNSUPPORTED = "unsupported"
    FAILING = "failing"
    SUSPECT = "suspect"
    QUIET = "quiet"
    HEALTHY = "healthy"


class RegionState(StrEnum):
    """How notifications come through a region's door (`ingress_regions.state`), moved by `watch_ingress`. Starts as
    healthy.

    healthy → silent: far fewer pushes come than its calendars would send. healthy, silent → sick: probes do not come
    back, or changes of many calendars were missed. silent → healthy: pushes come, or the calendars that were looked at
    had not changed. sick → healthy: pushes or probes come, or an hour has passed without another miss.
    """

    HEALTHY = "healthy"
    SILENT = "silent"
    SICK = "sick"


class Watch(StrEnum):
    """How a calendar is observed, as the accounts' routes say it; computed at each look. live: by a channel.
    polled: watched without one. none: not watched at all."""

    LIVE = "live"
    POLLED = "polled"
    NONE = "none"


class ConnectionStatus(StrEnum):
    """A user's grant (`google_credentials.status`; no row: never connected).

    any, no row → connected: `connect_calendars` with a grant that works. connected → needs_reauth: Google has said
    twice that the grant is dead (`lose_connection`). needs_reauth → connected: it works after all
    (`regain_connection`). connected, needs_reauth → disconnected: the user leaves (`begin_disconnect`).
    """

    CONNECTED = "connected"
    NEEDS_REAUTH = "needs_reauth"
    DISCONNECTED = "disconnected"


class Standing(StrEnum):
    """What a refused grant comes to (`suspect_connection`).

    The first refusal → suspected: asked again a pause later, and nobody is told. suspected → confirmed: refused again;
    `lose_connection` follows. A token in between forgets the suspicion. superseded: the user has reconnected meanwhile.
    other_client: the grant was given to another OAuth client than ours now, so its refusal is the operator's matter.
    """

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    SUPERSEDED = "superseded"
    OTHER_CLIENT = "other_client"


class UserNotice(StrEnum):
    """What a user is told (`user_notifications.kind`). connected: a Google account that was not
    theirs before. reconnect_needed and reconnected: their grant died, and they gave another. calendar_lost and
    calendar_back: Google refuses one calendar, and lets us read it again."""

    CONNECTED = "connected"
    RECONNECT_NEEDED = "reconnect_needed"
    RECONNECTED = "reconnected"
    CALENDAR_LOST = "calendar_lost"
    CALENDAR_BACK = "calendar_back"


class EventKind(StrEnum):
    """What an item of a calendar is (`calendar_events.kind`): an event alone, a series, or an exception of one."""

    SINGLE = "single"
    SERIES = "series"
    EXCEPTION = "exception"


class EventStatus(StrEnum):
    """Google's status of an event, and a meeting's (`calendar_events.status`, `meetings.status`).

    A meeting follows its event, moved by `commit_sync`. It becomes cancelled also when its occurrence vanishes, or when
    its user removes the calendar or leaves, or the calendar is long lost; the commit that finds it again brings it
    back.
    """

    CONFIRMED = "confirmed"
    TENTATIVE = "tentative"
    CANCELLED = "cancelled"


class Answer(StrEnum):
    """The user's answer to an invitation (`meetings.event_status`), as Google spells it. They move it, in Google."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    TENTATIVE = "tentative"
    NEEDS_ACTION = "needsAction"


class Placement(StrEnum):
    """Where an occurrence lies: inside the horizon, over before it, or beyond it."""

    INSIDE = "inside"
    BEFORE = "before"
    BEYOND = "beyond"


class SetAsideReason(StrEnum):
    """Why a family of events is set aside (`calendar_set_aside.reason`) while the rest of its calendar is synced.

    unreadable: our rules break on it. refused: SQL takes none of its rows. Either goes away, or turns into the other,
    with the sync that lists the family again.
    """

    UNREADABLE = "unreadable"
    REFUSED = "refused"


class BotStatus(StrEnum):
    """How far a meeting's bot is (`meetings.bot_status`). Starts as pending: none is asked for, or not yet.

    pending → bot_scheduled: the provider has it. → bot_joined: it is in the call. → transcribing: the call is over for
    it. → completed: its provider is done. any of these → failed: the provider says so. any of these → cancelled: it is
    not wanted any more. A message moves it forward only, over any number of steps (`core/bots/provider_states`);
    another bot for the same meeting begins at pending again.
    """

    PENDING = "pending"
    BOT_SCHEDULED = "bot_scheduled"
    BOT_JOINED = "bot_joined"
    TRANSCRIBING = "transcribing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ChangeType(StrEnum):
    """What a change event tells (`change_events.type`), and what a subscription may ask for. Written by triggers.

    meeting.created: a row that is not cancelled came. meeting.cancelled: it became so, or was deleted.
    meeting.updated: any other change of its content, also its coming back. bot.status_changed: its bot went on.
    calendar.connected: it is watched from now on. calendar.lost: it cannot be read, or is watched no more; once for
    each reason that begins. calendar.regained: it is read again.
    """

    MEETING_CREATED = "meeting.created"
    MEETING_UPDATED = "meeting.updated"
    MEETING_CANCELLED = "meeting.cancelled"
    BOT_STATUS_CHANGED = "bot.status_changed"
    CALENDAR_CONNECTED = "calendar.connected"
    CALENDAR_LOST = "calendar.lost"
    CALENDAR_REGAINED = "calendar.regained"


class SubscriptionState(StrEnum):
    """Whether a subscription is told of changes (`event_subscriptions.state`). Starts as enabled.

    enabled → disabled: its endpoint answers 410 (`record_event_delivery`, reason gone_410), or the operator says so.
    disabled → enabled: the operator says so; what came meanwhile and is still kept is then delivered.
    """

    ENABLED = "enabled"
    DISABLED = "disabled"


class SubscriptionContent(StrEnum):
    """What an event's body carries (`event_subscriptions.content`). ids: what changed, where to read it. full: the row
    too, as it is at the time of the attempt. The operator chooses."""

    IDS = "ids"
    FULL = "full"


class DeliveryState(StrEnum):
    """How far one event is with one subscription (`event_deliveries.state`), or an alert's message with one destination
    (`alert_deliveries.state`). Starts as pending.

    pending → delivered: a 2xx (`record_event_delivery`). pending → dead: the schedule is used up, or its attempts kill
    who makes them (`claim_event_deliveries`). delivered, dead → pending: it is replayed
    (`replay_events`; alerts are not).
    """

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class Lane(StrEnum):
    """What an operator may stop (`lane_pauses.lane`): while its row stands, nothing of the lane is claimed.

    notified, first, poll: calendars, as `claim_due_calendars` sorts them. audit: the drift audit's sample. bots,
    events: deliveries. A calendar that somebody names (a person waits for it) is claimed all the same.
    """

    NOTIFIED = "notified"
    FIRST = "first"
    POLL = "poll"
    AUDIT = "audit"
    BOTS = "bots"
    EVENTS = "events"


class QueueLane(StrEnum):
    """Where a calendar waits to be claimed (`calendar_queue.lane`), as a trigger reads it from the calendar's row.

    Of several the first in this order. suspect: its last claims were never ended. first: to be listed whole.
    notified: a notification waits. imminent: a look before a meeting. poll: another look.
    """

    SUSPECT = "suspect"
    FIRST = "first"
    NOTIFIED = "notified"
    IMMINENT = "imminent"
    POLL = "poll"


class OperatorDoor(StrEnum):
    """By which door an operator came (`operator_actions.door`)."""

    DASHBOARD = "dashboard"
    CLI = "cli"


class DeedOutcome(StrEnum):
    """What came of an operator's deed (`operator_actions.outcome`, `operate`). Written once, with the deed."""

    DONE = "done"
    NOT_FOUND = "not_found"
    NOTHING_TO_DO = "nothing_to_do"


class AlertState(StrEnum):
    """Whether an alert still holds (`alerts.state`). Starts as open: a rule finds what is wrong (`record_alerts`).

    open → resolved: nothing of it has been found for a while. What comes again then is another alert.
    """

    OPEN = "open"
    RESOLVED = "resolved"


class AlertSeverity(StrEnum):
    """How soon somebody should look (`alerts.severity`). warning: today. critical: now, users see it or soon will."""

    WARNING = "warning"
    CRITICAL = "critical"


class AlertKind(StrEnum):
    """What an alert is about (`alerts.kind`), each a heading of docs/alerts.md. Rules find them
    (`core/operations/alert_rules`); they are no states, so nothing moves them."""

    FAILURE_RATE = "failure_rate"
    PAST_BOUND = "past_bound"
    CHANNELS_LAPSING = "channels_lapsing"
    REAUTH_WAVE = "reauth_wave"
    POISONED = "poisoned"
    DRIFT = "drift"
    BREAKER_OPEN = "breaker_open"
    QUOTA_FORECAST = "quota_forecast"
    QUOTA_REFUSED = "quota_refused"
    LANE_PAUSED = "lane_paused"
    REGION_DOWN = "region_down"
    POLL_BUDGET = "poll_budget"
    DEAD_BOTS = "dead_bots"
    DEAD_EVENTS = "dead_events"
    SUSPICIOUS = "suspicious"
    WORKER_SILENT = "worker_silent"
    CRON_SILENT = "cron_silent"
    DATABASE_BEHIND = "database_behind"
    MAIL_FAILING = "mail_failing"
    DESTINATION_FAILING = "destination_failing"
