"""Deltas far beyond a payload and a statement's time: written in parts, the token last."""

from __future__ import annotations

import datetime as dt
import json

from sync.jobs.driving.poll_user import poll_user
from tests.clients.google.answering import answering
from tests.situations.quiet import LINK, Quiet, timed

# Every twenty minutes, as Google has it: its rules know nothing below a day.
RULE = f"RRULE:FREQ=DAILY;BYHOUR={','.join(map(str, range(24)))};BYMINUTE=0,20,40"


def test_300_daily_series_in_one_delta(quiet: Quiet) -> None:
    bodies = [timed(f"Daily {n}", "2028-02-10T15:00", "RRULE:FREQ=DAILY") for n in range(300)]
    quiet.world.google.bulk_insert(quiet.email, bodies, notify=False)
    quiet.world.reset_counters()

    outcome = quiet.sync()

    assert (outcome.status, outcome.created) == ("completed", 300 * 60)
    rpcs = quiet.world.rpcs()
    assert rpcs["stage_sync"] >= 18
    assert rpcs["commit_sync"] == 1
    quiet.assert_equal()


def test_a_family_of_thousands_of_rows_in_one_delta_loses_only_what_the_calendar_lost(quiet: Quiet) -> None:
    (series,) = quiet.insert(timed("Often", "2028-02-10T15:00", RULE, minutes=10))
    outcome = quiet.sync()
    assert outcome.created > 4000
    gone = quiet.instances(series)[7]["id"]
    quiet.delete(gone)
    quiet.patch(series, summary="Often, renamed")

    again = quiet.sync()

    assert (again.created, again.updated, again.deleted) == (0, outcome.created - 1, 1)
    quiet.assert_equal()


def test_a_part_that_takes_too_long_is_halved(quiet: Quiet) -> None:
    """A statement's time runs out where a part holds more than 200 rows."""
    quiet.world.db.execute("""
        create function public.be_slow() returns trigger language plpgsql as $$
        begin
          if (select count(*) from new_rows) > 200 then
            raise exception using errcode = '57014', message = 'canceling statement due to statement timeout';
          end if;
          return null;
        end $$;
        create trigger be_slow after insert on public.meetings referencing new table as new_rows
          for each statement execute function public.be_slow();
        """)
    bodies = [timed(f"M{n}", "2028-02-12T09:00") for n in range(900)]
    quiet.world.google.bulk_insert(quiet.email, bodies, notify=False)

    outcome = quiet.sync()
    quiet.world.db.execute("drop function public.be_slow() cascade")

    assert (outcome.status, outcome.created) == ("completed", 900)
    quiet.assert_equal()


def test_a_family_that_the_database_refuses_is_set_aside_alone(quiet: Quiet) -> None:
    quiet.world.db.execute("""
        create function public.refuse() returns trigger language plpgsql as $$
        begin
          if new.title like '%unheard of%' then
            raise exception using errcode = '22P05', message = 'unsupported Unicode escape sequence';
          end if;
          return new;
        end $$;
        create trigger refuse before insert or update on public.meetings
          for each row execute function public.refuse();
        """)
    odd, *others = quiet.insert(*(timed(f"M{n}", "2028-02-12T09:00") for n in range(6)))
    quiet.sync()
    quiet.patch(odd, summary="Something unheard of", location=LINK)
    for event_id in others:
        quiet.patch(event_id, summary="As ever")

    outcome = quiet.sync()

    assert outcome.status == "completed"
    assert {row["title"] for row in quiet.live().values()} == {"M0", "As ever"}
    aside = quiet.world.rows("select base_event_id, reason, error_code from calendar_set_aside")
    assert aside == [{"base_event_id": odd, "reason": "refused", "error_code": "22P05"}]
    # Also a full listing keeps what it cannot judge, and tries it anew.
    quiet.resync()
    assert {row["title"] for row in quiet.live().values()} == {"M0", "As ever"}
    quiet.world.db.execute("drop function public.refuse() cascade")
    quiet.resync()
    quiet.assert_equal()
    assert quiet.world.rows("select 1 from calendar_set_aside") == []


def test_odd_items_stop_no_calendar(quiet: Quiet) -> None:
    """What no database holds is cleaned; fields of another type than Google's count as absent."""
    begins = dt.datetime(2028, 2, 12, 9, tzinfo=dt.UTC).isoformat()
    ends = dt.datetime(2028, 2, 12, 10, tzinfo=dt.UTC).isoformat()
    times = {"start": {"dateTime": begins}, "end": {"dateTime": ends}}
    items = [
        {"id": "nul", "summary": "A\u0000B", "description": "\ud800", "location": LINK, **times},
        {"id": "types", "summary": ["no", "text"], "attendees": {"self": True}, "location": LINK, **times},
        {
            "id": "more",
            "conferenceData": [],
            "organizer": "me",
            "recurrence": "RRULE:FREQ=DAILY",
            "location": LINK,
            **times,
        },
        {"id": "none", "start": "tomorrow", "end": 7, "status": ["confirmed"], "location": LINK},
        {"id": 7},
        {"id": "b\u0000d", "location": LINK, **times},
        "no item at all",
        {"id": "good", "summary": "Good", "location": LINK, **times},
    ]
    page = {"kind": "calendar#events", "items": items, "timeZone": "Europe/Zurich", "nextSyncToken": "s"}
    ahead = (quiet.world.now - dt.datetime.now(dt.UTC)).total_seconds()
    with answering() as odd:
        odd.body = json.dumps(page).encode()
        services = quiet.world.services_with(clock_off_seconds=ahead, GOOGLE_API_ENDPOINT=odd.url)
        (outcome,) = poll_user(services, quiet.alice.user_id, forced=True).outcomes

    assert outcome.status == "completed"
    titles = {event_id: row["title"] for event_id, row in quiet.live().items()}
    assert titles == {"nul": "A\ufffdB", "types": "(No title)", "more": "(No title)", "good": "Good"}
    aside = quiet.world.rows("select base_event_id, reason from calendar_set_aside")
    assert aside == [{"base_event_id": "b\ufffdd", "reason": "unreadable"}]
