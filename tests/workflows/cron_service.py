"""Runs a cron workflow's call as GitHub would, against a small HTTP server in the service's place."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"
POLLING = "calendar-polling.yml"
RENEWAL = "renew-calendar-watches.yml"
CALLED = "call-service.yml"
SECRET = "cron-secret-\"that\" shows $HOME 'nowhere'"


def workflow(name: str) -> dict[str, Any]:
    """The parsed file. BaseLoader, since YAML 1.1 would read the key `on` as true."""
    parsed: dict[str, Any] = yaml.load((WORKFLOWS / name).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
    return parsed


def only_job(name: str) -> dict[str, Any]:
    (job,) = workflow(name)["jobs"].values()
    assert isinstance(job, dict)
    return job


def call_step() -> dict[str, Any]:
    """The one step of the one job that both cron workflows call."""
    (step,) = only_job(CALLED)["steps"]
    assert isinstance(step, dict)
    return step


def given_by(caller: str, settings: Mapping[str, str]) -> dict[str, str]:
    """The step's environment when a cron workflow calls it in a repository with these `vars` and `secrets`, as GitHub
    fills it in: what the caller does not pass is empty."""
    job = only_job(caller)
    passed = {f"inputs.{name}": value for name, value in job["with"].items()}
    passed |= {f"secrets.{name}": value for name, value in job["secrets"].items()}
    inside = {name: _filled_in(value, settings) for name, value in passed.items()}
    return {name: _filled_in(value, inside) for name, value in call_step()["env"].items()}


def _filled_in(value: str, context: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: context.get(found[1], ""), value)


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"


@dataclass(frozen=True)
class Call:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class CronService:
    """Gives its answers in turn, the last one again and again. `processes`: command lines seen during the calls."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    processes: list[bytes] = field(default_factory=list)

    def will_answer(self, *answers: Answer) -> None:
        self.answers = list(answers)

    def answer(self, call: Call) -> Answer:
        self.calls.append(call)
        return self.answers[min(len(self.calls), len(self.answers)) - 1]


def sweep(*, remaining: int = 0, failed: int = 0, synced: int = 1, **more: object) -> Answer:
    """An answer of calendar-polling-cron."""
    results = [{"userId": "u", "calendarId": "alice@example.com", "status": "failed", "error": "throttled"}] * failed
    results += [{"userId": "u", "calendarId": "bob@example.com", "status": "completed", "error": ""}] * synced
    return json_answer(
        success=True,
        message="",
        total_processed=7,
        total_created=1,
        total_updated=2,
        total_deleted=0,
        total_skipped=0,
        total_failed=failed,
        remaining=remaining,
        results=results,
        **more,
    )


def renewal(*, renewed: int, failed: int) -> Answer:
    """An answer of renew-calendar-watches."""
    results = [{"status": "failed", "error": "throttled"}] * failed + [{"status": "renewed", "error": None}] * renewed
    return json_answer(
        success=True,
        message="",
        renewed=renewed,
        failed=failed,
        total=renewed + failed,
        stopped=renewed,
        results=results,
    )


def problem(status: int, code: str, detail: str) -> Answer:
    body = json.dumps({"status": status, "code": code, "detail": detail, "success": False}).encode()
    return Answer(status, body, "application/problem+json")


def json_answer(**body: object) -> Answer:
    return Answer(body=json.dumps(body).encode())


@contextmanager
def serving() -> Iterator[CronService]:
    service = CronService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            service.processes.extend(_command_lines())
            answer = service.answer(Call(self.path, dict(self.headers.items()), body))
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Run:
    exit_code: int
    log: str
    summary: str
    seconds: float

    @property
    def is_red(self) -> bool:
        assert (self.exit_code != 0) == ("::error::" in self.log), self.log
        return self.exit_code != 0


def run_step(name: str, scratch: Path, url: str, **environment: str) -> Run:
    """Runs the step's script with the environment that its caller gives it, and nothing of this process's but PATH."""
    step = call_step()
    script, summary = scratch / "step.sh", scratch / "summary.md"
    script.write_text(step["run"], encoding="utf-8")
    summary.touch()
    given: Mapping[str, str] = {
        **given_by(name, {"vars.CALENDAR_MONITOR_URL": url, "secrets.CRON_SECRET": SECRET}),
        "PATH": os.environ["PATH"],
        "GITHUB_STEP_SUMMARY": str(summary),
        "RETRIES": "0",
        "PAUSE_SECONDS": "0",
        **environment,
    }
    started = time.monotonic()
    # `shell: bash` means these flags: docs.github.com, "Workflow syntax", jobs.<job_id>.steps[*].shell.
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        env=given,
        cwd=scratch,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return Run(done.returncode, done.stdout + done.stderr, summary.read_text(), time.monotonic() - started)


def _command_lines() -> list[bytes]:
    """Of every process there is now; none where /proc is missing (macOS)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:
            continue  # it has ended
    return found
