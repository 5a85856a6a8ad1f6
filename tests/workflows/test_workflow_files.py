"""What the workflow files promise before anything runs: schedules, permissions, pins."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflows.cron_service import (
    CALLED,
    POLLING,
    RENEWAL,
    ROOT,
    WORKFLOWS,
    call_step,
    given_by,
    only_job,
    workflow,
)

CRON = [POLLING, RENEWAL]
ENDPOINTS = {POLLING: "calendar-polling-cron", RENEWAL: "renew-calendar-watches"}
ALL = sorted(path.name for path in WORKFLOWS.iterdir())


def test_the_workflows_are_there() -> None:
    assert ALL == [POLLING, CALLED, "ci.yml", RENEWAL]


@pytest.mark.parametrize(("name", "hours"), [(POLLING, "*/6"), (RENEWAL, "*/12")])
def test_cron_runs_at_the_designs_period_and_by_hand(name: str, hours: str) -> None:
    triggers = workflow(name)["on"]
    assert set(triggers) == {"schedule", "workflow_dispatch"}
    ((minute, *rest),) = [entry["cron"].split() for entry in triggers["schedule"]]
    assert rest == [hours, "*", "*", "*"]
    assert 0 < int(minute) < 60


@pytest.mark.parametrize("name", ALL)
def test_no_permission_is_given_to_a_whole_workflow(name: str) -> None:
    assert workflow(name)["permissions"] == {}


@pytest.mark.parametrize("name", [*CRON, CALLED])
def test_cron_jobs_have_no_permission_at_all_and_use_no_action(name: str) -> None:
    job = only_job(name)
    assert "permissions" not in job
    assert not [step for step in job.get("steps", []) if "uses" in step]


@pytest.mark.parametrize("name", CRON)
def test_cron_job_is_a_call_and_nothing_else(name: str) -> None:
    job = only_job(name)
    assert set(job) == {"name", "uses", "with", "secrets"}
    assert job["uses"] == f"./.github/workflows/{CALLED}"


@pytest.mark.parametrize("name", CRON)
def test_callers_pass_what_the_called_workflow_takes_and_no_other_secret(name: str) -> None:
    assert set(workflow(CALLED)["on"]) == {"workflow_call"}
    takes, job = workflow(CALLED)["on"]["workflow_call"], only_job(name)
    assert set(job["with"]) == set(takes["inputs"])
    assert job["secrets"].keys() == takes["secrets"].keys() == {"CRON_SECRET"}
    assert all(each["required"] == "true" and each["type"] == "string" for each in takes["inputs"].values())


@pytest.mark.parametrize("name", CRON)
def test_called_step_gets_every_value(name: str) -> None:
    given = given_by(name, {"vars.CALENDAR_MONITOR_URL": "https://there", "secrets.CRON_SECRET": "key"})
    assert (given["CALENDAR_MONITOR_URL"], given["CRON_SECRET"]) == ("https://there", "key")
    assert given["ENDPOINT"] == f"/functions/v1/{ENDPOINTS[name]}"
    assert given["FAILED_KEY"] in given["COUNT_KEYS"].split()
    assert [variable for variable, value in given.items() if not value] == []


@pytest.mark.parametrize("name", CRON)
def test_cron_runs_neither_overlap_nor_cancel_each_other(name: str) -> None:
    assert workflow(name)["concurrency"] == {"group": name.removesuffix(".yml"), "cancel-in-progress": "false"}


def test_job_outlives_the_scripts_own_limit() -> None:
    environment, script = call_step()["env"], call_step()["run"]
    (call_seconds,) = re.findall(r"--max-time (\d+)", script)
    (retry_seconds,) = re.findall(r"--retry-max-time (\d+)", script)
    longest_seconds = int(environment["MAX_SECONDS"]) + int(retry_seconds) + int(call_seconds)
    assert longest_seconds < int(only_job(CALLED)["timeout-minutes"]) * 60


@pytest.mark.parametrize("name", [CALLED, "ci.yml"])
def test_every_job_has_a_time_limit(name: str) -> None:
    assert int(only_job(name)["timeout-minutes"]) <= 30


@pytest.mark.parametrize("name", ALL)
def test_scripts_hold_no_expression_that_could_inject_text(name: str) -> None:
    assert not [step for step in only_job(name).get("steps", []) if "${{" in step.get("run", "")]


@pytest.mark.parametrize("name", CRON)
def test_address_is_a_variable_and_the_key_a_secret(name: str) -> None:
    job = only_job(name)
    assert job["with"]["service-url"] == "${{ vars.CALENDAR_MONITOR_URL }}"
    assert job["secrets"]["CRON_SECRET"] == "${{ secrets.CRON_SECRET }}"


@pytest.mark.parametrize("name", ALL)
def test_actions_are_pinned_to_a_commit_and_name_their_version(name: str) -> None:
    for line in re.findall(r"uses: (?!\./)(.*)", (WORKFLOWS / name).read_text()):
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)


def test_ci_runs_the_test_script_on_every_push_and_pull_request() -> None:
    assert set(workflow("ci.yml")["on"]) == {"push", "pull_request"}
    job = only_job("ci.yml")
    assert job["permissions"] == {"contents": "read"}
    assert [step["run"] for step in job["steps"] if "run" in step] == ["./scripts/test"]


def test_ci_runs_on_each_python_from_the_oldest_allowed_to_the_images() -> None:
    job = only_job("ci.yml")
    oldest = re.findall(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    (images,) = set(re.findall(r"^FROM python:([\d.]+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    versions = job["strategy"]["matrix"]["python"]
    assert [versions[0], versions[-1]] == [*oldest, images]
    assert {step["env"]["PYTHON"] for step in job["steps"] if "run" in step} == {"python${{ matrix.python }}"}


def test_ci_leaves_no_credentials_in_the_checkout() -> None:
    (checkout,) = [step for step in only_job("ci.yml")["steps"] if "actions/checkout" in step.get("uses", "")]
    assert checkout["with"]["persist-credentials"] == "false"


def test_zizmor_finds_nothing() -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    command = [str(zizmor), "--offline", "--no-progress", "--strict-collection", "--persona=auditor", str(WORKFLOWS)]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
