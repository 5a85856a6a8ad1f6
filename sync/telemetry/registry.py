"""The registry that all metrics are in, and how they are declared: names, units, buckets. Prometheus' conventions.

Own and not the library's default one, so that nothing is exposed that is not declared here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, values

from sync.telemetry import processes
from sync.telemetry.traces import are_on, span
from sync.telemetry.words import snake

PREFIX = "calendar_monitor_"

Kind = Literal["counter", "gauge", "histogram"]

if processes.are_several():
    # Before the first metric is made.
    values.ValueClass = values.MultiProcessValue(processes.own_slot)  # type: ignore[no-untyped-call]

disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry(auto_describe=True)


@dataclass(frozen=True, slots=True)
class Declared:
    """`name` as it is exposed (of a histogram without `_bucket`)."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


# All there are, in the order they are documented in.
DECLARED: list[Declared] = []


def declare(name: str, kind: Kind, labels: tuple[str, ...], help: str) -> Declared:
    declared = Declared(name, kind, labels, help)
    DECLARED.append(declared)
    return declared


def counter(name: str, help: str, *labels: str) -> Counter:
    """`name` without prefix, with `_total`."""
    declared = declare(PREFIX + name, "counter", labels, help)
    return Counter(declared.name, help, labels, registry=REGISTRY)


def gauge(name: str, help: str, *labels: str, mode: Literal["livesum", "livemax"] = "livesum") -> Gauge:
    """`mode`: what it is of all living processes together."""
    declared = declare(PREFIX + name, "gauge", labels, help)
    return Gauge(declared.name, help, labels, registry=REGISTRY, multiprocess_mode=mode)


def histogram(name: str, help: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
    """`name` without prefix, with its unit."""
    declared = declare(PREFIX + name, "histogram", labels, help)
    return Histogram(declared.name, help, labels, registry=REGISTRY, buckets=buckets)


@contextmanager
def observed(count: Counter, duration: Histogram, what: str) -> Iterator[None]:
    """Counts one attempt and its duration, and is its span. The first label is `what`, the counter's second the
    outcome: `ok`, or the failure's kind."""
    began, outcome = perf_counter(), "ok"
    try:
        if are_on():
            with span(what):
                yield
        else:
            yield
    except Exception as failure:
        outcome = snake(type(failure).__name__)
        raise
    finally:
        duration.labels(what).observe(perf_counter() - began)
        count.labels(what, outcome).inc()
