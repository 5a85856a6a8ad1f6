"""What is typed wrong is refused in a sentence, before anything is done, and for scripts as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import Cli, invoke
from tests.world import World


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "--json", "--nonsense"],
        ["calendar", "--limit", "0", "--json"],
        ["explain", "--json"],
        ["nonsense", "--json"],
        ["--json", "status"],
    ],
)
def test_a_command_line_that_cannot_be_read_is_answered_as_json_too(arguments: list[str]) -> None:
    ended = invoke(arguments)
    assert ended.exit_code == 2
    assert json.loads(ended.stdout)["error"]["code"] == "usage"
    assert "Try 'calendar-monitor" in ended.stderr


def test_without_json_what_is_typed_wrong_leaves_stdout_empty() -> None:
    assert invoke(["status", "--nonsense"]).stdout == ""


def test_a_place_to_list_on_from_that_is_no_id_is_not_the_start(cli: Cli) -> None:
    assert cli("calendar", "--after", "nonsense", "--json").json["error"]["code"] == "calendar_malformed"


@pytest.mark.parametrize(
    "line",
    [
        b'{"userId": "nonsense", "provider_refresh_token": "1//t"}',
        b'{"userId": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "provider_refresh_token": "1//t", "calendarIds": "p"}',
        b"\xff\xfe",
    ],
)
def test_a_grant_that_is_none_is_named_by_its_line_and_not_shown(cli: Cli, tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "grants.jsonl"
    file.write_bytes(b"\n" + line)
    refused = cli("connect", "--from", str(file), "--json")
    assert (refused.exit_code, refused.json["error"]["code"]) == (2, "line_malformed"), refused.stderr
    assert "Line 2" in refused.stderr
    assert "1//t" not in refused.stdout + refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["connect", "--from", "grants.jsonl", "--calendar", "primary"],
        ["connect", "7c9e6679-7425-40de-944b-e07fc1f90ae7", "--again"],
        ["audit", "anna@example.com", "--since", "2026-11-26"],
    ],
)
def test_an_option_that_would_be_passed_over_is_refused(cli: Cli, arguments: list[str]) -> None:
    refused = cli(*arguments, "--json", answers="1//token\n")
    assert (refused.exit_code, refused.json["error"]["code"]) == (2, "option_alone")


def test_an_account_is_found_however_google_writes_it(world: World, cli: Cli) -> None:
    alice = world.person()
    world.connect(alice)
    world.stop_service()
    world.db.execute("update google_credentials set google_account = 'Alice@Example.com'")
    assert cli("resync", "alice@example.COM", "--later", "--json").exit_code == 0


def test_an_exported_file_is_its_owners_alone_also_where_one_was(world: World, cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "anna.json"
    file.write_text("before")
    file.chmod(0o644)
    assert cli("export", world.person().user_id, "--to", str(file)).exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert "meetings" in json.loads(file.read_text())
    assert list(tmp_path.iterdir()) == [file]
