"""What of an event makes a meeting: its type, its link, its title, the user's own answer. Pure. Called by
`families`."""

from __future__ import annotations

from dataclasses import dataclass

from sync.core.links.meeting_link import LinkSources, MeetingLink
from sync.core.links.meeting_url import find_meeting_link
from sync.model import Event
from sync.states import Answer

# Entries people put in to keep a time free or to say where they are; they may hold a link, but nobody meets there.
MEETING_EVENT_TYPES = frozenset({"default", "fromGmail"})
# What Google Calendar shows for an event without a title.
UNTITLED = "(No title)"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The link that makes an event a meeting, or the reason it is none."""

    link: MeetingLink | None
    reason: str


def decide_meeting(event: Event) -> Verdict:
    """Whether an event is a meeting. Reasons: event_type, no_link, meeting."""
    if event.details.get("eventType", "default") not in MEETING_EVENT_TYPES:
        return Verdict(None, "event_type")
    link = find_meeting_link(link_sources(event))
    return Verdict(link, "meeting" if link else "no_link")


def link_sources(event: Event) -> LinkSources:
    conference = event.details.get("conferenceData") or {}
    return LinkSources(
        entry_points=tuple(
            (point.get("entryPointType") or "", point["uri"]) for point in conference.get("entryPoints") or ()
        ),
        hangout_link=event.details.get("hangoutLink"),
        location=event.details.get("location"),
        description=event.details.get("description"),
    )


def title_of(event: Event) -> str:
    return event.details.get("summary") or UNTITLED


def own_answer(event: Event) -> Answer:
    """The user's own answer: the attendee Google marks `self`; an organizer, or an event without guests, counts as
    accepted; a calendar whose owner is no guest has not been asked."""
    attendees = event.details.get("attendees")
    if attendees:
        answer = attendees[0].get("responseStatus")
        return Answer(answer) if answer in set(Answer) else Answer.NEEDS_ACTION
    if attendees is None or event.details.get("organizer", {}).get("self"):
        return Answer.ACCEPTED
    return Answer.NEEDS_ACTION


@dataclass(frozen=True, slots=True)
class Others:
    """How many other people are invited, and whether any of another organisation; None: Google does not tell."""

    count: int | None
    outside: bool | None


def others_of(event: Event) -> Others:
    others = event.details.get("others")
    if others:
        return Others(others["count"], others["outside"])
    return Others(None if event.details.get("attendeesOmitted") else 0, None)


def is_organiser(event: Event) -> bool:
    """Whether it is the user's own: theirs by Google's word, or an entry that nobody else has to do with."""
    organizer = event.details.get("organizer")
    return bool(organizer and organizer.get("self")) or event.details.get("attendees") is None
