"""Partial responses: the `fields` parameter.

Owns the selector grammar (`a,b/c,items(id,start/date)`, `*`) and checks names against the discovery schemas, since
Google refuses an unknown field with 400 `invalidParameter`. Called for every JSON answer that carries `fields`.
"""

from __future__ import annotations

import re
from typing import Any

from .discovery import document
from .errors import GoogleError, JsonObject

Selection = dict[str, "Selection"]


def select(value: JsonObject, selector: str, schema: str | None) -> JsonObject:
    """The parts of `value` that `selector` names."""
    tokens = re.findall(r"[\w\-]+|\*|[(),/]", selector)
    if not tokens or "".join(tokens) != re.sub(r"\s", "", selector):
        raise _refusal(selector)
    selection = _parse_list(tokens, selector)
    if tokens:
        raise _refusal(selector)
    _check(selection, document()["schemas"].get(schema or "", {}))
    picked = _pick(value, selection)
    assert isinstance(picked, dict)  # noqa: S101 - an object in, an object out
    return picked


def _refusal(selection: str) -> GoogleError:
    return GoogleError(400, "invalidParameter", f"Invalid field selection {selection}", location="fields")


def _parse_list(tokens: list[str], selector: str) -> Selection:
    chosen: Selection = {}
    while True:
        name, nested = _parse_path(tokens, selector)
        chosen.setdefault(name, {}).update(nested)
        if not tokens or tokens[0] != ",":
            return chosen
        tokens.pop(0)


def _parse_path(tokens: list[str], selector: str) -> tuple[str, Selection]:
    if not tokens or tokens[0] in "(),/":
        raise _refusal(selector)
    name = tokens.pop(0)
    if tokens and tokens[0] == "/":
        tokens.pop(0)
        inner, nested = _parse_path(tokens, selector)
        return name, {inner: nested}
    if tokens and tokens[0] == "(":
        tokens.pop(0)
        chosen = _parse_list(tokens, selector)
        if not tokens or tokens.pop(0) != ")":
            raise _refusal(selector)
        return name, chosen
    return name, {}


def _check(selection: Selection, schema: JsonObject) -> None:
    if "$ref" in schema:
        schema = document()["schemas"][schema["$ref"]]
    if schema.get("type") == "array":
        return _check(selection, schema["items"])
    properties = schema.get("properties")
    for name, nested in selection.items():
        if name == "*" or properties is None:
            continue
        if name not in properties:
            raise _refusal(name)
        _check(nested, properties[name])
    return None


def _pick(value: Any, selection: Selection) -> Any:
    if isinstance(value, list):
        return [_pick(item, selection) for item in value]
    if not isinstance(value, dict) or not selection or "*" in selection:
        return value
    return {name: _pick(item, selection[name]) for name, item in value.items() if name in selection}
