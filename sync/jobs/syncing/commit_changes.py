"""From what a sync listed to its commit: merge, derive, write. Called by `sync_calendar`; rules live in
`core/meetings/parts`.

What fits one part is one commit. More is staged part after part: idempotent, under the fence, whole families, the token
last. A part that takes the store too long is cut in two; one that it refuses is cut until the family that it cannot
take is set aside alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import asdict

from sync.clients.store import Committed, Staged
from sync.core.accounts.connection_loss import CALENDAR_BACK
from sync.core.meetings.exceptions import alone_changes, asked_about, exceptions_alone
from sync.core.meetings.packing import halves
from sync.core.meetings.parts import FamilyChange, delta_changes, full_changes, is_costly, over_families, sync_parts
from sync.core.meetings.translate import event_from_google
from sync.core.polling.plan import COALESCE_SECONDS, SyncPlan
from sync.core.polling.poll_policy import NextPoll, another_look
from sync.errors import DataRefused, StoreTooSlow
from sync.jobs.leases import LEASE_SECONDS
from sync.jobs.syncing.by_turns import by_turns
from sync.jobs.syncing.listing import Listing
from sync.jobs.syncing.next_look import learn_and_plan
from sync.jobs.syncing.sync_run import SyncRun
from sync.model import Claim, Event, SetAside, SyncPart, Window
from sync.states import SetAsideReason, SyncType

# Where Google gives no sync token, each notification costs a whole listing: not more than one a minute.
TOKENLESS_PAUSE_SECONDS = 60.0


def commit_changes(run: SyncRun, listing: Listing, horizon: Window) -> Committed:
    """Makes `meetings` what the listing says. Raises LeaseLost, SettingsMoved, and the store's failures."""
    writer = _Writer(run, listing, horizon)
    if not listing.changes.is_small():
        writer.stage_all()
        return writer.commit(SyncPart((), horizon.start))
    parts = list(writer.parts())
    if len(parts) > 1:
        for part in parts:
            writer.stage(part)
        return writer.commit(SyncPart((), horizon.start))
    part = parts[0] if parts else SyncPart((), horizon.start)
    try:
        return writer.commit(part)
    except (StoreTooSlow, DataRefused) as refused:
        if not part.families:
            raise
        writer.stage_cut(part, refused)
        return writer.commit(SyncPart((), horizon.start))


