"""doctor, on a real stack that is broken on purpose: what it names, and nothing else, with the mend, and no secret.

docs/doctor.md shows each of these set-ups, and is compared with what is said here.
"""

from __future__ import annotations

import base64
import datetime as dt
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from sync.cli.desk import Desk
from sync.core.operations.doctor.verdict import Grade
from sync.jobs.operations.doctor.examine import examine
from sync.jobs.services import Services, build_services
from sync.settings import KEYS, load, process_environment
from tests.certificates import serving, signed_by_itself
from tests.command_line import Answer, invoke
from tests.strange_doors import answering
from tests.world import World

PAGE = Path(__file__).parents[3] / "docs" / "doctor.md"
# Nobody answers there.
NOWHERE = "http://127.0.0.1:9"
OTHER_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
SECRETS = [name for key in KEYS if key.secret for name in (key.name, key.also) if name]

# In the order in which they are told.
CHECKS = [
    *("settings", "service key", "database", "tables and functions", "row level security", "grants", "realtime"),
    *("processes", "cron", "calendars", "quota", "Google project", "upstreams", "dead letters", "alerts"),
    *("OAuth client", "scopes", "consent screen", "encryption keys", "channels"),
    *("sign-in keys", "Google client", "redirect URI", "address", "door", "clock"),
]

Environment = Mapping[str, str]
Breaking = Callable[[World, Path], AbstractContextManager[Environment | None]]


@dataclass(frozen=True)
class Case:
    """A set-up, how it is made, and the code that each point which is not well gets; all others are well, or not
    checked."""

    set_up: str
    breaking: Breaking
    codes: Mapping[str, str]
    clock_off_seconds: float = 0.0


def sets(**environment: str) -> Breaking:
    return lambda _world, _path: nullcontext(environment)


def runs(change: str, back: str = "") -> Breaking:
    """SQL, undone afterwards where the next test would not do it."""

    @contextmanager
    def breaking(world: World, _path: Path) -> Iterator[None]:
        world.db.execute(change.encode())
        try:
            yield
        finally:
            if back:
                world.db.execute(back.encode())

    return breaking


def door(status: int, **headers: str) -> Breaking:
    @contextmanager
    def breaking(_world: World, _path: Path) -> Iterator[Environment]:
        with answering(status, headers) as url:
            yield {"WEBHOOK_BASE_URL": url}

    return breaking


@contextmanager
def expired_door(_world: World, path: Path) -> Iterator[Environment]:
    with answering(204, tls=serving(signed_by_itself(path, ends_in=dt.timedelta(days=-3)))) as url:
        yield {"WEBHOOK_BASE_URL": url}


@contextmanager
def self_signed_door(_world: World, path: Path) -> Iterator[Environment]:
    with answering(204, tls=serving(signed_by_itself(path, ends_in=dt.timedelta(days=60)))) as url:
        yield {"WEBHOOK_BASE_URL": url}


@contextmanager
def a_tenant_of_other_keys(world: World, _path: Path) -> Iterator[Environment]:
    insert_connection(world, refresh_token=world.services.vault.seal("x", "refresh", "1//token"))
    yield {"TOKEN_ENCRYPTION_KEYS": OTHER_KEY}


@contextmanager
def unknown_redirect_uri(_world: World, _path: Path) -> Iterator[Environment]:
    """As Google's consent page tells it."""
    told = base64.urlsafe_b64encode(b"\n\x15redirect_uri_mismatch\x12\x0bBad Request").decode()
    with answering(302, {"Location": f"https://accounts.google.com/signin/oauth/error?authError={told}"}) as url:
        yield {"GOOGLE_AUTH_URI": url, "CONNECT_REDIRECT_URLS": "https://app.example.com/"}


def connections(**columns: object) -> Breaking:
    @contextmanager
    def breaking(world: World, _path: Path) -> Iterator[None]:
        insert_connection(world, **columns)
        yield

    return breaking


def calendars(expiration_time: str | None) -> Breaking:
    @contextmanager
    def breaking(world: World, _path: Path) -> Iterator[None]:
        world.db.execute(
            "insert into calendar_webhooks (user_id, google_calendar_id, expiration_time, due_at) "
            f"values (%s, 'primary', {expiration_time or 'null'}, now() + interval '1 hour')".encode(),
            (world.person().user_id,),
        )
        yield

    return breaking


def insert_connection(world: World, **columns: object) -> None:
    row = {
        "user_id": world.person().user_id,
        "status": "connected",
        "oauth_client": world.settings.google_client_id,
        "scopes": ["https://www.googleapis.com/auth/calendar.events.readonly"],
        **columns,
    }
    names, places = ", ".join(row), ", ".join(["%s"] * len(row))
    world.db.execute(f"insert into google_credentials ({names}) values ({places})".encode(), list(row.values()))


