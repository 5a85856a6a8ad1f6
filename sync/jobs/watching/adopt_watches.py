"""Watches whose opening was never answered: Google opened the channel, and only the channel itself tells so.

It is made the calendar's current one when it speaks, rather than stopped and opened again. Called before watches are
opened or stopped, and when a channel speaks that was taken for failed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sync.core.polling.renewal import renew_lead_seconds
from sync.jobs.services import Services
from sync.model import AdoptableChannel

# An opening whose process died: longer than a watch call with its time-out, shorter than anybody misses the channel.
ABANDONED_SECONDS = 300
# Of a channel that did not say when it lapses. Google's shortest; it is renewed before.
UNTOLD_LIFE = dt.timedelta(hours=1)


def adopt_watches(services: Services, channel_ids: Sequence[str] | None = None) -> int:
    """How many channels were made current, of these or of all. Raises StoreFailure."""
    adoptable = services.store.watches.adoptable_channels(abandoned_seconds=ABANDONED_SECONDS, channel_ids=channel_ids)
    for channel in adoptable:
        _adopt(services, channel)
    return len(adoptable)


def _adopt(services: Services, channel: AdoptableChannel) -> None:
    now = services.clock()
    expires_at = channel.expires_at or now + UNTOLD_LIFE
    lead_seconds = renew_lead_seconds(services.settings.renew_lead_hours * 3600.0, (expires_at - now).total_seconds())
    services.store.watches.activate_channel(
        channel.channel_id, channel.resource_id, expires_at, lead_seconds=lead_seconds
    )
    services.log.info("watch_adopted", calendar_id=channel.calendar_id, channel_id=channel.channel_id)
