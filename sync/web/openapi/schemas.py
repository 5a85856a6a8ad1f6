"""The shapes of answers and their parts in the OpenAPI document. Data for `openapi`."""

from __future__ import annotations

from typing import Any

from sync.states import ConnectionStatus, InitialSync, SyncStatus, SyncType, Watch

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
UUID: Schema = {"type": "string", "format": "uuid"}
INSTANT: Schema = {"type": "string", "format": "date-time"}


def maybe(schema: Schema) -> Schema:
    """That, or null."""
    if "enum" in schema:
        return {**schema, "type": [schema["type"], "null"], "enum": [*schema["enum"], None]}
    return {**schema, "type": [schema["type"], "null"]}


def one_of(*words: str) -> Schema:
    return {"type": "string", "enum": [str(word) for word in words]}


def list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def shape(**properties: Schema) -> Schema:
    """An object with all of these keys and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def named(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def answer(**properties: Schema) -> Schema:
    return shape(success=FLAG, message=TEXT, **properties)


_SYNC = shape(
    userId=UUID,
    calendarId=TEXT,
    status=one_of(*SyncStatus),
    sync_type=one_of(*SyncType),
    reason=TEXT,
    processed=NUMBER,
    created=NUMBER,
    updated=NUMBER,
    deleted=NUMBER,
    error=maybe(TEXT),
)
_WATCHED = shape(
    id=UUID,
    google_calendar_id=TEXT,
    watch=one_of(Watch.LIVE, Watch.POLLED),
    expires_at=maybe(INSTANT),
    reason=maybe(TEXT),
)
_CHOICE = shape(
    id=TEXT,
    summary=maybe(TEXT),
    primary=FLAG,
    access_role=maybe(TEXT),
    time_zone=maybe(TEXT),
    connected=FLAG,
    watch=one_of(*Watch),
    reason=maybe(TEXT),
    initial_sync=maybe(one_of(*InitialSync)),
    initial_events=maybe(NUMBER),
    initial_meetings=maybe(NUMBER),
)
_RENEWAL = shape(
    userId=UUID,
    calendarId=TEXT,
    status=one_of("renewed", "failed"),
    expires_at=maybe(INSTANT),
    error=maybe(TEXT),
)
_EXPLANATION = shape(
    calendar=maybe({"type": "object"}),
    meeting=maybe({"type": "object"}),
    because=list_of(shape(at=maybe(INSTANT), code=TEXT, text=TEXT)),
)

SCHEMAS: dict[str, Schema] = {
    "Problem": {
        "description": "RFC 9457. `code` is stable; `detail` is a sentence for people.",
        **shape(
            type=TEXT,
            title=TEXT,
            status={"type": "integer"},
            code={"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]*$"},
            detail=TEXT,
            success={"const": False},
        ),
    },
    "Poll": answer(
        processed=NUMBER,
        created=NUMBER,
        updated=NUMBER,
        deleted=NUMBER,
        skipped=FLAG,
        reason=maybe(TEXT),
        results=list_of(_SYNC),
        left={"type": "object", "additionalProperties": TEXT},
    ),
    "Sweep": answer(
        total_processed=NUMBER,
        total_created=NUMBER,
        total_updated=NUMBER,
        total_deleted=NUMBER,
        total_skipped=NUMBER,
        total_failed=NUMBER,
        total_calendars=NUMBER,
        remaining=NUMBER,
        results=list_of(_SYNC),
    ),
    "Renewal": answer(
        renewed=NUMBER, failed=NUMBER, total=NUMBER, stopped=NUMBER, remaining=NUMBER, results=list_of(_RENEWAL)
    ),
    "Watched": answer(calendars=list_of(_WATCHED)),
    "Connected": answer(
        google_account={**maybe(TEXT), "description": "The address that was connected, if Google told."},
        calendars=list_of(_WATCHED),
    ),
    "Choices": shape(success=FLAG, calendars=list_of(_CHOICE)),
    "Removed": answer(removed=list_of(TEXT), meetings=one_of("keep", "delete")),
    "Consent": shape(success=FLAG, url=TEXT),
    "Disconnected": answer(
        status=one_of(ConnectionStatus.DISCONNECTED),
        calendars=NUMBER,
        meetings=one_of("keep", "delete"),
        channels_stopped=NUMBER,
        channels_left=NUMBER,
        revoked=maybe(FLAG),
        revoke_error=maybe(TEXT),
    ),
    "Explanations": shape(success=FLAG, explanations=list_of(_EXPLANATION)),
    "Health": {
        **shape(
            status=one_of("ok", "ready"),
            version={**TEXT, "description": "Of the code that runs; /healthz tells it."},
            misconfigured={**list_of(TEXT), "description": "What only the operator can mend, if anything."},
            down={**list_of(TEXT), "description": "Upstreams that answer nobody just now, if any."},
        ),
        "required": ["status"],
    },
}