class _Writer:
    """Writes one sync's parts, and counts."""

    def __init__(self, run: SyncRun, listing: Listing, horizon: Window) -> None:
        self._run = run
        self._listing = listing
        self._horizon = horizon
        self._store = run.services.store.commits
        self._staged = Staged(0, 0, 0, 0)
        self._compared = 0
        self._set_aside: list[SetAside] = list(listing.set_aside)

    def parts(self) -> Iterator[SyncPart]:
        """All parts. One is made only when the last was taken: what a lot of families reads, the last has written."""
        for lot in self._listing.changes.families():
            changes = self._changes(lot)
            parts = sync_parts(changes, self._horizon, self._listing.time_zone, self._set_aside)
            for part in by_turns(parts) if is_costly(changes) else parts:
                if part.families_cut:
                    self._run.services.log.warning(
                        "occurrences_cut", calendar_id=self._run.claim.calendar_id, families=part.families_cut
                    )
                yield part

    def stage_all(self) -> None:
        """Stages all parts. Of a full listing one is made while the last is written; what a delta reads of the mirror,
        its last part may have written."""
        if not self._listing.is_full:
            for part in self.parts():
                self.stage(part)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="stage") as beside:
            writing: Future[None] | None = None
            for part in self.parts():
                if writing:
                    writing.result()
                writing = beside.submit(copy_context().run, self.stage, part)
            if writing:
                writing.result()

    def stage(self, part: SyncPart) -> None:
        self._run.between_pages()
        try:
            written = self._store.stage(
                self._run.claim,
                self._run.sync_id,
                part,
                self._listing.is_full,
                LEASE_SECONDS,
                self._run.in_force.generation,
            )
        except (StoreTooSlow, DataRefused) as refused:
            self.stage_cut(part, refused)
            return
        if written is None:
            raise self._run.why_refused()
        self._staged = self._staged.plus(written)
        self._compared += _meetings(part)

    def stage_cut(self, part: SyncPart, refused: StoreTooSlow | DataRefused) -> None:
        """Stages a part in halves, or sets aside the one family that the store refuses."""
        if isinstance(refused, DataRefused) and len(part.families) == 1:
            base_id = part.families[0].base_id
            self._set_aside.append(SetAside(base_id, SetAsideReason.REFUSED, refused.code))
            self._run.services.log.warning(
                "family_set_aside", calendar_id=self._run.claim.calendar_id, error_code=refused.code
            )
            return
        cut = halves(part)
        if cut is None:
            raise refused
        for half in cut:
            self.stage(half)

    def commit(self, part: SyncPart) -> Committed:
        facts = {
            **_facts(self._run, self._listing, self._horizon),
            "staged": asdict(self._staged),
            "set_aside": [asdict(family) for family in self._set_aside],
        }
        if self._run.plan.is_audit:
            facts["audited"] = self._compared + _meetings(part)
        return self._store.commit(self._run.claim, part, facts)

    def _changes(self, lot: Sequence[Event]) -> list[FamilyChange]:
        return self._full(lot) if self._listing.is_full else self._delta(lot)

    def _full(self, events: Sequence[Event]) -> list[FamilyChange]:
        claim, since, zone = self._run.claim, self._horizon.start, self._listing.time_zone
        earliest: dict[str, dt.datetime] = {}
        # A calendar that was never synced has no rows.
        if claim.last_synced_at:
            earliest = self._store.first_starts(claim.calendar_id, {event.base_id for event in events}, since)
            # What is over may have a row ahead, from where it was moved: it is history now, not gone.
            over = over_families(events, since, zone) - earliest.keys()
            if over:
                earliest |= self._store.first_starts(claim.calendar_id, over, None)
        return full_changes(events, earliest, since, zone, self._set_aside)

    def _delta(self, delta: Sequence[Event]) -> list[FamilyChange]:
        zone, known = self._listing.time_zone, {family.base_id for family in self._set_aside}
        asked = exceptions_alone(delta, known)
        found = self._store.read_families(
            self._run.claim.calendar_id,
            {event.base_id for event in delta if event.base_id not in asked},
            {event.id for event in delta if not event.is_live},
            asked_about(asked, zone),
        )
        alone = {base_id: members for base_id, members in asked.items() if base_id in found.alone}
        others = [event for event in delta if event.base_id not in alone]
        stored = [event_from_google(item) for item in found.details]
        whole = delta_changes(stored, others, found.earliest, zone, self._set_aside, self._listing.kept)
        return whole + alone_changes(alone)


def _meetings(part: SyncPart) -> int:
    return sum(len(family.meetings) for family in part.families)


def _facts(run: SyncRun, listing: Listing, horizon: Window) -> dict[str, object]:
    claim = run.claim
    planned = learn_and_plan(run, listing)
    again = look_again(claim, listing)
    if again:
        planned |= {"next_poll_seconds": again.seconds, "next_reason": again.reason}
    if listing.sync_token is None:
        planned["next_reason"] = "no_sync_token"
    return {
        **planned,
        "sync_id": run.sync_id,
        "sync_type": logged_type(run.plan, listing),
        "reason": listing.departure or run.plan.reason,
        "is_full": listing.is_full,
        # A delta without a token: the old one brings the same changes again, and what followed them.
        "sync_token": listing.sync_token or (None if listing.is_full else claim.sync_token),
        "generation": run.in_force.generation,
        "time_zone": listing.time_zone,
        "calendar_name": listing.calendar_name,
        "notifications_read": claim.notifications_seen,
        "horizon_until": horizon.end.isoformat(),
        "calendar_back_message": CALENDAR_BACK,
        "coalesce_seconds": _pause_seconds(claim, listing),
        "events_processed": listing.items,
        "google_calls": run.access.requests,
        "duration_ms": run.duration_ms,
    }


def look_again(claim: Claim, listing: Listing) -> NextPoll | None:
    """The look that a sync which found nothing still owes, if any."""
    nothing = not listing.is_full and not listing.items and listing.sync_token is not None
    return another_look(claim.due_reason, was_notified=claim.is_notified, found_nothing=nothing)


def _pause_seconds(claim: Claim, listing: Listing) -> float:
    """Until the next sync, at least."""
    if listing.sync_token is None:
        return TOKENLESS_PAUSE_SECONDS
    return COALESCE_SECONDS if claim.is_notified else 0.0


def logged_type(plan: SyncPlan, listing: Listing) -> SyncType:
    """A poll that had to list everything is logged as full; who asked for a sync stays who asked."""
    return SyncType.FULL if listing.is_full and plan.sync_type is SyncType.INCREMENTAL else plan.sync_type
