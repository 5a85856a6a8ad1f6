"""Looks at everything that stands between a set-up and a service that works, and gives a verdict on each point.

Changes nothing: what it sends are questions, a refresh that cannot succeed, and probes. Independent points are looked
at side by side; what depends on another one is not checked where that failed. Called by the cli (`doctor`).
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlsplit

from sync.clients import outside
from sync.clients.google.oauth import GoogleOAuth
from sync.clients.user_keys import KeysUnavailable, UserKeys
from sync.core.accounts.oauth_flow import code_challenge, consent_url, redirect_uri
from sync.core.events.endpoints import is_public
from sync.core.operations.doctor import outside as rules
from sync.core.operations.doctor import set_up
from sync.core.operations.doctor.verdict import Verdict
from sync.env_checks import is_jwt
from sync.errors import GrantRefused, RetryLater, SyncError
from sync.jobs.operations.doctor.service import SERVICE_CHECKS, look_at_service
from sync.jobs.operations.doctor.side_by_side import Examination, side_by_side
from sync.jobs.operations.readiness import why_not_ready
from sync.jobs.operations.watch_ingress import probe_region
from sync.jobs.services import Services

# Of all points together; what has not answered by then is not checked.
SECONDS = 10.0
# A grant that nobody was given: the endpoint refuses it only to a client that it knows.
NO_GRANT = "1//doctor"
KEYS_PATH = "/auth/v1/.well-known/jwks.json"
# The Date header has whole seconds.
HALF_A_SECOND = 0.5

_DATABASE_KEYS = frozenset({"SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"})
_GOOGLE_KEYS = frozenset({"GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "GOOGLE_TOKEN_URI"})

_CONSENT_KEYS = frozenset({"GOOGLE_CLIENT_ID", "GOOGLE_AUTH_URI", "WEBHOOK_BASE_URL", "CONNECT_REDIRECT_URLS"})


def examine(services: Services | None, unset: Mapping[str, str], seconds: float = SECONDS) -> list[Verdict]:
    """All verdicts, within `seconds`. `unset`: keys of the environment that are not set right, with their mends;
    `services` stand in spite of them, or not at all."""
    verdicts = set_up.settings(unset)
    if services is None:
        return verdicts
    examinations = [
        Examination((set_up.SERVICE_KEY,), _DATABASE_KEYS, partial(_service_key, services)),
        Examination(
            (set_up.DATABASE, *set_up.SCHEMA, *SERVICE_CHECKS), _DATABASE_KEYS, partial(_database, services, unset)
        ),
        Examination((set_up.SIGN_IN,), frozenset({"SUPABASE_URL"}), partial(_sign_in, services)),
        Examination((rules.GOOGLE_CLIENT,), _GOOGLE_KEYS, partial(_google_client, services)),
        Examination((rules.REDIRECT_URI,), _CONSENT_KEYS, partial(_redirect_uri, services)),
        *_doors(services),
        Examination((rules.CLOCK,), frozenset(), partial(_clock, services, unset)),
    ]
    return verdicts + side_by_side(examinations, unset, seconds)


def _service_key(services: Services) -> list[Verdict]:
    return [set_up.service_key(is_legacy=is_jwt(services.settings.supabase_service_role_key))]


def _database(services: Services, unset: Mapping[str, str]) -> list[Verdict]:
    failure = why_not_ready(services)
    verdict = set_up.database(failure, services.settings.supabase_url)
    if failure is not None:
        why = "The database is to be set right first."
        return [verdict, *set_up.schema_unknown(why), *look_at_service(services, unset, why)]
    try:
        schema = set_up.schema(services.store.schema.inspect())
    except SyncError as refused:
        schema = set_up.schema_unknown(f"The database does not tell ({refused}).")
    return [verdict, *schema, *look_at_service(services, unset, None)]


def _google_client(services: Services) -> list[Verdict]:
    settings = services.settings
    oauth = GoogleOAuth(
        client_id=settings.google_client_id,
        client_secret=settings.google_client_secret,
        token_uri=settings.google_token_uri,
        clock=services.clock,
    )
    try:
        oauth.refresh(NO_GRANT)
    except GrantRefused:
        return [rules.google_client(None)]
    except (RetryLater, SyncError) as refused:
        return [rules.google_client(refused.code)]
    return [rules.google_client(None)]


def _sign_in(services: Services) -> list[Verdict]:
    settings = services.settings
    try:
        published = UserKeys(settings.supabase_url + KEYS_PATH).published()
    except KeysUnavailable:
        published = None
    return [set_up.sign_in(published, has_secret=settings.supabase_jwt_secret is not None)]


def _redirect_uri(services: Services) -> list[Verdict]:
    settings = services.settings
    if not settings.connect_redirect_urls:
        return [rules.no_redirect_uri()]
    uri = redirect_uri(settings.webhook_base_urls)
    url = consent_url(
        settings.google_auth_uri,
        client_id=settings.google_client_id,
        redirect_uri=uri,
        state="doctor",
        challenge=code_challenge(secrets.token_urlsafe(48)),
        login_hint=None,
        ask_consent=False,
    )
    return [rules.redirect_uri(uri, outside.consent_refusal(url))]


def _doors(services: Services) -> list[Examination]:
    several = len(services.ingress.addresses) > 1
    found = []
    for region, address in services.ingress.addresses.items():
        named = (lambda check, region=region: f"{check} of {region}") if several else (lambda check: check)
        address_check, door_check = named(rules.ADDRESS), named(rules.DOOR)
        found += [
            Examination(
                (address_check,), frozenset({"WEBHOOK_BASE_URL"}), partial(_address, services, address_check, address)
            ),
            Examination(
                (door_check,),
                frozenset({"WEBHOOK_BASE_URL", "CHANNEL_TOKEN_SECRET"}),
                partial(_door, services, door_check, region, address),
            ),
        ]
    return found


def _address(services: Services, check: str, address: str) -> list[Verdict]:
    parts, seen = urlsplit(address), outside.connect(address)
    reached = rules.Reached(
        host=parts.hostname or "",
        error_code=seen.error_code,
        is_tls=parts.scheme == "https",
        is_public=all(map(is_public, seen.addresses)),
        ends_at=seen.ends_at,
    )
    return [rules.address(check, reached, services.clock())]


def _door(services: Services, check: str, region: str, address: str) -> list[Verdict]:
    came = probe_region(services, region, address)
    code = "refused_there" if came.is_refused_there else came.error_code
    return [rules.door(check, address, code, came.duration_ms)]


def _clock(services: Services, unset: Mapping[str, str]) -> list[Verdict]:
    settings = services.settings
    urls = {"Google": settings.google_token_uri}
    if not unset.keys() & {"SUPABASE_URL"}:
        urls["Supabase"] = settings.supabase_url
    return [rules.clock({name: _reading(url, services.clock) for name, url in urls.items()})]


def _reading(url: str, clock: Callable[[], dt.datetime]) -> rules.ClockReading | None:
    told = outside.clock_of(url, clock)
    if told is None:
        return None
    took = (told.answered_at - told.asked_at).total_seconds()
    ahead = (told.at - told.asked_at).total_seconds() - took / 2 + HALF_A_SECOND
    return rules.ClockReading(ahead, took / 2 + HALF_A_SECOND)
