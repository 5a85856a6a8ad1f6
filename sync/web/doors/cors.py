"""Lets the front end's pages call what a signed-in user may call: browsers ask first (CORS).

The front end is where CONNECT_REDIRECT_URLS sends users back to; no other origin is named. There are no cookies here,
so none are allowed. Registered by `app`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, request

from sync.settings import Settings

# Blueprints with routes for users; Google's callback among them is a navigation, and needs none of this.
FOR_USERS = frozenset({"connect", "connect_google", "calendars", "polling", "explain"})
ALLOWED = {
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    # What supabase-js sends with `functions.invoke`.
    "Access-Control-Allow-Headers": "authorization, apikey, content-type, x-client-info",
    "Access-Control-Max-Age": "600",
}


def register_cors(app: Flask, settings: Settings) -> None:
    origins = {_origin(url) for url in settings.connect_redirect_urls or ()}

    @app.after_request
    def allow(answer: Response) -> Response:
        if request.blueprint not in FOR_USERS or not origins:
            return answer
        answer.vary.add("Origin")
        if request.headers.get("Origin") in origins:
            answer.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            if request.method == "OPTIONS":
                answer.headers.update(ALLOWED)
        return answer


def _origin(url: str) -> str:
    """As browsers write it: scheme and host in lower case, without the scheme's own port."""
    parts = urlsplit(url)
    default = {"https": 443, "http": 80}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, default) else "")
