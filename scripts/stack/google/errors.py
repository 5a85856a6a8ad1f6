"""Google's refusals: the Calendar error JSON and the OAuth error JSON.

Owns the shape of every error answer. Refuses to decide when one is due; the callers do.
"""

from __future__ import annotations

from typing import Any

JsonObject = dict[str, Any]

ACCESS_TOKEN_SCOPE_INSUFFICIENT = "ACCESS_TOKEN_SCOPE_INSUFFICIENT"  # noqa: S105 - an error reason


class GoogleError(Exception):
    """A Calendar API refusal; `reason` is the word clients decide on."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        domain: str = "global",
        location: str | None = None,
        location_type: str | None = None,
        status: str | None = None,
        details: list[JsonObject] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code} {reason}")
        self.code, self.reason, self.message, self.domain = code, reason, message, domain
        self.location, self.location_type = location, location_type
        self.status, self.details, self.headers = status, details, headers or {}

    def body(self) -> JsonObject:
        """Google's error document."""
        item: JsonObject = {"domain": self.domain, "reason": self.reason, "message": self.message}
        if self.location:
            item |= {"locationType": self.location_type or "parameter", "location": self.location}
        error: JsonObject = {"errors": [item], "code": self.code, "message": self.message}
        if self.status:
            error["status"] = self.status
        if self.details:
            error["details"] = self.details
        return {"error": error}


class OAuthError(Exception):
    """A refusal of the token or revocation endpoint (RFC 6749 section 5.2)."""

    def __init__(self, code: int, error: str, description: str, subtype: str | None = None) -> None:
        super().__init__(f"{code} {error}")
        self.code, self.error, self.description, self.subtype = code, error, description, subtype

    def body(self) -> JsonObject:
        """The JSON body of the answer."""
        body = {"error": self.error, "error_description": self.description}
        return body | ({"error_subtype": self.subtype} if self.subtype else {})


class ControlError(Exception):
    """A test asked the control API for something that cannot be done."""


def invalid(message: str, location: str | None = None) -> GoogleError:
    """400: a value the API does not take."""
    return GoogleError(400, "invalid", message, location=location)


def required(message: str, location: str | None = None) -> GoogleError:
    """400: something is missing."""
    return GoogleError(400, "required", message, location=location)


def not_found() -> GoogleError:
    """404: gone, or out of the caller's sight; Google does not say which."""
    return GoogleError(404, "notFound", "Not Found")


def gone(reason: str = "fullSyncRequired") -> GoogleError:
    """410: the sync token (or updatedMin, or the event) is no longer good."""
    if reason == "deleted":
        return GoogleError(410, reason, "Resource has been deleted")
    if reason == "updatedMinTooLongAgo":
        message = "The requested minimum modification time lies too far in the past."
        return GoogleError(410, reason, message, domain="calendar", location="updatedMin")
    message = "Sync token is no longer valid, a full sync is required."
    return GoogleError(410, reason, message, domain="calendar", location="syncToken")


def scope_missing() -> GoogleError:
    """403: the grant does not cover the call."""
    message = "Request had insufficient authentication scopes."
    detail = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": ACCESS_TOKEN_SCOPE_INSUFFICIENT,
        "domain": "googleapis.com",
        "metadata": {"service": "calendar-json.googleapis.com"},
    }
    return GoogleError(403, "insufficientPermissions", message, status="PERMISSION_DENIED", details=[detail])


def bad_credentials() -> GoogleError:
    """401: an access token that is unknown, expired or revoked."""
    return GoogleError(
        401,
        "authError",
        "Invalid Credentials",
        location="Authorization",
        location_type="header",
        status="UNAUTHENTICATED",
        headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'},
    )


def login_required() -> GoogleError:
    """401: no credentials at all."""
    return GoogleError(
        401,
        "required",
        "Login Required.",
        location="Authorization",
        location_type="header",
        headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"'},
    )
