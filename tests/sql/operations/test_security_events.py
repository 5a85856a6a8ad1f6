"""Refusals in the store: counted once, bounded, alerted once per hour and kind, dropped when old."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.sql.database import Connection, Database, call, connect

HOUR = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def service(db: Database, supabase: Any) -> Iterator[Connection]:
    db.admin.execute("truncate security_events")
    with connect(supabase.postgres_url, "service_role") as connection:
        yield connection


def row(count: int = 1, *, prefix: str = "203.0.113.0/24", kind: str = "bad_jwt", hours_ago: int = 0) -> dict[str, Any]:
    hour = (HOUR - dt.timedelta(hours=hours_ago)).isoformat()
    return {"hour": hour, "kind": kind, "address_prefix": prefix, "count": count}


def record(
    service: Connection, *events: dict[str, Any], batch: str | None = None, alert_at: int = 100, hour_rows: int = 50
) -> list[tuple[str, int]]:
    """The alerts, as (kind, seen)."""
    alerts = call(
        service,
        "record_security_events",
        p_batch=batch or str(uuid.uuid4()),
        p_events=Jsonb(list(events)),
        p_alert_at=alert_at,
        p_hour_rows=hour_rows,
        p_keep_days=30,
    )
    return sorted((alert["kind"], alert["seen"]) for alert in alerts)


def counts(service: Connection) -> dict[tuple[str, str], int]:
    rows = service.execute("select kind, address_prefix, count from security_events").fetchall()
    return {(each["kind"], each["address_prefix"]): each["count"] for each in rows}


def test_counts_add_up_by_hour_kind_and_network(service: Connection) -> None:
    record(service, row(2), row(3, prefix="198.51.100.0/24"), row(4, kind="refused_key"))
    record(service, row(5), row(1, hours_ago=1))

    assert service.execute("select count(*) as n from security_events").fetchall() == [{"n": 4}]
    assert service.execute("select count from security_events where hour = %s order by count", [HOUR]).fetchall() == [
        {"count": 3},
        {"count": 4},
        {"count": 7},
    ]


def test_a_batch_sent_twice_counts_and_alerts_once(service: Connection) -> None:
    batch = str(uuid.uuid4())
    first = record(service, row(60), row(60, prefix="198.51.100.0/24"), batch=batch)
    again = record(service, row(60), row(60, prefix="198.51.100.0/24"), batch=batch)

    # The answer that was lost is given again.
    assert first == again == [("bad_jwt", 120)]
    assert sum(counts(service).values()) == 120


def test_an_older_batch_that_comes_again_after_others_counts_once(service: Connection) -> None:
    batch = str(uuid.uuid4())
    record(service, row(1), batch=batch)
    for _ in range(5):
        record(service, row(1))
    record(service, row(1), batch=batch)

    assert sum(counts(service).values()) == 6


def test_an_hour_and_kind_alert_once(service: Connection) -> None:
    assert record(service, row(99)) == []
    assert record(service, row(1, prefix="198.51.100.0/24")) == [("bad_jwt", 100)]
    assert record(service, row(500)) == []
    assert record(service, row(500, kind="refused_key"), row(500, hours_ago=1)) == [
        ("bad_jwt", 500),
        ("refused_key", 500),
    ]
    assert record(service, row(1), row(1, kind="refused_key"), row(1, hours_ago=1)) == []


def test_an_hour_is_bounded_whatever_networks_come(service: Connection) -> None:
    for start in range(0, 60, 20):
        record(service, *(row(1, prefix=f"10.0.{start + n}.0/24") for n in range(20)), hour_rows=30)
    # A network that has its row keeps it.
    record(service, row(10, prefix="10.0.3.0/24"), hour_rows=30)

    stored = counts(service)
    assert sum(stored.values()) == 70
    assert len(stored) <= 31
    assert stored["bad_jwt", "10.0.3.0/24"] == 11
    assert stored["bad_jwt", "*"] == 60 - (len(stored) - 1)


def test_what_is_older_than_it_is_kept_goes(service: Connection) -> None:
    record(service, row(1, hours_ago=31 * 24), row(1, hours_ago=29 * 24))
    record(service)

    assert service.execute("select count(*) as n from security_events").fetchall() == [{"n": 1}]


@pytest.mark.parametrize("nonsense", [row(0), row(-5)])
def test_nothing_is_counted_down(service: Connection, nonsense: dict[str, Any]) -> None:
    record(service, row(3))
    record(service, nonsense)

    assert sum(counts(service).values()) == 3


def test_processes_that_report_at_once_neither_wait_in_a_circle_nor_lose_a_count(
    service: Connection, supabase: Any
) -> None:
    together = threading.Barrier(8)
    networks = [f"10.0.{n}.0/24" for n in range(20)]

    def report(number: int) -> int:
        with connect(supabase.postgres_url, "service_role") as connection:
            together.wait()
            order = networks if number % 2 else networks[::-1]
            return sum(len(record(connection, *(row(1, prefix=each) for each in order))) for _ in range(5))

    with ThreadPoolExecutor(8) as pool:
        alerts = sum(pool.map(report, range(8)))

    assert sum(counts(service).values()) == 8 * 5 * 20
    assert alerts == 1
