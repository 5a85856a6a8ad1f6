"""Push channels: events.watch and channels.stop.

Owns which channels exist and whether they live. Refuses what Google refuses (ids used before, plain http, long tokens).
Delivery is push.py's. One stated deviation from Google: plain http is taken on loopback, since tests have no
certificates.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from .errors import ControlError, GoogleError, JsonObject, invalid, not_found, required
from .store import Calendar, Store
from .switches import Switches

ID_PATTERN = re.compile(r"[A-Za-z0-9\-_+/=]{1,64}")
MAX_TOKEN = 256


@dataclass
class Channel:
    """One channel; `number` is the last message number it used."""

    id: str
    token: str | None
    address: str
    calendar_id: str
    account: str
    client_id: str
    resource_id: str
    resource_uri: str
    expires_at: float
    event_types: tuple[str, ...] = ()
    state: str = "live"
    number: int = 0
    created_at: float = field(default=0.0)


class Channels:
    """Every channel there ever was: an id is never free again."""

    def __init__(self, store: Store, switches: Switches) -> None:
        self._store = store
        self._switches = switches
        self._channels: dict[str, Channel] = {}

    def open(
        self, calendar: Calendar, account: str, client_id: str, body: JsonObject, event_types: tuple[str, ...]
    ) -> Channel:
        """Create a channel from the body of a watch call."""
        channel_id = body.get("id")
        if not channel_id:
            raise required("Missing channel id.", "id")
        if not isinstance(channel_id, str) or not ID_PATTERN.fullmatch(channel_id):
            raise GoogleError(400, "channelIdInvalid", "Channel id is invalid.", location="id")
        if body.get("type") not in ("web_hook", "webhook"):
            raise GoogleError(400, "channelUnknown", "Unknown channel type.", location="type")
        token = body.get("token")
        if token is not None and (not isinstance(token, str) or len(token) > MAX_TOKEN):
            raise invalid("Channel token is too long.", "token")
        address = _checked_address(body.get("address"))
        if not calendar.watchable:
            message = "Push notifications are not supported by this resource."
            raise GoogleError(400, "pushNotSupportedForRequestedResource", message)
        if channel_id in self._channels:
            raise GoogleError(400, "channelIdNotUnique", f"Channel id {channel_id} not unique")
        now = self._store.clock.seconds()
        expires_at = self._expiry(body, now)
        digest = hashlib.sha256(f"{account} {calendar.id}".encode()).digest()
        resource_id = base64.urlsafe_b64encode(digest[:20]).decode().rstrip("=")
        uri = f"https://www.googleapis.com/calendar/v3/calendars/{quote(calendar.id, safe='')}/events?alt=json"
        channel = Channel(
            channel_id, token, address, calendar.id, account, client_id, resource_id, uri, expires_at, event_types
        )
        channel.created_at = now
        self._channels[channel_id] = channel
        return channel

    def _expiry(self, body: JsonObject, now: float) -> float:
        # The strictest of what was asked and what Google allows wins.
        limits = [now + self._switches.channel_max_ttl_seconds]
        ttl = (body.get("params") or {}).get("ttl")
        try:
            if body.get("expiration") is not None:
                limits.append(int(body["expiration"]) / 1000)
            if ttl is not None:
                limits.append(now + int(ttl))
        except (TypeError, ValueError):
            raise invalid("Invalid expiration.", "expiration") from None
        if len(limits) == 1:
            limits.append(now + self._switches.channel_default_ttl_seconds)
        if min(limits) <= now:
            raise invalid("Channel expiration is in the past.", "expiration")
        return int(min(limits) * 1000) / 1000

    def answer(self, channel: Channel) -> JsonObject:
        """The body of the answer to watch."""
        expiration: int | str = round(channel.expires_at * 1000)
        if self._switches.expiration_type == "string":
            expiration = str(expiration)
        body: JsonObject = {"kind": "api#channel", "id": channel.id, "resourceId": channel.resource_id}
        body |= {"resourceUri": channel.resource_uri, "expiration": expiration}
        return body | ({"token": channel.token} if channel.token is not None else {})

    def stop(self, account: str, client_id: str, body: JsonObject) -> None:
        """channels.stop: by id and resourceId, of the same user and client; anything else is 404."""
        for name in ("id", "resourceId"):
            if not body.get(name):
                raise required(f"Missing {name}.", name)
        channel = self._channels.get(body["id"])
        owned = channel is not None and (channel.account, channel.client_id) == (account, client_id)
        if channel is None or not owned or channel.resource_id != body["resourceId"] or not self.is_live(channel):
            message = f"Channel '{body['id']}' not found for project"
            raise GoogleError(404, not_found().reason, message)
        channel.state = "stopped"

    def is_live(self, channel: Channel) -> bool:
        """Whether the channel is open, by the emulator's clock."""
        if channel.state == "live" and channel.expires_at <= self._store.clock.seconds():
            channel.state = "expired"
        return channel.state == "live"

    def owed(self, calendar_id: str, event_types: set[str], actor: str | None) -> list[Channel]:
        """The channels that hear of a change to a calendar."""
        readers = self._store.calendar(calendar_id).acl
        found = []
        for channel in self._channels.values():
            speaks = self.is_live(channel) or (channel.state == "stopped" and self._switches.deliver_after_stop)
            if channel.calendar_id != calendar_id or not speaks or channel.account not in readers:
                continue
            if channel.event_types and not event_types & set(channel.event_types):
                continue
            if actor is None or actor != channel.account or self._switches.echo_own_writes:
                found.append(channel)
        return found

    def end(self, channel_id: str) -> None:
        """Let a channel die silently before its time."""
        if channel_id not in self._channels:
            raise ControlError(f"no channel {channel_id}")
        self._channels[channel_id].state = "expired"

    def snapshot(self) -> list[JsonObject]:
        """Every channel, as plain data, without tokens."""
        return [
            {
                "id": channel.id,
                "state": "live" if self.is_live(channel) else channel.state,
                "calendar": channel.calendar_id,
                "account": channel.account,
                "resourceId": channel.resource_id,
                "expiration": round(channel.expires_at * 1000),
                "address": channel.address,
                "number": channel.number,
            }
            for channel in self._channels.values()
        ]


def _checked_address(address: object) -> str:
    if not isinstance(address, str) or not address:
        raise required("Missing channel address.", "address")
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise GoogleError(400, "push.webhookUrlNotHttps", f"WebHook callback must be HTTPS: {address}")
    if not parts.hostname:
        raise invalid("Invalid channel address.", "address")
    return address


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
