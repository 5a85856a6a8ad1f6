"""What is done by hand: by who may act, from a form of their session, with its audit row; and nobody else."""

from __future__ import annotations

import uuid

import pytest

from tests.web.calls import assert_problem
from tests.web.dashboard.conftest import Visitor
from tests.world import World

SOME = str(uuid.UUID(int=7))
DEEDS = [
    (f"/dashboard/calendars/{SOME}/poll", {}),
    (f"/dashboard/calendars/{SOME}/resync", {}),
    (f"/dashboard/calendars/{SOME}/reopen", {}),
    ("/dashboard/lanes/poll/pause", {}),
    ("/dashboard/lanes/poll/resume", {}),
    ("/dashboard/errors/retry", {"cause": "backend_error"}),
    ("/dashboard/bots/retry", {}),
    ("/dashboard/bots/retry", {"request": SOME}),
    (f"/dashboard/subscriptions/{SOME}/retry", {}),
    (f"/dashboard/subscriptions/{SOME}/replay", {"from": "1", "to": "9"}),
]


def actions(world: World) -> list[tuple[str, str, str]]:
    rows = world.db.execute(
        "select operator, action, target from operator_actions where action not like 'sign%' order by at"
    )
    return [(row["operator"], row["action"], row["target"]) for row in rows]


@pytest.mark.parametrize(("path", "fields"), DEEDS)
def test_each_deed_is_for_who_acts_and_is_written_down(
    operated: World, anna: Visitor, ravi: Visitor, path: str, fields: dict[str, str]
) -> None:
    assert_problem(ravi.post(path, **fields), 403, "read_only")
    assert_problem(anna.post(path, csrf="", **fields), 403, "form_refused")
    assert_problem(anna.post(path, csrf=ravi.csrf, **fields), 403, "form_refused")
    assert actions(operated) == []
    done = anna.post(path, **fields)
    assert done.status_code == 303, done.text
    assert done.headers["location"].startswith("/dashboard")
    assert "did=" in done.headers["location"]
    assert [who for who, _, _ in actions(operated)] == ["anna"]
    assert 'role="status"' in anna.get(done.headers["location"]).text or SOME in path


def test_a_form_sent_from_another_site_is_refused(operated: World, anna: Visitor) -> None:
    fields = {"csrf": anna.csrf}
    for site in ("cross-site", "same-site", "none"):
        answer = anna.http.post("/dashboard/lanes/poll/pause", data=fields, headers={"Sec-Fetch-Site": site})
        assert_problem(answer, 403, "foreign_page")
    signed_in = anna.http.post("/dashboard/sign-in", data={"token": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert_problem(signed_in, 403, "foreign_page")
    assert actions(operated) == []


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        (f"/dashboard/calendars/{SOME}/erase", {}, 404),
        ("/dashboard/calendars/not-a-uuid/poll", {}, 404),
        ("/dashboard/lanes/all/pause", {}, 404),
        ("/dashboard/lanes/poll/stop", {}, 404),
        ("/dashboard/errors/retry", {}, 422),
        ("/dashboard/errors/retry", {"cause": "x" * 201}, 422),
        ("/dashboard/bots/retry", {"request": "1; drop"}, 422),
        (f"/dashboard/subscriptions/{SOME}/replay", {}, 422),
        (f"/dashboard/subscriptions/{SOME}/replay", {"from": "9", "to": "1"}, 422),
        (f"/dashboard/subscriptions/{SOME}/replay", {"from": "-1", "to": "99999999999999999999"}, 422),
    ],
)
def test_what_makes_no_sense_is_refused_and_does_nothing(
    operated: World, anna: Visitor, path: str, fields: dict[str, str], status: int
) -> None:
    assert_problem(anna.post(path, **fields), status)
    assert actions(operated) == []


def test_a_page_says_what_came_of_a_deed_and_only_that(anna: Visitor) -> None:
    done = anna.post("/dashboard/lanes/poll/pause")
    assert "The lane is paused" in anna.get(done.headers["location"]).text
    for forged in ("<script>alert(1)</script>", "poll.done.1.x", "buy_this.done.1", "poll.done.-1"):
        assert 'class="note' not in anna.get(f"/dashboard?did={forged}").text


def test_overview_says_what_is_wrong_and_nothing_while_nothing_is(operated: World, anna: Visitor) -> None:
    assert "What is wrong" not in anna.get("/dashboard").text
    operated.db.execute(
        "insert into alerts (key, kind, severity, sentence, runbook, opened_at, seen_at)"
        " values ('k', 'bounds', 'critical', 'Late.', 'docs/alerts.md', now(), now())"
    )
    operated.db.execute(
        "insert into service_processes (worker_name, meaning) values ('w', '{}');"
        "insert into service_breakers (worker_name, upstream, state, since, error_code, times_opened)"
        " values ('w', 'google_api', 'open', now(), 'backend_error', 1)"
    )
    page = anna.get("/dashboard").text
    assert "1 open alert<" in page
    assert "google api does not answer 1 process" in page
