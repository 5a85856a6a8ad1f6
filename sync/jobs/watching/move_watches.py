"""Channels that point to where they should not: to a former address of ours, or to a region in trouble.

Each such channel's watch is made due once, a bounded number at a time; the renewal then opens one that points right,
and stops the old one. Called by `renew_watches`.
"""

from __future__ import annotations

from collections.abc import Callable

from sync.jobs.services import Services

# The service's address changed: all watches are renewed, at half of the calls a minute that Google grants a project.
MOVED_AT_ONCE = 500
MOVED_PER_SECOND = 80.0
# A region is sick: in each run, which come once a minute, so many of its channels leave it: a quarter of that quota.
LEAVING_AT_ONCE, LEAVING_BATCHES, LEAVING_SECONDS = 500, 5, 60.0


def renew_moved(services: Services, may_go_on: Callable[[], bool]) -> None:
    """Channels that point to an address of ours of former times are replaced, some per second."""
    addresses = list(services.ingress.addresses.values())
    batch, moved = 0, MOVED_AT_ONCE
    while moved == MOVED_AT_ONCE and may_go_on():
        moved = services.store.watches.renew_moved(
            addresses, delay_seconds=batch * MOVED_AT_ONCE / MOVED_PER_SECOND, limit=MOVED_AT_ONCE
        )
        batch += 1
        if moved:
            services.log.warning("watches_moved", calendars=moved)


def leave_sick_regions(services: Services, may_go_on: Callable[[], bool]) -> None:
    """Channels of a sick region are replaced by such of another one, so many in a minute."""
    addresses = services.ingress.trusted()
    if len(addresses) == len(services.ingress.addresses):
        return
    for batch in range(LEAVING_BATCHES):
        if not may_go_on():
            return
        left = services.store.watches.renew_moved(
            addresses, delay_seconds=batch * LEAVING_SECONDS / LEAVING_BATCHES, limit=LEAVING_AT_ONCE
        )
        if left:
            services.log.warning("watches_leave_region", calendars=left)
        if left < LEAVING_AT_ONCE:
            return
