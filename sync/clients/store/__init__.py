"""Supabase: one method per SQL function, typed both ways.

`Store` holds one part per subject (`store.claims.claim_due(…)`), each in its module as it has its migration. Knows no
rule. Called by jobs, and by web routes for one call each.
"""

from __future__ import annotations

from collections.abc import Callable

from sync.clients.breakers import Breakers
from sync.clients.store.accounts.connections import ConnectionCalls
from sync.clients.store.accounts.flows import FlowCalls
from sync.clients.store.accounts.leaving import AccountCalls, Connection, Leaving, OwnCalendar
from sync.clients.store.accounts.mails import MailCalls
from sync.clients.store.bots.requests import BotRequestCalls
from sync.clients.store.bots.wishes import WishCalls
from sync.clients.store.events.deliveries import DeliveryCalls
from sync.clients.store.events.feed import FeedCalls
from sync.clients.store.events.subscriptions import SubscriptionCalls
from sync.clients.store.operations.alerts import AlertCalls
from sync.clients.store.operations.breakers import BreakerCalls
from sync.clients.store.operations.operators import Deed, OperatorCalls
from sync.clients.store.operations.overview import OverviewCalls
from sync.clients.store.operations.retention import RetentionCalls
from sync.clients.store.operations.schema import SchemaCalls
from sync.clients.store.operations.security import SecurityAlert, SecurityCalls
from sync.clients.store.rpc import Rpc
from sync.clients.store.syncing.audits import AuditCalls
from sync.clients.store.syncing.claims import ClaimCalls, Notified, UserCalendar
from sync.clients.store.syncing.commits import CommitCalls, Committed, Staged, StagedItems, StoredFamilies
from sync.clients.store.syncing.explain import ExplainCalls
from sync.clients.store.syncing.horizon import HorizonCalls
from sync.clients.store.syncing.polling import PollingCalls
from sync.clients.store.syncing.privacy import PrivacyCalls
from sync.clients.store.syncing.quota import QuotaCalls
from sync.clients.store.syncing.settings import SettingsCalls
from sync.clients.store.watching.regions import RegionCalls
from sync.clients.store.watching.watches import WatchCalls

__all__ = [
    "Committed",
    "Connection",
    "Deed",
    "Leaving",
    "Notified",
    "OwnCalendar",
    "SecurityAlert",
    "Staged",
    "StagedItems",
    "Store",
    "StoredFamilies",
    "UserCalendar",
]


class Store:
    """All calls to the store, by subject, over one set of connections. Thread-safe; one per process, after fork."""

    def __init__(
        self,
        url: str,
        service_key: str,
        breakers: Breakers | None = None,
        on_misconfigured: Callable[[str, str], None] | None = None,
    ) -> None:
        self._rpc = rpc = Rpc(url, service_key, breakers, on_misconfigured)
        self.schema = SchemaCalls(rpc)
        self.settings = SettingsCalls(rpc)
        self.privacy = PrivacyCalls(rpc)
        self.polling = PollingCalls(rpc)
        self.quota = QuotaCalls(rpc)
        self.claims = ClaimCalls(rpc)
        self.commits = CommitCalls(rpc)
        self.horizon = HorizonCalls(rpc)
        self.explain = ExplainCalls(rpc)
        self.audits = AuditCalls(rpc)
        self.watches = WatchCalls(rpc)
        self.regions = RegionCalls(rpc)
        self.connections = ConnectionCalls(rpc)
        self.flows = FlowCalls(rpc)
        self.accounts = AccountCalls(rpc)
        self.mails = MailCalls(rpc)
        self.security = SecurityCalls(rpc)
        self.alerts = AlertCalls(rpc)
        self.breakers = BreakerCalls(rpc)
        self.retention = RetentionCalls(rpc)
        self.operators = OperatorCalls(rpc)
        self.overview = OverviewCalls(rpc)
        self.feed = FeedCalls(rpc)
        self.subscriptions = SubscriptionCalls(rpc)
        self.deliveries = DeliveryCalls(rpc)
        self.wishes = WishCalls(rpc)
        self.bots = BotRequestCalls(rpc)

    def close(self) -> None:
        self._rpc.close()
