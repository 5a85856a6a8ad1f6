"""Databases of the original system, as data: one schema, its rows, and the ways in which it may have differed.

Alice and Bob each have a primary calendar, a channel, meetings and plaintext tokens. Charlie has signed up only.
"""

from __future__ import annotations

from dataclasses import dataclass

ALICE = "a0000000-0000-0000-0000-00000000000a"
BOB = "b0000000-0000-0000-0000-00000000000b"
CHARLIE = "c0000000-0000-0000-0000-00000000000c"
# Users whose rows outlived them, where no foreign key forbade it.
GONE = "d0000000-0000-0000-0000-00000000000d"

TABLES = ("calendar_webhooks", "calendar_sync_logs", "meetings", "google_credentials")

SCHEMA = """
create table calendar_webhooks (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  google_calendar_id text not null default 'primary',
  webhook_id text not null,
  resource_id text not null,
  expiration_time timestamptz not null,
  sync_token text,
  is_active boolean default true,
  last_webhook_received timestamptz,
  last_poll_at timestamptz,
  webhook_failures integer default 0,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table calendar_sync_logs (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  sync_type text not null,
  status text not null,
  events_processed integer default 0,
  meetings_created integer default 0,
  meetings_updated integer default 0,
  meetings_deleted integer default 0,
  error_message text,
  duration_ms integer,
  created_at timestamptz default now()
);
create table meetings (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  google_calendar_event_id text,
  title text not null,
  description text,
  meeting_url text not null,
  start_time timestamptz not null,
  end_time timestamptz not null,
  event_status text default 'needsAction',
  bot_status text default 'pending',
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table google_credentials (
  user_id uuid primary key references auth.users (id) on delete cascade,
  access_token text not null,
  refresh_token text not null,
  token_expiry timestamptz,
  scope text,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
alter table calendar_webhooks enable row level security;
alter table meetings enable row level security;
"""

ROWS = f"""
insert into calendar_webhooks (user_id, webhook_id, resource_id, expiration_time, sync_token, webhook_failures,
  last_webhook_received, last_poll_at, created_at, updated_at)
values
  ('{ALICE}', 'alice-channel', 'alice-resource', '2040-01-01', 'alice-token', 2, '2024-03-01', '2024-03-02',
    '2024-01-01', '2024-02-01'),
  ('{BOB}', 'bob-channel', 'bob-resource', '2024-02-01', null, null, null, null, '2024-01-01', '2024-02-02');
insert into meetings (user_id, google_calendar_event_id, title, description, meeting_url, start_time, end_time,
  event_status, bot_status, created_at, updated_at)
values
  ('{ALICE}', 'event', 'Standup', 'Notes', 'https://zoom.us/j/1', '2030-01-15 12:00+0', '2030-01-15 13:00+0',
    'accepted', 'scheduled', '2024-01-02', '2024-01-03'),
  ('{ALICE}', 'series_20300116T090000Z', 'Daily', null, 'https://zoom.us/j/2', '2030-01-16 09:00+0',
    '2030-01-16 09:30+0', 'tentative', 'pending', '2024-01-02', '2024-01-03'),
  ('{ALICE}', 'past', 'Past', null, 'https://zoom.us/j/3', '2024-01-16 09:00+0', '2024-01-16 09:30+0',
    'declined', 'done', '2024-01-02', '2024-01-03'),
  ('{ALICE}', null, 'By hand', null, 'https://zoom.us/j/4', '2030-01-17 09:00+0', '2030-01-17 09:30+0',
    null, 'pending', '2024-01-02', '2024-01-03'),
  ('{BOB}', 'event', 'Standup of Bob', null, 'https://zoom.us/j/1', '2030-01-15 12:00+0', '2030-01-15 13:00+0',
    'needsAction', 'pending', '2024-01-02', '2024-01-03');
insert into calendar_sync_logs (user_id, sync_type, status, events_processed, meetings_created, duration_ms, created_at)
values
  ('{ALICE}', 'initial', 'completed', 5, 3, 1200, '2024-01-02'),
  ('{ALICE}', 'webhook', 'failed', 0, 0, null, '2024-01-03'),
  ('{BOB}', 'manual', 'completed', 1, 1, 300, '2024-01-02');
insert into google_credentials (user_id, access_token, refresh_token, token_expiry, scope, created_at, updated_at)
values
  ('{ALICE}', 'ya29.alice', '1//alice', '2024-01-02', 'calendar', '2024-01-01', '2024-01-02'),
  ('{BOB}', 'ya29.bob', '1//bob', '2024-01-02', 'calendar', '2024-01-01', '2024-01-02');
"""

_DROP_USER_KEYS = "".join(f"alter table {table} drop constraint {table}_user_id_fkey;" for table in TABLES)


@dataclass(frozen=True)
class Original:
    """`schema` is applied to the empty tables, `rows` after they were filled."""

    name: str
    schema: str = ""
    rows: str = ""

    def __str__(self) -> str:
        return self.name


