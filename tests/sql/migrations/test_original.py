"""The migrations on a database of the original system: nothing is lost, and the service works on what was there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.sql.conftest import Scratch
from tests.sql.database import connect, meeting, part
from tests.sql.migrations.originals import ALICE, BOB, GONE, ORIGINALS, TABLES, Original
from tests.sql.migrations.shape import SHAPE, run_text
from tests.sql.migrations.upgrade import Upgrade, contents, original_columns

Make = Callable[[Original], Upgrade]


@pytest.fixture(scope="module")
def upgrade(scratch: Scratch) -> Iterator[Make]:
    """Each original is migrated once; a test that changes it undoes that."""
    made: dict[str, Upgrade] = {}

    def make(original: Original) -> Upgrade:
        if original.name not in made:
            made[original.name] = Upgrade(original, scratch)
        return made[original.name]

    yield make
    for each in made.values():
        each.db.close()


each_original = pytest.mark.parametrize("original", ORIGINALS, ids=str)
AS_IT_IS = [
    meeting("event", title="Standup", description="Notes"),
    meeting(
        "series_20300116T090000Z",
        title="Daily moved",
        meeting_url="https://zoom.us/j/2",
        start_time="2030-01-16T10:00:00+00:00",
        end_time="2030-01-16T10:30:00+00:00",
    ),
]


def named(name: str) -> Original:
    (found,) = [original for original in ORIGINALS if original.name == name]
    return found


@each_original
def test_no_row_and_no_value_of_the_original_is_lost(upgrade: Make, original: Original) -> None:
    upgraded = upgrade(original)
    assert contents(upgraded.db.admin, upgraded.columns) == upgraded.before


@each_original
def test_second_run_of_the_sql_itself_changes_nothing(upgrade: Make, original: Original) -> None:
    upgraded = upgrade(original)
    everything = original_columns(upgraded.db.admin)
    state, shape = contents(upgraded.db.admin, everything), upgraded.db.rows(SHAPE)
    channels = upgraded.db.rows("select * from public.calendar_channels order by id")
    run_text(upgraded.owner_url)
    assert contents(upgraded.db.admin, everything) == state
    assert upgraded.db.rows("select * from public.calendar_channels order by id") == channels
    assert upgraded.db.rows(SHAPE) == shape


@each_original
def test_first_sync_updates_the_original_meetings_and_inserts_none_again(upgrade: Make, original: Original) -> None:
    upgraded = upgrade(original)
    with upgraded.undone() as db:
        claims = {str(claim["user_id"]): claim for claim in db.claim()}
        assert set(claims) == {ALICE, BOB}
        claim = claims[ALICE]
        assert (claim["settings_generation"], claim["last_synced_at"], claim["refresh_token"]) == (
            None,
            None,
            "1//alice",
        )
        answer = db.commit(claim, part(AS_IT_IS), is_full=True, sync_type="full", sync_token="ours")
        assert (answer["committed"], answer["created"], answer["deleted"]) == (True, 0, 0)
        ours = db.rows(
            "select google_calendar_event_id as event, title, bot_status, status, start_time::date::text as day"
            " from public.meetings where user_id = %s and calendar_id is not null order by 1",
            ALICE,
        )
        assert [(row["event"], row["title"], row["bot_status"], row["day"]) for row in ours] == [
            ("event", "Standup", "scheduled", "2030-01-15"),
            ("past", "Past", "done", "2024-01-16"),
            ("series_20300116T090000Z", "Daily moved", "pending", "2030-01-16"),
        ]
        assert db.commit(claims[BOB], part(), is_full=True)["deleted"] == 1
        assert {log["status"] for log in db.logs(upgraded.calendar())} == {"completed"}


@each_original
def test_service_functions_work_on_an_upgraded_database(upgrade: Make, original: Original) -> None:
    upgraded = upgrade(original)
    with upgraded.undone():
        upgraded.exercise()


@each_original
def test_original_channels_are_stopped_once_ours_speak(upgrade: Make, original: Original) -> None:
    upgraded = upgrade(original)
    with upgraded.undone() as db:
        dead = {"p_limit": 50, "p_lease_seconds": 0, "p_abandoned_seconds": 300}
        assert [row for row in db.call("claim_dead_channels", **dead) if str(row["user_id"]) == ALICE] == []
        calendar = upgraded.calendar()
        assert calendar["webhook_id"] == "alice-channel"
        watch = {"p_limit": 50, "p_lease_seconds": 60}
        assert calendar["id"] in [row["calendar_id"] for row in db.call("claim_expiring_watches", **watch)]
        db.call("begin_channel", p_channel_id="ours", p_calendar_id=calendar["id"], p_address="https://h")
        db.call("activate_channel", p_channel_id="ours", p_resource_id="ours", p_expires_at="2041-01-01")
        stopped = {
            row["channel_id"]: (row["resource_id"], row["refresh_token"])
            for row in db.call("claim_dead_channels", **dead)
            if str(row["user_id"]) == ALICE
        }
        assert stopped["alice-channel"] == ("alice-resource", "1//alice")
        if original.name == "renewed rows":
            assert set(stopped) == {"alice-channel", "older-1", "older-2", "older-3", "newer-inactive"}


@each_original
def test_users_read_their_own_rows_and_nothing_else(upgrade: Make, original: Original) -> None:
    upgraded = upgrade(original)
    policies = upgraded.db.rows("select policyname from pg_policies where tablename = any(%s) order by 1", list(TABLES))
    assert [row["policyname"] for row in policies] == [
        "users_override_their_bots", "users_read_their_calendars", "users_read_their_meetings",
        "users_read_their_sync_logs",
    ]  # fmt: skip
    with connect(upgraded.owner_url, "authenticated") as alice:
        alice.execute("select set_config('request.jwt.claims', %s, false)", [json.dumps({"sub": ALICE})])
        for table in ("calendar_webhooks", "meetings", "calendar_sync_logs"):
            owners = alice.execute(f"select distinct user_id::text from public.{table}".encode()).fetchall()
            assert owners == [{"user_id": ALICE}]


def test_of_renewed_rows_the_active_newest_one_is_the_calendar(upgrade: Make) -> None:
    upgraded = upgrade(named("renewed rows"))
    rows = upgraded.db.rows(
        "select w.webhook_id, k.webhook_id as keeper from public.calendar_webhooks w"
        " left join public.calendar_webhooks k on k.id = w.duplicate_of where w.user_id = %s order by 1",
        ALICE,
    )
    assert {row["webhook_id"]: row["keeper"] for row in rows} == {
        "alice-channel": None,
        "newer-inactive": "alice-channel",
        "older-1": "alice-channel",
        "older-2": "alice-channel",
        "older-3": "alice-channel",
    }


def test_of_one_event_twice_the_newest_row_is_the_calendars(upgrade: Make) -> None:
    upgraded = upgrade(named("one event twice"))
    rows = upgraded.db.rows(
        "select title, calendar_id is not null as ours from public.meetings"
        " where user_id = %s and google_calendar_event_id = 'event' order by 1",
        ALICE,
    )
    assert rows == [{"title": "Standup", "ours": True}, {"title": "Standup, again", "ours": False}]


def test_rows_of_users_who_are_gone_cost_no_work(upgrade: Make) -> None:
    upgraded = upgrade(named("without foreign keys, rows outlived their user"))
    orphan = upgraded.calendar(GONE)
    assert orphan["paused_reason"] == "user_gone"
    assert upgraded.db.claim(orphan) == []


def test_triggers_are_left_as_they_were(upgrade: Make) -> None:
    upgraded = upgrade(named("triggers"))
    found = upgraded.db.rows(
        "select tgrelid::regclass::text as t, tgname::text as n, tgenabled::text as e from pg_trigger"
        " where not tgisinternal and tgname <> 'keep_watch_due' and tgname !~ '^(tell|bots_follow|queue)_'"
        " order by 1, 2"
    )
    assert [(row["t"], row["n"], row["e"]) for row in found] == [
        ("calendar_webhooks", "touch", "A"),
        ("google_credentials", "touch", "O"),
        ("meetings", "asleep", "D"),
        ("meetings", "touch", "O"),
    ]


def test_unnamed_calendar_is_the_primary_one(upgrade: Make) -> None:
    original = Original(
        "unnamed",
        "alter table calendar_webhooks alter google_calendar_id drop not null, alter google_calendar_id drop default;",
        "update calendar_webhooks set google_calendar_id = null;",
    )
    upgraded = upgrade(original)
    assert {upgraded.calendar(user)["google_calendar_id"] for user in (ALICE, BOB)} == {"primary"}
    with upgraded.undone():
        calendar = upgraded.calendar()
        assert upgraded.connect(ALICE)["primary"] == calendar["id"]
