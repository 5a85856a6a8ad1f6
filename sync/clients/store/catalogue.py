"""What the store consists of: the tables of the migrations, and the SQL functions that are called. For whoever asks
whether all of it is there and granted (`operations/schema`)."""

from __future__ import annotations

_TABLES = """
    alert_deliveries alert_destinations alerts bot_marks bot_messages bot_preferences bot_providers bot_requests
    bot_tenants bot_wishes calendar_census calendar_channels calendar_events calendar_notifications
    calendar_queue calendar_set_aside calendar_staged_items calendar_sync_logs
    calendar_webhooks change_events event_deliveries
    event_marks event_subscriptions freshness_rollups google_credentials google_quota google_quota_leases
    google_requests ingress_regions lane_pauses meetings oauth_flows operator_actions overview_marks
    plaintext_tokens_ended polling_plan security_events service_breakers service_jobs service_processes
    settings_generations sync_rollups user_notifications user_turns
"""
_FUNCTIONS = """
    accepts_plaintext_tokens activate_channel add_calendars add_event_subscription adoptable_channels
    alert_observations begin_channel begin_comparison begin_disconnect begin_oauth_flow begin_refresh
    calendar_card calendar_schema_version calendar_timeline calendars_of_user change_event_subscription
    claim_alert_deliveries claim_bot_requests claim_bot_wishes claim_dead_channels claim_due_calendars
    claim_event_deliveries claim_expiring_watches claim_rolling_calendars claim_unmailed_notifications
    commit_roll commit_sync compare_bots complete_oauth_flow connect_calendars count_calendars
    count_census count_late_polls cron_interval declare_bots declare_settings drop_left_items
    drop_old_actions drop_old_alerts drop_old_bots drop_old_channels drop_old_events drop_old_logs
    end_channel end_claim end_comparison end_plaintext_tokens end_turn erase_user event_endpoint
    examine_service explain_bot explain_event explain_meeting export_user fail_channel failure_causes
    finish_disconnect first_starts fold_idle_logs fold_sync_logs hide_private_items hide_private_meetings
    inspect_calendar_schema keep_leases lease_google_quota list_bot_requests list_calendars
    list_event_deliveries look_through_region lose_connection lost_connections mark_mailed operate
    park_oauth_flow price_polling read_alerts read_connection read_entering read_event_secrets
    read_event_subscriptions read_events read_families read_ingress read_open_alerts read_operator_actions
    read_polling_plan read_private_items read_staged_items read_tokens record_alert_delivery record_alerts
    record_bot_delivery record_bot_message record_bot_wishes record_event_delivery record_ingress
    record_notification record_notifications record_security_events regain_connection release_calendar release_refresh
    release_watches remove_calendars remove_event_subscription renew_moved_watches replace_ciphertext
    replace_event_secrets replay_events report_breakers report_google_refusal report_ingress
    report_polling retire_lost_calendars sample_for_audit sample_ingress save_tokens service_figures
    service_history service_overview service_standing show_bot_states since_job spread_late_polls
    stage_items stage_sync suspect_connection sweep_state take_job take_turn unfinished_disconnects
    watches_due
"""
TABLES, FUNCTIONS = _TABLES.split(), _FUNCTIONS.split()
