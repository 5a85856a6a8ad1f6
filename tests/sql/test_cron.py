"""supabase/cron.sql: what it schedules, and that the service takes the calls.

pg_cron, pg_net and Vault are stand-ins here: their tables and signatures, without a clock, a network or a cipher. Each
job is run as pg_cron runs it (its text as one statement), and each call that comes of it is made by the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.sql.conftest import Scratch
from tests.sql.database import Database
from tests.world import World

CRON = (Path(__file__).parents[2] / "supabase" / "cron.sql").read_text()
SECRET = "hidden-cron-secret-0123456789"
PLATFORM = """
create schema vault authorization postgres;
create schema cron authorization postgres;
create schema net authorization postgres;
set role postgres;

create table vault.secrets (name text primary key, secret text not null);
create view vault.decrypted_secrets as select name, secret as decrypted_secret from vault.secrets;

create table cron.job (
  jobid bigint generated always as identity primary key, schedule text not null, command text not null, jobname text,
  username text not null default current_user, unique (jobname, username));
create table cron.job_run_details (jobid bigint, end_time timestamptz);
create function cron.schedule(job_name text, schedule text, command text) returns bigint language sql as $$
  insert into cron.job as j (jobname, schedule, command) values ($1, $2, $3)
  on conflict (jobname, username) do update set schedule = excluded.schedule, command = excluded.command returning jobid
$$;
create function cron.unschedule(job_name text) returns boolean language sql as $$
  with gone as (delete from cron.job where jobname = $1 returning 1) select exists (select 1 from gone)
$$;

create table net.calls (url text not null, body jsonb, params jsonb, headers jsonb, timeout_milliseconds integer);
create function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}',
  headers jsonb default '{"Content-Type": "application/json"}', timeout_milliseconds integer default 5000
) returns bigint language sql as $$ insert into net.calls values ($1, $2, $3, $4, $5) returning 1::bigint $$;
"""


class Platform:
    """A database with stand-ins for the three extensions, used as the SQL editor uses it."""

    def __init__(self, db: Database) -> None:
        db.admin.execute(PLATFORM.encode())
        self.db = db

    def keep(self, url: str = "https://calendar-monitor.example.com", secret: str = SECRET) -> None:
        self.db.admin.execute("delete from vault.secrets")
        self.db.admin.execute(
            "insert into vault.secrets values ('calendar_monitor_url', %s), ('calendar_monitor_cron_secret', %s)",
            (url, secret),
        )

    def schedule(self) -> None:
        with psycopg.connect(self.db.postgres_url) as editor:
            editor.execute(CRON.encode())

    def jobs(self) -> dict[str, dict[str, Any]]:
        return {row["jobname"]: row for row in self.db.rows("select * from cron.job")}

    def run(self, name: str) -> list[dict[str, Any]]:
        """What the job's text calls."""
        self.db.admin.execute("delete from net.calls")
        self.db.admin.execute(self.jobs()[name]["command"])
        return self.db.rows("select * from net.calls")


@pytest.fixture
def platform(scratch: Scratch) -> Iterator[Platform]:
    db = Database(*scratch.create())
    yield Platform(db)
    db.close()


def test_polling_runs_every_minute_and_renewal_every_hour(platform: Platform) -> None:
    platform.keep()
    platform.schedule()
    assert {name: job["schedule"] for name, job in platform.jobs().items()} == {
        "calendar-monitor-polling": "* * * * *",
        "calendar-monitor-renewal": "43 * * * *",
        "calendar-monitor-tidying": "17 3 * * *",
    }


@pytest.mark.parametrize(
    ("job", "path"),
    [
        ("calendar-monitor-polling", "/functions/v1/calendar-polling-cron"),
        ("calendar-monitor-renewal", "/functions/v1/renew-calendar-watches"),
    ],
)
def test_each_job_calls_its_endpoint_once_and_waits_longer_than_a_call_works(
    platform: Platform, job: str, path: str
) -> None:
    platform.keep("https://calendar-monitor.example.com/base/")
    platform.schedule()
    (call,) = platform.run(job)
    assert call["url"] == f"https://calendar-monitor.example.com/base{path}"
    assert call["headers"] == {"Content-Type": "application/json", "Authorization": f"Bearer {SECRET}"}
    assert (call["body"], call["params"]) == ({}, {})
    assert call["timeout_milliseconds"] > 60_000


