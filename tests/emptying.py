"""What empties the database between two tests. Whatever hangs on a user goes with them.

Deleted, not truncated: a table that is empty already, as most are, costs nothing so, and new files when truncated.
"""

from __future__ import annotations

# What is left when the users are gone; the last ones are written by the deletion of the others.
_TABLES = (
    "auth.users",
    "public.calendar_notifications",
    "public.service_jobs",
    "public.settings_generations",
    "public.service_processes",
    "public.service_breakers",
    "public.security_events",
    "public.operator_actions",
    "public.lane_pauses",
    "public.ingress_regions",
    "public.polling_plan",
    "public.google_requests",
    "public.google_quota",
    "public.google_quota_leases",
    "public.alerts",
    "public.alert_deliveries",
    "public.alert_destinations",
    "public.bot_wishes",
    "public.bot_requests",
    "public.bot_marks",
    "public.bot_messages",
    "public.bot_providers",
    "public.change_events",
    "public.event_subscriptions",
    "public.event_marks",
    "public.sync_rollups",
    "public.freshness_rollups",
    "public.overview_marks",
    "public.calendar_census",
)
EMPTY = "; ".join(f"delete from {table}" for table in _TABLES).encode()