ORIGINALS = (
    Original("as documented"),
    Original(
        "before hybrid polling",
        rows="alter table calendar_webhooks drop last_webhook_received, drop last_poll_at, drop webhook_failures;",
    ),
    Original(
        "one calendar per user, unique constraints",
        "alter table calendar_webhooks add constraint one_per_user unique (user_id);"
        "alter table meetings add unique (google_calendar_event_id, user_id);",
    ),
    Original(
        "unique indexes",
        "create unique index on calendar_webhooks (user_id, google_calendar_id);"
        "create unique index on calendar_webhooks (user_id) where is_active;"
        "create unique index on meetings (user_id, google_calendar_event_id);"
        "create unique index on meetings (user_id, google_calendar_event_id, start_time);"
        "create unique index on calendar_webhooks (webhook_id);",
    ),
    Original(
        "narrow checks",
        "alter table calendar_sync_logs add check (sync_type in ('initial', 'incremental', 'webhook', 'manual')),"
        "  add check (status in ('completed', 'failed')),"
        "  add constraint both_words check (sync_type <> 'manual' or status <> 'skipped');"
        "alter table meetings add check (event_status in ('accepted', 'declined', 'tentative', 'needsAction')),"
        "  add check (event_status <> 'declined' or bot_status <> 'pending');",
    ),
    Original(
        "words outside today's checks",
        rows="update meetings set event_status = 'maybe' where google_calendar_event_id in ('event', 'past');"
        "update calendar_sync_logs set status = 'success', sync_type = 'cron';",
    ),
    Original(
        "a status of its own",
        "alter table meetings add status text; alter table google_credentials add status text default 'connected';",
        "update meetings set status = 'scheduled' where google_calendar_event_id = 'event';",
    ),
    Original(
        "numbered logs and grants",
        "alter table calendar_sync_logs drop id, add id bigserial primary key;"
        "alter table google_credentials drop constraint google_credentials_pkey, add id serial primary key,"
        "  add unique (user_id);"
        "grant all on sequence calendar_sync_logs_id_seq, google_credentials_id_seq to anon, authenticated;",
    ),
    Original(
        "identity logs, ids without default",
        "alter table calendar_sync_logs drop id, add id bigint generated always as identity primary key;"
        "alter table google_credentials drop constraint google_credentials_pkey,"
        "  add id uuid primary key default gen_random_uuid(), add constraint one_grant unique (user_id);",
        "alter table google_credentials alter id drop default; alter table meetings alter id drop default;",
    ),
    Original(
        "unknown columns that must not be empty",
        rows="".join(
            f"alter table {table} add legacy_note text not null default 'kept';"
            f"alter table {table} add legacy_number int not null default 7;"
            f"alter table {table} alter legacy_note drop default, alter legacy_number drop default;"
            for table in TABLES
        ),
    ),
    Original(
        "renewed rows",
        rows=f"""
        insert into calendar_webhooks (id, user_id, webhook_id, resource_id, expiration_time, is_active, created_at)
        select gen_random_uuid(), uuid '{ALICE}', 'older-' || n, 'older-resource-' || n, timestamptz '2040-01-01',
          n = 1, timestamptz '2023-01-01' + n * interval '1 day'
        from generate_series(1, 3) n
        union all
        select gen_random_uuid(), '{ALICE}', 'newer-inactive', 'newer-resource', '2040-01-01', false, '2024-06-01'
        union all
        select gen_random_uuid(), '{BOB}', 'bob-null', 'bob-null-resource', '2040-01-01', null, '2024-06-01';
        """,
    ),
    Original(
        "one event twice",
        rows=f"""
        insert into meetings (user_id, google_calendar_event_id, title, meeting_url, start_time, end_time, created_at)
        values ('{ALICE}', 'event', 'Standup, again', 'https://zoom.us/j/1', '2030-01-15 12:00+0',
          '2030-01-15 13:00+0', '2023-06-01');
        """,
    ),
    Original(
        "open to everybody",
        "grant all on all tables in schema public to anon, authenticated, service_role, public;"
        "grant update (refresh_token) on google_credentials to authenticated;"
        'create policy "Users can manage own webhooks" on calendar_webhooks for all using (auth.uid() = user_id);'
        "create policy everybody on meetings for all to public using (true) with check (true);"
        "create policy everybody on google_credentials for select using (true);"
        'create policy "service role" on calendar_sync_logs as permissive for all to anon using (true);'
        "alter table google_credentials disable row level security;",
    ),
    Original(
        "triggers",
        "create function touch() returns trigger language plpgsql as $$"
        " begin new.updated_at = now(); return new; end $$;"
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'never'; end $$;"
        "create trigger touch before update on calendar_webhooks for each row execute function touch();"
        "create trigger touch before update on meetings for each row execute function touch();"
        "create trigger touch before update on google_credentials for each row execute function touch();",
        "create trigger asleep before update or insert on meetings for each row execute function refuse();"
        "alter table meetings disable trigger asleep; alter table calendar_webhooks enable always trigger touch;",
    ),
    Original(
        "without foreign keys, rows outlived their user",
        _DROP_USER_KEYS,
        f"""
        insert into calendar_webhooks (user_id, webhook_id, resource_id, expiration_time, created_at)
        values ('{GONE}', 'gone-channel', 'gone-resource', '2040-01-01', '2024-01-01');
        insert into meetings (user_id, google_calendar_event_id, title, meeting_url, start_time, end_time)
        values ('{GONE}', 'event', 'Orphan', 'https://zoom.us/j/9', '2030-01-15', '2030-01-16');
        insert into google_credentials (user_id, access_token, refresh_token) values ('{GONE}', 'ya29.g', '1//g');
        insert into calendar_sync_logs (user_id, sync_type, status) values ('{GONE}', 'manual', 'completed');
        """,
    ),
    Original(
        "foreign keys that do not cascade",
        _DROP_USER_KEYS
        + "".join(f"alter table {table} add foreign key (user_id) references auth.users (id);" for table in TABLES),
    ),
    Original(
        "views on the tables",
        rows="create view upcoming as select * from meetings where start_time > now();"
        "create view webhook_status as select user_id, is_active, webhook_failures from calendar_webhooks;",
    ),
)
