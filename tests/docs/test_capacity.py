"""docs/capacity.md holds what its arithmetic gives, and the arithmetic gives what was worked out by hand."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from scripts.capacity_figures import (
    GOOGLE,
    STEPS,
    Calendar,
    Google,
    Measured,
    free_until,
    need,
    one_project_until,
    shown,
)
from tests.docs.pages import ROOT

# Figures that can be reckoned in the head.
PLAIN = Measured(state_bytes=1000, event_bytes=100, meeting_bytes=100, log_bytes=100, look_wal_bytes=1000)
QUIET = Calendar(changes_a_day=0, looks_a_day=1, events=10, meetings=10, meetings_a_day=0, change_pages=0)
NO_RENEWALS = Google(renewals_a_day=0)


def test_the_page_is_what_the_command_writes() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "capacity"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert (done.returncode, done.stderr) == (0, "")


def test_quiet_calendars_cost_their_looks_and_their_rows() -> None:
    found = need(1_440_000, QUIET, NO_RENEWALS, PLAIN)
    assert found.requests_a_day == 1_440_000
    assert found.billed_a_month == 30 * 440_000
    assert found.peak_requests_a_minute == pytest.approx(1000)
    assert found.projects == 1
    # Rows of 3000 bytes; logs of seven days and of the twelve weeks, less a seventh, before them.
    assert found.disk_gb == pytest.approx(1.44e6 * (3000 + 100 * (7 + 83 / 7)) / 1e9)
    assert found.wal_gb_a_day == pytest.approx(1.44)
    assert found.log_rows_a_day == 1_440_000


def test_a_change_counts_its_push_and_its_sync_in_the_busiest_hour() -> None:
    each = replace(QUIET, changes_a_day=1, looks_a_day=0)
    found = need(86_400, each, NO_RENEWALS, PLAIN)
    busiest = found.peak_requests_a_minute / 60
    assert busiest == pytest.approx(3.65, rel=0.01)
    assert found.peak_transactions_a_second == pytest.approx(busiest * (2 + 1 / 16))


def test_a_project_more_is_needed_where_one_no_longer_is_enough() -> None:
    each = STEPS[-1][1]
    most = one_project_until(each)
    assert [need(count, each).projects for count in (most, most + 10)] == [1, 2]


def test_nothing_is_billed_up_to_what_is_free() -> None:
    each = STEPS[-1][1]
    most = free_until(each)
    assert need(most, each).billed_a_month == 0 < need(most + 1, each).billed_a_month
    assert need(most, each).requests_a_day <= GOOGLE.free_a_day


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.0123, "0.012"), (9.96, "10"), (86, "86"), (123.4, "120"), (3_436_000, "3,400,000")]
)
def test_two_digits_count(value: float, text: str) -> None:
    assert shown(value) == text
