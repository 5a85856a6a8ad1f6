"""What is kept is bounded, ends in time, is given only while it is good, and its hits are counted."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

from sync.clients.cache import Cache
from sync.telemetry.registry import REGISTRY


class Clock:
    now = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"calendar_monitor_cache_{name}_total", labels) or 0.0


def test_an_entry_ends_at_its_own_time() -> None:
    clock = Clock()
    cache: Cache[str, dt.datetime] = Cache("t1", 9, ends=lambda until, _now: until, clock=clock)
    cache.put("short", clock.now + dt.timedelta(minutes=1))
    cache.put("long", clock.now + dt.timedelta(hours=1))
    cache.put("over", clock.now)
    clock.now += dt.timedelta(minutes=1)

    assert (cache.get("short"), cache.get("over")) == (None, None)
    assert cache.get("long")
    assert len(cache) == 1
    # Replaced by one that is over: there is none.
    cache.put("long", clock.now)
    assert cache.get("long") is None


def test_the_least_used_goes_for_want_of_room_and_is_counted() -> None:
    cache: Cache[str, int] = Cache("t2", 2, ends=lambda _value, now: now + 60)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.get("a")
    cache.put("c", 3)

    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    assert counted("evictions", cache="t2") == 1
    assert (counted("lookups", cache="t2", outcome="hit"), counted("lookups", cache="t2", outcome="miss")) == (3, 1)


def test_what_is_not_good_any_more_is_a_miss() -> None:
    cache: Cache[str, int] = Cache("t3", 2, ends=lambda _value, now: now + 60)
    cache.put("a", 1)
    assert cache.get("a", lambda value: value > 1) is None
    cache.forget("a")
    cache.forget("a")
    assert counted("lookups", cache="t3", outcome="miss") == 1


def test_weight_bounds_it_and_what_is_too_heavy_is_not_kept() -> None:
    cache: Cache[str, str] = Cache("t4", 10, ends=lambda _value, now: now + 60, weigh=len)
    cache.put("a", "12345")
    cache.put("b", "12345")
    cache.put("c", "1")
    assert (cache.get("a"), cache.get("b")) == (None, "12345")
    cache.put("b", "x" * 11)
    assert cache.get("b") is None


def test_threads_share_it() -> None:
    cache: Cache[int, int] = Cache("t5", 50, ends=lambda _value, now: now + 60)

    def use(number: int) -> bool:
        cache.put(number % 70, number % 70)
        return cache.get(number % 70) in (number % 70, None) and len(cache) <= 50

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(4000)))
