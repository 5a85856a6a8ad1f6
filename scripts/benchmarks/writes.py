"""What a notification, a claim and a look that found nothing write, among a million calendars: the share of updates
that wrote no index (heap-only), and bytes of Postgres' log. Among fewer also right after a checkpoint, when each page
that is touched is written whole: the most that it can be."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.benchmarks.large_databases import Database, databases
from scripts.benchmarks.measuring import Measure, Row, Size, row_of
from scripts.benchmarks.scale import LARGE
from scripts.benchmarks.scale_calls import IDLE_LOOK, ROOM

LEAST_HOT_SHARE = 0.9
_LOOK = f"select commit_sync(%s, %s, {IDLE_LOOK} || %s::jsonb)".encode()


def writes(size: Size) -> Iterator[Row]:
    with databases(size.of(LARGE, 2000)) as (each,):
        work = Work(each, size.of(2000, 50))
        yield from counted(each, "a notification", work.notify)
        yield from counted(each, "one more of a burst", work.notify)
        yield from counted(each, "a claim (16 at once)", work.claim)
        yield from counted(each, "an idle look", work.look)
    # A cluster that is thrown away writes no page whole.
    with TemporaryDirectory() as kept:
        # For Postgres, which root runs as somebody else.
        Path(kept).chmod(0o711)
        with databases(size.of(LARGE // 10, 2000), data=Path(kept) / "data") as (each,):
            yield from in_whole_pages(each, "a push", Work(each, size.of(1000, 50)).push)
            polled = Work(each, size.of(1000, 50))
            polled.come_due()
            yield from in_whole_pages(each, "a poll", polled.poll)


class Work:
    """What is done to so many calendars that lie all over the table and were not looked at since the checkpoint."""

    def __init__(self, each: Database, calendars: int) -> None:
        self._each, self._service = each, each.service
        query = (
            "select id from calendar_webhooks where notifications_seen = 0 and due_at > now()"
            " order by hashtext(id::text) limit %s"
        )
        self._ids = [calendar_id for (calendar_id,) in each.admin.execute(query, [calendars]).fetchall()]
        self._claims: list[tuple[uuid.UUID, int, int]] = []

    def come_due(self) -> None:
        self._each.admin.execute("update calendar_webhooks set due_at = now() where id = any (%s)", [self._ids])

    def notify(self) -> int:
        for calendar_id in self._ids:
            self._service.execute(
                "select record_notification('live-' || %s, 'resource', 'exists', 2)", [str(calendar_id)]
            )
        return len(self._ids)

    def claim(self) -> int:
        text = "select calendar_id, fence, notifications_seen from claim_due_calendars('w', 16, 600, p_claim_id => "
        while more := self._service.execute(f"{text} gen_random_uuid(), p_room => {ROOM})".encode()).fetchall():
            self._claims.extend(more)
        return len(self._claims)

    def look(self) -> int:
        for calendar_id, fence, seen in self._claims:
            own = {"sync_id": str(uuid.uuid4()), "sync_token": str(uuid.uuid4()), "notifications_read": seen}
            self._service.execute(_LOOK, [calendar_id, fence, json.dumps(own)])
        return len(self._claims)

    def poll(self) -> int:
        self.claim()
        return self.look()

    def push(self) -> int:
        self.notify()
        return self.poll()


def counted(each: Database, name: str, work: Callable[[], int]) -> Iterator[Row]:
    log, updated, hot = so_far(each)
    times = work()
    log_after, updated_after, hot_after = so_far(each)
    share = (hot_after - hot) / max(1, updated_after - updated)
    yield row_of(f"{name}: updates that write no index", "", [share], aim=LEAST_HOT_SHARE, better="higher")
    yield row_of(f"{name}: log, without full pages", "bytes", [(log_after - log) / times])


def in_whole_pages(each: Database, name: str, work: Callable[[], int]) -> Iterator[Row]:
    each.admin.execute("checkpoint")
    log, pages = _log_and_pages(each)
    times = work()
    log_after, pages_after = _log_and_pages(each)
    yield row_of(f"{name} that finds nothing: log right after a checkpoint", "kB", [(log_after - log) / times / 1000])
    yield row_of(f"{name} that finds nothing: whole pages of it", "", [(pages_after - pages) / times])


def _log_and_pages(each: Database) -> tuple[float, int]:
    each.service.execute("select pg_stat_force_next_flush()")
    each.service.execute("select 1")
    ((log, pages),) = each.admin.execute("select wal_bytes::float8, wal_fpi from pg_stat_wal").fetchall()
    return log, pages


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
