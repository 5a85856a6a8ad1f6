"""What only the operator can mend: logged once, shown while it lasts."""

from __future__ import annotations

import datetime as dt

import pytest
import structlog
from structlog.testing import capture_logs

from sync.clients.store import Store
from sync.core.operations.mends import mend_of
from sync.errors import StoreMisconfigured
from sync.jobs.operator_faults import OperatorFaults
from tests.clients.google.answering import answering
from tests.telemetry.figures import figure

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


def test_a_database_set_up_wrongly_is_told_once_with_its_mend_and_counted_from_then_on() -> None:
    before = figure("calendar_monitor_misconfigured_total", code="migrations_behind")
    with capture_logs() as logs:
        faults = OperatorFaults(lambda: NOON, structlog.get_logger())
        with answering() as gateway:
            gateway.status, gateway.body = 404, b'{"code": "PGRST202", "message": "There is no function public.x"}'
            store = Store(gateway.url, "sb_secret_0123456789", on_misconfigured=faults.note)
            for _ in range(3):
                with pytest.raises(StoreMisconfigured) as refused:
                    store.claims.sweep_state(6)
                faults.tell("sweep_failed", refused.value)
            store.close()

    assert [(entry["event"], entry["error_code"], entry["mend"]) for entry in logs] == [
        ("misconfigured", "migrations_behind", mend_of("migrations_behind"))
    ]
    assert logs[0]["detail"] == "sweep_state: PGRST202 There is no function public.x"
    assert figure("calendar_monitor_misconfigured_total", code="migrations_behind") - before == 3
