"""Google's instance ids: made, taken apart, and led back to their family."""

from __future__ import annotations

import datetime as dt

import pytest

from sync.core.series.recurrence import base_event_id, instance_id, parse_instance_id
from sync.model import EventTime

AT = EventTime(at=dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC))
ON = EventTime(date=dt.date(2026, 3, 1))


@pytest.mark.parametrize(
    ("series", "start", "expected"),
    [
        ("abc123", AT, "abc123_20260301T080000Z"),
        ("abc123", ON, "abc123_20260301"),
        ("_60q30c1g60o30e1i", AT, "_60q30c1g60o30e1i_20260301T080000Z"),
        ("abc123_R20260201T090000", AT, "abc123_20260301T080000Z"),
        ("abc123_R20260201", ON, "abc123_20260301"),
    ],
)
def test_instance_id_is_the_family_and_the_original_start(series: str, start: EventTime, expected: str) -> None:
    assert instance_id(series, start) == expected


def test_instance_id_writes_the_start_in_utc() -> None:
    zurich = EventTime(at=dt.datetime(2026, 3, 1, 9, 0, tzinfo=dt.timezone(dt.timedelta(hours=1))))

    assert instance_id("abc123", zurich) == "abc123_20260301T080000Z"


@pytest.mark.parametrize(
    ("event_id", "family"),
    [
        ("abc123", "abc123"),
        ("abc123_20260301T080000Z", "abc123"),
        ("abc123_20260301t080000z", "abc123"),
        ("abc123_20260301", "abc123"),
        ("abc123_R20260301T090000", "abc123"),
        ("abc123_R20260301", "abc123"),
        ("abc123_R20260301T090000_20260308T080000Z", "abc123"),
        ("abc123_R20260301T090000_R20260401T090000", "abc123"),
        ("_abc123", "_abc123"),
        ("_abc123_20260301T080000Z", "_abc123"),
        ("my_own_id", "my_own_id"),
        ("my_own_id_20260301", "my_own_id"),
        ("team_R2", "team_R2"),
        ("_20260301", "_20260301"),
        ("_R20260301", "_R20260301"),
        ("__20260301", "__20260301"),
        ("room_12345678", "room_12345678"),  # no such date
        ("room_20260301T080000", "room_20260301T080000"),  # local time: not an instance's
        ("", ""),
    ],
)
def test_base_event_id_strips_instance_and_split(event_id: str, family: str) -> None:
    assert base_event_id(event_id) == family
    assert base_event_id(family) == family


@pytest.mark.parametrize(
    ("event_id", "expected"),
    [
        ("abc123_20260301T080000Z", ("abc123", AT)),
        ("abc123_20260301", ("abc123", ON)),
        ("_abc_123_20260301", ("_abc_123", ON)),
        ("abc123_R20260201T090000_20260301", ("abc123_R20260201T090000", ON)),
        ("abc123", None),
        ("abc123_R20260301T090000", None),
        ("abc123_R20260301", None),
        ("abc123_20261301", None),
        ("abc123_20260301T250000Z", None),
        ("_20260301", None),
    ],
)
def test_parse_instance_id_finds_series_and_original_start(
    event_id: str, expected: tuple[str, EventTime] | None
) -> None:
    assert parse_instance_id(event_id) == expected


@pytest.mark.parametrize("start", [AT, ON])
def test_parsing_undoes_building(start: EventTime) -> None:
    assert parse_instance_id(instance_id("_a_b", start)) == ("_a_b", start)
