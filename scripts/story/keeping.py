"""What `--keep` leaves to whoever looks around: the environment in a file, and commands that do something and show it.

The commands read their keys from that file, so that none stands on the screen or in a process' arguments. Called by
`__main__`; tests/docs/test_demo.py runs the commands.
"""

from __future__ import annotations

import datetime as dt
import re
import shlex
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from scripts.stack.environment import write_env_file

_PORT = re.compile(r"^export PORT=(\d+)$", re.MULTILINE)


def keep_environment(directory: Path, variables: Mapping[str, str]) -> Path:
    """The file it was written to: demo.env, or the next name that no running demo has."""
    directory.mkdir(parents=True, exist_ok=True)
    path = next(name for name in _names(directory.resolve()) if not _is_in_use(name))
    write_env_file(path, variables)
    return path


def _names(directory: Path) -> Iterator[Path]:
    yield directory / "demo.env"
    number = 2
    while True:
        yield directory / f"demo-{number}.env"
        number += 1


def _is_in_use(path: Path) -> bool:
    """Whether the service that the file is of still answers."""
    with suppress(OSError):
        port = _PORT.search(path.read_text())
        if port:
            with socket.create_connection(("127.0.0.1", int(port[1])), timeout=1):
                return True
    return False


def things_to_do(environment: Path, user_id: str, email: str, now: dt.datetime) -> list[tuple[str, list[str]]]:
    """(what it is, its commands) in the order in which they make sense."""
    morning = (now + dt.timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)

    def at(hours: int) -> str:
        times = [morning + dt.timedelta(hours=hours), morning + dt.timedelta(hours=hours + 1)]
        start, end = (f'{{\\"dateTime\\": \\"{time:%Y-%m-%dT%H:%M:%SZ}\\"}}' for time in times)
        return f'\\"start\\": {start}, \\"end\\": {end}'

    calendar = f'\\"calendar_id\\": \\"{email}\\"'
    event = f'{calendar}, \\"event_id\\": \\"$EVENT\\"'
    poll = f"""run calendar-polling-service '{{"userId": "{user_id}", "force": true}}'"""
    link = '\\"location\\": \\"https://zoom.us/j/5551234567\\"'  # without one it is no meeting
    body = f'{{\\"id\\": \\"$EVENT\\", \\"summary\\": \\"Mine\\", {link}, {at(0)}}}'
    log = f'see "calendar_sync_logs?user_id=eq.{user_id}&order=created_at.desc&limit=3"'
    return [
        ("First, in another terminal", [f". {shlex.quote(str(environment))}", *_HELPERS]),
        ("Add an event: a row of `meetings` comes by push", [
            "EVENT=demo$(date +%s)",
            f'google insert_event "{{{calendar}, \\"body\\": {body}}}"',
            "meeting Mine",
        ]),
        ("Move it: `start_time` follows", [
            f'google patch_event "{{{event}, \\"body\\": {{{at(3)}}}}}"',
            "meeting T12:00",
        ]),
        ("Cut push off and change its title: the row is as before, until a poll", [
            """google configure '{"push": "drop"}'""",
            f'google patch_event "{{{event}, \\"body\\": {{\\"summary\\": \\"Unannounced\\"}}}}"',
            "meeting Mine",
            poll,
            "meeting Unannounced",
            """google configure '{"push": "deliver"}'""",
        ]),
        ("Expire Google's sync token (410): the newest log says `is_full`, and no meeting is lost", [
            f'google expire_sync_tokens "{{{calendar}}}"',
            poll,
            log,
        ]),
        ("Delete the event: its `status` is cancelled", [
            f'google delete_event "{{{event}}}"',
            "meeting cancelled",
        ]),
        ("What the two crons call", ["run calendar-polling-cron '{}'", "run renew-calendar-watches '{}'"]),
        ("How the calendar stands, and why", [f'see "calendar_status?user_id=eq.{user_id}"']),
    ]  # fmt: skip


_HELPERS = [
    "# shows the meeting, once it has what is named; a calendar that was just synced rests for a few seconds",
    """meeting() { for _ in $(seq 60); do found=$(see "meetings?google_calendar_event_id=eq.$EVENT"""
    """&select=title,start_time,status"); case $found in *$1*) break;; esac; sleep 0.2; done; echo "$found"; }""",
    """google() { curl -s -d "$2" "$GOOGLE_API_ENDPOINT/_emulator/$1"; echo; }""",
    """see() { printf 'apikey: %s' "$SUPABASE_SERVICE_ROLE_KEY" | curl -s -H @- "$SUPABASE_URL/rest/v1/$1"; echo; }""",
    """run() { printf 'Authorization: Bearer %s' "$SUPABASE_SERVICE_ROLE_KEY" | curl -s -X POST -H @- """
    """-H 'Content-Type: application/json' -d "$2" "$WEBHOOK_BASE_URL/functions/v1/$1"; echo; }""",
]
