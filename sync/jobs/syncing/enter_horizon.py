"""Brings into `meetings` what the horizon has come to, from the mirror, without a call to Google. Called by the roll,
and by an audit before it lists: what merely enters is no drift."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

from sync.core.meetings.parts import entering_parts
from sync.core.meetings.translate import event_from_google
from sync.errors import LeaseLost, Stopping
from sync.jobs.leases import LEASE_SECONDS
from sync.jobs.services import Services
from sync.jobs.syncing.listing import usable_zone
from sync.model import RollClaim, SyncPart

# Families read at a time.
FAMILIES_AT_ONCE = 200


def enter_horizon(
    services: Services,
    claim: RollClaim,
    until: dt.datetime,
    generation: int,
    *,
    ends_claim: bool,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[int, bool]:
    """(meetings written, a notification came meanwhile). `generation`: of the settings that `until` is of. Every part
    that is written stays, whatever comes after it.
    Raises LeaseLost; Stopping between two parts; the store's failures."""
    entered = 0
    part = SyncPart((), until)
    for following in _parts(services, claim, until):
        if following.families_cut:
            services.log.warning("occurrences_cut", calendar_id=claim.calendar_id, families=following.families_cut)
        # One part behind, so that the last one can end the claim.
        if part.families:
            entered += _commit(services, claim, part, until, generation, ends_claim=False)[0]
            if should_stop():
                raise Stopping("stopping")
        part = following
    if not part.families and not ends_claim:
        return entered, False
    written, notified = _commit(services, claim, part, until, generation, ends_claim=ends_claim)
    return entered + written, notified


def _parts(services: Services, claim: RollClaim, until: dt.datetime) -> Iterator[SyncPart]:
    zone = usable_zone(claim.time_zone)
    after: str | None = ""
    while after is not None:
        found = services.store.horizon.read_entering(claim.calendar_id, until, after, FAMILIES_AT_ONCE)
        if found.since:
            yield from entering_parts(map(event_from_google, found.details), found.since, until, zone)
        after = found.last


def _commit(
    services: Services, claim: RollClaim, part: SyncPart, until: dt.datetime, generation: int, *, ends_claim: bool
) -> tuple[int, bool]:
    committed, entered, notified = services.store.horizon.commit(
        claim, part, until, ends_claim=ends_claim, lease_seconds=LEASE_SECONDS, generation=generation
    )
    if not committed:
        # Or other settings took force: whatever is done next, the giving back too, is done under them.
        services.in_force.refreshed()
        raise LeaseLost("fence_moved_on")
    return entered, notified
