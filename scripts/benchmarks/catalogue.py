"""All measures, by name, in the order of the table."""

from __future__ import annotations

from scripts.benchmarks import (
    audit,
    bots,
    dashboard,
    doors,
    first_sync,
    hostile_event,
    idle,
    links,
    logs,
    misbehaving_clients,
    one_change,
    recurrence,
    scale,
    sizes,
    stack_start,
    writes,
)
from scripts.benchmarks.measuring import Measure

MEASURES: tuple[Measure, ...] = (
    *doors.MEASURES,
    *hostile_event.MEASURES,
    *idle.MEASURES,
    *first_sync.MEASURES,
    *one_change.MEASURES,
    *audit.MEASURES,
    *bots.MEASURES,
    *misbehaving_clients.MEASURES,
    *dashboard.MEASURES,
    *scale.MEASURES,
    *writes.MEASURES,
    *sizes.MEASURES,
    *logs.MEASURES,
    *links.MEASURES,
    *recurrence.MEASURES,
    *stack_start.MEASURES,
)
