"""renew, resync, explain: deeds on calendars, and what is known of a meeting."""

from __future__ import annotations

from tests.command_line import Cli
from tests.world import World


def test_renew_opens_a_channel_and_stops_the_old_one(world: World, cli: Cli) -> None:
    alice = world.person()
    calendar = world.connect(alice)["calendars"][0]["id"]
    world.stop_service()

    renewed = cli("renew", calendar, "--json")

    assert renewed.exit_code == 0, renewed.stderr
    assert renewed.json["calendars"][0]["outcome"] == "renewed"
    assert sorted(channel["state"] for channel in world.google.channels()) == ["live", "stopped"]
    (deed,) = world.rows("select operator, action, target from operator_actions")
    assert deed == {"operator": "olga", "action": "reopen", "target": calendar}


def test_a_channel_that_cannot_be_opened_is_said(world: World, cli: Cli) -> None:
    alice = world.person()
    world.connect(alice)
    world.stop_service()
    world.google.add_fault("backend_503", method="events.watch")
    failed = cli("renew", alice.email, "--json")
    assert failed.exit_code == 1
    assert failed.json["calendars"][0]["outcome"] == "failed"


def test_renew_due_opens_what_has_no_channel(world: World, cli: Cli) -> None:
    for _ in range(2):
        world.connect(world.person())
    world.stop_service()
    world.db.execute("update calendar_webhooks set expiration_time = now()")
    due = cli("renew", "--due", "--json")
    assert (due.exit_code, due.json["renewed"], due.json["remaining"]) == (0, 2, 0)


def test_resync_lists_whole_and_mends_what_was_wrong(world: World, cli: Cli) -> None:
    alice = world.person()
    world.google.insert_event(alice.email, world.event("Review"), notify=False)
    world.connect(alice)
    world.stop_service()
    world.db.execute("delete from meetings")

    listed = cli("resync", alice.user_id, "--json")

    assert listed.exit_code == 0, listed.stderr
    assert listed.json["calendars"][0]["created"] == 1
    world.assert_equal(alice)


def test_a_resync_for_later_is_only_asked_for(world: World, cli: Cli) -> None:
    alice = world.person()
    world.connect(alice)
    world.stop_service()
    assert cli("resync", alice.user_id, "--later", "--json").json["calendars"][0]["outcome"] == "asked"
    (row,) = world.rows("select sync_token, due_reason from calendar_webhooks")
    assert row == {"sync_token": None, "due_reason": "operator"}


def test_explain_takes_a_row_and_googles_id(world: World, cli: Cli) -> None:
    alice = world.person()
    event = world.google.insert_event(alice.email, world.event("Review"), notify=False)
    world.connect(alice)
    (meeting,) = world.meetings(alice)

    by_row, by_event = cli("explain", str(meeting["id"])), cli("explain", event["id"], "--json")

    assert (by_row.exit_code, by_event.exit_code) == (0, 0), by_row.stderr
    assert str(meeting["id"]) in by_row.stdout
    (explained,) = by_event.json["explanations"]
    assert explained["meeting"]["id"] == str(meeting["id"])
    codes = [step["code"] for step in explained["because"]]
    assert codes
    assert all(code in by_row.stdout for code in codes)
    assert cli("explain", "nosuchevent").exit_code == 1
