"""What a notification, a claim and a look that found nothing write, among a million calendars: bytes of Postgres' log,
and the share of updates that wrote no index (heap-only)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator

from scripts.benchmarks.large_databases import Database, databases
from scripts.benchmarks.measuring import Measure, Row, Size, row_of
from scripts.benchmarks.scale import LARGE
from scripts.benchmarks.scale_calls import IDLE_LOOK, ROOM

LEAST_HOT_SHARE = 0.9
_LOOK = f"select commit_sync(%s, %s, {IDLE_LOOK} || %s::jsonb)".encode()


def writes(size: Size) -> Iterator[Row]:
    with databases(size.of(LARGE, 2000)) as (each,):
        yield from written(each, size.of(2000, 50))


def written(each: Database, calendars: int) -> Iterator[Row]:
    """Rows of each kind of write, to so many calendars that lie all over the table."""
    service = each.service
    found = each.admin.execute(
        "select id from calendar_webhooks order by hashtext(id::text) limit %s", [calendars]
    ).fetchall()
    ids = [calendar_id for (calendar_id,) in found]

    def notify() -> int:
        for calendar_id in ids:
            service.execute("select record_notification('live-' || %s, 'resource', 'exists', 2)", [str(calendar_id)])
        return len(ids)

    claims: list[tuple[uuid.UUID, int, int]] = []

    def claim() -> int:
        text = "select calendar_id, fence, notifications_seen from claim_due_calendars('w', 16, 600, p_claim_id => "
        while more := service.execute(f"{text} gen_random_uuid(), p_room => {ROOM})".encode()).fetchall():
            claims.extend(more)
        return len(claims)

    def look() -> int:
        for calendar_id, fence, seen in claims:
            own = {"sync_id": str(uuid.uuid4()), "sync_token": str(uuid.uuid4()), "notifications_read": seen}
            service.execute(_LOOK, [calendar_id, fence, json.dumps(own)])
        return len(claims)

    kinds = {
        "a notification": notify,
        "one more of a burst": notify,
        "a claim (16 at once)": claim,
        "an idle look": look,
    }
    for name, work in kinds.items():
        yield from counted(each, name, work)


def counted(each: Database, name: str, work: Callable[[], int]) -> Iterator[Row]:
    log, updated, hot = so_far(each)
    times = work()
    log_after, updated_after, hot_after = so_far(each)
    share = (hot_after - hot) / max(1, updated_after - updated)
    yield row_of(f"{name}: updates that write no index", "", [share], aim=LEAST_HOT_SHARE, better="higher")
    yield row_of(f"{name}: log, without full pages", "bytes", [(log_after - log) / times])


def so_far(each: Database) -> tuple[float, int, int]:
    """Bytes of the log, updates of calendars, and heap-only ones of these."""
    each.service.execute("select pg_stat_force_next_flush()")
    each.service.execute("select 1")
    ((log, updated, hot),) = each.admin.execute(
        "select (pg_current_wal_insert_lsn() - '0/0')::float8, n_tup_upd, n_tup_hot_upd"
        " from pg_stat_user_tables where relid = 'calendar_webhooks'::regclass"
    ).fetchall()
    return log, updated, hot


MEASURES = (
    Measure("writes", "what a notification, a claim and a look write, among a million calendars", "none", writes),
)
