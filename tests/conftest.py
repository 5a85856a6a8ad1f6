"""Fixtures: one local Supabase and one emulated Google per test process, emptied before every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.stack.environment import google_addresses
from scripts.stack.google.control import GoogleControl
from scripts.stack.google.server import EmulatorServer
from scripts.stack.supabase import LocalSupabase
from tests.world import World


@pytest.fixture(scope="session")
def supabase() -> Iterator[LocalSupabase]:
    with LocalSupabase() as running:
        yield running


@pytest.fixture(scope="session")
def emulator() -> Iterator[EmulatorServer]:
    with EmulatorServer() as running:
        yield running


@pytest.fixture
def google(emulator: EmulatorServer) -> GoogleControl:
    control = GoogleControl(emulator.url)
    control.reset()
    return control


@pytest.fixture
def world(supabase: LocalSupabase, google: GoogleControl) -> Iterator[World]:
    environment = {**supabase.environment(google_addresses(google.base_url)), "LOG_LEVEL": "error"}
    world = World(supabase, google, environment)
    world.db.execute("delete from auth.users; delete from calendar_notifications; delete from service_jobs")
    world.db.execute("truncate settings_generations, service_processes")
    world.db.execute("truncate change_events, event_subscriptions, event_deliveries, event_marks")
    supabase.clear_faults()
    supabase.reset_counters()
    yield world
    google.configure(push="drop")
    world.close()
