"""The curves of staleness against calls, as SVG. Called by `scripts/simulate_polling --svg`."""

from __future__ import annotations

import math
from xml.sax.saxutils import escape

from scripts.polling.report import Curves

WIDTH, HEIGHT = 890, 520
LEFT, RIGHT, TOP, BOTTOM = 70, 320, 40, 60
COLOURS = ("#c2185b", "#1565c0", "#6d4c41", "#ef6c00", "#757575", "#2e7d32", "#8e24aa", "#000000")
CALLS, STALE = (0.5, 40.0), (0.002, 0.2)
_CALL_TICKS = (0.5, 1, 2, 3, 5, 10, 20, 40)
_STALE_TICKS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


def draw(curves: Curves, caption: str) -> str:
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-size="14">{escape(caption)}</text>',
        *_axes(),
    ]
    for number, (policy, points) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        seen = [point for point in points if CALLS[0] <= point.calls <= CALLS[1]]
        path = " ".join(f"{_x(point.calls):.1f},{_y(point.stale):.1f}" for point in seen)
        width = 3 if number == 0 else 1.5
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        for point in seen:
            low, high = _y(max(point.stale - point.spread, STALE[0])), _y(point.stale + point.spread)
            at = f"{_x(point.calls):.1f}"
            lines.append(f'<path d="M{at} {low:.1f}V{high:.1f}" stroke="{colour}"/>')
            lines.append(f'<circle cx="{at}" cy="{_y(point.stale):.1f}" r="3" fill="{colour}"/>')
        height = TOP + 16 + 24 * number
        right = WIDTH - RIGHT + 16
        lines.append(f'<path d="M{right} {height - 4}h22" stroke="{colour}" stroke-width="{width}"/>')
        lines.append(f'<text x="{right + 28}" y="{height}">{escape(policy.name)}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _axes() -> list[str]:
    right, floor = WIDTH - RIGHT, HEIGHT - BOTTOM
    found = [f'<path d="M{LEFT} {TOP}V{floor}H{right}" fill="none" stroke="#333"/>']
    for calls in _CALL_TICKS:
        found.append(f'<path d="M{_x(calls):.1f} {TOP}V{floor}" stroke="#ddd"/>')
        found.append(f'<text x="{_x(calls):.1f}" y="{floor + 18}" text-anchor="middle">{calls:g}</text>')
    for stale in _STALE_TICKS:
        found.append(f'<path d="M{LEFT} {_y(stale):.1f}H{right}" stroke="#ddd"/>')
        found.append(f'<text x="{LEFT - 8}" y="{_y(stale) + 4:.1f}" text-anchor="end">{stale * 100:g} %</text>')
    middle = (LEFT + right) / 2
    found.append(f'<text x="{middle}" y="{HEIGHT - 16}" text-anchor="middle">calls per calendar and day</text>')
    found.append(
        f'<text transform="translate(18 {(TOP + floor) / 2}) rotate(-90)" text-anchor="middle">'
        "stale share of time</text>"
    )
    return found


def _x(calls: float) -> float:
    along = math.log(calls / CALLS[0]) / math.log(CALLS[1] / CALLS[0])
    return LEFT + along * (WIDTH - RIGHT - LEFT)


def _y(stale: float) -> float:
    along = math.log(min(max(stale, STALE[0]), STALE[1]) / STALE[0]) / math.log(STALE[1] / STALE[0])
    return HEIGHT - BOTTOM - along * (HEIGHT - BOTTOM - TOP)
