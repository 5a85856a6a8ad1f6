"""Metrics of real processes: gunicorn's workers answer for each other, the jobs' worker has a port of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx

from scripts.stack.ports import free_port
from tests.docs.pages import ROOT
from tests.flows.processes import gunicorn, worker
from tests.telemetry.figures import figure
from tests.world import TLS, World, wait_until

TOKEN = "a-token-for-prometheus"
PROBES = "calendar_monitor_http_requests_total"


def scrape(port: int, token: str = TOKEN) -> httpx.Response:
    return httpx.get(
        f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=60, verify=TLS
    )


def probes(port: int) -> float:
    return figure(PROBES, scrape(port).text, route="health.alive")


def probe(port: int, times: int) -> None:
    for _ in range(times):
        # A connection of its own, so that any worker may have it.
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=60, verify=TLS).status_code == 200


def test_counters_of_all_workers_survive_the_death_of_one(world: World, tmp_path: Path) -> None:
    port = int(world.environment["PORT"])
    with gunicorn(world, port, workers=2, METRICS_TOKEN=TOKEN, TMPDIR=str(tmp_path)) as process:
        wait_until(lambda: len(pids(tmp_path)) == 2, "both workers are there")
        probe(port, 20)
        # One is gunicorn()'s own.
        before = probes(port)
        assert before >= 21
        killed = pids(tmp_path)["0"]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: pids(tmp_path).get("0", killed) != killed, "another takes its place")
        probe(port, 4)

        assert probes(port) == before + 4
        shown = scrape(port).text
        assert figure("calendar_monitor_syncs_running", shown) == 0
        assert {worker for worker in ("0", "1", "2") if figure("process_open_fds", shown, worker=worker)} == {"0", "1"}
        process.terminate()
        assert process.wait() == 0
    assert list(tmp_path.glob("calendar-monitor-metrics-*")) == []


def pids(folder: Path) -> dict[str, int]:
    return {path.stem: int(path.read_text() or 0) for path in folder.glob("calendar-monitor-metrics-*/*.pid")}


def test_the_worker_answers_on_a_port_of_its_own_to_its_token(world: World) -> None:
    port = free_port()
    with worker(world, METRICS_TOKEN=TOKEN, METRICS_PORT=str(port)) as process:
        wait_until(lambda: "worker_started" in process.log, "the worker is up")
        wait_until(
            lambda: figure("calendar_monitor_store_calls_total", scrape(port).text, outcome="ok") > 0, "it has worked"
        )
        assert scrape(port, TOKEN + "x").status_code == 401
        assert httpx.get(f"http://127.0.0.1:{port}/", timeout=60, verify=TLS).status_code == 404

        with worker(world, METRICS_TOKEN=TOKEN, METRICS_PORT=str(port)) as second:
            wait_until(lambda: "worker_started" in second.log, "it works without a port")
            assert "metrics_port_not_opened" in second.log


def test_the_page_names_the_command_that_this_runs() -> None:
    assert 'curl -s "$WEBHOOK_BASE_URL/metrics" -H @-' in (ROOT / "docs" / "metrics.md").read_text()
