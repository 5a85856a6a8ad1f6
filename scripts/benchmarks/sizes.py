"""What rows take on disk, with their indexes, and what a change of one event adds to Postgres' log: of these
`scripts/capacity` reckons what very many calendars need."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from scripts.benchmarks.calendars import Item, event, fill, mixed, singles, sync
from scripts.benchmarks.ground import Ground, ground
from scripts.benchmarks.large_databases import databases
from scripts.benchmarks.measuring import Measure, Row, Size, row_of

# What each calendar has whether or not anything happens in it; the user's own are here too, as for a user of one.
STATE = "calendar_webhooks calendar_queue calendar_channels google_credentials"
# Of five listings: five sixths singles alone, then one of ten a weekly series, which has nine meetings in sixty days.
LISTED = (1000, 1000, 1000, 1000, 2000)
CHANGES = 40


def sizes(size: Size) -> Iterator[Row]:
    with databases(size.of(20_000, 200)) as (each,):
        found = [each.admin.execute("select pg_total_relation_size(%s::regclass)::float8", [n]) for n in STATE.split()]
        yield row_of("a calendar's own rows", "bytes", [sum(row[0] for rows in found for row in rows) / each.calendars])
    with ground() as here:
        here.google.configure(push="drop")
        services = here.services()
        *before, last = LISTED
        lots = [singles(size.of(count, 20)) for count in before] + [mixed(size.of(last, 20))]
        for number, items in enumerate(lots):
            user_id, email = here.person(services, f"listed{number}")
            fill(here, email, items)
            sync(here, services, user_id)
        for name, table in (("an event", "calendar_events"), ("a meeting", "meetings")):
            yield row_of(name, "bytes", [_of_a_row(here, table)])
        yield row_of(
            "a change of an event: log, without full pages", "bytes", list(_changes(here, size.of(CHANGES, 3)))
        )


def _of_a_row(here: Ground, table: str) -> float:
    query = f"select pg_total_relation_size('{table}')::float8 / count(*) from {table}"  # noqa: S608 - of two tables
    return float(here.db.execute(query.encode()).fetchall()[0][0])


def _changes(here: Ground, count: int) -> Iterator[float]:
    """Bytes of each sync that finds one event changed, less those of one that finds nothing."""
    services = here.services()
    user_id, email = here.person(services, "changes")
    sync(here, services, user_id)
    event_id = here.google.insert_event(email, _body(0))["id"]
    sync(here, services, user_id)

    def logged() -> float:
        before = _log(here)
        sync(here, services, user_id)
        return _log(here) - before

    for number in range(count):
        idle = logged()
        here.google.patch_event(email, event_id, _body(number + 1))
        yield logged() - idle


def _log(here: Ground) -> float:
    """Bytes of it so far."""
    query = "select (pg_current_wal_insert_lsn() - '0/0')::float8"
    return float(here.db.execute(query).fetchall()[0][0])


def _body(number: int) -> Item:
    start = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(hours=1)
    return event(f"Changed {number}", start)


MEASURES = (Measure("sizes", "what rows take on disk, and what a change of one event writes", "none", sizes),)
