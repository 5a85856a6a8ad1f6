"""Two databases of one cluster that differ in nothing but how many calendars they have, for measures of scale."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from scripts.stack import many_calendars
from scripts.stack.supabase import LocalSupabase

# As many wait in both: the same work. Chosen by a hash, so that they lie all over the tables.
_WAITING = """
update calendar_webhooks set due_at = now() - random() * interval '10 minutes',
  notifications_seen = notifications_seen + (hashtext(id::text) % 2 = 0)::int,
  expiration_time = case when hashtext(id::text) % 2 = 0 then now() else expiration_time end
where id in (select id from calendar_webhooks order by hashtext(id::text) limit 400);
update bot_wishes set due_at = now(), is_shown = false
where meeting_id in (select meeting_id from bot_wishes order by hashtext(meeting_id::text) limit 80);
update bot_requests set due_at = now(), is_shown = false
where id in (select id from bot_requests where meeting_end > now() order by hashtext(id::text) limit 80);
update calendar_channels set stop_after = now()
where id in (select id from calendar_channels where state = 'superseded' order by hashtext(id) limit 80);
update event_deliveries set state = 'pending'
where position in (select position from event_deliveries order by hashtext(position::text) limit 40);
insert into change_events (type, user_id, calendar_id, order_key)
select 'calendar.lost', id, id, id from auth.users order by hashtext(id::text) limit 80
"""
# Rollups are of the last two days: no call asks for more of them.
_UP_TO_DATE = """
insert into overview_marks (name, at)
values ('rollups', date_bin('5 minutes', now(), '2000-01-01') - interval '2 days')
"""
# Past the triggers, for each row of a million. Channels to stop there are as many in both: a thousand calendars have
# less of them than one step takes.
_OUTAGE = """
set session_replication_role = replica;
update calendar_webhooks set due_at = now() - (0.1 + random()) * interval '4 hours',
  watch_due_at = now() - random() * interval '4 hours';
update calendar_queue q set due_at = w.due_at from calendar_webhooks w where w.id = q.calendar_id;
update calendar_channels set stop_after = now() where state = 'superseded';
insert into calendar_channels (id, calendar_id, user_id, resource_id, state, expires_at, stop_after)
select 'old-' || id, id, id, 'resource', 'superseded', now() + (random() - 0.5) * interval '7 days',
  now() - (0.1 + random()) * interval '4 hours'
from (select id from calendar_webhooks order by hashtext(id::text) limit 500) w;
reset session_replication_role
"""
# Of the last minutes: what is folded at each step.
_SYNCS = """
insert into calendar_sync_logs (calendar_id, user_id, sync_type, status, reason, duration_ms, created_at)
select id, id, 'incremental', 'completed', 'poll_interval', 50, now() - random() * interval '4 minutes'
from (select id from calendar_webhooks order by hashtext(id::text) limit 500) w
"""
STATES = {"idle": "", "waiting": _WAITING, "after an outage": _OUTAGE}


@dataclass(frozen=True, slots=True)
class Database:
    """`service`: as the service speaks to it. `admin`: the superuser's connection."""

    calendars: int
    admin: psycopg.Connection[Any]
    service: psycopg.Connection[Any]

    def come_to(self, state: str) -> None:
        """From the state before it in STATES."""
        for statement in filter(str.strip, (STATES[state] + ";" + _SYNCS).split(";")):
            self.admin.execute(statement.encode())
        self.admin.execute("vacuum analyze")

    def sweep(self) -> None:
        """Clears what was rolled back: autovacuum rids small tables of it within a minute, large ones of none."""
        self.service.execute("select pg_stat_force_next_flush()")
        littered = self.admin.execute("select relid::regclass::text from pg_stat_user_tables where n_dead_tup > 0")
        for (table,) in littered.fetchall():
            self.admin.execute(f"vacuum (index_cleanup on) {table}".encode())


@contextmanager
def databases(
    *calendars: int, logs: int = 0, with_meetings: float = 0.1, data: Path | None = None
) -> Iterator[list[Database]]:
    """One of each size, in which nothing is due. `logs`: of each, whatever its size, beside one of each calendar.
    `with_meetings`: the share of calendars that has a meeting. `data`: where the cluster is kept, as one
    whose rows matter."""
    with LocalSupabase(migrate=False, data=data) as supabase, ExitStack() as stack:

        def connected(url: str) -> psycopg.Connection[Any]:
            return stack.enter_context(psycopg.connect(url, autocommit=True))

        made = []
        for number, count in enumerate(calendars):
            owner_url = supabase.new_database(f"calendars{number}", migrate=True)
            admin, service = connected(supabase.superuser_url(f"calendars{number}")), connected(owner_url)
            admin.execute("set statement_timeout = 0")
            many_calendars.fill(admin, count, logs, due=0, with_bots=True, with_meetings=with_meetings)
            admin.execute(_UP_TO_DATE)
            service.execute("set role service_role")
            while service.execute("select fold_sync_logs(288)").fetchall()[0][0] == 288:
                pass
            made.append(Database(count, admin, service))
        yield made
