"""The control API: `POST /_emulator/<command>` with keyword arguments as a JSON object, answered `{"result": …}`.

Owns the table of commands. Refuses unknown commands and arguments with 400 and a sentence. It is for tests and the
demo; server.py lets only loopback in and asks here what is not Google's to answer. control.py is its typed client.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .emulator import Emulator
from .errors import ControlError, GoogleError
from .faults import Faults
from .http import Request, Response
from .oauth import DEFAULT_SCOPES, Grant

PREFIX = "/_emulator/"
# Commands that change calendars, and therefore owe notifications unless told not to.
EDITS = (
    "insert_event",
    "bulk_insert",
    "patch_event",
    "update_event",
    "delete_event",
    "move_event",
    "split_series",
    "complete_conference",
    "plant_item",
    "announce",
)
# Commands on the calendars that notify nobody.
QUIET = ("add_calendar", "share_calendar", "hide_calendar", "get_event", "instances", "expire_sync_tokens")


class ControlApi:
    """Looks a command up and carries it out."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._commands: dict[str, Callable[..., Any]] = {
            "reset": emulator.build,
            "add_account": self._add_account,
            "grant": self._grant,
            "access_token": self._access_token,
            "revoke": lambda email, reason="invalid_grant": self._locked(lambda: emulator.oauth.kill(email, reason)),
            "restore": lambda email: self._locked(lambda: emulator.oauth.revive(email)),
            "add_fault": lambda kind, **match: self._faults.add(kind, match),
            "clear_faults": lambda: self._faults.clear(),
            "release": lambda fault_id: self._faults.release(fault_id),
            "wait_held": lambda fault_id, timeout=10.0: self._faults.wait_held(fault_id, timeout),
            "configure": lambda **switches: self._locked(lambda: emulator.switches.update(switches)),
            "flush_push": lambda: emulator.push.flush(),
            "wait_push_idle": lambda timeout=10.0: emulator.push.wait_idle(timeout),
            "counters": lambda: emulator.counters.snapshot(),
            "requests": lambda: emulator.counters.log(),
            "reset_counters": lambda: emulator.counters.reset(),
            "deliveries": lambda: emulator.push.deliveries(),
            "channels": lambda: self._locked(lambda: emulator.channels.snapshot()),
            "end_channel": lambda channel_id: self._locked(lambda: emulator.channels.end(channel_id)),
            "advance": lambda seconds: emulator.clock.advance(seconds),
            "now": lambda: emulator.clock.now().isoformat(),
        }

    @property
    def commands(self) -> list[str]:
        """Every command there is."""
        return sorted([*self._commands, *EDITS, *QUIET])

    @property
    def _faults(self) -> Faults:
        return self._emulator.faults

    def handle(self, request: Request) -> Response:
        """Answer one control request."""
        command = request.path.removeprefix(PREFIX)
        try:
            arguments = request.json()
            if command in EDITS:
                result = self._edit(command, arguments)
            elif command in QUIET:
                result = self._locked(lambda: getattr(self._emulator.scenario, command)(**arguments))
            elif command in self._commands:
                result = self._commands[command](**arguments)
            else:
                raise ControlError(f"no command {command!r}; there are {self.commands}")
        except (ControlError, TypeError, ValueError) as error:
            return Response.of_json({"error": str(error)}, 400)
        except GoogleError as error:
            # The editor's rules hold here too; the reason is what a client would have been told.
            return Response.of_json({"error": f"{error.code} {error.reason}: {error.message}"}, 400)
        return Response.of_json({"result": result})

    def _locked(self, work: Callable[[], Any]) -> Any:
        with self._emulator.store.lock:
            return work()

    def _edit(self, command: str, arguments: dict[str, Any]) -> Any:
        notify = arguments.pop("notify", True)
        with self._emulator.store.lock:
            try:
                return getattr(self._emulator.scenario, command)(**arguments)
            finally:
                if notify:
                    self._emulator.announce_changes(None)
                else:
                    self._emulator.store.take_touched()

    def _add_account(self, email: str, time_zone: str = "UTC", scopes: list[str] | None = None) -> str:
        with self._emulator.store.lock:
            self._emulator.store.add_account(email, time_zone)
            return self._issue(email, scopes).refresh_token

    def _grant(self, email: str, scopes: list[str] | None = None) -> str:
        with self._emulator.store.lock:
            self._emulator.store.account(email)
            return self._issue(email, scopes).refresh_token

    def _access_token(self, email: str, scopes: list[str] | None = None) -> str:
        with self._emulator.store.lock:
            self._emulator.store.account(email)
            return self._emulator.oauth.access_token(self._issue(email, scopes).refresh_token)

    def _issue(self, email: str, scopes: list[str] | None) -> Grant:
        return self._emulator.oauth.issue(email, DEFAULT_SCOPES if scopes is None else tuple(scopes))
