"""Supabase: one method per SQL function, typed both ways.

`Store` is the whole of it; each subject has its module, as it has its migration. Knows no rule. Called by jobs, and
by web routes for one call each.
"""

from __future__ import annotations

from sync.clients.store.accounts.connections import ConnectionCalls
from sync.clients.store.accounts.flows import FlowCalls
from sync.clients.store.accounts.leaving import AccountCalls, Connection, Leaving, OwnCalendar
from sync.clients.store.accounts.mails import MailCalls
from sync.clients.store.operations.security import SecurityAlert, SecurityCalls
from sync.clients.store.syncing.audits import AuditCalls
from sync.clients.store.syncing.claims import ClaimCalls, Notified, UserCalendar
from sync.clients.store.syncing.commits import CommitCalls, Committed, Staged
from sync.clients.store.syncing.explain import ExplainCalls
from sync.clients.store.syncing.horizon import HorizonCalls
from sync.clients.store.watching.watches import WatchCalls

__all__ = [
    "Committed",
    "Connection",
    "Leaving",
    "Notified",
    "OwnCalendar",
    "SecurityAlert",
    "Staged",
    "Store",
    "UserCalendar",
]


class Store(
    ClaimCalls,
    CommitCalls,
    HorizonCalls,
    WatchCalls,
    ConnectionCalls,
    FlowCalls,
    AccountCalls,
    ExplainCalls,
    AuditCalls,
    SecurityCalls,
    MailCalls,
):
    """All calls to the store. Thread-safe; create one per process, after fork."""
