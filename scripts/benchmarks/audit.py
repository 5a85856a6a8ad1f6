"""What the drift audit of a calendar costs: seconds, Google's calls, calls of the store."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.benchmarks.calendars import singles
from scripts.benchmarks.ground import ground
from scripts.benchmarks.measuring import Measure, Row, Size, row_of, seconds
from sync.jobs.driving.poll_user import poll_user
from sync.jobs.services import Services
from sync.jobs.syncing.audit_drift import audit_drift

EVENTS = 5000


def audit(size: Size) -> Iterator[Row]:
    count = size.of(EVENTS, 40)
    with ground() as here:
        here.google.configure(push="drop", page_size_limit=2500)
        services = here.services()
        user_id, email = here.person(services, "alice")
        here.google.bulk_insert(email, singles(count), notify=False)
        poll_user(services, user_id, forced=True)
        for name, wrong in (("true", 0), ("100 rows wrong", size.of(100, 4))):
            took, calls = [], 0.0
            for _ in range(size.rounds):
                spoil = "update meetings set title = 'wrong' where id in (select id from meetings limit %s)"
                here.db.execute(spoil, (wrong,))
                here.google.reset_counters()
                took.append(seconds(lambda w=wrong: _audited(services, w)))  # type: ignore[misc]
                calls = here.google.counters()["calls"]["events.list"]
            yield row_of(f"{count} events, {name}, {calls} calls of Google's", "s", took)


def _audited(services: Services, wrong: int) -> None:
    found = audit_drift(services, limit=1)
    if found.differing != wrong:
        raise RuntimeError(f"the audit found {found}, not {wrong} differing")


MEASURES = (Measure("audit", "listing a calendar whole and comparing it with what is stored", "none", audit),)
