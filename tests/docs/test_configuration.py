"""docs/configuration.md and .env.example say what sync/settings.py reads, key by key."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import sys

import pytest
from dotenv import dotenv_values

from sync.env_checks import BadValue
from sync.setting_keys import Key
from sync.settings import KEYS, Settings, SettingsError, load
from tests.docs.pages import ROOT

EXAMPLE = (ROOT / ".env.example").read_text()
REQUIRED = {key.name for key in KEYS if key.default is None and not key.optional}


def given(text: str) -> dict[str, str]:
    return {name: value or "" for name, value in dotenv_values(stream=io.StringIO(text)).items()}


def test_both_are_what_the_command_writes() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "document_settings"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_key_is_in_both(key: Key) -> None:
    name = f"`{key.name}`, or `{key.also}`" if key.also else f"`{key.name}`"
    assert f"| {name} |" in (ROOT / "docs" / "configuration.md").read_text()
    assert f"{key.name}=" in EXAMPLE


def test_keys_of_the_web_server_are_the_ones_it_reads() -> None:
    config, page = (ROOT / "gunicorn.conf.py").read_text(), (ROOT / "docs" / "configuration.md").read_text()
    section = page.split("## The web server", 1)[1]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
    assert len(rows) == config.count("os.environ.get(")
    for row in rows:
        name, default = row[1].strip(" `"), row[3].strip(" `")
        assert f"os.environ.get('{name}', '{default}')" in config.replace('"', "'")


def test_example_as_it_stands_asks_for_exactly_what_is_required() -> None:
    with pytest.raises(SettingsError) as refused:
        load(given(EXAMPLE))
    assert set(refused.value.problems) == REQUIRED
    assert all("is missing" in mend for mend in refused.value.problems.values())


def test_example_with_its_comments_taken_in_sets_every_key() -> None:
    lines = [line.removeprefix("#") for line in EXAMPLE.splitlines() if not line.startswith("# ")]
    assert set(given("\n".join(lines))) == {key.name for key in KEYS}


@pytest.mark.parametrize("key", [key for key in KEYS if not key.secret], ids=lambda key: key.name)
def test_example_of_a_key_is_accepted(key: Key) -> None:
    key.check(key.example)


@pytest.mark.parametrize("key", [key for key in KEYS if key.secret], ids=lambda key: key.name)
def test_example_of_a_secret_is_none(key: Key) -> None:
    """So that nobody runs with a secret that stands in a public page, where a check can tell."""
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    assert not fields[key.field].repr
    if key.name in {"CHANNEL_TOKEN_SECRET", "TOKEN_ENCRYPTION_KEYS", "CRON_SECRET"}:
        with pytest.raises(BadValue):
            key.check(key.example)
    else:
        assert "…" in key.example or "user:password@" in key.example
