"""Reading JSON bodies: each field checked, each refusal naming the field and the mend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import request

from sync.web.doors.problems import Problem

MAX_CALENDARS = 50
MAX_ID_LENGTH = 1024
MAX_TOKEN_LENGTH = 4096


def json_object() -> dict[str, Any]:
    """The request's JSON object; an empty body is {}. Raises Problem 400. The content type is not looked at (curl
    -d)."""
    if not request.get_data(cache=True):
        return {}
    try:
        body = request.get_json(force=True, silent=True)
    except RecursionError:  # nested deeper than Python reads
        body = None
    if not isinstance(body, dict):
        raise Problem(400, "body_malformed", "The body must be a JSON object.")
    return body


def flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise Problem(400, f"{name}_malformed", f"{name} must be true or false.")
    return value


def text(body: Mapping[str, Any], name: str, longest: int) -> str | None:
    """An optional text; absent, null or empty: None."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise Problem(400, f"{name}_malformed", f"{name} must be a text of up to {longest} characters.")
    return value


def meetings_choice(body: dict[str, Any]) -> str:
    """What becomes of meetings: keep (the default) or delete."""
    value = body.get("meetings", "keep")
    if value not in ("keep", "delete"):
        raise Problem(400, "meetings_malformed", 'meetings must be "keep" or "delete".')
    return str(value)


def token(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Problem(400, f"{name}_missing", f"Send {name}, as the sign-in with Google gave it.")
    value = value.strip()
    if len(value) > MAX_TOKEN_LENGTH or not (value.isascii() and value.isprintable()):
        raise Problem(400, f"{name}_malformed", f"{name} is no token: it is too long, or has characters no token has.")
    return value


def calendar_ids(body: dict[str, Any], name: str) -> list[str]:
    """Google's calendar ids; absent or null: []."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MAX_CALENDARS:
        raise Problem(400, "calendar_ids_malformed", f"{name} must be a list of up to {MAX_CALENDARS} calendar ids.")
    for item in value:
        # Not printable: control characters, and halves of surrogate pairs, which no database stores.
        if not isinstance(item, str) or not item.strip() or len(item) > MAX_ID_LENGTH or not item.isprintable():
            raise Problem(400, "calendar_ids_malformed", f'{name} must hold calendar ids, such as "primary".')
    return [item.strip() for item in value]
