"""The dashboard in a real browser: it loads, is live, leads to each calendar, acts, and everybody can use it."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import READING, sign_in
from tests.world import World, wait_until

# What each deed of a calendar comes to, in a service that nothing else drives.
LOOKED = "select 1 from calendar_sync_logs where reason = 'operator' and status = 'completed'"
OPENED = "select 1 from calendar_channels where state in ('superseded', 'stopped')"
LISTED = "select 1 from calendar_sync_logs where is_full and sync_type = 'manual' and status = 'completed'"
PAGES = ("", "/calendars", "/errors", "/deliveries", "/alerts", "/actions")


def count(world: World) -> None:
    """What duties do: fold the logs and count the calendars."""
    world.services.store.overview.fold(100)
    while world.services.store.overview.count(5000) == 0:
        pass


@pytest.fixture
def watched(operated: World) -> World:
    """Alice's calendar, synced, with one meeting."""
    alice = operated.person("alice")
    operated.connect(alice)
    operated.google.insert_event(alice.email, operated.event("Standup"))
    operated.sweep()
    count(operated)
    return operated


def test_an_empty_service_says_what_to_do_next(page: Page) -> None:
    expect(page.get_by_text("No calendar is connected yet")).to_be_visible()
    expect(page.get_by_text("Nothing was synced in this time.")).to_be_visible()
    for name, says in (
        ("Calendars", "No calendar is like that."), ("Errors", "No sync has failed"),
        ("Deliveries", "Nobody has subscribed"),
        ("Alerts", "Nothing is wrong"), ("Actions", "sign in"),
    ):  # fmt: skip
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_text(says).first).to_be_visible()


def test_overview_is_live_and_leads_to_the_calendar_and_its_story(watched: World, page: Page) -> None:
    page.goto("/dashboard")
    expect(page.get_by_text("1 calendar, 1 within their bound.")).to_be_visible()
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator("#chart-push canvas")).to_be_visible()
    bob = watched.person("bob")
    watched.connect(bob)
    watched.sweep()
    watched.db.execute("update overview_marks set next_at = null where name = 'census'")
    count(watched)
    expect(page.get_by_text("2 calendars, 2 within their bound.")).to_be_visible()
    page.get_by_role("link", name="Look at the calendars").click()
    page.get_by_label("User's id, or how their account begins").fill(bob.user_id)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=re.compile(re.escape(bob.email) + "|primary")).first.click()
    expect(page.get_by_role("heading", name="Next look, and why then")).to_be_visible()
    expect(page.locator(".timeline li").first).to_be_visible()


def test_each_deed_of_a_calendar_is_done_and_said(watched: World, page: Page) -> None:
    page.goto("/dashboard/calendars")
    page.locator("tbody a").first.click()
    page.on("dialog", lambda dialog: dialog.accept())
    for button, says, becomes in (
        ("Look now", "The calendar is looked at now.", LOOKED),
        ("Open a new channel", "A new push channel is being opened.", OPENED),
        ("List it whole", "The calendar is listed whole now.", LISTED),
    ):
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("status").filter(has_text=says)).to_be_visible()
        wait_until(lambda sql=becomes: watched.db.execute(sql).fetchone(), says)  # type: ignore[misc]
    done = watched.db.execute("select action from operator_actions order by at").fetchall()
    assert [row["action"] for row in done] == ["sign_in", "poll", "reopen", "resync"]


def test_a_lane_is_paused_and_resumed_after_a_question(operated: World, page: Page) -> None:
    lane = page.get_by_role("row", name=re.compile("^polls"))
    page.once("dialog", lambda dialog: dialog.dismiss())
    lane.get_by_role("button", name="Pause").click()
    assert operated.db.execute("select 1 from lane_pauses").fetchall() == []
    page.once("dialog", lambda dialog: dialog.accept())
    lane.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("The lane is paused")).to_be_visible()
    lane.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("The lane goes on.")).to_be_visible()


def test_who_only_looks_has_no_button_that_works(watched: World, page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, READING)
    expect(page.get_by_text("(looks only)")).to_be_visible()
    page.goto("/dashboard/calendars")
    page.locator("tbody a").first.click()
    expect(page.get_by_role("button", name="Look now")).to_be_disabled()


def test_a_page_that_hears_nothing_says_so(operated: World, page: Page) -> None:
    expect(page.locator("#live")).to_have_text("live")
    page.clock.install()
    page.reload()
    expect(page.locator("#live")).to_have_text("live")
    operated.supabase.fault("service_overview", "http_500", times=1000)
    page.clock.fast_forward(20_000)
    expect(page.locator("#live")).to_have_text(re.compile("not live"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_use_every_page(watched: World, page: Page, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    (calendar,) = watched.db.execute("select id from calendar_webhooks").fetchall()
    for path in (*PAGES, f"/calendars/{calendar['id']}"):
        page.goto(f"/dashboard{path}")
        found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]})
        assert found.violations_count == 0, (path, found.generate_report())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is wider than the screen"


def test_pages_are_used_by_keyboard_alone(watched: World, page: Page) -> None:
    page.goto("/dashboard")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Look at the calendars")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Calendars", level=1)).to_be_visible()


def test_the_theme_is_chosen_and_remembered(page: Page) -> None:
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_hundred_thousand_calendars_are_paged_through(operated: World, page: Page) -> None:
    user = operated.person().user_id
    operated.db.execute("set session_replication_role = replica")
    operated.db.execute(
        "insert into calendar_webhooks"
        " (id, user_id, google_calendar_id, sync_token, last_synced_at, due_at, expiration_time)"
        " select md5(n::text)::uuid, %s, 'calendar-' || n, 't', now(), now() + interval '1 h', now() + interval '3 d'"
        " from generate_series(1, 100000) n",
        [user],
    )
    # As its trigger does, which sleeps: else the count finds every calendar missing there, and mends that.
    operated.db.execute(
        "insert into calendar_queue (calendar_id, user_id, lane, due_at)"
        " select id, user_id, queue_lane, due_at from calendar_webhooks"
    )
    operated.db.execute("set session_replication_role = origin")
    try:
        count(operated)
        page.goto("/dashboard")
        expect(page.get_by_text("100,000 calendars, 100,000 within their bound.")).to_be_visible()
        page.goto("/dashboard/calendars")
        first = page.locator("tbody a").first.text_content()
        page.get_by_role("link", name="Next calendars").click()
        expect(page.locator("tbody tr")).to_have_count(50)
        assert page.locator("tbody a").first.text_content() != first
    finally:
        operated.db.execute("truncate calendar_webhooks cascade")


def test_a_browser_without_a_session_sees_the_sign_in_alone(browser: Browser, operated: World) -> None:
    context = browser.new_context(base_url=operated.service.url)
    page = context.new_page()
    page.goto("/dashboard/calendars?state=overdue")
    page.get_by_label("Operator's token").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("nobody's token")
    assert Axe().run(page).violations_count == 0
    context.close()
