"""status, calendar, poll: what an operator sees and asks for, on a real stack."""

from __future__ import annotations

from tests.command_line import Cli
from tests.world import World


def test_status_tells_people_and_scripts_the_same(world: World, cli: Cli) -> None:
    world.connect(world.person())
    world.services.store.overview.count(1000)
    world.services.store.overview.count(1000)

    told, given = cli("status"), cli("status", "--json")

    assert (told.exit_code, given.exit_code) == (0, 0), told.stderr
    assert "1 calendar, 1 within their bound." in told.stdout
    assert given.json["overview"]["bounds"] == {"within": 1, "late": 0, "late_by_cause": {}}


def test_an_open_alert_makes_status_end_with_1(world: World, cli: Cli) -> None:
    world.db.execute(
        "insert into alerts (key, kind, severity, sentence, runbook, opened_at, seen_at) "
        "values ('k', 'k', 'warning', 'Something.', 'runbook', now(), now())"
    )
    assert cli("status").exit_code == 1


def test_calendars_are_found_by_account_user_and_state(world: World, cli: Cli) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    calendar = world.connect(alice)["calendars"][0]["id"]
    world.connect(bob)

    def found(*arguments: str) -> list[str]:
        return [each["user_id"] for each in cli("calendar", *arguments, "--json").json["calendars"]]

    assert found("alice") == found(alice.user_id) == [alice.user_id]
    assert sorted(found()) == sorted([alice.user_id, bob.user_id])
    assert found("--state", "overdue") == []
    assert cli("calendar", calendar, "--json").json["calendar"]["google_account"] == alice.email
    assert calendar in cli("calendar", "alice").stdout


def test_a_calendar_that_nobody_has_is_refused_in_a_sentence(cli: Cli) -> None:
    refused = cli("calendar", "nobody@example.com", "--json")
    assert refused.exit_code == 2
    assert refused.json["error"]["code"] == "not_found"
    assert "nobody@example.com" in refused.stderr


def test_a_calendar_name_cannot_command_the_terminal(world: World, cli: Cli) -> None:
    alice = world.person()
    world.connect(alice)
    world.db.execute("update google_credentials set google_account = %s", ("al\x1b]0;owned\x07[red]ice",))
    shown = cli("calendar").stdout
    assert "[red]ice" in shown
    assert "\x1b" not in shown


def test_poll_looks_though_push_vouches_and_writes_who_asked(world: World, cli: Cli) -> None:
    alice = world.person()
    calendar = world.connect(alice)["calendars"][0]["id"]
    world.stop_service()
    world.google.insert_event(alice.email, world.event("Review"))
    world.db.execute(
        "update calendar_webhooks set last_webhook_received = now(), not_before = now() + interval '1 hour'"
    )

    polled = cli("poll", alice.email, "--json")

    assert polled.exit_code == 0, polled.stderr
    (result,) = polled.json["calendars"]
    assert (result["outcome"], result["why"], result["created"]) == ("completed", "operator", 1)
    (deed,) = world.rows("select operator, door, action, target from operator_actions")
    assert deed == {"operator": "olga", "door": "cli", "action": "poll", "target": calendar}
    assert world.live_titles(alice) == ["Review"]


def test_a_disconnected_calendar_is_not_polled_and_that_is_said(world: World, cli: Cli) -> None:
    alice = world.person()
    world.connect(alice)
    world.stop_service()
    world.db.execute("update calendar_webhooks set is_active = false")
    polled = cli("poll", alice.user_id, "--json")
    assert polled.exit_code == 1
    assert polled.json["calendars"][0]["outcome"] == "nothing_to_do"


def test_poll_due_goes_on_until_nothing_is_due(world: World, cli: Cli) -> None:
    people = [world.person() for _ in range(3)]
    for person in people:
        world.connect(person)
    world.stop_service()
    for person in people:
        world.google.insert_event(person.email, world.event("Review"))
    world.db.execute("update calendar_webhooks set last_webhook_received = null")
    world.make_due()
    polled = cli("poll", "--due", "--json")
    assert polled.exit_code == 0, polled.stderr
    assert polled.json["completed"] == 3
    assert polled.json["remaining"] == 0
    assert polled.json["created"] == 3
