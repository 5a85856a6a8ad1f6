"""What Debian packages and pip does not: files of a package, fetched without installing it. For tests of the SQL.

Where there is no apt-get, or it cannot fetch, `PackageUnavailable` says why, and the test that wanted it is skipped.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from scripts.stack.downloads import cached

FETCH_SECONDS = 60


class PackageUnavailable(RuntimeError):
    """The package cannot be had on this machine; the message says why."""


def unpacked(package: str) -> Path:
    """The directory that holds the package's files as if it were the root. Fetched once, and checked by apt."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise PackageUnavailable(f"{package} comes from Debian's archive, and this machine has no apt-get")
    return cached(f"debian/{package}", lambda draft: _fetch(package, draft))


def _fetch(package: str, draft: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="debian-") as scratch:
        result = _run(["apt-get", "download", "-qq", package], Path(scratch))
        archives = list(Path(scratch).glob("*.deb"))
        if not archives:
            lines = [line for line in result.stderr.splitlines() if line.startswith("E:")]
            raise PackageUnavailable(
                f"apt-get cannot fetch {package} ({' '.join(lines) or 'it says nothing'}); "
                "`apt-get update` may help, on Debian 12 or wherever the package has that name"
            )
        unpack = _run(["dpkg", "-x", str(archives[0]), str(draft)], Path(scratch))
        if unpack.returncode != 0:
            raise PackageUnavailable(f"dpkg cannot unpack {archives[0].name}: {unpack.stderr.strip()}")


def _run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=directory,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=FETCH_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PackageUnavailable(f"could not run {' '.join(command)}: {error}") from error
