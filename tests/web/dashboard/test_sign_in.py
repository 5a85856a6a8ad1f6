"""Who comes into the dashboard: a token's holder, for twelve hours, from its own pages; each coming is written down."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from sync.web.dashboard.operators import Operators
from sync.web.doors.limits import SIGN_INS_PER_MINUTE
from tests.web.calls import assert_problem
from tests.web.dashboard.conftest import ACTING, Visitor, visiting
from tests.world import World

PAGES = ("", "/calendars", "/errors", "/deliveries", "/alerts", "/actions")


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_is_sent_to_the_sign_in_and_back_to_the_page(stranger: Visitor, page: str) -> None:
    answer = stranger.get(f"/dashboard{page}")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/dashboard/sign-in?next=/dashboard{page}".replace("//", "/")
    signed_in = stranger.sign_in(ACTING, path=f"/dashboard{page}")
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, f"/dashboard{page}")
    assert stranger.get(f"/dashboard{page}").status_code == 200


def test_the_cookie_is_http_only_strict_and_says_nothing(operated: World, stranger: Visitor) -> None:
    cookie = stranger.sign_in(ACTING).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert ACTING not in cookie
    assert stranger.get("/dashboard").status_code == 200


def test_behind_https_the_cookie_belongs_to_this_host_alone(operated: World) -> None:
    operated.restart_service(WEBHOOK_BASE_URL="https://calendar-monitor.example.com")
    with visiting(operated) as visitor:
        cookie = visitor.sign_in(ACTING).headers["set-cookie"]
    assert cookie.startswith("__Host-dashboard=")
    assert "Secure" in cookie
    assert "Domain" not in cookie


@pytest.mark.parametrize("token", ["", "wrong", ACTING[:-1], ACTING + "x", f"anna={ACTING}", "ü" * 20])
def test_anything_but_a_token_opens_nothing(stranger: Visitor, token: str) -> None:
    answer = stranger.sign_in(token)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert stranger.get("/dashboard").status_code == 303


def test_wrong_tokens_are_throttled_and_a_right_one_is_heard_all_the_same(stranger: Visitor) -> None:
    for _ in range(SIGN_INS_PER_MINUTE):
        assert stranger.sign_in("wrong").status_code == 401
    refused = stranger.sign_in("wrong")
    assert_problem(refused, 429, "too_many_requests")
    assert int(refused.headers["retry-after"]) >= 1
    assert stranger.sign_in(ACTING).status_code == 303


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example/dashboard", "/dashboardevil", "/\\evil", "javascript:alert(1)", "/x"],
)
def test_nobody_is_sent_elsewhere_from_here(stranger: Visitor, target: str) -> None:
    assert stranger.sign_in(ACTING, path=target).headers["location"] == "/dashboard"


def test_a_session_ends_with_its_time(operated: World) -> None:
    now = dt.datetime.now(dt.UTC)
    cookie = Operators(operated.settings, lambda: now).sign_in(ACTING)
    assert cookie
    for hours, is_open in ((0, True), (11.9, True), (12.1, False), (1000, False)):
        later = Operators(operated.settings, lambda hours=hours: now + dt.timedelta(hours=hours))  # type: ignore[misc]
        assert (later.of_session(cookie) is not None) is is_open, hours


def test_a_session_ends_with_its_token(operated: World, anna: Visitor) -> None:
    assert anna.get("/dashboard").status_code == 200
    cookie = anna.http.cookies["dashboard"]
    operated.restart_service(DASHBOARD_TOKEN="anna=another-token-altogether")
    with visiting(operated) as visitor:
        visitor.http.cookies.set("dashboard", cookie)
        assert visitor.get("/dashboard").status_code == 303


def test_a_changed_cookie_is_nobodys(anna: Visitor) -> None:
    cookie = anna.http.cookies["dashboard"]
    for changed in (cookie[:-2], cookie + "x", cookie.replace(".", "", 1), "x"):
        anna.http.cookies.set("dashboard", changed, domain="127.0.0.1", path="/")
        assert anna.get("/dashboard", Accept="text/html").status_code == 303


def test_signing_out_forgets_the_cookie(anna: Visitor) -> None:
    assert anna.post("/dashboard/sign-out").status_code == 303
    assert anna.get("/dashboard").status_code == 303


def test_coming_and_going_is_written_down(operated: World, anna: Visitor) -> None:
    anna.post("/dashboard/sign-out")
    rows = operated.db.execute("select operator, door, action from operator_actions order by at").fetchall()
    assert [tuple(row.values()) for row in rows] == [
        ("anna", "dashboard", "sign_in"),
        ("anna", "dashboard", "sign_out"),
    ]


def test_without_a_token_in_the_settings_there_is_no_dashboard(world: World) -> None:
    world.restart_service(DASHBOARD_TOKEN="", DASHBOARD_READ_TOKEN="")
    with visiting(world) as visitor:
        for path in ("/dashboard", "/dashboard/sign-in"):
            assert_problem(visitor.get(path), 404, "dashboard_off")


def test_a_program_without_a_session_is_told_so(stranger: Visitor) -> None:
    assert_problem(stranger.get("/dashboard/history.json", Accept="application/json"), 401, "signed_out")
    assert_problem(stranger.http.post("/dashboard/errors/retry", data={"cause": "x"}), 401, "signed_out")


def test_pages_load_nothing_from_elsewhere(anna: Visitor) -> None:
    for page in PAGES:
        answer = anna.get(f"/dashboard{page}")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        for address in re.findall(r'(?:src|href|action)="([^"]*)"', answer.text):
            assert address.startswith(("/dashboard", "#")), address
        assert answer.headers["cache-control"] == "no-store"
        assert " on" not in "".join(re.findall(r"<[^>]* on[a-z]+=", answer.text))


def test_scripts_and_styles_are_kept_for_as_long_as_they_are_the_same(anna: Visitor) -> None:
    page = anna.get("/dashboard").text
    (address,) = re.findall(r'href="(/dashboard/static/dashboard.css[^"]*)"', page)
    assert "immutable" in anna.get(address).headers["cache-control"]
    assert "immutable" not in anna.get(address.split("?")[0]).headers["cache-control"]
    for path in ("/dashboard/static/../pages.py", "/dashboard/static/nothing.js", "/dashboard/static/..%2fpages.py"):
        assert anna.get(path).status_code == 404
