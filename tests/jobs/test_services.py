"""What is said once when the clients are made."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from sync.jobs.services import build_services
from sync.settings import load
from tests.world import World

pytestmark = pytest.mark.usefixtures("warnings_are_logged")


def test_a_legacy_service_key_is_warned_of_once_and_never_shown(world: World) -> None:
    with capture_logs() as lines:
        build_services(load(world.environment)).store.close()

    assert [(line["event"], line["log_level"]) for line in lines] == [("legacy_service_key", "warning")]
    assert world.supabase.service_key not in str(lines)


def test_a_secret_key_is_no_reason_for_a_warning(world: World) -> None:
    environment = {**world.environment, "SUPABASE_SERVICE_ROLE_KEY": "", "SUPABASE_SECRET_KEY": "sb_secret_x"}
    with capture_logs() as lines:
        build_services(load(environment)).store.close()

    assert lines == []
