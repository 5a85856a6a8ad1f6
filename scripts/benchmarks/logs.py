"""What the sync logs cost: bytes of a row, and rows a second of rolling up, folding and dropping them. By these a
hundred million are reckoned, not made: each step works by an index on what is oldest."""

from __future__ import annotations

import time
from collections.abc import Iterator

from scripts.benchmarks.large_databases import Database, databases
from scripts.benchmarks.measuring import Measure, Row, Size, row_of
from scripts.stack import many_calendars

# Each calendar has some four a day then, for ninety days.
LOGS_OF_EACH = 400
STEP = 5000


def logs(size: Size) -> Iterator[Row]:
    calendars = size.of(5000, 50)
    count = LOGS_OF_EACH * calendars
    with databases(calendars) as (each,):
        many_calendars.add_logs(each.admin, calendars, count)
        yield from bytes_of_a_row(each, count + calendars)
        yield rolled_up(each)
        yield from folded(each)
        yield dropped(each)


def bytes_of_a_row(each: Database, rows: int) -> Iterator[Row]:
    ((heap, indexes),) = each.admin.execute(
        "select pg_table_size(oid)::float8, pg_indexes_size(oid)::float8 from pg_class"
        " where oid = 'calendar_sync_logs'::regclass"
    ).fetchall()
    yield row_of("a row of calendar_sync_logs", "bytes", [heap / rows])
    yield row_of("its indexes", "bytes", [indexes / rows])


def rolled_up(each: Database) -> Row:
    each.admin.execute("delete from overview_marks")
    took, more = [], 288
    while more == 288:
        began = time.perf_counter()
        ((more,),) = each.service.execute("select fold_sync_logs(288)").fetchall()
        took.append((time.perf_counter() - began) * 1000 / max(1, more))
    return row_of("fold_sync_logs, five minutes of logs", "ms", took)


def folded(each: Database) -> Iterator[Row]:
    rates, seen, gone, last = [], 0, 0, STEP
    while last == STEP:
        began = time.perf_counter()
        ((last, gone_now),) = each.service.execute("select * from fold_idle_logs(7, %s)", [STEP]).fetchall()
        rates.append(last / (time.perf_counter() - began))
        seen, gone = seen + last, gone + gone_now
    yield row_of("fold_idle_logs, rows looked at", "/s", rates)
    yield row_of("of these, folded away", "", [gone / max(1, seen)])


def dropped(each: Database) -> Row:
    each.admin.execute("vacuum calendar_sync_logs")
    rates, last, after = [], STEP, ("-infinity", "")
    while last == STEP:
        began = time.perf_counter()
        ((last, _, *after_now),) = each.service.execute(
            "select * from drop_old_logs(30, %s, %s::timestamptz, %s)", (STEP, *after)
        ).fetchall()
        rates.append(last / (time.perf_counter() - began))
        after = (after_now[0], after_now[1])
    return row_of("drop_old_logs, rows looked at", "/s", rates)


MEASURES = (Measure("logs", "what sync logs cost to keep, fold and drop", "none", logs),)
