"""What is worth waking somebody for: from observations to findings. Pure.

The rules stand in `calendar_rules` and `service_rules`, one for each kind of alert. Called by
`jobs/operations/watch_over`, with the keys of the alerts that are open.
"""

from __future__ import annotations

from sync.alert_model import Finding, Observations
from sync.core.operations.calendar_rules import CALENDAR_RULES
from sync.core.operations.rule_parts import IsOpen, Limits
from sync.core.operations.service_rules import SERVICE_RULES


def find(seen: Observations, limits: Limits, is_open: IsOpen) -> tuple[Finding, ...]:
    """All that is wrong; each key once."""
    return tuple(found for rule in (*CALENDAR_RULES, *SERVICE_RULES) for found in rule(seen, limits, is_open))