@pytest.mark.parametrize("job", ["calendar-monitor-polling", "calendar-monitor-renewal"])
def test_service_takes_the_call(platform: Platform, world: World, job: str) -> None:
    platform.keep(world.service.url, world.environment["CRON_SECRET"])
    platform.schedule()
    (call,) = platform.run(job)
    answer = httpx.post(call["url"], json=call["body"], headers=call["headers"], timeout=90)
    assert (answer.status_code, answer.json()["success"]) == (200, True)


def test_secret_is_in_no_job(platform: Platform) -> None:
    platform.keep()
    platform.schedule()
    assert len(platform.jobs()) == 3
    assert not [job for job in platform.jobs().values() if SECRET in str(job)]


def test_new_secret_and_address_hold_from_the_next_call_on(platform: Platform) -> None:
    platform.keep()
    platform.schedule()
    platform.keep("https://moved.example.com", "another-secret-0123456789")
    (call,) = platform.run("calendar-monitor-polling")
    assert call["url"].startswith("https://moved.example.com/functions/")
    assert call["headers"]["Authorization"] == "Bearer another-secret-0123456789"


def test_run_again_it_leaves_the_same_jobs(platform: Platform) -> None:
    platform.keep()
    platform.schedule()
    first = platform.jobs()
    platform.schedule()
    assert platform.jobs() == first


def test_statement_in_its_head_ends_every_job_and_no_other(platform: Platform) -> None:
    platform.keep()
    platform.schedule()
    platform.db.admin.execute("select cron.schedule('theirs', '* * * * *', 'select 1')")
    (statement,) = [line.removeprefix("--") for line in CRON.splitlines() if "select cron.unschedule" in line]
    platform.db.admin.execute(statement.encode())
    assert list(platform.jobs()) == ["theirs"]


@pytest.mark.parametrize("missing", ["calendar_monitor_url", "calendar_monitor_cron_secret"])
def test_what_vault_lacks_is_told_at_once_and_nothing_is_scheduled(platform: Platform, missing: str) -> None:
    platform.keep()
    platform.db.admin.execute("delete from vault.secrets where name = %s", (missing,))
    with pytest.raises(psycopg.errors.RaiseException, match="Vault lacks"):
        platform.schedule()
    assert platform.jobs() == {}


@pytest.mark.parametrize(
    "address",
    ["http://calendar-monitor.example.com", "calendar-monitor.example.com", "https://host/?key=1", "https://"],
)
def test_secret_goes_nowhere_in_the_clear(platform: Platform, address: str) -> None:
    platform.keep(address)
    with pytest.raises(psycopg.errors.RaiseException, match="no https"):
        platform.schedule()
    assert platform.jobs() == {}


def test_job_whose_address_is_gone_fails_visibly(platform: Platform) -> None:
    platform.keep()
    platform.schedule()
    platform.db.admin.execute("delete from vault.secrets")
    with pytest.raises(psycopg.errors.NotNullViolation):
        platform.run("calendar-monitor-polling")


def test_tidying_drops_old_lines_of_these_jobs_alone(platform: Platform) -> None:
    platform.keep()
    platform.schedule()
    platform.db.admin.execute("select cron.schedule('theirs', '* * * * *', 'select 1')")
    platform.db.admin.execute(
        "insert into cron.job_run_details select jobid, now() - age from cron.job,"
        " unnest(array['1 hour', '4 days']::interval[]) age where jobname in ('theirs', 'calendar-monitor-polling')"
    )
    platform.db.admin.execute(platform.jobs()["calendar-monitor-tidying"]["command"])
    left = platform.db.rows(
        "select jobname, count(*)::int as n from cron.job_run_details join cron.job using (jobid) group by 1 order by 1"
    )
    assert left == [{"jobname": "calendar-monitor-polling", "n": 1}, {"jobname": "theirs", "n": 2}]
