"""What the workflow files promise before anything runs: schedules, permissions, pins."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.cron_service import POLLING, RENEWAL, ROOT, WORKFLOWS, cron_step, workflow

CRON = [POLLING, RENEWAL]
ALL = sorted(path.name for path in WORKFLOWS.iterdir())


def _only_job(name: str) -> dict[str, Any]:
    (job,) = workflow(name)["jobs"].values()
    assert isinstance(job, dict)
    return job


def test_the_three_workflows_are_there() -> None:
    assert ALL == [POLLING, "ci.yml", RENEWAL]


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


@pytest.mark.parametrize("name", CRON)
def test_cron_jobs_have_no_permission_at_all_and_use_no_action(name: str) -> None:
    job = _only_job(name)
    assert "permissions" not in job
    assert not [step for step in job["steps"] if "uses" in step]


@pytest.mark.parametrize("name", CRON)
def test_cron_runs_neither_overlap_nor_cancel_each_other(name: str) -> None:
    assert workflow(name)["concurrency"] == {"group": name.removesuffix(".yml"), "cancel-in-progress": "false"}


@pytest.mark.parametrize("name", CRON)
def test_job_outlives_the_scripts_own_limit(name: str) -> None:
    environment, script = cron_step(name)["env"], cron_step(name)["run"]
    (call_seconds,) = re.findall(r"--max-time (\d+)", script)
    (retry_seconds,) = re.findall(r"--retry-max-time (\d+)", script)
    longest_seconds = int(environment["MAX_SECONDS"]) + int(retry_seconds) + int(call_seconds)
    assert longest_seconds < int(_only_job(name)["timeout-minutes"]) * 60


@pytest.mark.parametrize("name", ALL)
def test_every_job_has_a_time_limit(name: str) -> None:
    assert int(_only_job(name)["timeout-minutes"]) <= 30


@pytest.mark.parametrize("name", ALL)
def test_scripts_hold_no_expression_that_could_inject_text(name: str) -> None:
    assert not [step for step in _only_job(name)["steps"] if "${{" in step.get("run", "")]


@pytest.mark.parametrize("name", CRON)
def test_address_is_a_variable_and_the_key_a_secret(name: str) -> None:
    environment = cron_step(name)["env"]
    assert environment["CALENDAR_MONITOR_URL"] == "${{ vars.CALENDAR_MONITOR_URL }}"
    assert environment["CRON_SECRET"] == "${{ secrets.CRON_SECRET }}"


def test_both_cron_workflows_run_the_same_script() -> None:
    assert cron_step(POLLING)["run"] == cron_step(RENEWAL)["run"]
    assert set(cron_step(POLLING)["env"]) == set(cron_step(RENEWAL)["env"])


@pytest.mark.parametrize("name", ALL)
def test_actions_are_pinned_to_a_commit_and_name_their_version(name: str) -> None:
    for line in re.findall(r"uses: (.*)", (WORKFLOWS / name).read_text()):
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)


def test_ci_runs_the_test_script_on_every_push_and_pull_request() -> None:
    assert set(workflow("ci.yml")["on"]) == {"push", "pull_request"}
    job = _only_job("ci.yml")
    assert job["permissions"] == {"contents": "read"}
    assert [step["run"] for step in job["steps"] if "run" in step] == ["./scripts/test"]


def test_ci_leaves_no_credentials_in_the_checkout() -> None:
    (checkout,) = [step for step in _only_job("ci.yml")["steps"] if "actions/checkout" in step.get("uses", "")]
    assert checkout["with"]["persist-credentials"] == "false"


def test_zizmor_finds_nothing() -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    command = [str(zizmor), "--offline", "--no-progress", "--strict-collection", "--persona=auditor", str(WORKFLOWS)]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
