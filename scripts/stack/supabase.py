"""A Supabase project on this machine, for development and tests: Postgres, PostgREST and the gateway, from nothing.

`with LocalSupabase() as project:` gives a hosted-like project with this checkout's migrations applied. Everything
it started ends with it. The service itself knows nothing of this: it gets the URL and the keys (`environment()`),
and a hosted project's would do as well. Called by the tests, the demo and `python -m scripts.stack`.
"""

from __future__ import annotations

import fcntl
import os
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psycopg

from scripts.stack import migrate as migrations
from scripts.stack.children import Children, StackError
from scripts.stack.environment import service_environment
from scripts.stack.faults import Kind, Switchboard
from scripts.stack.gateway import Gateway, Keys
from scripts.stack.ports import free_port
from scripts.stack.postgres import Cluster
from scripts.stack.postgres_host import scratch_parent, server_user
from scripts.stack.postgrest import PostgRest, find_postgrest
from scripts.stack.secrets_file import Algorithm, Secrets, generate, load_or_generate
from scripts.stack.waiting import wait_until

LOCK_SECONDS = 15.0
MIGRATED_TEMPLATE = "migrated_template"


def sign_up(connection: psycopg.Connection[Any], email: str, user_id: str | None = None) -> str:
    """A row in auth.users, over a superuser's connection; returns the id."""
    user_id = user_id or str(uuid.uuid4())
    connection.execute(
        "insert into auth.users (instance_id, id, aud, role, email, email_confirmed_at, raw_app_meta_data,"
        " raw_user_meta_data, created_at, updated_at) values ('00000000-0000-0000-0000-000000000000', %s,"
        " 'authenticated', 'authenticated', %s, now(), '{\"provider\": \"google\"}', '{}', now(), now())",
        (user_id, email),
    )
    return user_id


