"""Explanations: what is said of a row, or of an event that has none."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sync.core.meetings.explain import MOST_LINES, explain_missing, explain_row, what_was_cut
from tests.core.items import HORIZON, NOW, ZONE, Item, daily, events

LINES = ["RRULE:FREQ=DAILY;COUNT=5", "RRULE:FREQ=DAILY;BYEASTER=0", "EXDATE:never"]


def row(**more: Any) -> dict[str, Any]:
    facts = {"entered_horizon_at": None, "sync_id": None, "status": "confirmed", "status_reason": None}
    return facts | {"created_at": NOW, "updated_at": NOW} | more


def of_row(item: Item) -> dict[str, str]:
    (event,) = events(item)
    return {step.code: step.text for step in explain_row(row(), None, event)}


def test_a_line_that_was_not_understood_is_named_for_a_row_and_for_an_event_without_one() -> None:
    series = daily("day") | {"recurrence": LINES}
    (event,) = events(series)

    texts = [step.text for step in explain_row(row(), None, event) if step.code == "line_not_understood"]
    missing = explain_missing("nothing", events(series), HORIZON, ZONE)

    assert [text[:6] for text in texts] == ["Line 2", "Line 3"]
    assert "BYEASTER" in texts[0]
    assert "EXDATE" in texts[1]
    assert [step.text for step in missing if step.code == "line_not_understood"] == texts
    assert missing[-1].code == "no_occurrence"


def test_a_series_that_is_understood_has_nothing_said_of_its_lines() -> None:
    assert "line_not_understood" not in of_row(daily("day"))


def test_a_series_full_of_nonsense_does_not_fill_the_answer() -> None:
    (event,) = events(daily("day") | {"recurrence": ["nonsense"] * 50})

    steps = explain_row(row(updated_at=NOW + dt.timedelta(days=1)), None, event)

    assert len([step for step in steps if step.code == "line_not_understood"]) == MOST_LINES


def test_a_series_that_a_limit_cuts_says_so() -> None:
    often, seldom = daily("often", "2020-01-01 00:00", rule="FREQ=MINUTELY"), daily("seldom")

    assert [step.code for step in what_was_cut(events(often), HORIZON, ZONE)] == ["occurrences_cut"]
    assert what_was_cut(events(seldom), HORIZON, ZONE) == []
    assert "occurrences_cut" in [step.code for step in explain_missing("often", events(often), HORIZON, ZONE)]
