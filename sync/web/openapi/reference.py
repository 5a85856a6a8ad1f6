"""GET /docs: the OpenAPI document as a page for people. It asks nobody for anything: no script, no file of its own."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from flask import Blueprint, Response, current_app, render_template

from sync.jobs.services import Services
from sync.web.openapi.document import document
from sync.web.openapi.schemas import Schema

STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:auto;padding:1rem}"
    "h2{overflow-wrap:anywhere;border-top:1px solid;padding-top:1rem}table{border-collapse:collapse;width:100%}"
    "th,td{border:1px solid;padding:.25rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "pre{overflow:auto}nav ul{columns:2;overflow-wrap:anywhere}"
)
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

blueprint = Blueprint("reference", __name__, template_folder="templates")


@blueprint.get("/docs")
def show() -> Response:
    services: Services = current_app.extensions["services"]
    api = document(tuple(services.settings.webhook_base_urls.values()))
    found = [
        _operation(path, method, operation, api["components"]["securitySchemes"])
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    ]
    page = Response(render_template("openapi/reference.html", api=api, operations=found, style=STYLE))
    page.headers["Content-Security-Policy"] = POLICY
    return page


def _operation(path: str, method: str, operation: Schema, schemes: Schema) -> dict[str, Any]:
    """What the template tells of one operation."""
    return {
        "path": path,
        "method": method.upper(),
        "anchor": re.sub(r"\W+", "-", f"{method}{path}"),
        "summary": operation["summary"],
        "callers": [_caller(name, schemes[name]) for each in operation.get("security", []) for name in each],
        "fields": [*_parameters(operation), *_body_fields(operation)],
        "answers": [_answer(status, answer) for status, answer in operation["responses"].items()],
    }


def _caller(name: str, scheme: Schema) -> str:
    told = scheme.get("description", "a signed-in user's JWT").rstrip(".")
    return f"{told} ({name})"


def _parameters(operation: Schema) -> list[dict[str, Any]]:
    return [
        {**each, "place": each["in"], "description": each["schema"].get("description", "")}
        for each in operation.get("parameters", ())
    ]


def _body_fields(operation: Schema) -> list[dict[str, Any]]:
    contents = operation.get("requestBody", {}).get("content", {})
    schema = contents.get("application/json", {}).get("schema", {})
    needed = schema.get("required", ())
    return [
        {
            "name": name,
            "place": "body",
            "required": name in needed,
            "schema": each,
            "description": each.get("description", ""),
        }
        for name, each in schema.get("properties", {}).items()
    ]


def _answer(status: str, answer: Schema) -> dict[str, Any]:
    contents: Schema = answer.get("content", {})
    media = next(iter(contents), "")
    name = contents.get(media, {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    return {"status": status, "description": answer.get("description", ""), "media": media, "schema": name}