class LocalSupabase:
    """One local project. Attributes are valid between `start()` and `stop()`, or inside the `with` block."""

    def __init__(
        self,
        *,
        migrate: bool = True,
        data: Path | None = None,
        migrations_directory: Path = migrations.MIGRATIONS,
    ) -> None:
        """`data` keeps rows and secrets across runs; without it everything is thrown away at the end."""
        self._migrate = migrate
        self._data = data.resolve() if data is not None else None
        self._migrations_directory = migrations_directory
        self._template_lock = threading.Lock()
        self._has_template = False
        self._lock_file: int | None = None
        self.switchboard = Switchboard()
        self.service_port = free_port()

    def start(self) -> Self:
        """Bring everything up; on failure nothing is left running."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End everything that was started. Safe to call twice."""
        if (gateway := getattr(self, "_gateway", None)) is not None:
            gateway.stop()
        if (children := getattr(self, "children", None)) is not None:
            children.stop()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        binary = find_postgrest()  # may download: before anything runs
        self.children = Children(shared_with_guardian=self._lock_data())
        scratch = self.children.directory("local-supabase-", parent=scratch_parent(server_user()))
        scratch.chmod(0o711)  # the account Postgres runs as passes through it
        self.secrets: Secrets = generate() if self._data is None else load_or_generate(self._data / "secrets.json")
        self._cluster = Cluster(
            children=self.children,
            scratch=scratch,
            data=self._data / "postgres" if self._data else scratch / "postgres",
            password=self.secrets.database_password,
            kept=self._data is not None,
        )
        self._cluster.start()
        if self._migrate:
            migrations.apply(self.postgres_url, self._migrations_directory)
        url = self._cluster.url(role="authenticator")
        self._rest = rest = PostgRest(self.children, scratch, url, self.secrets.verification_jwks())
        self._binary = binary
        rest.start(binary)
        keys = Keys(self.anon_key, self.service_key, self.secrets.publishable_key, self.sb_secret_key)
        self._gateway = Gateway(
            upstream_port=rest.port, keys=keys, jwks=self.secrets.public_jwks(), switchboard=self.switchboard
        )
        self._gateway.start()

    def _lock_data(self) -> tuple[int, ...]:
        """Hold the data directory for this stack and its guardian; a dying predecessor gets time to let go."""
        if self._data is None:
            return ()
        self._data.mkdir(parents=True, exist_ok=True)
        self._lock_file = os.open(self._data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        lock_file = self._lock_file

        def locked() -> bool:
            try:
                fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        try:
            wait_until(locked, within_seconds=LOCK_SECONDS, what="the data directory")
        except TimeoutError:
            raise StackError(f"another stack is using {self._data}") from None
        return (lock_file,)

    @property
    def url(self) -> str:
        """SUPABASE_URL."""
        return self._gateway.url

    @property
    def anon_key(self) -> str:
        """The legacy anon key, a JWT."""
        return self.secrets.anon_key

    @property
    def service_key(self) -> str:
        """The legacy service_role key, a JWT."""
        return self.secrets.service_key

    @property
    def sb_secret_key(self) -> str:
        """The new form of the service key: opaque, exchanged by the gateway."""
        return self.secrets.secret_key

    @property
    def jwt_secret(self) -> str:
        """What the legacy keys and HS256 user tokens are signed with."""
        return self.secrets.jwt_secret

    @property
    def db_url(self) -> str:
        """The superuser's connection string."""
        return self._cluster.url(role="supabase_admin")

    @property
    def postgres_url(self) -> str:
        """The connection string a hosted project's owner has: role postgres, no superuser."""
        return self._cluster.url(role="postgres")

    def user_jwt(
        self, user_id: str, email: str | None = None, expires_in: int = 3600, algorithm: Algorithm = "HS256"
    ) -> str:
        """An access token as Supabase Auth issues it to a signed-in user."""
        return self.secrets.user_jwt(f"{self.url}/auth/v1", user_id, email, expires_in, algorithm)

    def create_user(self, email: str, user_id: str | None = None) -> str:
        """Sign a user up (a row in auth.users); returns the id."""
        with psycopg.connect(self.db_url, autocommit=True) as connection:
            return sign_up(connection, email, user_id)

    def counters(self) -> dict[str, int]:
        """Calls through the gateway since the last reset: `rpc/<function>` or the table's name → number."""
        return self.switchboard.counters()

    def reset_counters(self) -> None:
        """Start counting anew."""
        self.switchboard.reset_counters()

    def fault(self, rpc: str, kind: Kind, *, times: int = 1, seconds: float = 0.0) -> None:
        """Make the next `times` calls of a function or table fail; see faults.Fault for the kinds."""
        problem = self.switchboard.add({"rpc": rpc, "kind": kind, "times": times, "seconds": seconds})
        if problem:
            raise ValueError(problem)

    def clear_faults(self) -> None:
        """Forget all faults; held calls go on."""
        self.switchboard.clear()

    def await_held(self, count: int = 1, *, within_seconds: float = 60.0) -> None:
        """Return once that many calls are inside a fault (held or delayed)."""
        wait_until(
            lambda: sum(each["holding"] for each in self.switchboard.pending()) >= count,
            within_seconds=within_seconds,
            what=f"{count} held calls",
        )

    @contextmanager
    def without_postgres(self) -> Iterator[None]:
        """The database server is gone for the block, and back on its port when that ends."""
        self._cluster.crash()
        try:
            yield
        finally:
            self._cluster.start_again()

    @contextmanager
    def without_postgrest(self) -> Iterator[None]:
        """PostgREST is gone for the block; the gateway answers 502 in its place."""
        self._rest.stop()
        try:
            yield
        finally:
            self._rest.start(self._binary)

    def reload_schema(self) -> None:
        """After DDL in a test: tell PostgREST to read the schema again, which takes it a moment."""
        with psycopg.connect(self.db_url, autocommit=True) as connection:
            connection.execute("notify pgrst, 'reload schema'")

    def rest(self, *, key: str | None = None, timeout_seconds: float = 30.0) -> httpx.Client:
        """A plain HTTP client for /rest/v1 with a key (the service's by default), for tests below supabase-py."""
        key = key or self.service_key
        headers = {"apikey": key}
        # Spoken to without TLS, whose certificates would take longer to read than most calls take.
        return httpx.Client(base_url=f"{self.url}/rest/v1/", headers=headers, timeout=timeout_seconds, verify=False)  # noqa: S501

    def new_database(self, name: str, migrate: bool = False) -> str:
        """A further database in this cluster, hosted-like and empty, or migrated. Returns the role postgres's URL."""
        if not migrate:
            return self._cluster.create_database(name)
        with self._template_lock:
            if not self._has_template:
                migrations.apply(self._cluster.create_database(MIGRATED_TEMPLATE), self._migrations_directory)
                self._has_template = True
        return self._cluster.create_database(name, template=MIGRATED_TEMPLATE)

    def drop_database(self, name: str) -> None:
        """Remove a database made by `new_database`, open connections or not."""
        with self._cluster.admin() as connection:
            connection.execute(psycopg.sql.SQL("drop database {} with (force)").format(psycopg.sql.Identifier(name)))

    def superuser_url(self, database: str) -> str:
        """The superuser's URL of a database made by `new_database`."""
        return self._cluster.url(role="supabase_admin", database=database)

    def environment(self, google: Mapping[str, str] | None = None) -> dict[str, str]:
        """The service's whole environment with working values; `google` adds the emulator's addresses."""
        addresses: dict[str, Any] = {"url": self.url, "db_url": self.db_url, "postgres_url": self.postgres_url}
        return service_environment(self.secrets, port=self.service_port, google=google or {}, **addresses)
