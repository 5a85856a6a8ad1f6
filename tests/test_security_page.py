"""SECURITY.md is true where a machine can tell."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from sync.jobs.operations.security_events import ALERT_AT, KEEP_DAYS
from sync.settings import KEYS, Settings
from sync.web.doors.limits import MAX_WINDOWS, RETURNS_PER_STATE, UNPROVEN_PER_MINUTE, USER_PER_MINUTE
from sync.web.doors.long_work import FOR_SCHEDULERS, FOR_USERS
from sync.web.doors.patient_worker import REQUEST_SECONDS
from sync.web.openapi.document import PATHS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "SECURITY.md").read_text()
SECRETS = [
    key.name for key in KEYS if key.field in {field.name for field in dataclasses.fields(Settings) if not field.repr}
]


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_has_a_way_to_be_rotated(name: str) -> None:
    rotating = PAGE.split("## Rotating secrets", 1)[1]
    assert re.search(rf"^\| `{name}`", rotating, re.MULTILINE)


def test_there_are_secrets_to_rotate() -> None:
    assert len(SECRETS) >= 6


def test_every_kind_of_suspicion_is_named() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "sync" / "web").rglob("*.py"))
    kinds = set(re.findall(r'suspicion="(\w+)"|note\("(\w+)"\)|_refusal\("(\w+)"\)', code))
    named = {kind for found in kinds for kind in found if kind}
    assert {"forged_notification", "unknown_channel", "other_user", "throttled"} <= named
    assert [kind for kind in sorted(named) if f"`{kind}`" not in PAGE] == []


@pytest.mark.parametrize("path", sorted(PATHS))
def test_every_door_is_in_the_table(path: str) -> None:
    doors = PAGE.split("## Doors", 1)[1].split("## Rotating", 1)[0]
    assert path.removeprefix("/functions/v1/").removesuffix("/remove") in doors


@pytest.mark.parametrize(
    "said",
    [
        f"{UNPROVEN_PER_MINUTE} requests in a minute",
        f"{USER_PER_MINUTE} requests a minute",
        {5: "five times for each state"}[RETURNS_PER_STATE],
        f"Once {MAX_WINDOWS:,} windows are open",
        f"{FOR_USERS} for users and {FOR_SCHEDULERS} for",
        f"for {KEEP_DAYS} days",
        f"within {REQUEST_SECONDS:g} s",
        {100: "A hundred of a kind"}[ALERT_AT],
    ],
)
def test_every_number_is_the_one_in_force(said: str) -> None:
    assert said in PAGE
