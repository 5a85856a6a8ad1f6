"""How an operation of the OpenAPI document is put together: callers, refusals, fields and parameters. Called by
`openapi`."""

from __future__ import annotations

from sync.web.doors.body import MAX_CALENDARS, MAX_ID_LENGTH, MAX_TOKEN_LENGTH
from sync.web.openapi.schemas import TEXT, UUID, Schema, maybe, named, one_of

# Who may call: any one of these.
SERVICE: list[Schema] = [{"bearer": []}, {"apikey": []}]
SERVICE_OR_USER: list[Schema] = [*SERVICE, {"userJwt": []}]
USER: list[Schema] = [{"userJwt": []}]
SCRAPER: list[Schema] = [{"metricsToken": []}]
ANYBODY: list[Schema] = []

PROBLEMS = {
    400: "The request is malformed; `code` and `detail` name the field and the mend.",
    401: "No good credential. Never says what was wrong with it.",
    403: "A user asks for somebody else, or the service for what only a user can do.",
    404: "There is no such user, calendar, meeting or subscription for this caller; or nothing here at all.",
    409: "The user has no working connection to Google, or another call of theirs that takes long is running.",
    410: "What a cursor points to is kept no more.",
    413: "The body is longer than 64 KiB.",
    422: "Google or the calendar list does not accept a value.",
    429: "Too many requests of this address without a good credential, or of this user. See Retry-After.",
    500: "A failure of the service; its log says more.",
    501: "The operator has not configured this.",
    502: "Google refuses, or nothing could be polled.",
    503: "The database, Google or the project's signing keys do not answer, or as much long work is under way as there "
    "may be. See Retry-After.",
}
RETRY_AFTER = {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}, "required": True}}

REFUSED = (401, 429, 500, 503)
WITH_BODY = (400, 413)
USER_ID: Schema = {**UUID, "description": "Needed from the service; a user may name themselves only."}
FIELDS: dict[str, Schema] = {
    "userId": maybe(USER_ID),
    "force": {"type": "boolean", "description": "Poll whatever push says."},
    "provider_token": {"description": "Not used: a fresh access token is fetched."},
    "provider_refresh_token": {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_TOKEN_LENGTH,
        "pattern": "^[!-~]+$",
        "description": "As the sign-in with Google gave it.",
    },
    "calendarIds": {
        "type": "array",
        "maxItems": MAX_CALENDARS,
        "items": {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH, "pattern": "^[!-~]+$"},
        "description": 'Google\'s ids; "primary" is the main one.',
    },
    "meetings": {**one_of("keep", "delete"), "description": "What becomes of the meetings; keep by default."},
    "handle": {
        "type": "string",
        "minLength": 1,
        "maxLength": 100,
        "pattern": "^[!-~]+$",
        "description": "As it stood in the fragment of the URL that the consent led to. Good once, for five minutes.",
    },
    "redirect_to": {"type": "string", "description": "One of CONNECT_REDIRECT_URLS, to the letter."},
    "login_hint": {"type": "string", "maxLength": 320},
    "prompt": one_of("consent"),
}


def body_of(*required: str, optional: tuple[str, ...] = ()) -> Schema:
    fields = {name: FIELDS[name] for name in (*required, *optional)}
    if "calendarIds" in required:
        fields["calendarIds"] = {**FIELDS["calendarIds"], "minItems": 1}
    schema: Schema = {"type": "object", "properties": fields}
    if required:
        schema["required"] = list(required)
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


def query(name: str, schema: Schema, *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def path(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def header(name: str, schema: Schema = TEXT, *, required: bool = True) -> Schema:
    return {"name": name, "in": "header", "required": required, "schema": schema}


def _problem(status: int) -> Schema:
    answer: Schema = {
        "description": PROBLEMS[status],
        "content": {"application/problem+json": {"schema": named("Problem")}},
    }
    return {**answer, "headers": RETRY_AFTER} if status in (429, 503) else answer


def operation(
    summary: str,
    security: list[Schema],
    good: Schema,
    problems: tuple[int, ...],
    *,
    body: Schema | None = None,
    parameters: tuple[Schema, ...] = (),
) -> Schema:
    responses = {**good, **{str(status): _problem(status) for status in sorted({*problems, 500, 429})}}
    described: Schema = {"summary": summary, "security": security, "responses": responses}
    if parameters:
        described["parameters"] = list(parameters)
    if body:
        described["requestBody"] = body
    return described


def ok(schema: str) -> Schema:
    return {"200": {"description": "Done.", "content": {"application/json": {"schema": named(schema)}}}}
