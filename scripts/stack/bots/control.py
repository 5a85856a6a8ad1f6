"""The typed client of a fake's control API, for tests and scripts.

Owns nothing but the wire. Raises `ControlError` with the fake's sentence when a command is refused.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, cast

from .errors import ControlError

PREFIX = "/_fake/"
CALL_TIMEOUT_SECONDS = 90.0  # longer than the longest hold


class BotControl:
    """Drives one running fake."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")

    def _call(self, command: str, **arguments: Any) -> Any:
        body = json.dumps(arguments).encode()
        request = urllib.request.Request(f"{self.base_url}{PREFIX}{command}", data=body, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=CALL_TIMEOUT_SECONDS) as answer:
                return json.load(answer)["result"]
        except urllib.error.HTTPError as error:
            raise ControlError(json.load(error).get("error", f"HTTP {error.code}")) from None

    def reset(self) -> None:
        """Forget everything: bots, faults, switches, messages, and the clock's offset."""
        self._call("reset")

    def bots(self, *, alive: bool | None = None) -> list[dict[str, Any]]:
        """Every bot, oldest first: id, key, state, alive, removed (deleted, left), join_at, wish, history."""
        return cast("list[dict[str, Any]]", self._call("bots", alive=alive))

    def set_state(self, bot_id: str, state: str, detail: str | None = None) -> None:
        """Move a bot, and tell of it."""
        self._call("set_state", bot_id=bot_id, state=state, detail=detail)

    def configure(self, **switches: Any) -> None:
        """Set switches. Of messages: message_url, hold, drop_next, drop_rate, duplicate; the others are the fake's."""
        self._call("configure", **switches)

    def advance(self, seconds: float) -> None:
        """Move its clock, and the bots with it."""
        self._call("advance", seconds=seconds)

    def now(self) -> str:
        """Its time."""
        return str(self._call("now"))

    def requests(self) -> list[dict[str, Any]]:
        """Every call of the API: call, method, path, and the status before an answer suffered a fault."""
        return cast("list[dict[str, Any]]", self._call("requests"))

    def add_fault(self, kind: str, **match: Any) -> str:
        """Put a fault in force; its id. `call`, `times`, `skip`, `probability`, and what the kind needs."""
        return str(self._call("add_fault", kind=kind, **match))

    def clear_faults(self) -> None:
        """End all faults and release every held call."""
        self._call("clear_faults")

    def release(self, fault_id: str) -> None:
        """Let the calls held by this fault go on, and end it."""
        self._call("release", fault_id=fault_id)

    def wait_held(self, fault_id: str, timeout: float = 60.0) -> bool:
        """Whether a call is held by this fault within `timeout` seconds."""
        return bool(self._call("wait_held", fault_id=fault_id, timeout=timeout))

    def messages(self) -> list[dict[str, Any]]:
        """Every message, oldest first: id, body, outcome (delivered, gave_up, dropped), statuses."""
        return cast("list[dict[str, Any]]", self._call("messages"))

    def flush_messages(self, *, reverse: bool = False) -> int:
        """Send what `hold` held; how many."""
        return int(self._call("flush_messages", reverse=reverse))

    def wait_messages_idle(self, timeout: float = 60.0) -> bool:
        """Whether everything (but what is held) is sent within `timeout` seconds."""
        return bool(self._call("wait_messages_idle", timeout=timeout))
