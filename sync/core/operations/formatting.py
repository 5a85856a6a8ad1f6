"""How times, lengths and numbers are written for operators, on pages and on terminals. Pure. Called by the dashboard
and the cli."""

from __future__ import annotations

import datetime as dt

_STEPS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def moment(value: object) -> dt.datetime | None:
    """A time as PostgREST writes it, or one already read; None of nothing or of an infinite one."""
    if isinstance(value, dt.datetime):
        return value
    if not isinstance(value, str) or value in ("infinity", "-infinity"):
        return None
    return dt.datetime.fromisoformat(value)


def stamp(value: object) -> str:
    """2026-11-26 08:15:02, in UTC; empty of nothing."""
    at = moment(value)
    return at.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S") if at else ""


def length(seconds: object) -> str:
    """4 s, 3 min, 2 h 5 min, 3 d 4 h; below a second in milliseconds; "–" of nothing."""
    if not isinstance(seconds, int | float):
        return "–"
    left = abs(float(seconds))
    if left < 1:
        return f"{left * 1000:.0f} ms"
    if left < 10 and left % 1:
        return f"{left:.1f} s"
    for number, (step, unit) in enumerate(_STEPS):
        if left >= step:
            whole, rest = divmod(round(left), int(step))
            following = _STEPS[number + 1] if number + 1 < len(_STEPS) else None
            smaller = int(rest // following[0]) if following else 0
            return f"{whole} {unit}" + (f" {smaller} {following[1]}" if following and smaller else "")
    return "0 s"


def since(value: object, now: dt.datetime) -> str:
    """How long ago, or ahead: "3 min ago", "in 2 h"; "never" of nothing."""
    at = moment(value)
    if at is None:
        return "never"
    seconds = (now - at).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{length(round(seconds))} ago" if seconds > 0 else f"in {length(round(-seconds))}"


def number(value: object) -> str:
    """12,481; "–" of nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def share(part: object, whole: object) -> str:
    """99.96 %: never 100 of less than all, never 0 of something; "–" of nothing."""
    if not isinstance(part, int | float) or not isinstance(whole, int | float) or not whole:
        return "–"
    percent = 100 * part / whole
    if percent in (0, 100):
        return f"{percent:.0f} %"
    return f"{min(99.99, max(0.01, percent)):.2f} %"
