"""Processes whose settings differ work under one meaning: the one in force in the database."""

from __future__ import annotations

import pytest

from sync.jobs.driving.poll_user import poll_user
from sync.jobs.services import Services, build_services
from sync.jobs.syncing.audit_drift import audit_drift
from sync.jobs.syncing.roll_horizon import Roll, roll_horizons
from sync.jobs.syncing.sync_calendar import SyncOutcome, sync_claim
from sync.settings import load
from tests.world import Person, World

SECRET = "Merger talks"
FAR = "In eighty days"


@pytest.fixture
def alice(world: World) -> Person:
    """With a private meeting, and one that only a longer horizon reaches; synced by a process of the usual settings."""
    alice = world.person()
    world.google.insert_event(alice.email, world.event(SECRET, visibility="private"), notify=False)
    world.google.insert_event(alice.email, world.event(FAR, hours=80 * 24), notify=False)
    world.connect(alice)
    return alice


def poll(services: Services, person: Person) -> SyncOutcome:
    (outcome,) = poll_user(services, person.user_id, forced=True).outcomes
    return outcome


def touch_all(world: World, person: Person) -> None:
    """Changes every event in a way that no row shows."""
    for event in world.rows("select google_event_id as id from calendar_events where user_id = %s", person.user_id):
        colour = str(1 + int(world.google.get_event(person.email, event["id"]).get("colorId", 0)))
        world.google.patch_event(person.email, event["id"], {"colorId": colour}, notify=False)


def versions(world: World, person: Person) -> list[tuple[object, ...]]:
    """Each row's content and physical version."""
    rows = world.rows("select title, status, xmin::text from meetings where user_id = %s order by id", person.user_id)
    return [tuple(row.values()) for row in rows]


def let_processes_go(world: World) -> None:
    """As if every process that was seen so far had ended minutes ago."""
    world.db.execute("update service_processes set seen_at = seen_at - interval '2 minutes'")


def generations(world: World) -> list[int]:
    return [row["generation"] for row in world.rows("select generation from settings_generations order by 1")]


@pytest.mark.parametrize(
    "setting", [{"PRIVATE_EVENTS": "hide"}, {"HORIZON_FUTURE_DAYS": "90"}, {"HORIZON_PAST_DAYS": "3"}]
)
def test_replicas_with_different_settings_list_once_and_flip_nothing(
    world: World, alice: Person, setting: dict[str, str]
) -> None:
    usual, other = world.services_with(), build_services(load({**world.environment, **setting}))
    assert poll(usual, alice).reason == "forced"
    assert (poll(other, alice).reason, poll(usual, alice).status) == ("settings_changed", "completed")
    settled = versions(world, alice)

    for services in (other, usual) * 3:
        touch_all(world, alice)
        assert (poll(services, alice).reason, versions(world, alice)) == ("forced", settled)

    full = [log["reason"] for log in world.logs(alice) if log["is_full"]]
    assert full == ["first_sync", "settings_changed"]


def test_a_former_setting_takes_force_again_once_no_process_is_left_with_the_other(world: World, alice: Person) -> None:
    usual, longer = world.services_with(), world.services_with(HORIZON_FUTURE_DAYS="90")
    poll(longer, alice)
    assert FAR in world.live_titles(alice)

    assert usual.in_force.refreshed().meaning.horizon_future_days == 90
    assert FAR in world.live_titles(alice)
    assert generations(world) == [1, 2]

    let_processes_go(world)
    assert usual.in_force.refreshed().meaning.horizon_future_days == 60
    assert poll(usual, alice).reason == "settings_changed"
    assert FAR not in world.live_titles(alice)
    assert generations(world) == [1, 2, 3]
    # And not back again, when the other one returns while this one lives.
    assert longer.in_force.refreshed().generation == 3


def test_a_sync_under_way_while_settings_change_writes_nothing_and_begins_anew(world: World, alice: Person) -> None:
    before = versions(world, alice)
    world.google.insert_event(alice.email, world.event("New"), notify=False)
    slow = world.services_with()
    hold = world.google.add_fault("hold", method="events.list", times=1)
    outcomes: list[SyncOutcome] = []
    with world.in_background(lambda: outcomes.append(poll(slow, alice))):
        assert world.google.wait_held(hold)
        world.services_with(PRIVATE_EVENTS="hide").in_force.now()
        world.google.release(hold)

    assert [log["reason"] for log in world.logs(alice)] == ["first_sync", "settings_changed"]
    assert outcomes[0].reason == "settings_changed"
    assert sorted(world.live_titles(alice)) == ["New", "Private"]
    assert before != versions(world, alice)


def test_a_roll_under_other_settings_is_given_back_unwritten(world: World, alice: Person) -> None:
    roller = world.services_with(HORIZON_FUTURE_DAYS="90")
    roller.in_force.now()
    world.services_with(HORIZON_FUTURE_DAYS="70").in_force.now()

    assert roll_horizons(roller, budget_seconds=10).failed == 1
    assert FAR not in world.live_titles(alice)
    assert world.calendar(alice)["lease_expires_at"] is None
    assert roll_horizons(roller, budget_seconds=10) == Roll()
    assert FAR not in world.live_titles(alice)


def test_an_audit_by_a_process_of_other_settings_finds_no_drift(world: World, alice: Person) -> None:
    poll(world.services_with(HORIZON_FUTURE_DAYS="90", PRIVATE_EVENTS="hide"), alice)

    audit = audit_drift(world.services, limit=1)

    assert (audit.calendars, audit.differing) == (1, 0)
    assert sorted(world.live_titles(alice)) == [FAR, "Private"]


def test_code_of_another_format_gets_no_work(world: World, alice: Person) -> None:
    world.services.in_force.now()
    world.db.execute(
        "insert into settings_generations (generation, meaning, declared_by)"
        " select max(generation) + 1, jsonb_set((array_agg(meaning))[1], '{sync_format}', '99'), 'newer'"
        " from settings_generations"
    )
    world.db.execute(
        "insert into service_processes (worker_name, meaning)"
        " select 'newer', meaning from settings_generations order by generation desc limit 1"
    )
    world.make_due()
    before = versions(world, alice)

    assert [outcome.reason for outcome in world.sweep(world.services_with()).outcomes] == ["other_code_in_force"]
    assert world.sweep().outcomes == ()
    assert versions(world, alice) == before
    assert world.calendar(alice)["lease_expires_at"] is None


def test_a_process_that_cannot_learn_what_is_in_force_leaves_the_claim_alone(world: World, alice: Person) -> None:
    services = world.services_with()
    (claim,) = services.leases.claim(1, calendar_ids=[world.calendar(alice)["id"]], even_if_not_due=True)
    world.supabase.fault("declare_settings", "http_500", times=10)

    assert sync_claim(services, claim).reason == "settings_unknown"
