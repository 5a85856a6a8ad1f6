"""No command that people are shown, or that the project runs, puts a key into a process' arguments, which everybody on
the machine can read (`ps`)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

SHOWN = ("*.md", "docs/**/*", "examples/**/*", "scripts/**/*", "supabase/**/*", ".github/**/*")
FILES = sorted(
    {
        path
        for pattern in SHOWN
        for path in ROOT.glob(pattern)
        # Other workers fill the caches while this one looks, and all have to find the same.
        if "__pycache__" not in path.parts and path.suffix != ".png" and path.is_file()
    }
)

_HEADER = re.compile(r"""(?:-H|--header)[ =]*\\?["']?(?:apikey|authorization)\b""", re.IGNORECASE)
# A command ends with its line, unless that is continued, or with the pipe or redirection it stands before.
_CURL = re.compile(r"\bcurl (?:\\\n|[^\n|<])*")
_SECRET = re.compile(r"\$\{?\w*(?:KEY|SECRET|TOKEN|JWT|PASSWORD)\w*")


def bared(text: str) -> list[str]:
    """What of it would stand among the arguments."""
    expanded = [secret for command in _CURL.findall(text) for secret in _SECRET.findall(command)]
    return _HEADER.findall(text) + expanded


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_key_stands_among_arguments(path: Path) -> None:
    assert bared(path.read_text()) == []


@pytest.mark.parametrize(
    ("command", "is_bared"),
    [
        ('curl "$URL" -H "apikey: $SERVICE"', True),
        ("curl --header 'Authorization: Bearer x' \"$URL\"", True),
        ("rest = '-H \"apikey: $SERVICE\"'", True),
        ('curl "$URL" \\\n  -d "{\\"token\\": \\"$REFRESH_TOKEN\\"}"', True),
        ('curl -u "user:${CRON_SECRET}" "$URL"', True),
        ('curl "$SUPABASE_URL/rest/v1/x?apikey=$ANON_KEY"', True),
        ('printf \'apikey: %s\' "$SERVICE_KEY" |\n  curl "$URL" -H @-', False),
        ('curl "$URL" --config - <<END\nheader = "apikey: $SERVICE_KEY"\nEND', False),
    ],
)
def test_the_look_for_keys_sees_them(command: str, is_bared: bool) -> None:
    assert bool(bared(command)) is is_bared
