"""What processes hold: memory, descriptors, threads. Read from /proc (Linux only). Called by `scripts/soak`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Footprint:
    """Of a process and its children. `own_mb`: the memory that ending them would free (PSS: what several share counts
    for each in part)."""

    own_mb: float
    processes: int
    descriptors: int
    threads: int


def footprint(pid: int) -> Footprint:
    found = family(pid)
    return Footprint(
        sum(_own_kb(each) for each in found) / 1024,
        len(found),
        sum(_entries(each, "fd") for each in found),
        sum(_entries(each, "task") for each in found),
    )


def family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found = [pid]
    for each in found:
        with suppress(OSError):
            for task in (PROC / str(each) / "task").iterdir():
                found.extend(int(child) for child in (task / "children").read_text().split())
    return found


def _own_kb(pid: int) -> int:
    with suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _entries(pid: int, folder: str) -> int:
    with suppress(OSError):
        return len(list((PROC / str(pid) / folder).iterdir()))
    return 0
