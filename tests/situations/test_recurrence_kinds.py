"""Every kind of series people make, end to end: occurrence by occurrence as Google shows it, under Google's ids."""

from __future__ import annotations

import pytest

from tests.situations.quiet import NEW_YORK, Quiet, all_day, shifted, timed, written
from tests.world import JsonObject

KINDS: dict[str, JsonObject] = {
    "daily": timed("S", "2028-02-01T09:00", "RRULE:FREQ=DAILY"),
    "daily begun years ago": timed("S", "2019-05-06T09:00", "RRULE:FREQ=DAILY"),
    "daily interval 3": timed("S", "2028-01-02T09:00", "RRULE:FREQ=DAILY;INTERVAL=3"),
    "daily on some days": timed("S", "2028-02-07T09:00", "RRULE:FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR"),
    "daily in one month": timed("S", "2026-03-01T09:00", "RRULE:FREQ=DAILY;BYMONTH=3"),
    "hourly for a day": timed("S", "2028-03-25T09:30", "RRULE:FREQ=HOURLY;INTERVAL=5;COUNT=12", minutes=30),
    "count running out inside": timed("S", "2028-01-31T09:00", "RRULE:FREQ=DAILY;COUNT=30"),
    "count run out before": timed("S", "2027-01-31T09:00", "RRULE:FREQ=DAILY;COUNT=30"),
    "until utc": timed("S", "2028-02-01T09:00", "RRULE:FREQ=WEEKLY;UNTIL=20280328T070000Z"),
    "until utc a second before": timed("S", "2028-02-01T09:00", "RRULE:FREQ=WEEKLY;UNTIL=20280328T065959Z"),
    "until local time": timed("S", "2028-02-01T09:00", "RRULE:FREQ=DAILY;UNTIL=20280328T090000"),
    "until date": timed("S", "2028-02-01T23:30", "RRULE:FREQ=DAILY;UNTIL=20280328"),
    "weekly every second with week start monday": timed(
        "S", "2028-01-04T09:00", "RRULE:FREQ=WEEKLY;INTERVAL=2;WKST=MO;BYDAY=TU,SU"
    ),
    "weekly every second with week start sunday": timed(
        "S", "2028-01-04T09:00", "RRULE:FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,SU"
    ),
    "first monday": timed("S", "2028-01-03T09:00", "RRULE:FREQ=MONTHLY;BYDAY=1MO"),
    "last friday": timed("S", "2028-01-28T09:00", "RRULE:FREQ=MONTHLY;BYDAY=-1FR"),
    "last working day": timed("S", "2028-01-31T17:00", "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"),
    "second and last tuesday or thursday": timed(
        "S", "2028-01-06T17:00", "RRULE:FREQ=MONTHLY;BYDAY=TU,TH;BYSETPOS=2,-1"
    ),
    "the 31st": timed("S", "2027-12-31T09:00", "RRULE:FREQ=MONTHLY"),
    "the 30th": timed("S", "2027-12-30T09:00", "RRULE:FREQ=MONTHLY;BYMONTHDAY=30"),
    "last day of the month": timed("S", "2027-12-31T09:00", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1"),
    "29 february": timed("S", "2024-02-29T09:00", "RRULE:FREQ=YEARLY"),
    "birthday on 29 february": all_day("S", "2020-02-29", "RRULE:FREQ=YEARLY"),
    "yearly by month and day": timed("S", "2020-03-08T09:00", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU"),
    "100th day of the year": timed("S", "2027-04-10T09:00", "RRULE:FREQ=YEARLY;BYYEARDAY=100"),
    "two rules": timed("S", "2028-02-07T09:00", "RRULE:FREQ=WEEKLY;BYDAY=MO", "RRULE:FREQ=MONTHLY;BYMONTHDAY=15"),
    "two rules that meet": timed("S", "2028-02-07T09:00", "RRULE:FREQ=WEEKLY", "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4"),
    "more dates": timed(
        "S", "2028-02-07T09:00", "RRULE:FREQ=WEEKLY;COUNT=3", "RDATE:20280301T101500Z,20280402T101500Z"
    ),
    "dates alone": timed("S", "2028-02-11T09:00", "RDATE;TZID=Europe/Zurich:20280229T090000,20280327T090000"),
    "dates of another zone": timed("S", "2028-02-11T09:00", "RDATE;TZID=America/New_York:20280313T090000"),
    "dates without": timed("S", "2028-02-07T09:00", "RRULE:FREQ=WEEKLY", "EXDATE:20280214T080000Z,20280327T070000Z"),
    "dates without, local": timed(
        "S", "2028-02-07T09:00", "RRULE:FREQ=DAILY", "EXDATE;TZID=Europe/Zurich:20280327T090000"
    ),
    "a rule of exclusions": timed("S", "2028-02-07T09:00", "RRULE:FREQ=DAILY", "EXRULE:FREQ=WEEKLY;BYDAY=SA,SU"),
    "start off the rule": timed("S", "2028-02-16T09:00", "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=3"),
    "start off the rule, all-day": all_day("S", "2028-02-16", "RRULE:FREQ=MONTHLY;BYMONTHDAY=1"),
    "all-day": all_day("S", "2028-02-07", "RRULE:FREQ=WEEKLY"),
    "all-day over three days": all_day("S", "2028-02-08", "RRULE:FREQ=WEEKLY;UNTIL=20280404", days=3),
    "all-day across the change of time": all_day("S", "2028-03-24", "RRULE:FREQ=DAILY;COUNT=5", days=2),
    "all-day with dates": all_day(
        "S", "2028-02-11", "RRULE:FREQ=MONTHLY", "RDATE;VALUE=DATE:20280326", "EXDATE;VALUE=DATE:20280311"
    ),
    "new york": timed("S", "2028-02-07T09:00", "RRULE:FREQ=WEEKLY;BYDAY=MO,FR", zone=NEW_YORK),
    "late in los angeles": timed("S", "2028-02-08T21:00", "RRULE:FREQ=WEEKLY;BYDAY=TU", zone="America/Los_Angeles"),
    "in the skipped hour": timed("S", "2028-03-20T02:30", "RRULE:FREQ=DAILY;COUNT=10"),
    "half an hour off": timed("S", "2028-02-08T09:00", "RRULE:FREQ=WEEKLY", zone="Asia/Kolkata"),
    "southern autumn": timed("S", "2028-03-25T09:00", "RRULE:FREQ=DAILY;COUNT=14", zone="Australia/Sydney"),
    "over midnight": timed("S", "2028-02-09T23:00", "RRULE:FREQ=DAILY", minutes=180),
    "longer than its interval": timed("S", "2028-02-01T09:00", "RRULE:FREQ=DAILY;COUNT=9", minutes=2000),
    "without length": timed("S", "2028-02-08T09:00", "RRULE:FREQ=WEEKLY", minutes=0),
    # Where Google leaves RFC 5545.
    "yearly by a day of the month alone": timed("S", "2020-03-27T09:00", "RRULE:FREQ=YEARLY;BYMONTHDAY=27"),
    "all-day, yearly by a day of the month alone": all_day("S", "2020-03-27", "RRULE:FREQ=YEARLY;BYMONTHDAY=27"),
    "a date excluded from a timed series": timed(
        "S", "2028-02-07T09:00", "RRULE:FREQ=WEEKLY", "EXDATE;VALUE=DATE:20280214"
    ),
}  # fmt: skip


# Of these, instances are edited too: one of every way to count occurrences, zones and lengths.
EDITED = ["daily begun years ago", "count running out inside", "until utc", "second and last tuesday or thursday"]
EDITED += ["two rules that meet", "more dates", "dates alone", "a rule of exclusions", "start off the rule", "new york"]
EDITED += ["all-day over three days", "all-day across the change of time", "in the skipped hour", "without length"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_series_is_what_google_shows_from_its_first_day_to_its_last(quiet: Quiet, kind: str) -> None:
    (series,) = quiet.insert(KINDS[kind])
    shown = quiet.instances(series)
    created = quiet.sync().created
    quiet.assert_equal()
    assert created == 0 if kind == "count run out before" else created >= len(shown) > 0

    quiet.patch(series, description="About the whole series")
    assert written(quiet.synced_equal()) == (0, created, 0)
    quiet.delete(series)
    assert written(quiet.sync()) == (0, 0, created)
    quiet.assert_equal()
    assert not quiet.live()


@pytest.mark.parametrize("kind", EDITED)
def test_instances_of_a_series_are_moved_renamed_cancelled_and_restored(quiet: Quiet, kind: str) -> None:
    (series,) = quiet.insert(KINDS[kind])
    quiet.sync()
    moved, renamed, cancelled = quiet.instances(series)[-3:]

    quiet.patch(moved["id"], **shifted(moved, days=2, **({} if "date" in moved["start"] else {"hours": 1})))
    quiet.patch(renamed["id"], summary="Renamed")
    quiet.delete(cancelled["id"])
    assert written(quiet.sync()) == (0, 2, 1)
    quiet.assert_equal()

    quiet.patch(moved["id"], start=moved["start"], end=moved["end"])
    quiet.patch(cancelled["id"], status="confirmed")
    assert written(quiet.settled()) == (0, 2, 0)
