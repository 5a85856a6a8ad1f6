"""Whatever goes wrong, in whatever order: once it is over, all is as if nothing had.

`python -m tests.chaos` runs any number of others.
"""

from __future__ import annotations

from tests.chaos.batch import run_batch
from tests.chaos.misfortunes import Fate, Strike

# Without those that take a deployment's seconds.
STRIKES: list[Strike] = [
    Fate.push_badly,
    Fate.lose_answers,
    Fate.trouble_provider,
    Fate.trouble_subscriber,
    Fate.refuse,
    Fate.kill,
    Fate.break_answers,
    Fate.watches_are_due,
    Fate.begin,
    Fate.lose_commits,
    Fate.postgres_restarts,
    Fate.lose_answers,
    Fate.leave,
    Fate.refuse_watches,
    Fate.turn_clock,
    Fate.kill,
    Fate.forget_tokens,
    Fate.come_back,
    Fate.postgrest_restarts,
    Fate.break_answers,
    Fate.delete,
]


def test_histories_full_of_trouble_end_as_if_there_had_been_none() -> None:
    verdict = run_batch(
        7, 2, strikes=STRIKES, strikes_per_second=6.0, processes=3, heal_seconds=60.0, waits_for_leases=False
    )

    assert verdict.wrong == {}
    assert verdict.bugs == []
