"""What administrators read: one message for all news of a round. Pure. Called by `jobs/operations/watch_over`."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence

from sync.alert_model import RUNBOOK, AlertChange, AlertMessage
from sync.states import AlertSeverity

# More kinds at once have one cause: a list of all would hide it, and fill a telephone.
STORM_KINDS = 5
MOST_LINES = 20
MOST_BODY = 4000
_WORDS = {"opened": "New", "worse": "Worse", "reminder": "Still", "resolved": "Over"}


def message(changes: Sequence[AlertChange], service: str, now: dt.datetime) -> AlertMessage | None:
    """`service`: which one it is about, for whoever runs several. None: there is no news."""
    news = sorted((each for each in changes if each.news), key=_urgency)
    if not news:
        return None
    is_storm = len({each.kind for each in news}) > STORM_KINDS
    body = _summary(news) if is_storm else "\n\n".join(_line(each, now) for each in news[:MOST_LINES])
    if not is_storm and len(news) > MOST_LINES:
        body += f"\n\nAnd {len(news) - MOST_LINES} more: see the table alerts."
    severity = max((each.severity for each in news if each.news != "resolved"), key=_weight, default=None)
    return AlertMessage(severity or AlertSeverity.WARNING, f"[{service}] {_title(news)}", body[:MOST_BODY])


def _urgency(change: AlertChange) -> tuple[bool, bool, int]:
    return change.news == "resolved", change.severity is not AlertSeverity.CRITICAL, -(change.calendars or 0)


def _weight(severity: AlertSeverity) -> int:
    return list(AlertSeverity).index(severity)


def _title(news: Sequence[AlertChange]) -> str:
    counted = Counter(_WORDS[each.news or ""] for each in news)
    if len(news) == 1:
        return f"{next(iter(counted))}: {_words(news[0])}"
    return ", ".join(f"{number} {word.lower()}" for word, number in counted.items()) + f": {_words(news[0])}, …"


def _words(change: AlertChange) -> str:
    kind = change.key.replace("_", " ").replace(":", ": ")
    return f"{kind} ({change.calendars:,})" if change.calendars else kind


def _line(change: AlertChange, now: dt.datetime) -> str:
    head = f"{_WORDS[change.news or '']}, {change.severity}: {change.sentence}"
    if change.news == "opened" or change.opened_at is None:
        return f"{head}\n{change.runbook}"
    since = f"since {change.opened_at:%Y-%m-%d %H:%M} UTC"
    if change.news == "resolved":
        minutes = (now - change.opened_at).total_seconds() / 60
        return f"Over: {change.key}, {since} ({minutes:,.0f} minutes). It was: {change.sentence}"
    return f"{head}\n{since}; {change.runbook}"


def _summary(news: Sequence[AlertChange]) -> str:
    """A line for each kind; the worst one in its own words."""
    kinds = dict.fromkeys(each.kind for each in news)
    lines = [f"{len(kinds)} kinds of alerts at once; they may have one cause.", news[0].sentence, ""]
    for kind in kinds:
        words = Counter(_WORDS[each.news or ""].lower() for each in news if each.kind == kind)
        calendars = max((each.calendars or 0) for each in news if each.kind == kind)
        said = ", ".join(f"{number} {word}" for word, number in words.items())
        lines.append(f"{kind}: {said}" + (f", {calendars:,} calendars" if calendars else ""))
    return "\n".join([*lines, "", f"{RUNBOOK}; each with its cause in the table alerts."])
