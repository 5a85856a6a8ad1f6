"""What the Calendar API's own discovery document says: paths, parameters, scopes and response schemas.

Owns the table of served methods, read from the document bundled with google-api-python-client, so that names, types and
scopes are Google's and not a memory of them. Refuses unknown or malformed query parameters (400 `invalid`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

from .errors import JsonObject, invalid, required

SERVED = (
    "calendarList.list",
    "calendarList.get",
    "calendars.get",
    "events.list",
    "events.get",
    "events.insert",
    "events.import",
    "events.patch",
    "events.update",
    "events.move",
    "events.delete",
    "events.instances",
    "events.watch",
    "channels.stop",
)
BASE_PATH = "/calendar/v3/"


@dataclass(frozen=True)
class Method:
    """One served API method."""

    kind: str
    http_method: str
    pattern: re.Pattern[str]
    parameters: JsonObject
    scopes: frozenset[str]
    response_schema: str | None


@cache
def document() -> JsonObject:
    """The bundled discovery document."""
    text = (files("googleapiclient") / "discovery_cache" / "documents" / "calendar.v3.json").read_text()
    loaded: JsonObject = json.loads(text)
    return loaded


@cache
def methods() -> tuple[Method, ...]:
    """The served methods in the order they are tried."""
    found = []
    for kind in SERVED:
        resource, name = kind.split(".")
        entry = document()["resources"][resource]["methods"][name]
        path = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(entry["path"]))
        own = {key: value for key, value in entry.get("parameters", {}).items() if value["location"] == "query"}
        found.append(
            Method(
                kind,
                entry["httpMethod"],
                re.compile(f"{BASE_PATH}{path}"),
                own | document()["parameters"],
                frozenset(entry["scopes"]),
                entry.get("response", {}).get("$ref"),
            )
        )
    return tuple(found)


def match(http_method: str, path: str) -> tuple[Method, dict[str, str]] | None:
    """The method a request names, with its decoded path parameters."""
    for method in methods():
        hit = method.pattern.fullmatch(path)
        if hit and method.http_method == http_method:
            return method, {name: unquote(value) for name, value in hit.groupdict().items()}
    return None


def read_parameters(method: Method, query: dict[str, list[str]]) -> dict[str, Any]:
    """Typed query parameters (only those given): bool, int, str, or a tuple of str for repeated ones.

    Unknown names, repeated single values and malformed values are 400 `invalid`; absent required ones 400 `required`.
    """
    for name in query:
        if name not in method.parameters:
            raise invalid(f'Unknown name "{name}": Cannot bind query parameter.', name)
    for name, spec in method.parameters.items():
        if spec.get("required") and name not in query:
            raise required(f"Required parameter: {name}", name)
    return {name: _read(name, method.parameters[name], values) for name, values in query.items()}


def _read(name: str, spec: JsonObject, values: list[str]) -> Any:
    read = [_read_one(name, spec, value) for value in values]
    if spec.get("repeated"):
        return tuple(read)
    if len(read) > 1:
        raise invalid(f"Multiple values for parameter: {name}", name)
    return read[0]


def _read_one(name: str, spec: JsonObject, value: str) -> bool | int | str:
    refusal = invalid(f"Invalid value for {name}: {value!r}", name)
    if spec["type"] == "boolean":
        if value not in ("true", "false"):
            raise refusal
        return value == "true"
    if spec["type"] == "integer":
        if not re.fullmatch(r"-?\d{1,9}", value) or int(value) < int(spec.get("minimum", 0)):
            raise refusal
        return int(value)
    if value not in spec.get("enum", [value]):
        raise refusal
    if spec.get("format") == "date-time":
        _check_date_time(value, refusal)
    return value


def _check_date_time(value: str, refusal: Exception) -> None:
    # Google wants RFC 3339 with an offset; a naive time is the classic mistake.
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise refusal from None
    if parsed.tzinfo is None:
        raise refusal
