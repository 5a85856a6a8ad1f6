"""What every job needs, gathered once per process: settings, clients, clock, randomness, log. Built by `app` and the
worker."""

from __future__ import annotations

import datetime as dt
import os
import random
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from sync.bot_model import BotProviderName
from sync.clients.alerts.destinations import AlertDestinations
from sync.clients.bots.provider import BotProvider
from sync.clients.bots.providers import open_providers
from sync.clients.breakers import Breakers
from sync.clients.events.sender import Sender
from sync.clients.google.calendar import GoogleCalendar
from sync.clients.google.consent import GoogleConsent
from sync.clients.google.oauth import GoogleOAuth
from sync.clients.heartbeat import Heartbeat
from sync.clients.ingress import IngressClient
from sync.clients.mail import Mailer
from sync.clients.public_hosts import PublicHosts
from sync.clients.store import Store
from sync.clients.vault import Vault
from sync.core.events.endpoints import is_loopback, is_public
from sync.env_checks import is_jwt
from sync.jobs.access_tokens import AccessTokens
from sync.jobs.calendar_lists import CalendarLists
from sync.jobs.ingress_in_force import IngressInForce
from sync.jobs.leases import Leases
from sync.jobs.operator_faults import OperatorFaults
from sync.jobs.polling_in_force import PollingInForce
from sync.jobs.quota_in_force import QuotaInForce
from sync.jobs.settings_in_force import SettingsInForce
from sync.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    breakers: Breakers
    in_force: SettingsInForce
    polling: PollingInForce
    quota: QuotaInForce
    ingress: IngressInForce
    store: Store
    calendar: GoogleCalendar
    calendar_lists: CalendarLists
    consent: GoogleConsent
    tokens: AccessTokens
    vault: Vault
    mailer: Mailer | None
    destinations: AlertDestinations
    heartbeat: Heartbeat | None
    sender: Sender
    doors: IngressClient
    bot_providers: Mapping[BotProviderName, BotProvider]
    hosts: PublicHosts
    clock: Callable[[], dt.datetime]
    jitter: Callable[[], float]
    worker_name: str
    leases: Leases
    operator_faults: OperatorFaults
    log: structlog.stdlib.BoundLogger


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def build_services(
    settings: Settings,
    clock: Callable[[], dt.datetime] = utc_now,
    monotonic: Callable[[], float] = time.monotonic,
) -> Services:
    """One set of clients for this process. Create it after fork. `monotonic`: seconds of breakers, caches, leases."""
    breakers = Breakers(monotonic)
    log: structlog.stdlib.BoundLogger = structlog.get_logger("sync")
    operator_faults = OperatorFaults(clock, log)
    store = Store(settings.supabase_url, settings.supabase_service_role_key, breakers, operator_faults.note)
    oauth = GoogleOAuth(
        client_id=settings.google_client_id,
        client_secret=settings.google_client_secret,
        token_uri=settings.google_token_uri,
        clock=clock,
        breakers=breakers,
    )
    calendar = GoogleCalendar(settings.google_api_endpoint, breakers=breakers)
    consent = GoogleConsent(
        client_id=settings.google_client_id,
        client_secret=settings.google_client_secret,
        token_uri=settings.google_token_uri,
        revoke_uri=settings.google_revoke_uri,
        breakers=breakers,
    )
    if is_jwt(settings.supabase_service_role_key):
        mend = "put a secret key (sb_secret_…) into SUPABASE_SECRET_KEY; the platform retires legacy keys end of 2026"
        log.warning("legacy_service_key", mend=mend)
    quota = QuotaInForce(store, settings, log, monotonic)
    vault = Vault(settings.token_encryption_keys, store.connections.accepts_plaintext)
    # Containers repeat both their names and their process ids.
    worker_name = f"{socket.gethostname()[:100]}:{secrets.token_hex(4)}:{os.getpid()}"
    return Services(
        settings=settings,
        breakers=breakers,
        in_force=SettingsInForce(settings, store, worker_name, log),
        polling=PollingInForce(store, quota, clock),
        quota=quota,
        ingress=IngressInForce(settings.webhook_base_urls, store, clock),
        store=store,
        calendar=calendar,
        calendar_lists=CalendarLists(calendar, monotonic),
        consent=consent,
        tokens=AccessTokens(oauth, vault, store, clock, quota),
        vault=vault,
        bot_providers=open_providers(settings, breakers),
        hosts=PublicHosts(is_public),
        mailer=Mailer(settings.smtp_server) if settings.smtp_server else None,
        destinations=AlertDestinations(settings.alert_urls or ()),
        heartbeat=Heartbeat(settings.heartbeat_url) if settings.heartbeat_url else None,
        sender=Sender(is_allowed=_may_be_told(settings)),
        doors=IngressClient(),
        clock=clock,
        jitter=random.random,
        worker_name=worker_name,
        leases=Leases(store, worker_name, log),
        operator_faults=operator_faults,
        log=log,
    )


def _may_be_told(settings: Settings) -> Callable[[str], bool]:
    """Which addresses events may be sent to."""
    if settings.is_development:
        return lambda address: is_public(address) or is_loopback(address)
    return is_public
