"""The audit: whether meetings equals the calendar, as a number, and put right."""

from __future__ import annotations

from sync.jobs.syncing.audit_drift import Audit, audit_drift
from tests.command_line import Cli
from tests.world import Person, World


def connected(world: World) -> Person:
    alice = world.person()
    world.google.insert_event(alice.email, world.event("Kept"), notify=False)
    world.google.insert_event(alice.email, world.event("Daily", recurrence=["RRULE:FREQ=DAILY;COUNT=5"]), notify=False)
    world.connect(alice)
    world.google.configure(push="drop")
    return alice


def test_an_audit_of_a_true_calendar_finds_and_writes_nothing(world: World) -> None:
    alice = connected(world)
    before = world.rows("select id, xmin::text from meetings order by id")

    assert audit_drift(world.services, limit=10) == Audit(calendars=1, differing=0, left=0)

    assert world.rows("select id, xmin::text from meetings order by id") == before
    log = world.logs(alice)[-1]
    assert (log["sync_type"], log["reason"], log["status"]) == ("full", "audit", "completed")
    assert (log["audited"], log["differing"], log["repaired"]) == (6, 0, 0)


def test_an_audit_counts_and_repairs_every_kind_of_drift(world: World) -> None:
    alice = connected(world)
    calendar = world.calendar(alice)["id"]
    world.db.execute("update meetings set title = 'Wrong' where title = 'Kept'")
    world.db.execute(
        "delete from meetings where id = (select id from meetings where title = 'Daily' order by start_time limit 1)"
    )
    world.db.execute(
        "insert into meetings (user_id, calendar_id, google_calendar_event_id, base_event_id, title, meeting_url, "
        "start_time, end_time) values (%s, %s, 'ghost', 'ghost', 'Ghost', 'https://zoom.us/j/1', "
        "now() + interval '1 day', now() + interval '25 hours')",
        (alice.user_id, calendar),
    )
    world.db.execute(
        'update calendar_events set details = details || \'{"summary": "Stale"}\' where calendar_id = %s', (calendar,)
    )

    audit = audit_drift(world.services, limit=1, calendar_ids=[calendar])

    assert audit == Audit(calendars=1, differing=3, left=0)
    world.assert_equal(alice)
    log = world.logs(alice)[-1]
    assert (log["differing"], log["repaired"], log["events_changed"]) == (3, 3, 2)
    assert (log["meetings_created"], log["meetings_updated"], log["meetings_deleted"]) == (1, 1, 1)
    assert audit_drift(world.services, limit=1) == Audit(calendars=1, differing=0, left=0)


def test_changes_not_yet_synced_are_no_drift(world: World) -> None:
    alice = connected(world)
    world.google.insert_event(alice.email, world.event("New, unannounced"))

    assert audit_drift(world.services, limit=1).differing == 0

    world.assert_equal(alice)


def test_a_calendar_that_cannot_be_listed_is_left_for_later(world: World) -> None:
    connected(world)
    world.google.add_fault("lost_access_404", method="events.list")

    assert audit_drift(world.services, limit=1) == Audit(calendars=0, differing=0, left=1)


def test_the_sample_begins_with_what_was_audited_the_longest_ago(world: World) -> None:
    alice, bob = connected(world), world.person("bob")
    world.google.configure(push="deliver")
    world.connect(bob)
    audit_drift(world.services, limit=1, calendar_ids=[world.calendar(alice)["id"]])

    audit_drift(world.services, limit=1)

    assert [log["reason"] for log in world.logs(bob)][-1] == "audit"


def test_the_command_answers_what_it_found_and_exits_by_it(world: World, cli: Cli) -> None:
    alice = connected(world)

    clean = cli("audit", "--limit", "5", "--json")
    world.db.execute("update meetings set title = 'Wrong' where title = 'Kept'")
    drifted = cli("audit", alice.email, "--json")

    assert (clean.exit_code, clean.json) == (0, {"calendars": 1, "differing": 0, "left": 0})
    assert (drifted.exit_code, drifted.json["differing"]) == (1, 1)
    world.assert_equal(alice)


def test_an_audit_of_all_goes_on_where_it_was_interrupted(world: World, cli: Cli) -> None:
    for _ in range(3):
        connected(world)
    audit_drift(world.services, limit=2)
    begun_at = world.rows("select min(audited_at) as at from calendar_webhooks")[0]["at"]

    rest = cli("audit", "--all", "--since", f"{begun_at:%Y-%m-%dT%H:%M:%S}", "--json")
    again = cli("audit", "--all", "--json")

    assert (rest.json["calendars"], again.json["calendars"]) == (1, 3), rest.stderr


def test_an_audit_of_a_few_takes_no_more(world: World, cli: Cli) -> None:
    for _ in range(3):
        connected(world)
    assert cli("audit", "--limit", "2", "--json").json["calendars"] == 2
    assert len(world.rows("select 1 from calendar_webhooks where audited_at is null")) == 1
