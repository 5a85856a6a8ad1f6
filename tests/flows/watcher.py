"""Searches all that comes to light for all that is secret."""

from __future__ import annotations

import itertools
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from psycopg import sql

from sync.clients.vault import Vault
from sync.core.accounts.channel_token import channel_token
from tests.world import TLS, Person, World


class Watcher:
    """Everything secret that the test comes by, and everything that an outsider or an operator sees."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.secrets: dict[str, str] = {
            name: world.environment[name]
            for name in (
                "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_JWT_SECRET", "CRON_SECRET", "CHANNEL_TOKEN_SECRET",
                "TOKEN_ENCRYPTION_KEYS", "GOOGLE_CLIENT_SECRET", "STACK_SB_SECRET_KEY",
            )
        }  # fmt: skip
        self.seen: dict[str, str] = {}
        self._answers: list[str] = []
        self._numbers = itertools.count(1)

    def keep(self, name: str, secret: str) -> str:
        self.secrets[f"{name} {next(self._numbers)}"] = secret
        return secret

    def keep_given(self, name: str, secret: str) -> str:
        """Keeps what the last answer gave to whom it is for: there it may stand, and nowhere else."""
        assert secret in self._answers[-1]
        self._answers[-1] = self._answers[-1].replace(secret, "")
        return self.keep(name, secret)

    def user_jwt(self, person: Person, **more: Any) -> dict[str, str]:
        token = self.world.supabase.user_jwt(person.user_id, person.email, **more)
        return {"Authorization": f"Bearer {self.keep('user JWT', token)}"}

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **content: Any) -> httpx.Response:
        url = f"http://127.0.0.1:{self.world.environment['PORT']}{path}"
        answer = httpx.request(method, url, headers=headers, timeout=60, **content, verify=TLS)
        self._answers.append(f"{answer.status_code} {answer.headers} {answer.text}")
        return answer

    def look(self) -> None:
        """Learns the tokens that are stored now, by opening their ciphertexts, and those of the channels."""
        vault = Vault(self.world.settings.token_encryption_keys)
        for row in self.world.rows("select * from google_credentials"):
            for kind in ("access", "refresh"):
                stored = row[f"{kind}_token"]
                if stored:
                    assert stored.startswith("v2."), "a token at rest that is no ciphertext"
                    self.keep(f"{kind} token", vault.open(str(row["user_id"]), kind, stored))
        for row in self.world.rows("select id from calendar_channels"):
            self.keep("channel token", channel_token(self.world.environment["CHANNEL_TOKEN_SECRET"], row["id"]))
        self.seen["process arguments"] = self.seen.get("process arguments", "") + command_lines()

    def found(self) -> list[str]:
        """What was found where. Cut at both ends, so that a shortened or decorated one is found too."""
        self.seen["answers"] = "\n".join(self._answers)
        self.seen["database"] = dump(self.world)
        hits = []
        for (name, secret), (place, text) in itertools.product(self.secrets.items(), self.seen.items()):
            core = secret[len(secret) // 4 : -len(secret) // 8]
            if core in text or quote(core, safe="") in text:
                hits.append(f"{name} in {place}")
        return hits


def command_lines() -> str:
    texts = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            texts.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return "\n".join(texts)


def dump(world: World) -> str:
    """Every row of every table as text."""
    tables = world.rows(
        "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
    )
    texts = []
    for table in tables:
        name = sql.Identifier(table["schemaname"], table["tablename"])
        rows = world.db.execute(sql.SQL("select t::text as line from {} t").format(name)).fetchall()
        texts += [f"{table['tablename']} {row['line']}" for row in rows]
    return "\n".join(texts)
