"""What the world outside says: Google's token endpoint, the doors that notifications come through, the clocks. Pure.
Called by the doctor."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from sync.core.operations.doctor.verdict import Verdict, failed, named, unchecked, warning, well
from sync.core.operations.mends import sentence_of

GOOGLE_CLIENT, REDIRECT_URI, CLOCK = "Google client", "redirect URI", "clock"
ADDRESS, DOOR = "address", "door"
# A certificate is renewed a month before its end where that runs by itself.
ENDS_SOON = dt.timedelta(days=14)
# Beyond the first, times of notifications and tokens begin to be off; beyond the second, probes are refused.
CLOCK_OFF_SECONDS, CLOCK_WRONG_SECONDS = 5.0, 60.0


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a connection to an address came. `error_code` None: all the way; else name_unknown, not_connected,
    timeout, or what is wrong with the certificate: expired, not_yet_valid, other_host, not_trusted, tls_failed.
    `ends_at`: of the certificate, also of one that is refused. `is_public`: no address is of a network's own."""

    host: str
    error_code: str | None
    is_tls: bool
    is_public: bool = True
    ends_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Another clock, compared with ours at the middle of a request: it is `ahead_seconds` of it, give or take
    `give_or_take_seconds`."""

    ahead_seconds: float
    give_or_take_seconds: float


_ADDRESS_MENDS = {
    "name_unknown": ("has no address in the DNS", "set the name's record at your DNS provider, or WEBHOOK_BASE_URL"),
    "not_connected": ("takes no connection", "start the service there, and open its port (443) to the world"),
    "timeout": ("does not take a connection in time", "open its port (443) to the world: Google calls from anywhere"),
    "not_yet_valid": ("has a certificate that is not valid yet", "see the host's clock, or renew the certificate"),
    "other_host": ("has a certificate of another name", "have the certificate cover this host name"),
    "not_trusted": (
        "has a certificate of nobody that Google trusts",
        "take one of a public authority (Let's Encrypt), and serve the intermediate certificates with it",
    ),
    "tls_failed": ("does not speak TLS as it must", "serve TLS 1.2 or newer there"),
}
_DOOR_MENDS = {
    "not_connected": "start the service there, and open its port to the world",
    "timeout": "see whether the service there hangs, or what stands in front of it",
    "no_answer": "see the log of the service there, and of what stands in front of it",
    "tls_failed": "mend the certificate first",
    "foreign_answer": "somebody else answers there: point the name, the load balancer or the path at this service, and "
    "give all processes the same CHANNEL_TOKEN_SECRET",
    "refused_there": "the service there does not know this environment's CHANNEL_TOKEN_SECRET, or one of the two "
    "clocks is off: give both the same secrets",
    "status_404": "this path is not routed to the service: WEBHOOK_BASE_URL ends where /functions/v1/… begins",
    "status_405": "this path is not routed to the service: WEBHOOK_BASE_URL ends where /functions/v1/… begins",
    "status_413": "the gateway in front takes no POST without a body: let it through",
}


def google_client(code: str | None) -> Verdict:
    """`code`: what the token endpoint answered to a grant that cannot exist; it refuses that grant only to a client it
    knows. None or invalid_grant: just that."""
    if code in (None, "invalid_grant"):
        return well(GOOGLE_CLIENT, "Google's token endpoint knows the client's id and secret.")
    if code in ("invalid_client", "unauthorized_client"):
        return failed(
            GOOGLE_CLIENT,
            code,
            f"Google's token endpoint refuses the client ({code}).",
            "Copy both GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET anew from the client's page in Google Cloud console "
            "(Clients); a secret that was deleted there is of no use.",
        )
    if code.startswith("token_"):
        return failed(
            GOOGLE_CLIENT,
            code,
            f"Google's token endpoint gives no answer ({code}).",
            "See whether this network lets GOOGLE_TOKEN_URI through, and whether that is Google's own.",
        )
    return failed(GOOGLE_CLIENT, code, f"Google's token endpoint refuses the client ({code}).", sentence_of(code))


def redirect_uri(uri: str, code: str | None) -> Verdict:
    """`code`: why Google's consent page refuses to begin a flow that is to come back to `uri`; None: it begins one;
    not_told: it said neither."""
    if code is None:
        return well(REDIRECT_URI, f"Google's consent page sends users back to {uri}.")
    if code == "redirect_uri_mismatch":
        return failed(
            REDIRECT_URI,
            code,
            f"Google's consent page does not know {uri} as one of the client's.",
            "Add it, letter by letter, to the Authorized redirect URIs of the client (Google Cloud console, Clients).",
        )
    if code == "not_told" or code == "invalid_request":
        return unchecked(REDIRECT_URI, f"Google's consent page did not say whether it knows {uri}.")
    return failed(REDIRECT_URI, code, f"Google's consent page refuses the client ({code}).", sentence_of(code))


def no_redirect_uri() -> Verdict:
    return well(REDIRECT_URI, "None is used: without CONNECT_REDIRECT_URLS nobody connects by the consent page.")


def address(check: str, reached: Reached, now: dt.datetime) -> Verdict:
    """Name, connection and certificate of a door, as this machine sees them."""
    host, code = reached.host, reached.error_code
    if code == "expired":
        ended = f" on {reached.ends_at:%Y-%m-%d}" if reached.ends_at else ""
        mend = "Renew the certificate, and see why that did not run by itself."
        return failed(check, "certificate_expired", f"The certificate of {host} expired{ended}.", mend)
    if code is not None:
        seen, mend = _ADDRESS_MENDS[code]
        return failed(check, f"address_{code}", f"{host} {seen}.", f"{mend[:1].upper()}{mend[1:]}.")
    if not reached.is_tls:
        return well(check, f"{host} is this machine's own, by plain http: right for development, and for nothing else.")
    if not reached.is_public:
        return warning(
            check,
            "address_private",
            f"{host} has an address of a private network, as this machine sees it: Google reaches none of those.",
            "Give the name a public address, or look from a machine outside.",
        )
    if reached.ends_at and reached.ends_at - now < ENDS_SOON:
        mend = "Renew it now, and see why that did not run by itself."
        return warning(
            check, "certificate_ends_soon", f"The certificate of {host} ends on {reached.ends_at:%Y-%m-%d}.", mend
        )
    until = f" to {reached.ends_at:%Y-%m-%d}" if reached.ends_at else ""
    return well(check, f"{host} takes a connection, and its certificate is good{until}.")


def door(check: str, address: str, error_code: str | None, duration_ms: int) -> Verdict:
    """A probe's round trip through a door."""
    if error_code is None:
        return well(check, f"A signed probe came back through {address} within {duration_ms} ms.")
    return failed(check, f"door_{error_code}", _door_seen(address, error_code), _door_mend(error_code))


