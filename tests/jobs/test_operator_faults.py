"""What only the operator can mend: logged once, shown while it lasts."""

from __future__ import annotations

import datetime as dt

import structlog
from structlog.testing import capture_logs

from sync.jobs.operator_faults import OperatorFaults

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def test_a_fault_of_every_calendar_is_logged_once_and_again_when_it_comes_back() -> None:
    now = [NOON]
    with capture_logs() as logs:
        faults = OperatorFaults(lambda: now[0], structlog.get_logger())
        for minutes in (0, 0, 60, 140):
            now[0] = NOON + dt.timedelta(minutes=minutes)
            faults.note("invalid_client")
        assert [entry["error_code"] for entry in logs] == ["invalid_client"]
        now[0] = NOON + dt.timedelta(hours=5)
        assert faults.current() == []
        faults.note("invalid_client")

    assert [(entry["log_level"], entry["event"]) for entry in logs] == [("error", "misconfigured")] * 2
    assert faults.current() == ["invalid_client"]
