"""How the command line ends: exit codes and sentences, never a traceback, never a secret."""

from __future__ import annotations

import json

import pytest

from sync.cli.desk import Desk
from sync.errors import RetryLater, StoreMisconfigured
from sync.jobs.services import Services, build_services
from sync.settings import load
from sync.version import VERSION
from tests.command_line import invoke


def _raising(failure: BaseException) -> Desk:
    def opening(_is_verbose: bool) -> Services:
        raise failure

    return Desk(opening=opening)


def test_version() -> None:
    assert invoke(["--version"]).stdout.strip() == VERSION


def test_bad_settings_are_all_told_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = invoke(["status", "--json"], SUPABASE_URL="nonsense", GOOGLE_CLIENT_ID="")
    assert bad.exit_code == 2
    assert json.loads(bad.stdout)["error"]["code"] == "settings_refused"
    assert "SUPABASE_URL" in bad.stderr
    assert "GOOGLE_CLIENT_ID" in bad.stderr
    assert "Traceback" not in bad.stderr


def test_an_unreachable_database_is_not_possible_now(environment: dict[str, str]) -> None:
    nowhere = build_services(load({**environment, "SUPABASE_URL": "http://127.0.0.1:9"}))
    ended = invoke(["status"], Desk(opening=lambda _: nowhere))
    assert ended.exit_code == 3
    assert "The database does not answer (ConnectError)" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("failure", "exit_code", "said"),
    [
        (StoreMisconfigured("migrations_missing", "status"), 2, "supabase db push"),
        (RetryLater("timeout"), 3, "run it again"),
        (KeyboardInterrupt(), 130, "Interrupted"),
        (PermissionError(13, "Permission denied", "/somewhere"), 2, "Permission denied: /somewhere"),
    ],
)
def test_each_failure_has_its_code_and_sentence(failure: BaseException, exit_code: int, said: str) -> None:
    ended = invoke(["status"], _raising(failure))
    assert (ended.exit_code, "Traceback" in ended.stderr) == (exit_code, False)
    assert said in ended.stderr


def test_a_bug_shows_its_stack_without_what_looks_like_a_secret() -> None:
    ended = invoke(["status"], _raising(ValueError("refresh_token=1//abcdefghijklmnop")))
    assert ended.exit_code == 70
    assert "This is a bug" in ended.stderr
    assert "abcdefghijkl" not in ended.stderr