def _door_seen(address: str, error_code: str) -> str:
    if error_code == "refused_there":
        return f"{address} is this service, and refuses the probe (401)."
    if error_code.startswith("status_"):
        return f"{address} answers {error_code.removeprefix('status_')}."
    return f"{address}: {error_code.replace('_', ' ')}."


def _door_mend(error_code: str) -> str:
    known = _DOOR_MENDS.get(error_code)
    if known is None and error_code in ("status_401", "status_403"):
        known = (
            "something in front of the service asks for a key or bars strangers (a gateway, an edge function's JWT "
            "check, a platform's sign-in): Google sends none, so let this path through"
        )
    if known is None and error_code.startswith("status_3"):
        known = "Google follows no redirect: set WEBHOOK_BASE_URL to where it leads to (https, the exact host)"
    known = known or "see the log of the service there, and of what stands in front of it"
    return f"{known[:1].upper()}{known[1:]}."


def clock(readings: Mapping[str, ClockReading | None]) -> Verdict:
    """`readings`: by whose clock; None: it did not tell."""
    told = {name: reading for name, reading in readings.items() if reading is not None}
    if not told:
        return unchecked(CLOCK, f"Nobody told the time that was asked: {named(readings)}.")
    surely = {name: max(0.0, abs(each.ahead_seconds) - each.give_or_take_seconds) for name, each in told.items()}
    name = max(surely, key=lambda each: surely[each])
    seen = f"{_off(told[name])} the clock of {name}"
    if surely[name] < CLOCK_OFF_SECONDS:
        return well(CLOCK, f"This machine's agrees with those of {named(told)}.")
    mend = "Have this machine's clock set by NTP (timedatectl set-ntp true), or the host's that it runs on."
    if len(surely) > 1 and min(surely.values()) < CLOCK_OFF_SECONDS:
        seen += f", and agrees with that of {min(surely, key=lambda each: surely[each])}"
    if surely[name] >= CLOCK_WRONG_SECONDS:
        return failed(CLOCK, "clock_wrong", f"{seen}.", mend)
    return warning(CLOCK, "clock_off", f"{seen}.", mend)


def _off(reading: ClockReading) -> str:
    seconds = f"{abs(reading.ahead_seconds):,.0f} s"
    return f"This machine's clock is {seconds} {'behind' if reading.ahead_seconds > 0 else 'ahead of'}"
