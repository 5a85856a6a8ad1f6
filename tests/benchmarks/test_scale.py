"""The measure of scale asks all that the service's loops ask of the database."""

from __future__ import annotations

import re

from scripts.benchmarks.scale_calls import CALLS
from sync.clients.store.catalogue import FUNCTIONS

# What somebody asks for by hand, or once: a person, an operator, a migration, a process that begins.
_BY_HAND = """
accepts_plaintext_tokens add_calendars add_event_subscription begin_disconnect begin_oauth_flow calendar_card
calendar_schema_version change_event_subscription complete_oauth_flow connect_calendars end_plaintext_tokens erase_user
event_endpoint examine_service explain_bot explain_event explain_meeting export_user finish_disconnect
inspect_calendar_schema list_bot_requests list_event_deliveries operate park_oauth_flow read_alerts read_connection
read_event_secrets read_event_subscriptions read_operator_actions read_tokens remove_calendars
remove_event_subscription replace_ciphertext replace_event_secrets replay_events
"""
# Of one row, found by its key, that another call has just given; or of a table with a row for each process or region.
_BY_KEY = """
hide_private_items lose_connection mark_mailed price_polling read_ingress read_staged_items record_alert_delivery
record_alerts record_ingress regain_connection report_ingress report_polling stage_items stage_sync suspect_connection
"""
# It goes through all bots that should be there, once after a listing that a provider gave of them all.
LINEAR = ["end_comparison"]


def test_each_function_that_a_loop_calls_is_measured() -> None:
    texts = " ".join(call.text + " " + call.first for call in CALLS)
    measured = {name for name in FUNCTIONS if re.search(rf"\b{name}\(", texts)}
    left_out = {*_BY_HAND.split(), *_BY_KEY.split(), *LINEAR}
    assert measured & left_out == set()
    assert measured | left_out == set(FUNCTIONS)
