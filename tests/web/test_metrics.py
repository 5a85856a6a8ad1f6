"""GET /metrics: for the bearer of its token alone, and true to what was done."""

from __future__ import annotations

import pytest

from tests.telemetry.figures import figure
from tests.web.calls import POLL, assert_no_secret, assert_problem, bearer, call
from tests.world import World

TOKEN = "a-token-for-prometheus"


@pytest.fixture
def watched(world: World) -> World:
    world.restart_service(METRICS_TOKEN=TOKEN)
    return world


def scrape(world: World) -> str:
    answer = call(world, "/metrics", bearer(TOKEN), method="GET")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return answer.text


def growth(before: str, after: str, name: str, **labels: str) -> float:
    return figure(f"calendar_monitor_{name}", after, **labels) - figure(f"calendar_monitor_{name}", before, **labels)


def test_without_a_token_set_there_are_no_metrics(world: World) -> None:
    for headers in ({}, bearer("None"), bearer(world.supabase.service_key)):
        assert_problem(call(world, "/metrics", headers, method="GET"), 404, "metrics_off")


def test_only_their_token_opens_metrics_and_it_opens_nothing_else(watched: World) -> None:
    for credential in (TOKEN[:-1], TOKEN + "x", watched.supabase.service_key, watched.environment["CRON_SECRET"]):
        answer = call(watched, "/metrics", bearer(credential), method="GET")
        assert_problem(answer, 401, "unauthorized")
        assert_no_secret(watched, answer)
    assert_problem(call(watched, "/metrics", method="GET"), 401, "unauthorized")
    assert_problem(call(watched, POLL, bearer(TOKEN), json={"userId": watched.person().user_id}), 401, "unauthorized")


def test_a_change_by_push_and_one_by_poll_are_counted_where_they_happened(watched: World) -> None:
    alice = watched.person()
    watched.connect(alice)
    assert watched.google.wait_push_idle()
    before = scrape(watched)
    watched.google.insert_event(alice.email, watched.event("Announced"))
    watched.await_equal(alice)
    watched.google.insert_event(alice.email, watched.event("Unannounced"), notify=False)
    watched.poll(alice)

    after = scrape(watched)

    def grown(name: str, **labels: str) -> float:
        return figure(f"calendar_monitor_{name}", after, **labels) - figure(
            f"calendar_monitor_{name}", before, **labels
        )

    assert grown("notifications_total", outcome="due") == 1
    assert grown("http_requests_total", route="webhook.receive", method="POST", status="2xx") == 1
    assert grown("http_request_duration_seconds_count", route="polling.poll_one_user") == 1
    assert grown("syncs_total", type="webhook", status="completed", reason="notified") >= 1
    assert grown("syncs_total", type="manual", status="completed", reason="forced") == 1
    assert grown("freshness_seconds_count", by="push") == 1
    assert grown("freshness_seconds_count", by="manual") == 1
    assert grown("freshness_seconds_bucket", by="push", le="10.0") == 1
    assert grown("meetings_changed_total", change="created") == 2
    assert grown("google_requests_total", method="events.list", outcome="ok") >= 2
    assert grown("google_billable_requests_total") >= 2
    assert grown("store_calls_total", function="commit_sync", outcome="ok") >= 2
    assert figure("calendar_monitor_syncs_running", after) == 0
    assert figure("calendar_monitor_build_info", after) == 1
    assert figure("process_open_fds", after) > 3


def test_failures_are_counted_by_kind_and_strangers_choose_no_label(watched: World) -> None:
    alice = watched.person()
    watched.connect(alice)
    before = scrape(watched)
    watched.google.add_fault("backend_503", method="events.list", times=3)
    watched.post(POLL, {"userId": alice.user_id, "force": True})
    call(watched, "/nowhere/alice@example.com", method="BREW")
    call(watched, "/functions/v1/google-calendar-webhook", {"X-Goog-Channel-ID": "x", "X-Goog-Channel-Token": "y"})

    after = scrape(watched)

    def grown(name: str, **labels: str) -> float:
        return figure(f"calendar_monitor_{name}", after, **labels) - figure(
            f"calendar_monitor_{name}", before, **labels
        )

    assert grown("google_requests_total", method="events.list", outcome="retry_later") == 3
    assert grown("sync_failures_total") == 1
    assert grown("http_requests_total", route="none", method="other", status="4xx") == 1
    assert grown("notifications_total", outcome="forged") == 1
    assert grown("refusals_total", kind="forged_notification") == 1
    for said in (alice.user_id, alice.email, "alice@", "/nowhere", TOKEN):
        assert said not in after


def test_figures_of_the_database_cost_one_call_however_often_they_are_read(watched: World) -> None:
    watched.connect(watched.person())
    watched.db.execute("insert into calendar_census (kind, name, calendars) values ('state', 'healthy', 7)")
    watched.reset_counters()

    first, second = scrape(watched), scrape(watched)

    assert watched.rpcs()["service_figures"] == 1
    assert figure("calendar_monitor_store_up", first) == 1
    assert figure("calendar_monitor_calendars", first, state="healthy") == 7
    assert figure("calendar_monitor_calendars", second, state="healthy") == 7
    assert 'calendar_monitor_oldest_due_seconds{lane="notified"}' in first
    assert 'calendar_monitor_alerts_open{severity="critical"}' in first


def test_a_store_that_does_not_answer_is_told_and_old_figures_are_not(watched: World) -> None:
    watched.supabase.fault("service_figures", "http_500", times=1)

    shown = scrape(watched)

    assert "calendar_monitor_store_up 0.0" in shown
    assert "calendar_monitor_calendars{" not in shown
    assert figure("calendar_monitor_build_info", shown) == 1
