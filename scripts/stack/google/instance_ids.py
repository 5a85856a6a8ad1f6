"""The ids of instances: named after series and start, or opaque.

Owns both spellings. Named: `{base}_{original start}`, where a web-interface series `{base}_R{time}` drops its `_R…`
part. Opaque: what newer series get. It can be read here only (the base is the key), so that nothing has to remember
which ids were handed out. Which of the two a series uses is a mark on its master, kept for life. Pure.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from .errors import JsonObject

# On a master whose instances have opaque ids. Never shown, and nothing a client can set.
OPAQUE_MARK = "_opaqueInstanceIds"
BASE32HEX = "0123456789abcdefghijklmnopqrstuv"
OPAQUE_LENGTH = 26  # sixteen bytes, and as long as the ids of events


def base_of(master_id: str) -> str:
    """The part of a series' id that its instances' ids derive from."""
    return master_id.partition("_R")[0]


def stamp_of(start: dict[str, str]) -> str:
    """An original start as one word: what a named instance's id ends with."""
    if "date" in start:
        return start["date"].replace("-", "")
    return datetime.fromisoformat(start["dateTime"]).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def instance_id(master: JsonObject, stamp: str) -> str:
    """The id of the instance of a series that starts at `stamp`."""
    base = base_of(master["id"])
    return _opaque(base, stamp) if master.get(OPAQUE_MARK) else f"{base}_{stamp}"


def address_of(event: JsonObject) -> str:
    """How an event is found whatever ids its series uses: an instance by base and original start, another by its id."""
    if "recurringEventId" not in event:
        return str(event["id"])
    return f"{base_of(event['recurringEventId'])}_{stamp_of(event['originalStartTime'])}"


def stamp_in(master: JsonObject, event_id: str) -> str | None:
    """The start that an id names if it is the id of an instance of this series; whether the rule makes it is not asked.

    The series with the same base (before and after a split) share their instances' ids.
    """
    base = base_of(master["id"])
    if master.get(OPAQUE_MARK):
        return _read_opaque(base, event_id)
    named, _, stamp = event_id.rpartition("_")
    return stamp if named == base else None


def _opaque(base: str, stamp: str) -> str:
    number = int(stamp.translate(str.maketrans("", "", "TZ")))
    salt = _digest(base, stamp)
    hidden = number ^ int.from_bytes(_digest(base, salt.hex()))
    return _written(int.from_bytes(salt + hidden.to_bytes(8)))


def _read_opaque(base: str, event_id: str) -> str | None:
    if len(event_id) != OPAQUE_LENGTH or event_id.strip(BASE32HEX):
        return None
    value = int(event_id, 32)
    if value >= 1 << 128:
        return None
    raw = value.to_bytes(16)
    digits = str(int.from_bytes(raw[8:]) ^ int.from_bytes(_digest(base, raw[:8].hex())))
    stamp = digits if len(digits) == 8 else f"{digits[:8]}T{digits[8:]}Z"
    return stamp if _digest(base, stamp) == raw[:8] else None


def _digest(base: str, text: str) -> bytes:
    return hashlib.sha256(f"{base} {text}".encode()).digest()[:8]


def _written(value: int) -> str:
    return "".join(BASE32HEX[value >> 5 * place & 31] for place in reversed(range(OPAQUE_LENGTH)))
