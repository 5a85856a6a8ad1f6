"""How a route of the dashboard answers: as a page, or as the page's live part.

Every page has one part that changes, in a template of its own (`_name.html`). Asked with `Accept: text/event-stream`,
a page's address answers that part as one server-sent event and ends; the browser asks again `RETRY_MS` later by itself.
So a page is live behind every proxy, and no thread is held for one who looks.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask import Flask, Response, render_template, request
from flask.typing import ResponseReturnValue

from sync.core.operations import formatting, words
from sync.web.dashboard.assets import address
from sync.web.dashboard.notices import said
from sync.web.dashboard.sessions import PAGE_POLICY, operators

RETRY_MS = 3000
PAGES = (
    ("dashboard.overview", "Overview"),
    ("dashboard.calendars", "Calendars"),
    ("dashboard.errors", "Errors"),
    ("dashboard.deliveries", "Deliveries"),
    ("dashboard.alerts", "Alerts"),
    ("dashboard.actions", "Actions"),
)


def is_live() -> bool:
    """Whether the browser asks for the live part alone."""
    return "text/event-stream" in request.headers.get("Accept", "")


def page(name: str, **values: Any) -> ResponseReturnValue:
    """The page, or its live part if that is asked for."""
    if not is_live():
        return render_template(f"dashboard/{name}.html", live=f"dashboard/_{name}.html", **values)
    part = render_template(f"dashboard/_{name}.html", **values)
    lines = "".join(f"data: {line}\n" for line in part.splitlines())
    return Response(f"retry: {RETRY_MS}\nevent: part\n{lines}\n", content_type="text/event-stream")


def register(app: Flask, version: str) -> None:
    """The filters and names that all templates of the dashboard use."""

    def names() -> dict[str, Any]:
        if request.blueprint != "dashboard":
            return {}
        now = dt.datetime.now(dt.UTC)
        return {
            "asset": address,
            "pages": PAGES,
            "operator": operators().holder(request.headers),
            "notices": said(request.args.get("did", "")),
            "now": now,
            "since": lambda value: formatting.since(value, now),
            "version": version,
        }

    app.context_processor(names)
    filters = {
        "stamp": formatting.stamp,
        "length": formatting.length,
        "number": formatting.number,
        "words": words.words,
        "gravity": words.gravity,
    }
    app.jinja_env.filters.update({f"d_{name}": each for name, each in filters.items()})
    app.jinja_env.globals["share"] = formatting.share
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def secure(answer: Response) -> Response:
    """After every route of the dashboard."""
    answer.headers["Content-Security-Policy"] = PAGE_POLICY
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer
