"""The calls that the service's loops make of the database, for the measure of scale: each as the service makes it."""

from __future__ import annotations

from string import Template
from typing import NamedTuple

# What a look that found nothing commits.
IDLE_LOOK = """'{"sync_id": "00000000-0000-4000-8000-000000000000", "sync_type": "incremental",
 "reason": "poll_interval", "is_full": false, "generation": 1, "sync_token": "other", "time_zone": "UTC",
 "notifications_read": 0, "next_poll_seconds": 14400, "horizon_until": "2030-01-01", "next_reason": "poll_interval",
 "coalesce_seconds": 2, "missed_push": false, "reopen_watch": false, "events_processed": 0, "google_calls": 1,
 "duration_ms": 5, "families": [], "present": [], "ended": [], "events": [], "forgotten": [], "meetings": [],
 "entering": {}, "cut": [], "withheld": {}, "absent_from": "2026-01-01"}'::jsonb"""
ROOM = """'{"notified": 15, "first": 8, "poll": 15, "suspect": 1}'"""
_VALUES = {
    # One calendar, with its user of the same id, that every such database has.
    "one": "md5('77')::uuid",
    # Where as many calendars follow in both.
    "first": "'00000000-0000-0000-0000-000000000000'",
    "idle_look": IDLE_LOOK,
    "room": ROOM,
    "little_room": """'{"imminent": 4}'""",
    "roll": """'{"families": [{"base_event_id": "series"}], "present": [], "ended": [], "meetings": [],
 "entering": {"series": "2100-01-01"}, "cut": [], "withheld": {}, "absent_from": "2026-01-01"}'::jsonb""",
    "decisions": """(select jsonb_agg(jsonb_build_object('meeting_id', w.meeting_id, 'revision', w.revision,
 'wanted', true, 'reason', 'r', 'provider', 'recall', 'scope', 'user:' || w.user_id, 'room_key', 'h',
 'meeting_start', '2030-01-01', 'meeting_end', '2030-01-01', 'join_at', '2030-01-01', 'meeting_url', 'https://h',
 'bot_name', 'b')) from (select * from bot_wishes order by meeting_id limit 1) w)""",
}


class Call(NamedTuple):
    """`text`: one statement. `first`: what is done before it, in the same transaction, and not timed."""

    name: str
    text: str
    first: str = ""


def _filled(call: Call) -> Call:
    return Call(call.name, *(Template(text).substitute(_VALUES) for text in call[1:]))


