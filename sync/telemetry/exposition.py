"""What Prometheus reads: the metrics of all workers, of their processes, and what the store says.

Called by `web/metrics` and by the jobs' worker.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from sync.telemetry import metrics as _counted  # noqa: F401 - declares them, before those below
from sync.telemetry import processes
from sync.telemetry.registry import PREFIX, REGISTRY, declare
from sync.version import VERSION

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_BUILD = declare(PREFIX + "build_info", "gauge", ("version", "python"), "1, with the version that runs.")
declare("process_cpu_seconds_total", "counter", ("worker",), "Total user and system CPU time spent in seconds.")
declare("process_virtual_memory_bytes", "gauge", ("worker",), "Virtual memory size in bytes.")
declare("process_resident_memory_bytes", "gauge", ("worker",), "Resident memory size in bytes.")
declare("process_start_time_seconds", "gauge", ("worker",), "Start time of the process since unix epoch in seconds.")
declare("process_open_fds", "gauge", ("worker",), "Number of open file descriptors.")
declare("process_max_fds", "gauge", ("worker",), "Maximum number of open file descriptors.")


def exposition(*more: Collector) -> bytes:
    """The text format. `more`: what is looked up for this scrape."""
    registry = CollectorRegistry(auto_describe=False)
    if processes.are_several():
        registry.register(_Workers(None))  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(_Build())
    registry.register(_Processes())
    for collector in more:
        registry.register(collector)
    return generate_latest(registry)


class _Workers(MultiProcessCollector):
    """Of a worker that begins, a file is there a moment before it holds anything; the library would fail on it."""

    def collect(self) -> Iterator[Metric]:
        files = [str(path) for path in Path(self._path).glob("*.db") if _holds_something(path)]
        yield from self.merge(files)  # type: ignore[no-untyped-call]


def _holds_something(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:  # its worker has just ended
        return False


class _Build(Collector):
    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily(_BUILD.name, _BUILD.help, labels=_BUILD.labels)
        build.add_metric([VERSION, platform.python_version()], 1)
        yield build


class _Processes(Collector):
    """The library's process metrics, of each worker. Linux alone tells them."""

    def collect(self) -> Iterator[Metric]:
        found: dict[str, Metric] = {}
        for worker, pid in sorted(processes.running().items()):
            for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
                metric.samples = [_of_worker(sample, worker) for sample in metric.samples]
                if metric.name in found:
                    found[metric.name].samples += metric.samples
                else:
                    found[metric.name] = metric
        yield from found.values()


def _of_worker(sample: Sample, worker: str) -> Sample:
    return sample._replace(labels={**sample.labels, "worker": worker})
