"""Where a join link is looked for, and what one is. Shared by the modules of `links`, and by `core/meetings`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkSources:
    """The places of an event that may hold a join link.

    `entry_points` are conferenceData.entryPoints as (entryPointType, uri) pairs.
    """

    entry_points: tuple[tuple[str, str], ...] = ()
    hangout_link: str | None = None
    location: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class MeetingLink:
    """A join link found in an event.

    `provider` is a stable slug ("google_meet", "zoom"); `url` the canonical https join URL; `room_key` equal for
    two links that lead to the same room; `found_in` one of conference, hangout_link, location, description.
    """

    provider: str
    url: str
    room_key: str
    found_in: str