_CALLS = (
    # By each notification and each sync.
    Call("record_notification", "select record_notification('live-' || $one, 'resource', 'exists', 2)"),
    Call(
        "record_notifications, of two",
        "select record_notifications(jsonb_build_array(n, n)) from jsonb_build_object('channel_id', 'live-' || $one,"
        " 'resource_id', 'resource', 'resource_state', 'exists', 'message_number', 2) n",
    ),
    Call("commit_sync, nothing changed", "select commit_sync($one, 1, $idle_look)"),
    Call("end_claim", "select end_claim($one, 1, 'skipped', 'incremental', 'recent_notification', 3600)"),
    Call("release_calendar", "select release_calendar($one, 1, 5)"),
    Call("read_families", "select read_families($one, array['series'])"),
    Call("first_starts", "select first_starts($one, array['series'], now())"),
    # By each driver, every second or so.
    Call(
        "claim_due_calendars, as a driver",
        "select count(*) from claim_due_calendars('w', 16, 60, p_claim_id => gen_random_uuid(), p_room => $room)",
    ),
    Call(
        "claim_due_calendars, imminent alone",
        "select count(*) from claim_due_calendars('w', 4, 60, p_claim_id => gen_random_uuid(), p_room => $little_room)",
    ),
    Call(
        "claim_due_calendars, as a cron",
        "select count(*) from claim_due_calendars('w', 50, 60, p_claim_id => gen_random_uuid(),"
        " p_ahead_seconds => 300)",
    ),
    Call("claim_due_calendars, one named", "select count(*) from claim_due_calendars('w', 1, 60, array[$one], true)"),
    Call(
        "keep_leases",
        "select count(*) from keep_leases((select array_agg(id) from (select id from calendar_webhooks order by id"
        " limit 16) w), array_fill(1::bigint, array[16]), 60)",
        "update calendar_webhooks set lease_expires_at = now() where id in"
        " (select id from calendar_webhooks order by id limit 16)",
    ),
    Call("sweep_state", "select * from sweep_state(6)"),
    Call("count_late_polls", "select count_late_polls(300, 100)"),
    Call("spread_late_polls", "select spread_late_polls(300, 3600, 50)"),
    Call("take_turn", "select take_turn($one, $one, 60)"),
    Call("end_turn", "select end_turn($one, $one)"),
    Call("calendars_of_user", "select count(*) from calendars_of_user($one)"),
    Call("since_job", "select since_job('x')"),
    Call("cron_interval", "select cron_interval('x', 60, 'w')"),
    Call("take_job", "select take_job('x', 60, 'w')"),
    Call("declare_settings", """select * from declare_settings('w', '{"hide_private": true}')"""),
    Call("report_breakers", """select report_breakers('w', '[]')"""),
    Call(
        "lease_google_quota",
        """select lease_google_quota('{"poll": 50}', jsonb_build_object($one, 5), '[]', 10000, 600)""",
    ),
    Call("report_google_refusal", "select report_google_refusal($one, 'user', 5, 10000, 600)"),
    # Channels.
    Call("claim_expiring_watches", "select count(*) from claim_expiring_watches(50, 60)"),
    Call("claim_expiring_watches, one named", "select count(*) from claim_expiring_watches(1, 60, array[$one])"),
    Call("watches_due", "select watches_due()"),
    Call("renew_moved_watches, all stay", "select renew_moved_watches(array['https://host/hook'], 0, 500)"),
    Call("renew_moved_watches, all move", "select renew_moved_watches(array['https://new/hook'], 0, 500)"),
    Call("release_watches", "select release_watches(array[$one])"),
    Call("retire_lost_calendars", "select retire_lost_calendars(604800, 20)"),
    Call("adoptable_channels", "select count(*) from adoptable_channels(300)"),
    Call("claim_dead_channels", "select count(*) from claim_dead_channels(50, 60, 300)"),
    Call(
        "claim_dead_channels, one named",
        "select count(*) from claim_dead_channels(50, 60, 300, array[(select id from calendar_channels"
        " where stop_after < '2100-01-01' and resource_id is not null order by stop_after desc limit 1)])",
    ),
    Call(
        "activate_channel",
        "select count(*) from activate_channel('new', 'resource', now() + interval '7 days')",
        "select begin_channel('new', $one, 'https://host/hook')",
    ),
    Call(
        "fail_channel",
        "select fail_channel('new', 'x', 60)",
        "select begin_channel('new', $one, 'https://host/hook')",
    ),
    Call("end_channel", "select end_channel('live-' || $one)"),
    Call("sample_ingress, of a thousand", "select sample_ingress($first, 1000, now())"),
    Call("look_through_region", "select look_through_region('https://host/hook', 20)"),
    Call("push_findings", "select count(*) from push_findings()"),
    # The horizon, audits, privacy.
    Call(
        "claim_rolling_calendars, nothing enters",
        "select count(*) from claim_rolling_calendars('w', now() + interval '59 days', 0, 40, 60)",
    ),
    Call(
        "claim_rolling_calendars, something enters everywhere",
        "select count(*) from claim_rolling_calendars('w', now() + interval '62 days', 0, 40, 60)",
    ),
    Call("read_entering", "select read_entering($one, now() + interval '62 days', '', 200)"),
    Call("commit_roll", "select commit_roll($one, 1, $roll, now() + interval '62 days', true, 60)"),
    Call("sample_for_audit", "select count(*) from sample_for_audit(1)"),
    Call("hide_private_meetings", "select hide_private_meetings(1000)"),
    Call("read_private_items", "select read_private_items(200)"),
    # The plan of polls.
    Call("read_polling_plan", "select count(*) from read_polling_plan(current_date)"),
    Call("count_calendars, a thousand", "select count_calendars($first, 1000, 1, 1, 0.5, 0.9)"),
    # Bots.
    Call("declare_bots", "select declare_bots('recall', 50, 'p')"),
    Call("claim_bot_wishes", "select count(*) from claim_bot_wishes(50, 20)"),
    Call("record_bot_wishes", "select record_bot_wishes($decisions)"),
    Call("show_bot_states", "select show_bot_states(50)"),
    Call("claim_bot_requests", "select count(*) from claim_bot_requests('recall', 16, 90, 600, 3000)"),
    Call(
        "record_bot_message",
        "select record_bot_message('recall', 'm', (select bot_id from bot_requests order by id limit 1), null,"
        " 'bot_joined', 's', null)",
    ),
    Call(
        "record_bot_delivery",
        "select record_bot_delivery((select id from bot_requests order by id limit 1), 1,"
        """ '{"outcome": "told", "revision": 1}')""",
        "update bot_requests set fence = 1, lease_expires_at = now() + interval '1 minute' where id ="
        " (select id from bot_requests order by id limit 1)",
    ),
    Call("begin_comparison", "select begin_comparison()"),
    Call(
        "compare_bots",
        "select compare_bots('recall', (select jsonb_agg(jsonb_build_object('id', r.bot_id, 'key', r.id || '.1',"
        " 'status', 'bot_joined', 'is_alive', true)) from (select * from bot_requests order by id limit 1) r))",
    ),
    # Events.
    Call("claim_event_deliveries", "select claim_event_deliveries(8, 4, 4, 60, 3000, 10)"),
    Call("read_events", "select read_events((select max(position) - 20 from change_events), 1000)"),
    Call("read_events, from the first", "select read_events(0, 20)"),
    Call(
        "record_event_delivery",
        'select record_event_delivery(d.subscription_id, d.event_id, 1, \'{"state": "delivered", "duration_ms": 1}\')'
        " from event_deliveries d where d.position = 4",
        "update event_deliveries set attempts = 1, state = 'pending' where position = 4",
    ),
    # Retention and figures.
    Call("drop_old_logs, a step", "select * from drop_old_logs(90, 50)"),
    Call("drop_old_channels, a step", "select drop_old_channels(30, 50)"),
    Call("drop_left_items", "select drop_left_items(50)"),
    Call("drop_old_events", "select * from drop_old_events(30, 50)"),
    Call("drop_old_bots", "select drop_old_bots(30, 10)"),
    Call("drop_old_alerts", "select drop_old_alerts(90, 1000)"),
    Call("drop_old_actions", "select drop_old_actions(90, 1000)"),
    Call("fold_sync_logs, up to date", "select fold_sync_logs(24)"),
    Call("fold_idle_logs, a step", "select * from fold_idle_logs(7, 200)"),
    Call("count_census, a step of a thousand", "select count_census(1000)"),
    Call("alert_observations", "select alert_observations(current_date, 43200, true, '1')"),
    Call("read_open_alerts", "select count(*) from read_open_alerts()"),
    Call("claim_alert_deliveries", "select count(*) from claim_alert_deliveries(array['a'], 60)"),
    Call("service_overview", "select service_overview()"),
    Call("service_figures", "select service_figures()"),
    Call("service_standing", "select service_standing()"),
    Call("failure_causes", "select failure_causes(24)"),
    Call("service_history", "select service_history(24)"),
    Call("calendar_timeline", "select calendar_timeline($one)"),
    Call("list_calendars, the next page", "select list_calendars(p_after => $one)"),
    Call("list_calendars, of a state that is rare", "select list_calendars(p_states => array['retrying'])"),
    Call("list_calendars, of a user", "select list_calendars(p_user_id => $one)"),
    Call(
        "record_security_events",
        "select count(*) from record_security_events(gen_random_uuid(),"
        """ '[{"hour": "2030-01-01", "kind": "k", "address_prefix": "p", "count": 1}]', 50, 200, 90)""",
    ),
    # Users.
    Call("begin_refresh", "select begin_refresh($one, 'v1.r', null, 30)"),
    Call("release_refresh", "select release_refresh($one)"),
    Call("save_tokens", "select save_tokens($one, 'v1.r', 'a', now() + interval '1 hour')"),
    Call("claim_unmailed_notifications", "select count(*) from claim_unmailed_notifications(50, 60, 86400)"),
    Call("lost_connections", "select count(*) from lost_connections('00000000-0000-0000-0000-000000000000', 200)"),
    Call("unfinished_disconnects", "select count(*) from unfinished_disconnects(60, 50)"),
)
CALLS = tuple(map(_filled, _CALLS))
