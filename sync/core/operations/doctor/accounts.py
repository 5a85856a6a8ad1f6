"""How users' connections and their channels stand: scopes, the consent screen, keys, what lapses. Pure. Called by the
doctor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sync.core.operations.doctor.verdict import Verdict, failed, named, warning, well
from sync.core.operations.formatting import number
from sync.core.operations.mends import sentence_of
from sync.core.operations.rule_parts import counted

SCOPES, CONSENT_SCREEN, OAUTH_CLIENT = "scopes", "consent screen", "OAuth client"
KEYS, CHANNELS = "encryption keys", "channels"


@dataclass(frozen=True, slots=True)
class Held:
    """`facts`: what the database tells (`examine_service`). `known_keys`: ids of the keys that the service has."""

    facts: Mapping[str, Any]
    known_keys: frozenset[str]


def _scopes(held: Held) -> Verdict:
    lacking = held.facts["connections"]["without_scope"]
    if lacking:
        return warning(
            SCOPES,
            "scope_missing",
            f"{number(lacking)} connections lack the right to read events.",
            "Have these users connect again with all boxes ticked; and see that the app asks for "
            "calendar.events.readonly where it signs users in, and that the consent screen lists it.",
        )
    return well(SCOPES, "Every connection may read events.")


def _consent_screen(held: Held) -> Verdict:
    connections = held.facts["connections"]
    lost, ending = connections["lost_in_testing"], connections["ends_by_itself"]
    if lost or ending:
        parts = [
            f"{number(lost)} connections ended seven days after consent" if lost else "",
            f"Google has named an end for {number(ending)} more" if ending else "",
        ]
        return failed(
            CONSENT_SCREEN,
            "consent_screen_in_testing",
            f"{'; '.join(filter(None, parts))}: the consent screen is in testing.",
            "Publish the app (Google Cloud console, Google Auth Platform, Audience), then have users connect again.",
        )
    return well(CONSENT_SCREEN, "No grant ended, or is to end, as those of an app in testing do.")


def _oauth_client(held: Held) -> Verdict:
    others = held.facts["connections"]["of_other_client"]
    if others:
        seen = f"{number(others)} connections were given to another GOOGLE_CLIENT_ID than the one set here."
        return failed(OAUTH_CLIENT, "other_oauth_client", seen, sentence_of("other_oauth_client"))
    return well(OAUTH_CLIENT, "Every connection was given to this client.")


def _keys(held: Held) -> Verdict:
    sealed: Mapping[str, int] = held.facts["keys"]
    missing = {key: rows for key, rows in sealed.items() if key not in held.known_keys}
    if missing:
        told = named(f"{key} ({number(rows)} rows)" for key, rows in sorted(missing.items()))
        return failed(
            KEYS,
            "token_key_missing",
            f"TOKEN_ENCRYPTION_KEYS lacks keys that rows are sealed with, by their ids: {told}.",
            "Put the former key back behind the first one, then `calendar-monitor rotate-keys`; if it is lost, "
            "these users connect again.",
        )
    in_the_clear = held.facts["connections"]["in_the_clear"]
    if in_the_clear:
        seen = f"{number(in_the_clear)} users' tokens are stored in the clear, from before the service."
        return warning(KEYS, "tokens_in_the_clear", seen, "Seal them: `calendar-monitor rotate-keys`.")
    return well(KEYS, f"The service has every key that the {number(sum(sealed.values()))} sealed rows need.")


def _channels(held: Held) -> Verdict:
    channels = held.facts["channels"]
    of = f"of {counted(channels['calendars'])} calendars"
    if channels["lapsed"]:
        return failed(
            CHANNELS,
            "channels_lapsed",
            f"The channels {of} that have lapsed: {number(channels['lapsed'])}. Google pushes nothing for these.",
            "`calendar-monitor renew --due`, and see why renewals did not run: who drives, and the last error of each "
            "watch.",
        )
    if channels["none"]:
        return warning(
            CHANNELS,
            "channels_none",
            f"{number(channels['none'])} {of} have no channel: polls alone find their changes.",
            "See that the door is well, then `calendar-monitor renew --due`; some calendars cannot be pushed.",
        )
    if channels["lapsing"]:
        return warning(
            CHANNELS,
            "channels_lapsing",
            f"{number(channels['lapsing'])} {of} have a channel that should have been renewed by now.",
            "`calendar-monitor renew --due`, and see why renewals did not run.",
        )
    return well(
        CHANNELS, f"Every one {of} has a live channel." if channels["calendars"] else "There is no calendar yet."
    )


_RULES: Mapping[str, Callable[[Held], Verdict]] = {
    OAUTH_CLIENT: _oauth_client,
    SCOPES: _scopes,
    CONSENT_SCREEN: _consent_screen,
    KEYS: _keys,
    CHANNELS: _channels,
}
CHECKS = tuple(_RULES)


def accounts(held: Held) -> list[Verdict]:
    return [rule(held) for rule in _RULES.values()]
