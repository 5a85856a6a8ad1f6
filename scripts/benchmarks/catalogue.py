"""All measures, by name, in the order of the table."""

from __future__ import annotations

from scripts.benchmarks import doors, edits, idle
from scripts.benchmarks.measuring import Measure

MEASURES: tuple[Measure, ...] = (*doors.MEASURES, *idle.MEASURES, *edits.MEASURES)
