"""What may stand in the way on a company's database, as data: each shape is a change to the original schema.

The chosen ones are what operators have or had; the generated ones take each column away and give it each other type.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from tests.sql.migrations.originals import ALICE, TABLES

COLUMNS = {
    "calendar_webhooks": [
        "id", "user_id", "google_calendar_id", "webhook_id", "resource_id", "expiration_time", "sync_token",
        "is_active", "last_webhook_received", "last_poll_at", "webhook_failures", "created_at", "updated_at",
    ],
    "calendar_sync_logs": [
        "id", "user_id", "sync_type", "status", "events_processed", "meetings_created", "meetings_updated",
        "meetings_deleted", "error_message", "duration_ms", "created_at",
    ],
    "meetings": [
        "id", "user_id", "google_calendar_event_id", "title", "description", "meeting_url", "start_time", "end_time",
        "event_status", "bot_status", "created_at", "updated_at",
    ],
    "google_credentials": ["user_id", "access_token", "refresh_token", "created_at", "updated_at"],
}  # fmt: skip
# Type of a column, and what else it may have been: another type, and how its values are written then.
OTHERS = {
    "uuid": {"text": "{0}::text", "varchar(36)": "{0}::text"},
    "text": {
        "varchar(255)": "{0}",
        "varchar(40)": "{0}",
        "char(40)": "{0}",
        "public.short_text": "{0}",
        "jsonb": "to_jsonb({0})",
        "bytea": "convert_to({0}, 'utf8')",
    },
    "timestamptz": {
        "timestamp": "{0} at time zone 'utc'",
        "timestamptz(0)": "{0}",
        "date": "{0}::date",
        "text": "{0}::text",
        "bigint": "(extract(epoch from {0}) * 1000)::bigint",
    },
    "integer": {"bigint": "{0}", "smallint": "{0}", "numeric": "{0}", "text": "{0}::text"},
    "boolean": {"text": "{0}::text", "integer": "{0}::integer"},
}
KINDS = {
    "uuid": {"id", "user_id"},
    "integer": {
        "webhook_failures", "events_processed", "meetings_created", "meetings_updated", "meetings_deleted",
        "duration_ms",
    },
    "boolean": {"is_active"},
    "timestamptz": {
        "expiration_time", "last_webhook_received", "last_poll_at", "created_at", "updated_at", "start_time",
        "end_time",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """`sql` is applied to the original database; `asks` is what the preflight says of it, None: it goes on."""

    name: str
    sql: str
    asks: str | None = None

    def __str__(self) -> str:
        return self.name


def kind_of(column: str) -> str:
    return next((kind for kind, columns in KINDS.items() if column in columns), "text")


def missing() -> Iterator[Shape]:
    """Each column away."""
    for table, columns in COLUMNS.items():
        for column in columns:
            asks = "another kind of table" if column == "user_id" else None
            yield Shape(f"{table} without {column}", f"alter table {table} drop column {column} cascade;", asks)


def retyped() -> Iterator[Shape]:
    """Each column of each other type."""
    for table, columns in COLUMNS.items():
        for column in columns:
            for other, values in OTHERS[kind_of(column)].items():
                yield Shape(f"{table}.{column} as {other}", retype(table, column, other, values))


def retype(table: str, column: str, other: str, values: str) -> str:
    key = f"alter table {table} drop constraint if exists {table}_{column}_fkey cascade;"
    domain = (
        "do $$ begin if to_regtype('public.short_text') is null then create domain public.short_text as varchar(200)"
    )
    return (
        f"{domain}; end if; end $$;" * (other == "public.short_text") + key * (column == "user_id") +
        f"alter table {table} alter column {column} drop default;"
        f"alter table {table} alter column {column} type {other} using {values.format(column)};"
    )  # fmt: skip


def together() -> Iterator[Shape]:
    """Every single shape once, two columns of each table at a time: the tables have nothing to do with each other."""
    for row in itertools.zip_longest(*map(two_by_two, COLUMNS)):
        yield joined([shape for shapes in row if shapes for shape in shapes])


def two_by_two(table: str) -> Iterator[list[Shape]]:
    """A table that names no user is put aside whatever else it has, so that column stands alone. Of the others, half of
    them further on stands another one."""
    shapes = {column: list(shapes_of(table, column)) for column in COLUMNS[table]}
    yield from ([shape] for shape in shapes.pop("user_id"))
    columns = [(column, shape) for column, each in shapes.items() for shape in each]
    half = (len(columns) + 1) // 2
    for number in range(half):
        beside = columns[number::half]
        assert len({column for column, _ in beside}) == len(beside)
        yield [shape for _, shape in beside]


def shapes_of(table: str, column: str) -> Iterator[Shape]:
    yield from (shape for shape in missing() if shape.name == f"{table} without {column}")
    yield from (shape for shape in retyped() if shape.name.startswith(f"{table}.{column} "))


def joined(shapes: list[Shape]) -> Shape:
    return Shape(", ".join(map(str, shapes)), "".join(shape.sql for shape in shapes))


ENUM_STATUS = (
    "create type event_status as enum ('accepted', 'declined', 'tentative', 'needsAction');"
    "alter table meetings alter event_status drop default,"
    "  alter event_status type event_status using event_status::event_status,"
    "  alter event_status set default 'needsAction';"
)
TIMES_WITHOUT_ZONE = "".join(
    f"alter table {table} alter {column} type timestamp using {column} at time zone 'utc';"
    for table, columns in COLUMNS.items()
    for column in columns
    if kind_of(column) == "timestamptz"
)
AUDIT_TRIGGER = (
    "create table audit (id bigserial primary key, what text);"
    "create function audit() returns trigger language plpgsql as $$"
    " begin insert into audit (what) values (tg_op); return coalesce(new, old); end $$;"
)

CHOSEN = (
    Shape("enum event_status", ENUM_STATUS),
    Shape(
        "enum event_status in a view, a policy, an index and a check",
        ENUM_STATUS + "create view accepted with (security_invoker = true) as"
        " select id, title from meetings where event_status = 'accepted';"
        "create view accepted_titles as select title from accepted; grant select on accepted to authenticated;"
        "create policy theirs on meetings for select using (event_status <> 'declined');"
        "create index on meetings (user_id) where event_status = 'accepted';"
        "alter table meetings add check (event_status <> 'declined' or bot_status <> 'x');",
        "event_status is public.event_status",
    ),
    Shape(
        "enum sync_type and enum status of the log",
        "create type sync_type as enum ('initial', 'webhook', 'incremental', 'manual');"
        "create type sync_status as enum ('completed', 'failed', 'success');"
        "alter table calendar_sync_logs alter sync_type type sync_type using sync_type::sync_type,"
        "  alter status type sync_status using status::sync_status;",
    ),
    Shape("narrow texts", "alter table meetings alter title type varchar(255), alter meeting_url type varchar(255);"),
    Shape("timestamps without zone", TIMES_WITHOUT_ZONE),
    Shape(
        "timestamps without zone in a view",
        TIMES_WITHOUT_ZONE + "create view upcoming as select id, start_time from meetings where start_time > now();",
        "start_time is timestamp without time zone",
    ),
    Shape(
        "timestamps without zone, elsewhere",
        TIMES_WITHOUT_ZONE + "set local timezone = 'America/New_York';",
        "start_time is timestamp without time zone",
    ),
    Shape(
        "a check on titles",
        "alter table meetings add constraint short check (char_length(title) < 100);",
        "could refuse what a calendar says: CHECK ((char_length(title) < 100))",
    ),
    Shape(
        "no two meetings at once",
        "alter table meetings add constraint one_at_a_time exclude using gist (tstzrange(start_time, end_time) with &&)"
        " where (bot_status = 'joined');",
        "EXCLUDE",
    ),
    Shape(
        "a trigger on a table without grants",
        AUDIT_TRIGGER
        + "create trigger audit after insert or update on meetings for each row execute function audit();",
        "permission denied for table audit",
    ),
    Shape(
        "a trigger that refuses",
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'not on sundays'; end $$;"
        "create trigger refuse before update on calendar_webhooks for each row execute function refuse();",
        "not on sundays",
    ),
    Shape(
        "a trigger that swallows",
        "create function swallow() returns trigger language plpgsql as $$ begin return null; end $$;"
        "create trigger swallow before insert on meetings for each row execute function swallow();",
        "a row was not inserted",
    ),
    Shape(
        "a foreign key on (user_id, google_calendar_event_id)",
        "alter table meetings add constraint once unique (user_id, google_calendar_event_id);"
        "create table notes (user_id uuid, event_id text, constraint of_meeting foreign key (user_id, event_id)"
        "  references meetings (user_id, google_calendar_event_id));"
        f"insert into notes values ('{ALICE}', 'event');",
        "drop constraint of_meeting",
    ),
    Shape(
        "foreign keys to tables of the company",
        "create table zones (name text primary key); create table titles (title text primary key);"
        "insert into titles select distinct title from meetings;"
        "alter table meetings add constraint known foreign key (title) references titles (title);",
        "drop constraint known",
    ),
    Shape(
        "ids that are numbers, pointed to",
        "".join(
            f"alter table {table} drop column id cascade, add id bigserial primary key;"
            for table in ("meetings", "calendar_webhooks", "calendar_sync_logs")
        )
        + "create table notes (meeting_id bigint references meetings (id)); insert into notes select id from meetings;",
        "public.meetings.id is bigint",
    ),
    Shape(
        "ids without default",
        "alter table calendar_sync_logs drop id, add id bigint; update calendar_sync_logs set id = 4 + ascii(status);"
        "delete from calendar_sync_logs where sync_type = 'manual';"
        "alter table calendar_sync_logs add primary key (id);",
        "add generated by default as identity",
    ),
    Shape("channel_id for webhook_id", "alter table calendar_webhooks rename webhook_id to channel_id;"),
    Shape(
        "text user_id with policies",
        "".join(
            f"alter table {table} drop constraint {table}_user_id_fkey;"
            f"alter table {table} alter user_id type text;"
            f"create policy own on {table} for all using (auth.uid()::text = user_id);"
            for table in TABLES
        ),
        "public.meetings.user_id is text",
    ),
    Shape(
        "text user_id that names nobody",
        "alter table meetings drop constraint meetings_user_id_fkey, alter user_id type text;"
        "update meetings set user_id = 'somebody' where title = 'Past';",
        "create table public.meetings_set_aside",
    ),
    Shape(
        "one row per user by primary key",
        "alter table calendar_webhooks drop constraint calendar_webhooks_pkey, drop id, add primary key (user_id);",
        "the primary key of public.calendar_webhooks",
    ),
    Shape(
        "one row per event by primary key",
        "alter table meetings drop constraint meetings_pkey;"
        "delete from meetings where google_calendar_event_id is null;"
        "alter table meetings add primary key (user_id, google_calendar_event_id);",
        "the primary key of public.meetings",
    ),
    Shape(
        "no keys at all",
        "".join(f"alter table {table} drop constraint {table}_pkey cascade;" for table in TABLES),
        "needs an id that is unique",
    ),
    Shape(
        "two grants of one user",
        "alter table google_credentials drop constraint google_credentials_pkey, add id serial primary key;"
        f"insert into google_credentials (user_id, access_token, refresh_token) values ('{ALICE}', 'ya29.2', '1//2');",
        "rows too many",
    ),
    Shape(
        "unique keys of other kinds",
        "create unique index on calendar_sync_logs (user_id, sync_type, status);"
        "create unique index on meetings (lower(title), user_id);"
        "create unique index on calendar_webhooks (webhook_id); create unique index on meetings (id, title);",
        "drop index public.meetings_lower_user_id_idx",
    ),
    Shape(
        "the company's own objects under our names",
        "create table calendar_status (a int); create table user_notifications (a int);"
        "create table calendar_events (a int); create view my_calendars as select 1 as a;"
        "create function commit_sync() returns int language sql as 'select 1';"
        "create function end_claim(a int) returns int language sql as 'select 1';"
        "create procedure take_job() language sql as 'select 1';"
        "create type bot_marks as enum ('a'); create index calendar_queue_due on calendar_webhooks (id);"
        "create sequence change_events; create schema calendar_internal;"
        "create function touch() returns trigger language plpgsql as $$ begin return new; end $$;"
        "create trigger keep_watch_due before update on calendar_webhooks for each row execute function touch();"
        "alter table meetings add constraint meetings_bot_override check (bot_status <> 'never');",
        "alter table public.calendar_status rename to calendar_status_before_adoption;",
    ),
    Shape(
        "columns under our names",
        "create table rooms (id uuid primary key); alter table meetings add calendar_id uuid references rooms (id),"
        "  add room_key text default 'a', add sync_id int; alter table calendar_webhooks add duplicate_of text;"
        "alter table google_credentials add status text default 'active', add oauth_client jsonb;"
        "alter table calendar_sync_logs add reason varchar(10);",
        "rename column room_key to room_key_before_adoption",
    ),
    Shape(
        "defaults of their own",
        "alter table meetings alter bot_status set default 'scheduled',"
        "  alter created_at set default timezone('utc', now());"
        "alter table calendar_webhooks alter is_active set default false, alter webhook_failures drop default;",
        "public.meetings.bot_status has to be 'pending' in new rows",
    ),
    Shape(
        "a generated title",
        "alter table meetings drop title, add title text generated always as ('T ' || description) stored;",
        "title is generated",
    ),
    Shape(
        "meetings as a view",
        "alter table meetings rename to all_meetings; create view meetings as select * from all_meetings;",
        "alter view public.meetings rename",
    ),
    Shape(
        "meetings in partitions",
        "drop table meetings;"
        "create table meetings (user_id uuid, start_time timestamptz) partition by range (start_time);",
        "alter table public.meetings rename",
    ),
)
