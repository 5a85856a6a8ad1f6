"""Owns the stack's Postgres: finds the binaries, makes the cluster, bootstraps it like a hosted project, runs it.

Which binaries, and as whom, is decided in postgres_host.py. Called by supabase.py.
"""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from scripts.stack.children import Child, Children, StackError, User
from scripts.stack.ports import free_port
from scripts.stack.postgres_host import can_enter, choose_binaries, server_user
from scripts.stack.waiting import wait_until

BOOTSTRAP = Path(__file__).with_name("bootstrap.sql")
START_SECONDS = 30.0
MAX_CONNECTIONS = 200

# Hosted projects cap every statement at two minutes unless a role says less, and replicate logically for Realtime.
SETTINGS = {
    "unix_socket_directories": "",
    "max_connections": str(MAX_CONNECTIONS),
    "shared_buffers": "64MB",
    "wal_level": "logical",
    "statement_timeout": "2min",
    "max_wal_size": "512MB",
    "autovacuum_naptime": "10s",
    "jit": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
# A throw-away cluster has nothing to lose; a kept one may lose the last moments of a crash, never its consistency.
THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
KEPT = {"synchronous_commit": "off"}


@dataclass
class Cluster:
    """One Postgres server on loopback. `data` is used if it holds a bootstrapped cluster, else it is made."""

    children: Children
    scratch: Path
    data: Path
    password: str
    kept: bool
    port: int = 0
    _child: Child | None = field(default=None, init=False)
    _binaries: Path | None = field(default=None, init=False)

    def url(self, *, role: str, database: str = "postgres") -> str:
        """The connection string of a login role: supabase_admin, postgres or authenticator."""
        return f"postgresql://{role}:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Bring the server up, making and bootstrapping the cluster first where there is none yet."""
        user = server_user()
        self._binaries = binaries = choose_binaries(user, self.scratch)
        bootstrapped = self.data / "bootstrapped"
        self._prepare_directory(user)
        cluster = self.data / "cluster"
        if not bootstrapped.exists():
            self._clear(cluster)
            self._initdb(binaries, cluster, user)
        self._run(binaries, cluster, user)
        if not bootstrapped.exists():
            self._bootstrap()
            bootstrapped.touch()

    def crash(self) -> None:
        """The server ends at once, and every connection with it; what was committed stays."""
        if self._child is not None:
            self.children.end(self._child)
            self._child = None

    def start_again(self) -> None:
        """After `crash`, on the port it had; returns once it accepts connections."""
        if self._binaries is None or self._child is not None:
            raise StackError("Postgres has not been started, or runs")
        self._run(self._binaries, self.data / "cluster", server_user())

    def _prepare_directory(self, user: User | None) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        if user is None:
            return
        os.chown(self.data, user.uid, user.gid)
        if not can_enter(user, self.data):
            raise StackError(f"Postgres runs as {user.name}, who cannot enter {self.data}: choose another directory")

    def _clear(self, cluster: Path) -> None:
        """Remove what an interrupted first start left. It had marked the directory before it made the cluster."""
        begun = self.data / "begun"
        if cluster.exists() and not begun.exists():
            raise StackError(f"{cluster} was not made by this stack: choose another directory")
        begun.touch()
        shutil.rmtree(cluster, ignore_errors=True)

    def _initdb(self, binaries: Path, cluster: Path, user: User | None) -> None:
        secret = self.scratch / "password"
        secret.touch(mode=0o600)
        secret.write_text(f"{self.password}\n")
        if user is not None:
            os.chown(secret, user.uid, user.gid)
        command: list[str | Path] = [
            binaries / "initdb",
            "-D",
            cluster,
            "-U",
            "supabase_admin",
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
            "--no-instructions",
        ]
        # With TZ set, initdb does not search the time zone database for the machine's zone.
        environment = {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC", "LC_ALL": "C"}
        self.children.run("initdb", command, log=self.scratch / "initdb.log", user=user, environment=environment)
        secret.unlink()

    def _run(self, binaries: Path, cluster: Path, user: User | None) -> None:
        settings = SETTINGS | (KEPT if self.kept else THROW_AWAY)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        environment = {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC", "LC_ALL": "C"}
        log = self.scratch / "postgres.log"
        for _ in range(5):
            self.port = self.port or free_port()
            server: list[str | Path] = [binaries / "postgres", "-D", cluster, "-h", "127.0.0.1", "-p", str(self.port)]
            # SIGINT is "fast shutdown", SIGQUIT "immediate": nothing is worth flushing in a throw-away cluster.
            how = signal.SIGINT if self.kept else signal.SIGQUIT
            child = self.children.spawn(
                "postgres", [*server, *options], log=log, user=user, environment=environment, stop_signal=how
            )
            if self._await_ready(child, cluster):
                self._child = child
                return
            self.children.forget(child)
            if "could not bind" not in child.log_tail():
                break
            self.port = 0
        raise StackError(f"Postgres did not start:\n{child.log_tail()}")

    @staticmethod
    def _await_ready(child: Child, cluster: Path) -> bool:
        """True once it accepts connections, as postmaster.pid tells without a login; False when it ended instead."""

        def ready() -> bool:
            try:
                lines = (cluster / "postmaster.pid").read_text().splitlines()
            except OSError:
                return False
            return len(lines) >= 8 and lines[0].strip() == str(child.process.pid) and lines[7].strip() == "ready"

        wait_until(lambda: child.ended() or ready(), within_seconds=START_SECONDS, what="Postgres to be ready")
        return not child.ended()

    def _bootstrap(self) -> None:
        """Make template1 hosted-like, then the database `postgres` anew from it, owned by the role postgres."""
        script = BOOTSTRAP.read_text().replace(":password", f"'{self.password}'")
        with self.admin("template1") as template:
            template.execute(script.encode())
            template.execute("drop database postgres")
            template.execute("create database postgres template template1 owner postgres")

    def admin(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """An autocommitting superuser connection."""
        return psycopg.connect(self.url(role="supabase_admin", database=database), autocommit=True)

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Copy a database nobody is connected to; the copy belongs to the role postgres. Returns that role's URL."""
        statement = sql.SQL("create database {} template {} owner postgres")
        with self.admin() as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(role="postgres", database=name)
