"""A delta touches what it names and nothing else: rows written are rows that differ, and the log counts them truly."""

from __future__ import annotations

import pytest

from sync.jobs.syncing.sync_calendar import SyncOutcome
from tests.situations.quiet import Quiet, RowVersions, all_day, row_versions, shifted, timed, written


@pytest.fixture
def busy(quiet: Quiet) -> Quiet:
    """Two daily series, one all-day one and a single event, synced; the second series is nobody's business."""
    quiet.insert(
        timed("Daily", "2028-02-11T09:00", "RRULE:FREQ=DAILY;COUNT=20"),
        timed("Other", "2028-02-11T10:00", "RRULE:FREQ=DAILY;COUNT=20"),
        all_day("Off", "2028-02-11", "RRULE:FREQ=WEEKLY;COUNT=5"),
        timed("One", "2028-02-20T09:00"),
    )
    quiet.sync()
    return quiet


def series_id(busy: Quiet, title: str) -> str:
    return next(key for key, row in busy.live().items() if row["title"] == title).partition("_")[0]


def changed_ids(before: RowVersions, after: RowVersions) -> set[str]:
    return {event_id for event_id, *_ in set(after) - set(before)}


def sync_writes(busy: Quiet, event_ids: set[str]) -> SyncOutcome:
    """One sync writes exactly these rows, and says so everywhere it says something."""
    before = row_versions(busy.world)
    outcome = busy.sync()
    assert changed_ids(before, row_versions(busy.world)) == event_ids
    assert sum(written(outcome)) == len(event_ids)
    log = busy.world.logs(busy.alice)[-1]
    assert (log["meetings_created"], log["meetings_updated"], log["meetings_deleted"]) == written(outcome)
    assert busy.world.calendar(busy.alice)["consecutive_failures"] == 0
    busy.assert_equal()
    return outcome


def test_a_renamed_instance_writes_one_row(busy: Quiet) -> None:
    instance = busy.instances(series_id(busy, "Daily"))[4]["id"]
    busy.patch(instance, summary="Renamed")
    assert written(sync_writes(busy, {instance})) == (0, 1, 0)


def test_a_renamed_series_writes_its_own_rows_but_no_renamed_exception(busy: Quiet) -> None:
    series = series_id(busy, "Daily")
    own = [instance["id"] for instance in busy.instances(series)]
    busy.patch(own[4], summary="Renamed")
    busy.sync()
    busy.patch(series, summary="All but one")
    assert written(sync_writes(busy, set(own) - {own[4]})) == (0, 19, 0)


def test_a_longer_series_writes_only_what_is_new(busy: Quiet) -> None:
    series = series_id(busy, "Daily")
    before = {instance["id"] for instance in busy.instances(series)}
    busy.patch(series, recurrence=["RRULE:FREQ=DAILY;COUNT=23"])
    after = {instance["id"] for instance in busy.instances(series)}
    assert written(sync_writes(busy, after - before)) == (3, 0, 0)


def test_a_shorter_series_writes_only_what_is_gone(busy: Quiet) -> None:
    series = series_id(busy, "Daily")
    gone = {instance["id"] for instance in busy.instances(series)[17:]}
    busy.patch(series, recurrence=["RRULE:FREQ=DAILY;COUNT=17"])
    assert written(sync_writes(busy, gone)) == (0, 0, 3)


@pytest.mark.parametrize("style", ["web", "client"])
def test_this_and_following_without_a_change_writes_what_gets_other_ids(busy: Quiet, style: str) -> None:
    series = series_id(busy, "Daily")
    following = [instance["id"] for instance in busy.instances(series)[15:]]
    new = busy.split(series, following[0], None, style)
    if style == "web":
        # The same ids, the same content: nothing to write.
        assert written(sync_writes(busy, set())) == (0, 0, 0)
    else:
        created = {instance["id"] for instance in busy.instances(new)}
        assert written(sync_writes(busy, {*following, *created})) == (5, 0, 5)


def test_what_matters_to_no_meeting_writes_no_meeting(busy: Quiet) -> None:
    busy.patch(series_id(busy, "Daily"), colorId="3", reminders={"useDefault": False})
    busy.insert(timed("No link", "2028-02-15T09:00", location="Room 5"))
    outcome = sync_writes(busy, set())
    assert outcome.processed == 2


def test_edits_of_every_kind_in_one_delta_are_counted_truly(busy: Quiet) -> None:
    daily, one = busy.instances(series_id(busy, "Daily")), series_id(busy, "One")
    busy.patch(daily[2]["id"], **shifted(daily[2], hours=1))
    busy.delete(daily[3]["id"], daily[5]["id"])
    busy.patch(one, location=None)
    (new,) = busy.insert(timed("New", "2028-02-21T09:00"))
    outcome = sync_writes(busy, {daily[2]["id"], daily[3]["id"], daily[5]["id"], one, new})
    assert written(outcome) == (1, 1, 3)
    reasons = {event_id: busy.row(event_id)["status_reason"] for event_id in (daily[3]["id"], one)}
    assert reasons == {daily[3]["id"]: "deleted", one: "no_link"}


def test_a_full_sync_writes_only_what_differs(busy: Quiet) -> None:
    instance = busy.instances(series_id(busy, "Daily"))[4]["id"]
    busy.patch(instance, summary="Renamed")
    busy.world.google.expire_sync_tokens(busy.email)
    assert written(sync_writes(busy, {instance})) == (0, 1, 0)
    assert busy.world.logs(busy.alice)[-1]["is_full"]


def test_an_unchanged_calendar_costs_one_call_and_no_row(busy: Quiet) -> None:
    busy.world.reset_counters()
    sync_writes(busy, set())
    assert busy.world.google.counters()["calls"] == {"events.list": 1, "events.list.incremental": 1}
    assert busy.world.logs(busy.alice)[-1]["events_changed"] == 0