CASES = [
    Case(
        "a publishable key where the secret one is needed",
        sets(SUPABASE_SERVICE_ROLE_KEY="sb_publishable_x"),
        {"settings": "settings_refused"},
    ),
    Case("CHANNEL_TOKEN_SECRET is missing", sets(CHANNEL_TOKEN_SECRET=""), {"settings": "settings_refused"}),
    Case("another project's key", sets(SUPABASE_SERVICE_ROLE_KEY="sb_secret_x"), {"database": "database_key_refused"}),
    Case("the database is down", sets(SUPABASE_URL=NOWHERE), {"database": "database_unreachable"}),
    Case(
        "migrations older than the code",
        runs(
            "create or replace function public.calendar_schema_version() returns bigint language sql immutable "
            "security invoker set search_path = '' as 'select 20261122091000'",
            "create or replace function public.calendar_schema_version() returns bigint language sql immutable "
            "security invoker set search_path = '' as 'select 20261122091100'",
        ),
        {"database": "migrations_behind"},
    ),
    Case(
        "row level security is off",
        runs(
            "alter table public.meetings disable row level security",
            "alter table public.meetings enable row level security",
        ),
        {"row level security": "row_level_security_off"},
    ),
    Case(
        "a grant is missing",
        runs("revoke select on public.meetings from service_role", "grant select on public.meetings to service_role"),
        {"grants": "grants_missing"},
    ),
    Case(
        "a table is not published to Realtime",
        runs(
            "alter publication supabase_realtime drop table public.meetings",
            "alter publication supabase_realtime add table public.meetings",
        ),
        {"realtime": "unpublished"},
    ),
    Case("the OAuth client's secret is wrong", sets(GOOGLE_CLIENT_SECRET="wrong"), {"Google client": "invalid_client"}),
    Case("Google does not know the redirect URI", unknown_redirect_uri, {"redirect URI": "redirect_uri_mismatch"}),
    Case("a gateway asks for a key", door(401), {"door": "door_status_401"}),
    Case("the door redirects", door(301, Location="https://example.com"), {"door": "door_status_301"}),
    Case("the path is not the service's", door(404), {"door": "door_status_404"}),
    Case("somebody else answers", door(200), {"door": "door_foreign_answer"}),
    Case(
        "the certificate has expired",
        expired_door,
        {"address": "certificate_expired", "door": "door_tls_failed"},
    ),
    Case(
        "the certificate is self-signed",
        self_signed_door,
        {"address": "address_not_trusted", "door": "door_tls_failed"},
    ),
    Case(
        "the clock is off",
        sets(),
        {"clock": "clock_wrong", "door": "door_refused_there"},
        clock_off_seconds=-90,
    ),
    Case(
        "no cron has ever called, and no process drives",
        runs("delete from service_jobs"),
        {"processes": "nobody_drives", "cron": "cron_never_called"},
    ),
    Case(
        "the workflow's secret is not CRON_SECRET",
        runs(
            "update service_jobs set taken_at = now() - interval '2 days' where name = 'polling_cron'; "
            "insert into security_events (hour, kind, address_prefix, count) "
            "values (date_trunc('hour', now()), 'refused_key', '203.0.113.0/24', 8)"
        ),
        {"cron": "cron_silent"},
    ),
    Case(
        "channels have lapsed", calendars(expiration_time="now() - interval '1 hour'"), {"channels": "channels_lapsed"}
    ),
    Case(
        "calendars have no channel",
        calendars(expiration_time=None),
        {"channels": "channels_none"},
    ),
    Case("an encryption key is missing", a_tenant_of_other_keys, {"encryption keys": "token_key_missing"}),
    Case(
        "the consent screen is in testing",
        connections(status="needs_reauth", status_reason="testing_app_expired"),
        {"consent screen": "consent_screen_in_testing"},
    ),
    Case(
        "a user left the calendar's box unticked",
        connections(scopes=["openid"]),
        {"scopes": "scope_missing"},
    ),
    Case(
        "grants of another OAuth client",
        connections(oauth_client="another"),
        {"OAuth client": "other_oauth_client"},
    ),
    Case(
        "tokens of the original system in the clear",
        connections(refresh_token="1//token"),
        {"encryption keys": "tokens_in_the_clear"},
    ),
    Case("nobody is told of alerts", sets(ALERT_URLS=""), {"alerts": "no_destination"}),
]


@pytest.fixture
def set_up(world: World) -> World:
    """A service that works: a process drives, a cron calls, and alerts go somewhere."""
    _ = world.service
    world.environment |= {
        "SUPABASE_SERVICE_ROLE_KEY": world.supabase.sb_secret_key,
        "ALERT_URLS": "json://127.0.0.1:9",
    }
    world.db.execute(
        "insert into service_jobs (name, taken_at, taken_by, every_seconds) values "
        "('drive', now(), 'w', null), ('polling_cron', now(), 'w', 3600) "
        "on conflict (name) do update set taken_at = excluded.taken_at, every_seconds = excluded.every_seconds"
    )
    return world


