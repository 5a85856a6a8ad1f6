"""Which calendars an operator means: a calendar's id, a user's, or a Google account's address."""

from __future__ import annotations

import uuid
from typing import Any

from sync.cli.faults import Refused
from sync.clients.store import Store

# More than one user may have watched; asked for at a time.
PAGE = 500


def uuid_of(given: str) -> str | None:
    try:
        return str(uuid.UUID(given))
    except ValueError:
        return None


def user_id_of(given: str) -> str:
    """Raises Refused: it has not the form of one."""
    found = uuid_of(given)
    if found is None:
        raise Refused("user_malformed", f"{given!r} is no user's id: give the UUID that auth.users has.")
    return found


def chosen(store: Store, which: str) -> list[dict[str, Any]]:
    """Calendars as calendar_card or calendar_status have them, one at least. Raises Refused: nobody has such a one."""
    found_id = uuid_of(which)
    if found_id is None:
        # The store finds accounts by how they begin; what is no address would find half of them.
        beginning = _all(store, account=which.lower()) if "@" in which else []
        found = [each for each in beginning if each["google_account"].lower() == which.lower()]
    else:
        card = store.operators.calendar(found_id)
        found = [card] if card else _all(store, user_id=found_id)
    if not found:
        sentence = f"There is no calendar {which!r}, no user of it and no Google account."
        raise Refused("not_found", sentence)
    return found


def _all(store: Store, **by: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        page, after = store.overview.calendars(after=after, limit=PAGE, **by)
        found.extend(page)
        if after is None:
            return found
