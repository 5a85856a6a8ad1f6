"""docs/metrics.md names every metric; names and units are Prometheus' conventions; labels name nobody."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

from sync.jobs.operations import figures
from sync.telemetry import exposition
from sync.telemetry.registry import DECLARED, Declared
from sync.version import VERSION
from tests.docs.pages import ROOT

# What a label may say: all of them are few.
LABELS = frozenset(
    {"by", "cache", "change", "code", "event", "function", "kind", "method", "outcome", "provider", "python", "reason"}
    | {"route", "status", "step", "type", "upstream", "version", "worker"}
    | {"cause", "cron", "lane", "limit", "severity", "span", "state", "within"}
)
_ = exposition, figures


def test_the_page_is_what_the_command_writes() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "document_metrics"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("metric", DECLARED, ids=lambda metric: metric.name)
def test_a_metric_is_named_by_convention(metric: Declared) -> None:
    assert metric.name.startswith(("calendar_monitor_", "process_"))
    assert (metric.kind == "counter") == metric.name.endswith("_total")
    assert metric.kind != "histogram" or metric.name.endswith(("_seconds", "_bytes"))
    assert metric.help.endswith(".")
    assert set(metric.labels) <= LABELS


def test_the_version_is_the_projects() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
