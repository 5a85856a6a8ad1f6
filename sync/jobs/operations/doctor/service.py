"""What the database tells of the service: gathered, and judged by the rules. Called by `examine`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sync.core.accounts.oauth_flow import EVENTS_SCOPES
from sync.core.operations.doctor import accounts, standing
from sync.core.operations.doctor.verdict import Verdict, unchecked
from sync.errors import StoreFailure
from sync.jobs.operations.observe import lapsing_seconds, observe
from sync.jobs.services import Services

SERVICE_CHECKS = (*standing.CHECKS, *accounts.CHECKS)
CAUSES_HOURS = 24
REFUSED_KINDS = ("refused_key", "no_key")
# What a verdict on a point needs beside the database.
_NEEDS = {
    accounts.OAUTH_CLIENT: "GOOGLE_CLIENT_ID",
    accounts.KEYS: "TOKEN_ENCRYPTION_KEYS",
    standing.ALERTS: "ALERT_URLS",
}


def look_at_service(services: Services, unset: Mapping[str, str], why_not: str | None) -> list[Verdict]:
    """A verdict on each of SERVICE_CHECKS. `why_not`: why the database cannot be asked."""
    if why_not is not None:
        return [unchecked(check, why_not) for check in SERVICE_CHECKS]
    verdicts = _asked(services, standing.CHECKS, _standing) + _asked(services, accounts.CHECKS, _accounts)
    return [
        unchecked(each.check, f"{_NEEDS[each.check]} is to be set right first.")
        if _NEEDS.get(each.check) in unset
        else each
        for each in verdicts
    ]


def _asked(services: Services, checks: tuple[str, ...], ask: Callable[[Services], list[Verdict]]) -> list[Verdict]:
    try:
        return ask(services)
    except StoreFailure as refused:
        return [unchecked(check, f"The database does not tell ({refused}).") for check in checks]


def _standing(services: Services) -> list[Verdict]:
    settings, facts = services.settings, _facts(services)
    seen = standing.Seen(
        observed=observe(services),
        has_cron_secret=settings.cron_secret is not None,
        destinations=tuple(services.destinations.names),
        refused_keys=sum(facts["refused"].get(kind, 0) for kind in REFUSED_KINDS),
        causes={each["cause"]: each["failures"] for each in services.store.overview.failure_causes(CAUSES_HOURS)},
    )
    return standing.standing(seen)


def _accounts(services: Services) -> list[Verdict]:
    return accounts.accounts(accounts.Held(_facts(services), services.vault.key_ids))


def _facts(services: Services) -> Mapping[str, Any]:
    return services.store.schema.examine(
        lapsing_seconds(services), services.settings.google_client_id, sorted(EVENTS_SCOPES)
    )
