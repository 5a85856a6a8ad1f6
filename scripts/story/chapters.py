"""The chapters: what happens to a calendar, and what the monitor makes of it. Each tells what it does and waits for
its end.

Where hours would have to pass, the demo moves times in its own database and says so. Called in order by `__main__`.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
from dataclasses import dataclass, field

from scripts.stack.waiting import wait_until
from scripts.story.calendars import fill, timed
from scripts.story.stage import Person, Stage, measured
from scripts.story.teller import Teller

BURST = 50


@dataclass
class Figures:
    """What the chapters measured."""

    initial_meetings: int = 0
    push_seconds: list[float] = field(default_factory=list)
    burst_notifications: int = 0
    burst_lists: int = 0


def lists(stage: Stage) -> int:
    return int(stage.google.counters()["calls"].get("events.list", 0))


def connect(stage: Stage, teller: Teller, figures: Figures) -> None:
    teller.chapter("Two people connect their calendars")
    for name, zone in (("Alice", "Europe/Zurich"), ("Bob", "America/New_York")):
        person = stage.person(name, zone)
        events = fill(stage, person)
        took = measured(
            lambda person=person: stage.post(  # type: ignore[misc]
                "connect-calendar", {"userId": person.user_id, "provider_refresh_token": person.refresh_token}
            )
        )
        teller.line(f"{name} ({zone}, {events} events) connected in {took * 1000:.0f} ms: watched first, then listed")
    stage.await_quiet()
    for person in stage.people:
        log = stage.row(
            "select meetings_created, google_calls, duration_ms from calendar_sync_logs where user_id = %s",
            person.user_id,
        )
        figures.initial_meetings += log["meetings_created"]
        teller.good(
            f"{person.name}: {log['meetings_created']} meetings from {log['google_calls']} Google call "
            f"in {log['duration_ms']} ms"
        )


def push(stage: Stage, teller: Teller, figures: Figures) -> None:
    teller.chapter("A change arrives by push")
    for round_number, person in enumerate(stage.people * 2):
        stage.await_quiet()
        # The pause between two notified syncs of one calendar; the second round measures the push, not the pause.
        stage.await_true(
            "the pause after the last notified sync",
            "select 1 where not exists (select 1 from calendar_webhooks where not_before > clock_timestamp())",
        )
        title = f"Coffee {round_number + 1}"
        stage.google.insert_event(person.email, timed(stage, person, title, day=1, at="10:45"))
        seconds = stage.await_true(
            "the new meeting", "select 1 from meetings where user_id = %s and title = %s", person.user_id, title
        )
        figures.push_seconds.append(seconds)
        teller.good(f"{person.name} adds “{title}”: a row in meetings {seconds * 1000:.0f} ms later")


def burst(stage: Stage, teller: Teller, figures: Figures, person: Person) -> None:
    teller.chapter(f"{person.name} drags a meeting around: {BURST} changes in two seconds")
    event = stage.google.insert_event(person.email, timed(stage, person, "Restless", day=2, at="15:00"))
    stage.await_quiet()
    calls, seen = lists(stage), _notifications(stage, person)
    began = time.perf_counter()
    for number in range(BURST):
        stage.google.patch_event(person.email, event["id"], {"summary": f"Restless {number + 1}"})
        wait_until(
            lambda number=number: time.perf_counter() - began >= 2.0 * number / BURST,  # type: ignore[misc]
            within_seconds=5,
            what="the next change",
        )
    stage.await_true("the last title", "select 1 from meetings where title = %s", f"Restless {BURST}")
    stage.await_quiet()
    figures.burst_notifications = _notifications(stage, person) - seen
    figures.burst_lists = lists(stage) - calls
    teller.good(f"{figures.burst_notifications} notifications, list calls: {figures.burst_lists}")


def push_cut_off(stage: Stage, teller: Teller, person: Person) -> None:
    teller.chapter("Push is cut off, and the poll finds what it missed")
    stage.await_quiet()
    stage.google.configure(push="drop")
    stage.google.insert_event(person.email, timed(stage, person, "Unannounced", day=1, at="17:00"))
    teller.line(f"{person.name} adds “Unannounced”; Google's notification is lost")
    answer = stage.post("calendar-polling-service", {"userId": person.user_id})
    teller.line(
        f"an operator polls at once: skipped={answer['skipped']}, reason {answer['reason']} (the documented rule)"
    )
    stage.db.execute(
        "update calendar_webhooks set last_webhook_received = last_webhook_received - interval '7 hours', "
        "due_at = clock_timestamp() where user_id = %s",
        (person.user_id,),
    )
    teller.line("seven hours pass (the demo moves the stored times), and the cron calls")
    answer = stage.post("calendar-polling-cron")
    stage.await_true("the lost change", "select 1 from meetings where title = 'Unannounced'")
    teller.good("“Unannounced” is a row in meetings")
    # The service looks for what is due by itself, too.
    teller.line("found by the cron's sweep" if answer["total_created"] else "found by the service before the cron came")
    stage.google.configure(push="deliver")


def expired_token(stage: Stage, teller: Teller, person: Person) -> None:
    teller.chapter("Google forgets the sync token (410)")
    stage.await_quiet()
    victim = stage.row(
        "select google_calendar_event_id as id, title from meetings where user_id = %s and status = 'confirmed' "
        "and google_calendar_event_id = base_event_id order by start_time limit 1",
        person.user_id,
    )
    stage.google.delete_event(person.email, victim["id"], notify=False)
    stage.google.expire_sync_tokens(person.email)
    teller.line(f"“{victim['title']}” is deleted, and every token for {person.name}'s calendar expires")
    answer = stage.post("calendar-polling-service", {"userId": person.user_id, "force": True})
    teller.good(
        f"one full sync ({answer['reason']}): {answer['processed']} items read, {answer['deleted']} meeting gone, "
        f"{answer['created'] + answer['updated']} others touched"
    )


def renewal(stage: Stage, teller: Teller, person: Person) -> None:
    teller.chapter("A watch is renewed before it lapses")
    stage.await_quiet()
    before = stage.row("select webhook_id from calendar_webhooks where user_id = %s", person.user_id)["webhook_id"]
    stage.db.execute(
        "update calendar_webhooks set expiration_time = now() + interval '10 hours' where user_id = %s",
        (person.user_id,),
    )
    answer = stage.post("renew-calendar-watches")
    after = stage.row("select webhook_id from calendar_webhooks where user_id = %s", person.user_id)["webhook_id"]
    states = {channel["id"]: channel["state"] for channel in stage.google.channels()}
    teller.line(f"ten hours before its end: {answer['renewed']} renewed, {answer['stopped']} stopped")
    teller.good(f"Google says: the old channel is {states[before]}, the new one {states[after]}")


def crash(stage: Stage, teller: Teller, person: Person) -> None:
    teller.chapter("A worker is killed in the middle of a sync")
    stage.await_quiet()
    fault = stage.google.add_fault("hold", method="events.list", calendar=person.email)
    stage.google.insert_event(person.email, timed(stage, person, "Survivor", day=3, at="09:45"))
    if not stage.google.wait_held(fault):
        raise RuntimeError("no worker began to list the calendar")
    claimed = stage.row(
        "select claimed_by, extract(epoch from lease_expires_at - clock_timestamp()) as lease from calendar_webhooks "
        "where user_id = %s",
        person.user_id,
    )
    pid = int(claimed["claimed_by"].rpartition(":")[2])
    os.kill(pid, signal.SIGKILL)
    stage.google.release(fault)
    teller.line(f"worker {pid} holds the lease, and gets SIGKILL while Google's answer is on its way")
    stage.db.execute(
        "update calendar_webhooks set lease_expires_at = clock_timestamp(), due_at = clock_timestamp() "
        "where user_id = %s",
        (person.user_id,),
    )
    teller.line(f"its lease runs out (the demo skips the remaining {claimed['lease']:.0f} s), and the cron calls")
    stage.post("calendar-polling-cron")
    # The cron's sweep or any other process: whoever claims it next.
    stage.await_quiet()
    rows = stage.row(
        "select count(*) as n from meetings where user_id = %s and title = 'Survivor' and status = 'confirmed'",
        person.user_id,
    )["n"]
    if rows != 1:
        raise RuntimeError(f"the meeting stands {rows} times")
    teller.good(f"the next claim does the work again: {rows} meeting, nothing twice")


def _notifications(stage: Stage, person: Person) -> int:
    row = stage.row("select notifications_seen from calendar_webhooks where user_id = %s", person.user_id)
    return int(row["notifications_seen"])


def median_ms(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.0f} ms (worst {max(seconds) * 1000:.0f} ms)"
