"""The Grafana dashboard and Prometheus' rules: every metric and label they name exists, and their runbooks too.

`promtool` checks the language where it is installed (Debian: `apt-get install prometheus`).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from sync.jobs.operations import figures
from sync.telemetry import exposition
from sync.telemetry.registry import DECLARED
from tests.docs.pages import ROOT, anchors

_ = exposition, figures
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "calendar-monitor.rules.yml").read_text())["groups"][0][
    "rules"
]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
EXPRESSIONS = [
    *((rule["alert"], rule["expr"]) for rule in RULES),
    *(
        (f"{panel['title']} {target['refId']}", target["expr"])
        for panel in PANELS
        for target in panel.get("targets", ())
    ),
]
# Put on every sample by Prometheus.
ITS_OWN = {"job", "instance", "le"}
HISTOGRAMS = ("_bucket", "_sum", "_count")
LABELS: dict[str, set[str]] = {"up": set(ITS_OWN)}
for metric in DECLARED:
    for end in HISTOGRAMS if metric.kind == "histogram" else ("",):
        LABELS[metric.name + end] = {*metric.labels, *ITS_OWN}

promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def named(expression: str) -> dict[str, set[str]]:
    """The metrics of an expression, each with the labels that are asked of it."""
    found: dict[str, set[str]] = {}
    for name, chosen in re.findall(r"\b(up|calendar_monitor_\w+|process_\w+)\b(?:\{([^}]*)\})?", expression):
        found.setdefault(name, set()).update(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", chosen))
    return found


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS, ids=[title for title, _ in EXPRESSIONS])
def test_every_metric_and_label_exists(title: str, expression: str) -> None:
    metrics = named(expression)
    assert metrics, title
    for name, labels in metrics.items():
        assert name in LABELS, f"{title}: there is no {name}"
        assert labels <= LABELS[name], f"{title}: {name} has no {labels - LABELS[name]}"
    grouped = {label.strip() for found in re.findall(r"\bby\s*\(([^)]*)\)", expression) for label in found.split(",")}
    assert grouped <= set.union(*(LABELS[name] for name in metrics)), title


def test_a_metric_that_is_none_is_found() -> None:
    assert named('sum(rate(calendar_monitor_sync_total{a="b", c=~"d"}[5m])) > up') == {
        "calendar_monitor_sync_total": {"a", "c"},
        "up": set(),
    }
    assert "calendar_monitor_sync_total" not in LABELS


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["summary"].endswith(".")
    where, _, part = re.split(r"(#|, )", rule["annotations"]["runbook"], maxsplit=1)
    if part.startswith('"'):
        assert f"| {part.strip(chr(34))}" in (ROOT / where).read_text().replace("`", "")
    else:
        assert part in anchors(ROOT / where)


def test_panels_do_not_cover_each_other() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for one, other in combinations([panel["gridPos"] for panel in PANELS], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert one["x"] + one["w"] <= 24


@promtool
@pytest.mark.parametrize("command", [("check", "rules", "rules"), ("test", "rules", "tests")], ids=" ".join)
def test_promtool_agrees(command: tuple[str, str, str]) -> None:
    *words, file = command
    arguments = ["promtool", *words, f"calendar-monitor.{file}.yml"]
    done = subprocess.run(arguments, cwd=PROMETHEUS, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_promtool_understands_the_dashboard(tmp_path: Path) -> None:
    asked = [
        {"record": f"panel_{number}", "expr": expression.replace("$__rate_interval", "5m").replace("$job", ".*")}
        for number, (_, expression) in enumerate(EXPRESSIONS)
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": asked}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", "rules.yml"], cwd=tmp_path, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr
