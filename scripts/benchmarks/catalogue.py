"""All measures, by name, in the order of the table."""

from __future__ import annotations

from scripts.benchmarks import doors, edits, first_sync, idle, logs, one_change, scale, writes
from scripts.benchmarks.measuring import Measure

MEASURES: tuple[Measure, ...] = (
    *doors.MEASURES,
    *idle.MEASURES,
    *first_sync.MEASURES,
    *one_change.MEASURES,
    *edits.MEASURES,
    *scale.MEASURES,
    *writes.MEASURES,
    *logs.MEASURES,
)