def doctor(
    world: World, *arguments: str, environment: Environment | None = None, clock_off_seconds: float = 0.0
) -> Answer:
    """As on the command line, with that environment."""

    def opening(_is_verbose: bool) -> Services:
        off = dt.timedelta(seconds=clock_off_seconds)
        return build_services(load(process_environment()), lambda: dt.datetime.now(dt.UTC) + off)

    return invoke(["doctor", *arguments], Desk(opening=opening), **{**world.environment, **(environment or {})})


def test_all_is_well_where_nothing_is_broken(set_up: World) -> None:
    insert_connection(set_up, refresh_token=set_up.services.vault.seal("x", "refresh", "1//token"))
    keys = f"{OTHER_KEY},{set_up.environment['TOKEN_ENCRYPTION_KEYS']}"
    answer = doctor(set_up, "--json", environment={"TOKEN_ENCRYPTION_KEYS": keys})
    assert [each["check"] for each in answer.json["verdicts"]] == CHECKS
    assert [each for each in answer.json["verdicts"] if each["grade"] != "ok"] == []
    assert (answer.exit_code, answer.json["grade"]) == (0, "ok")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.set_up)
def test_a_broken_set_up_is_named_with_its_mend(set_up: World, case: Case, tmp_path: Path) -> None:
    with case.breaking(set_up, tmp_path) as environment:
        answer = doctor(set_up, "--json", environment=environment, clock_off_seconds=case.clock_off_seconds)
    assert [each["check"] for each in answer.json["verdicts"]] == CHECKS
    wrong = {each["check"]: each for each in answer.json["verdicts"] if each["grade"] in ("warning", "failed")}
    assert {check: each["code"] for check, each in wrong.items()} == case.codes
    assert all(each["mend"] for each in wrong.values())
    assert answer.exit_code == (2 if any(each["grade"] == "failed" for each in wrong.values()) else 1)
    shown = answer.stdout + answer.stderr
    used = {**set_up.environment, **(environment or {})}
    assert [name for name in SECRETS if used.get(name) and used[name] in shown] == []
    page = PAGE.read_text()
    for check, each in wrong.items():
        row = f"| {case.set_up} | {check}: {each['grade']}, `{each['code']}` | {each['mend']} |"
        assert row in page, f"put into {PAGE.name}: {row}"


def test_settings_that_are_wrong_hide_nothing_that_does_not_need_them(set_up: World) -> None:
    wrong = {"CHANNEL_TOKEN_SECRET": "short", "BOT_PROVIDER": "attendee", "SMTP_URL": "nonsense"}
    answer = doctor(set_up, "--json", environment=wrong)
    told = {each["check"]: each["grade"] for each in answer.json["verdicts"] if each["grade"] != "ok"}
    assert told == {"settings": "failed", "door": "not_checked"}
    assert {name for name in wrong if name in answer.stdout} >= {"CHANNEL_TOKEN_SECRET", "SMTP_URL"}
    assert "BOT_PROVIDER=attendee needs it" in answer.stdout


def test_people_see_the_point_what_was_seen_and_the_mend(set_up: World) -> None:
    answer = doctor(set_up, environment={"SUPABASE_URL": NOWHERE})
    assert answer.exit_code == 2
    assert "ConnectError" in answer.stdout
    assert "→ See whether SUPABASE_URL is the project's" in answer.stdout
    assert "not checked  grants" in answer.stdout


def test_whoever_hangs_is_not_waited_for(set_up: World) -> None:
    """A host that takes a connection and says nothing, in the place of everybody."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        names = ("SUPABASE_URL", "GOOGLE_TOKEN_URI", "GOOGLE_AUTH_URI", "WEBHOOK_BASE_URL")
        elsewhere = {**dict.fromkeys(names, url), "CONNECT_REDIRECT_URLS": "https://app.example.com/"}
        services = build_services(load({**set_up.environment, **elsewhere}))
        began = time.monotonic()
        verdicts = examine(services, {}, seconds=0.5)
        took = time.monotonic() - began
    # Where nobody gives them up, they take twenty seconds.
    assert took < 10
    told = {each.check: each for each in verdicts}
    for check in ("database", "grants", "channels", "Google client", "door"):
        assert told[check].grade is Grade.NOT_CHECKED or told[check].grade is Grade.FAILED, check
    assert told["database"].seen == "It did not end within 0.5 s."


def test_with_no_setting_at_all_the_rest_is_still_looked_at(set_up: World) -> None:
    needed = [key.name for key in KEYS if not key.optional and not key.default]
    answer = doctor(set_up, "--json", environment=dict.fromkeys(needed, ""))
    verdicts = answer.json["verdicts"]
    told = " ".join(each["mend"] for each in verdicts if each["code"] == "settings_refused")
    assert [name for name in needed if f"{name} is missing" not in told] == []
    assert [each["check"] for each in verdicts if each["grade"] == "ok"] == ["clock"]
