"""Fixtures: one local Supabase and one emulated Google per test process, emptied before every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from scripts.stack.bots import KINDS, FakeServer
from scripts.stack.environment import google_addresses
from scripts.stack.google.control import GoogleControl
from scripts.stack.google.server import EmulatorServer
from scripts.stack.supabase import LocalSupabase
from sync.logs import configure_logs
from tests.command_line import Cli
from tests.connections import KEPT
from tests.emptying import EMPTY
from tests.world import World

HERE = Path(__file__).parent
# The same examples in every run, however slow the machine is: what they find was brought by the change at hand.
# Others by hand: `pytest --hypothesis-profile=default`.
settings.register_profile(
    "same", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("same")
# What waits for processes, deadlines and each other comes first: one long file begun last would keep one worker busy
# while the others have ended.
LONG_FIRST = ("chaos", "flows", "situations", "docs", "stack", "workflows", "jobs", "web", "sql")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Orders the tests' folders, longest files first; within a folder nothing changes."""
    items.sort(key=lambda item: _place(item.path.relative_to(HERE).parts[0]))


def _place(folder: str) -> int:
    return LONG_FIRST.index(folder) if folder in LONG_FIRST else len(LONG_FIRST)


@pytest.fixture(scope="session")
def supabase() -> Iterator[LocalSupabase]:
    with LocalSupabase() as running:
        yield running
        KEPT.close()


@pytest.fixture(scope="session")
def emulator() -> Iterator[EmulatorServer]:
    with EmulatorServer() as running:
        yield running


@pytest.fixture(scope="session")
def bot_fakes() -> Iterator[dict[str, FakeServer]]:
    """One fake of each bot provider."""
    fakes = {kind: FakeServer(kind).start() for kind in KINDS}
    yield fakes
    for fake in fakes.values():
        fake.stop()


@pytest.fixture
def attendee(bot_fakes: dict[str, FakeServer]) -> FakeServer:
    bot_fakes["attendee"].control.reset()
    return bot_fakes["attendee"]


@pytest.fixture
def recall(bot_fakes: dict[str, FakeServer]) -> FakeServer:
    bot_fakes["recall"].control.reset()
    return bot_fakes["recall"]


@pytest.fixture
def bot_receiver(bot_fakes: dict[str, FakeServer]) -> FakeServer:
    bot_fakes["webhook"].control.reset()
    return bot_fakes["webhook"]


@pytest.fixture(scope="session")
def environment(supabase: LocalSupabase, emulator: EmulatorServer) -> dict[str, str]:
    """The service's, on these two."""
    return {**supabase.environment(google_addresses(emulator.url)), "LOG_LEVEL": "error"}


@pytest.fixture
def google(emulator: EmulatorServer) -> GoogleControl:
    control = GoogleControl(emulator.url)
    control.reset()
    return control


@pytest.fixture
def world(supabase: LocalSupabase, google: GoogleControl, environment: dict[str, str]) -> Iterator[World]:
    world = World(supabase, google, environment)
    world.db.execute(EMPTY)
    supabase.clear_faults()
    supabase.reset_counters()
    yield world
    google.configure(push="drop")
    world.close()


@pytest.fixture
def cli(world: World) -> Cli:
    """`calendar-monitor`, in this process."""
    return Cli(world)


@pytest.fixture
def warnings_are_logged() -> Iterator[None]:
    """Whatever level an earlier test's process set. Asked for before the world, whose loggers keep their level."""
    before = structlog.get_config()
    configure_logs("warning")
    yield
    structlog.configure(**before)
