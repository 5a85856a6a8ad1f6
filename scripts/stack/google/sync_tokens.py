"""Sync tokens and page tokens: opaque to clients, signed, and bound to the query they came from.

Owns their encoding, expiry and the refusals around them. A sync token carries its own state, so any number of old
ones keep working; a page token names a snapshot kept here, so that pages stay consistent while events change.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from .errors import GoogleError, gone, invalid
from .store import Calendar, Store
from .switches import Switches

# Representation and paging parameters: they may differ between the calls of one sync.
UNBOUND = frozenset(
    (
        "pageToken",
        "syncToken",
        "maxResults",
        "fields",
        "alt",
        "prettyPrint",
        "key",
        "quotaUser",
        "userIp",
        "oauth_token",
    )
)
BARRED_WITH_SYNC_TOKEN = (
    "iCalUID",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
    "minAccessRole",
)
MAX_SNAPSHOTS = 2000


@dataclass
class Snapshot:
    """What one listing selected, to be handed out page by page. `change` is where the next delta starts."""

    fingerprint: str
    items: list[Any]
    change: int
    since: SyncToken | None


@dataclass(frozen=True)
class SyncToken:
    """A decoded sync token."""

    subject: str
    account: str
    change: int
    fingerprint: str
    issued_at: float


def fingerprint(parameters: dict[str, Any], *, for_sync: bool) -> str:
    """What must be equal between calls: the bound parameters that differ from their defaults.

    For a sync token the barred ones stay out (an initial listing may have had them); for a page token all count.
    """
    bound = {name: value for name, value in parameters.items() if name not in UNBOUND and value is not False}
    if for_sync:
        bound = {name: value for name, value in bound.items() if name not in (*BARRED_WITH_SYNC_TOKEN, "orderBy")}
    else:
        bound["syncToken"] = parameters.get("syncToken")
    return hashlib.sha256(json.dumps(bound, sort_keys=True).encode()).hexdigest()[:16]


class Tokens:
    """Mints and reads both kinds of token."""

    def __init__(self, store: Store, switches: Switches) -> None:
        self._store = store
        self._switches = switches
        # New with every emulator: tokens of a former life are corrupt, as Google's are after a migration.
        self._key = secrets.token_bytes(32)
        self._snapshots: OrderedDict[str, Snapshot] = OrderedDict()

    def mint_sync(self, subject: str, account: str, snapshot: Snapshot, parameters: dict[str, Any]) -> str:
        """The nextSyncToken of a finished listing; unchanged calendars may get the very same token again."""
        since = snapshot.since
        if since is not None and not snapshot.items and self._switches.same_token_when_unchanged:
            content: list[Any] = [subject, account, since.change, since.fingerprint, since.issued_at]
        else:
            bound = since.fingerprint if since else fingerprint(parameters, for_sync=True)
            content = [subject, account, snapshot.change, bound, self._store.clock.seconds()]
        return self._seal("s", content)

    def read_sync(self, text: str, subject: str, account: str, parameters: dict[str, Any]) -> SyncToken:
        """The token, checked against corruption, its calendar, account and query; expiry is `check_fresh`."""
        content = self._open("s", text)
        if content is None or content[:2] != [subject, account]:
            if self._switches.corrupt_token == "gone":  # noqa: S105 - the name of a variant
                raise gone()
            raise invalid("Invalid sync token value.", "syncToken")
        token = SyncToken(*content)
        if token.fingerprint != fingerprint(parameters, for_sync=True):
            raise with_restrictions()
        return token

    def check_fresh(self, token: SyncToken, calendar: Calendar | None) -> None:
        """410 once a token is too old, was expired by a test, or predates an ACL change."""
        if self._store.clock.seconds() - token.issued_at > self._switches.sync_token_ttl_seconds:
            raise gone()
        if calendar is None:
            return
        if token.change <= calendar.tokens_expired_at or token.change < calendar.acl_changed_at.get(token.account, -1):
            raise gone()

    def keep(self, snapshot: Snapshot) -> str:
        """Remember a snapshot for its later pages; the oldest are forgotten."""
        name = secrets.token_hex(8)
        self._snapshots[name] = snapshot
        while len(self._snapshots) > MAX_SNAPSHOTS:
            self._snapshots.popitem(last=False)
        return name

    def mint_page(self, name: str, offset: int, page: int) -> str:
        """The nextPageToken: page `page` (from 1) of a snapshot, at `offset`."""
        return self._seal("p", [name, offset, page])

    def read_page(self, text: str, parameters: dict[str, Any]) -> tuple[str, Snapshot, int, int]:
        """Name, snapshot, offset and page number; 400 for a token of another query, or one no longer known."""
        content = self._open("p", text)
        snapshot = self._snapshots.get(content[0]) if content else None
        if content is None or snapshot is None or snapshot.fingerprint != fingerprint(parameters, for_sync=False):
            raise page_token_rejected()
        return content[0], snapshot, content[1], content[2]

    def page_number(self, text: str | None) -> int:
        """Which page a call asks for, for faults that strike on page N."""
        content = self._open("p", text) if text else None
        return int(content[2]) if content else 1

    def _seal(self, kind: str, content: list[Any]) -> str:
        payload = json.dumps([kind, *content]).encode()
        signature = hmac.new(self._key, payload, hashlib.sha256).digest()[:9]
        return base64.urlsafe_b64encode(signature + payload).decode()

    def _open(self, kind: str, text: str) -> list[Any] | None:
        try:
            raw = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
        except ValueError:
            return None
        expected = hmac.new(self._key, raw[9:], hashlib.sha256).digest()[:9]
        if not hmac.compare_digest(raw[:9], expected):
            return None
        content: list[Any] = json.loads(raw[9:])
        return content[1:] if content[0] == kind else None


def page_token_rejected() -> GoogleError:
    """400: this page token will not do; the listing has to begin again."""
    return invalid("Invalid page token value.", "pageToken")


def with_restrictions() -> GoogleError:
    """400: a sync token together with a parameter it does not go with."""
    message = "Sync token cannot be used with query restrictions or other parameters than those it was issued for."
    return GoogleError(400, "syncTokenWithRequestRestrictions", message, domain="calendar", location="syncToken")


def check_sync_query(parameters: dict[str, Any]) -> None:
    """400 for parameters that Google bars together with `syncToken`."""
    shown = [parameters.get("showDeleted"), parameters.get("showHidden")]
    if any(name in parameters for name in BARRED_WITH_SYNC_TOKEN) or False in shown:
        raise with_restrictions()
    if "orderBy" in parameters:
        message = "Sync token cannot be used with a non-default ordering."
        raise GoogleError(400, "syncTokenWithNonDefaultOrdering", message, domain="calendar", location="syncToken")
