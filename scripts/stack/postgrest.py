"""Owns the stack's PostgREST process, configured as the platform configures it. Called by supabase.py.

The binary is POSTGREST_BIN, else `postgrest` on PATH, else the downloaded one (downloads.py). It must start after
the bootstrap: when the database refuses it, it backs off for up to 32 seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from scripts.stack.children import Child, Children, StackError
from scripts.stack.downloads import POSTGREST, fetch
from scripts.stack.ports import free_port
from scripts.stack.waiting import wait_until

START_SECONDS = 30.0
POOL_SIZE = 20  # well below Postgres's max_connections, which tests and their own databases use too
MAX_ROWS = 1000  # the platform's default; a longer result is cut silently


def find_postgrest() -> Path:
    """The binary to run."""
    chosen = os.environ.get("POSTGREST_BIN")
    if chosen:
        if not os.access(chosen, os.X_OK):
            raise StackError(f"POSTGREST_BIN={chosen} is not an executable")
        return Path(chosen)
    installed = shutil.which("postgrest")
    return Path(installed) if installed else fetch(POSTGREST)


@dataclass
class PostgRest:
    """One PostgREST on loopback."""

    children: Children
    scratch: Path
    db_url: str
    jwks: str
    port: int = field(default=0, init=False)
    admin_port: int = field(default=0, init=False)
    _child: Child | None = field(default=None, init=False)

    def start(self, binary: Path) -> None:
        """Start it and wait until its schema cache is loaded. After `stop`: on the ports it had."""
        log = self.scratch / "postgrest.log"
        for _ in range(5):
            self.port, self.admin_port = self.port or free_port(), self.admin_port or free_port()
            child = self.children.spawn("postgrest", [binary, self._write_config()], log=log)
            if self._await_ready(child):
                self._child = child
                return
            self.children.forget(child)
            if "in use" not in child.log_tail():
                break
            self.port = self.admin_port = 0
        raise StackError(f"PostgREST did not start:\n{child.log_tail()}")

    def stop(self) -> None:
        """Whoever waits for an answer gets none."""
        if self._child is not None:
            self.children.end(self._child)
            self._child = None

    def _write_config(self) -> Path:
        settings: dict[str, str | int] = {
            "db-uri": self.db_url,
            "db-schemas": "public",
            "db-extra-search-path": "public, extensions",
            "db-anon-role": "anon",
            "db-pool": POOL_SIZE,
            "db-max-rows": MAX_ROWS,
            "jwt-secret": self.jwks,
            "server-host": "127.0.0.1",
            "server-port": self.port,
            "admin-server-port": self.admin_port,
            "log-level": "error",
        }
        path = self.scratch / "postgrest.conf"
        path.touch(mode=0o600)
        path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
        return path

    def _await_ready(self, child: Child) -> bool:
        """True once ready; False when the process ended, as it does when a port was taken."""

        def ready() -> bool:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/ready", timeout=2) as answer:
                    return bool(answer.status == 200)
            except OSError:  # URLError is one: refused, or 503 while the schema cache loads
                return False

        wait_until(lambda: child.ended() or ready(), within_seconds=START_SECONDS, what="PostgREST to be ready")
        return not child.ended()
