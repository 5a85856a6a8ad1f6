"""What finding a join link costs: of ordinary events, and growth on the worst texts we could think of. A text of double
size that takes more than `MAX_GROWTH` times as long would mean that the scan is no longer linear."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from scripts.benchmarks.measuring import Measure, Row, Size, row_of
from sync.core.links import meeting_url
from sync.core.links.meeting_link import LinkSources
from sync.core.links.meeting_url import find_meeting_link

HOSTILE_CHARS = 1_000_000
CALLS = 300
# Twice the text should take twice the time; caches and the collector add noise, a quadratic scan would take four.
MAX_GROWTH = 3.0

PROSE = "Agenda: review last week's numbers, plan the release and/or hotfix, 10/12. Bring questions & coffee.\n"
TEAMS = (
    "https://teams.microsoft.com/l/meetup-join/19%3ameeting_ZmFrZXRocmVhZA%40thread.v2/0"
    "?context=%7b%22Tid%22%3a%22aaaa%22%2c%22Oid%22%3a%22bbbb%22%7d"
)
ZOOM_HTML = (
    "<p>Alice is inviting you to a scheduled Zoom meeting.</p><br>" + 8 * f"<p>{PROSE}</p>" + "<p>Join Zoom Meeting<br>"
    '<a href="https://www.google.com/url?q=https://us02web.zoom.us/j/84911425787?pwd%3DVVNrcFdv&amp;sa=D'
    '&amp;source=calendar&amp;usg=AOvVaw">https://us02web.zoom.us/j/84911425787?pwd=VVNrcFdv</a></p>'
    '<p>Find your local number: <a href="https://us02web.zoom.us/u/kdhDRxQy">https://us02web.zoom.us/u/kdhDRxQy</a></p>'
)
ORDINARY = {
    "conference data": LinkSources(entry_points=(("video", "https://meet.google.com/abc-defg-hij"),)),
    "bare location": LinkSources(location="zoom.us/j/123456789"),
    "plain description": LinkSources(description=5 * PROSE + f"Join the meeting now<{TEAMS}>\n" + PROSE),
    "HTML invitation": LinkSources(description=ZOOM_HTML),
    "no link, 2 kB": LinkSources(location="Room 4, 2nd floor", description=20 * PROSE),
    "no link, 8 kB": LinkSources(description=80 * PROSE),
    "nothing": LinkSources(),
}
HOSTILE = {
    "scheme only": "http://",
    "href only": "<a href=",
    "folded link": "<http://\n",
    "near miss": "https://zoom.us/x ",
    "bare near miss": "zoom.us/x ",
    "unknown hosts": "https://a.bc/d ",
    "vanity near miss": "https://meet.jit.si/. ",
    "any-host near miss": "https://x.yz/b/abc-def- ",
    "nested rewriters": "https://www.google.com/url?q=",
    "nested safe links": "https://nam.safelinks.protection.outlook.com/?url=",
    "proofpoint runs": "https://urldefense.com/v3/__**_ ",
    "nested Check Point": "https://protect.checkpoint.com/v2/___",
    "bare Check Point": "protect.checkpoint.com/v2/___https:/ ",
    "percent": "%25",
    "encoded schemes": "https%3A%2F%2F",
    "ampersands": "&amp;",
    "entities": "&#x2F;",
    "one run": "a",
    "slashes": "a/",
    "commas": ",",
    "labels": "a.",
    "CJK": "会/",
    "invisible": "\u200b",
    "soft breaks": "<wbr ",
}


def seconds(sources: LinkSources, calls: int = 1) -> float:
    """CPU time per call: other processes on the machine do not count."""
    started = time.process_time()
    for _ in range(calls):
        find_meeting_link(sources)
    return (time.process_time() - started) / calls


def growth(text: str) -> float:
    """How many times the whole takes of what its half takes; both are timed back to back."""
    half, whole = LinkSources(description=text[: len(text) // 2]), LinkSources(description=text)
    return seconds(whole) / seconds(half)


def links(size: Size) -> Iterator[Row]:
    for name, sources in ORDINARY.items():
        found = [seconds(sources, size.of(CALLS, 3)) * 1e6 for _ in range(size.rounds)]
        yield row_of(f"ordinary: {name}", "µs", found)
    capped = meeting_url.MAX_TEXT_CHARS
    texts = {name: unit * (size.of(HOSTILE_CHARS, 20_000) // len(unit)) for name, unit in HOSTILE.items()}
    try:
        slowest = {
            name: [seconds(LinkSources(description=text[:capped])) * 1000 for _ in range(size.rounds)]
            for name, text in texts.items()
        }
        meeting_url.MAX_TEXT_CHARS = HOSTILE_CHARS
        times = {name: [growth(text) for _ in range(size.rounds)] for name, text in texts.items()}
    finally:
        meeting_url.MAX_TEXT_CHARS = capped
    worst = max(slowest, key=lambda name: statistics.median(slowest[name]))
    yield row_of(f"hostile, the slowest of {len(texts)}: {worst}", "ms", slowest[worst], aim=300.0)
    steepest = max(times, key=lambda name: statistics.median(times[name]))
    yield row_of(f"growth with double the text, the steepest: {steepest}", "times", times[steepest], aim=MAX_GROWTH)


MEASURES = (Measure("links", "finding a join link in an event's texts", "none", links),)
