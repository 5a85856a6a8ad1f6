"""OpenTelemetry traces, where the standard variables name a collector: spans of requests, syncs, calls to Google and to
the store. Needs the extra `tracing`; without the variables nothing of it is imported.

The SDK reads OTEL_* itself: the endpoint, headers, the sampler, batches. Spans hold names, ids, counts and outcomes; of
a failure its kind, never its text. A caller's own trace is not continued: strangers would choose what is sampled.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SERVICE = "hybrid-calendar-monitor"

_provider: Any = None
_tracer: Any = None


def configure_traces(environment: Mapping[str, str] = os.environ, *, version: str) -> Callable[[], None]:
    """Once per process, after fork; the answer ends it, and sends what is left. What cannot be had is told in the log,
    and the work goes on without."""
    global _provider, _tracer
    if not _is_wanted(environment):
        return stop_traces
    log = structlog.get_logger("traces")
    protocol = environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol not in (None, "", "http/protobuf"):
        log.error("traces_off", mend="only OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf is spoken here")
        return stop_traces
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.error("traces_off", mend="pip install the extra `tracing`, or unset OTEL_EXPORTER_OTLP_ENDPOINT")  # noqa: TRY400
        return stop_traces
    # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say comes before this.
    named = {} if environment.get("OTEL_SERVICE_NAME") else {"service.name": SERVICE}
    resource = Resource.create({**named, "service.version": version})
    _provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = _provider.get_tracer("sync", version)
    return stop_traces


def stop_traces() -> None:
    global _provider, _tracer
    provider, _provider, _tracer = _provider, None, None
    if provider is not None:
        provider.shutdown()


def _is_wanted(environment: Mapping[str, str]) -> bool:
    return (
        any(environment.get(name) for name in ENDPOINTS)
        and environment.get("OTEL_SDK_DISABLED", "").lower() != "true"
        and environment.get("OTEL_TRACES_EXPORTER", "otlp") in ("", "otlp")
    )


def are_on() -> bool:
    return _tracer is not None


@contextmanager
def span(name: str, **attributes: str) -> Iterator[dict[str, Any]]:
    """The block as a span of the one around it. What is put into the mapping it gives becomes attributes at its end."""
    later: dict[str, Any] = {}
    if _tracer is None:
        yield later
        return
    from opentelemetry.trace import StatusCode

    with _tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as begun:
        try:
            yield later
        except BaseException as failure:
            begun.set_status(StatusCode.ERROR)
            begun.set_attribute("error.type", type(failure).__name__)
            raise
        finally:
            begun.set_attributes(later)


def current() -> Any:
    """Where the work at hand stands, for `continued` in another thread; None without traces."""
    if _tracer is None:
        return None
    from opentelemetry import context

    return context.get_current()


@contextmanager
def continued(where: Any) -> Iterator[None]:
    if where is None:
        yield
        return
    from opentelemetry import context

    token = context.attach(where)
    try:
        yield
    finally:
        context.detach(token)
