"""What goes wrong, and what else happens to a service: as random as a seed. Called by batch.py, some times a second.

Google refuses, breaks its answers, loses, doubles and delays pushes; the store loses calls and answers, restarts, or is
away; processes die; clocks are off; watches are due; settings change; people leave, come back, and are deleted.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.chaos.field import Field, pause
from tests.chaos.people import History, Member, Presence

REFUSALS = (
    "user_rate_limit",
    "rate_limit",
    "quota_exceeded",
    "too_many_requests",
    "backend_500",
    "backend_502",
    "backend_503",
    "backend_504",
    "backend_500_without_code",
    "gone",
    "lost_access_401",
    "lost_access_403",
    "lost_access_404",
    "html_403",
    "captive_portal",
    "gateway",
)
BROKEN = ("truncated_body", "malformed_json", "oversized_body", "reset_before", "reset_after", "slow")
PAGES = (
    "sync_token_expired",
    "page_token_rejected",
    "empty_page",
    "small_pages",
    "empty_page_token",
    "repeated_page_token",
    "no_sync_token",
    "empty_time_zone",
)
OF_WATCHES = ("lost_watch_answer", "lost_watch_answer", "webhook_unauthorized")
OF_TOKENS = ("reset_before", "reset_after", "backend_503", "truncated_body", "malformed_json", "invalid_grant")
# Functions whose lost answers matter most; the gateway knows the others as well.
FUNCTIONS = (
    "claim_due_calendars",
    "commit_sync",
    "stage_sync",
    "end_claim",
    "release_calendar",
    "keep_leases",
    "read_families",
    "record_notification",
    "save_tokens",
    "begin_channel",
    "activate_channel",
    "fail_channel",
    "end_channel",
    "connect_calendars",
    "begin_disconnect",
    "finish_disconnect",
    "*",
)
LOSSES = ("drop_before", "drop_after", "drop_after", "http_500", "delay")
MOST_OFF_SECONDS = 600


class Fate:
    """`strike` does one thing to the field. What it leaves behind (faults, the dead, the unanswered) is healed by
    batch.py."""

    def __init__(self, field: Field, histories: list[History], dice: random.Random) -> None:
        self.field, self.world, self.dice = field, field.world, dice
        self.members = [member for history in histories for member in history.members]
        self.off_seconds = 0.0
        self.done: list[str] = []
        self.dead_channels: list[str] = []
        self.go_on: Callable[[float], None] = pause

    def strike(self, what: Strike) -> None:
        self.done.append(what.__name__)
        what(self)

    # Google

    def refuse(self) -> None:
        self._fault(self.dice.choice(REFUSALS), retry_after=self.dice.choice([None, None, 1]))

    def break_answers(self) -> None:
        self._fault(self.dice.choice(BROKEN), seconds=0.5)

    def page_oddly(self) -> None:
        self._fault(self.dice.choice(PAGES))

    def refuse_watches(self) -> None:
        self._fault(self.dice.choice(OF_WATCHES))

    def refuse_tokens(self) -> None:
        self.field.sql("update google_credentials set access_token_expires_at = now() where random() < 0.5")
        self._fault(self.dice.choice(OF_TOKENS), method="token")

    def _fault(self, kind: str, **match: object) -> None:
        chosen = self.dice.choice(self.members)
        whom = {} if self.dice.random() < 0.7 else {"calendar": chosen.person.email}
        often = {"probability": self.dice.choice([0.1, 0.3, 1.0]), "times": self.dice.randint(1, 12)}
        self.world.google.add_fault(kind, **often, **whom, **match)

    def trouble_provider(self) -> None:
        self.field.bots.trouble(self.dice)

    def trouble_subscriber(self) -> None:
        self.field.told.trouble()

    def peace(self) -> None:
        self.world.google.clear_faults()
        self.field.bots.peace()
        self.field.told.peace()

    def forget_tokens(self) -> None:
        self.world.google.expire_sync_tokens(self.dice.choice([None, self.dice.choice(self.members).person.email]))

    def push_badly(self) -> None:
        dice = self.dice
        self.world.google.configure(
            push=dice.choice(["deliver", "deliver", "drop", "hold"]),
            drop_rate=dice.choice([0.0, 0.3, 0.7]),
            duplicate=dice.choice([0, 0, 1, 2]),
            delay_seconds=dice.choice([0.0, 0.5, 2.0]),
            reorder=dice.random() < 0.5,
            push_retry_base_seconds=0.3,
        )

    def push_late(self) -> None:
        self.world.google.configure(push="deliver")
        self.world.google.flush_push()

    def turn_clock(self) -> None:
        """Google's, against ours; ours are off among each other from the start."""
        by = self.dice.choice([-400.0, -120.0, 120.0, 400.0])
        if abs(self.off_seconds + by) <= MOST_OFF_SECONDS:
            self.off_seconds += by
            self.world.google.advance(by)

    # The store

    def lose_answers(self) -> None:
        for _ in range(self.dice.randint(1, 3)):
            kind = self.dice.choice(LOSSES)
            times, seconds = self.dice.randint(1, 6), 0.3 if kind == "delay" else 0.0
            self.world.supabase.fault(self.dice.choice(FUNCTIONS), kind, times=times, seconds=seconds)  # type: ignore[arg-type]

    def lose_commits(self) -> None:
        """They are done, and nobody hears of it."""
        self.world.supabase.fault("commit_sync", "drop_after", times=3)

    def postgrest_restarts(self) -> None:
        with self.world.supabase.without_postgrest():
            self.go_on(self.dice.choice([0.0, 0.5, 1.5]))

    def postgres_restarts(self) -> None:
        with self.field.without_postgres():
            self.go_on(self.dice.choice([0.0, 0.5, 1.5]))

    # Processes

    def kill(self) -> None:
        self.field.kill(self.dice.choice(self.field.roles))

    def stop(self) -> None:
        self.field.terminate(self.dice.choice(self.field.roles))

    def begin(self) -> None:
        for role in self.field.roles:
            self.field.start(role)

    def change_settings(self) -> None:
        dice = self.dice
        self.field.redeploy(
            HORIZON_PAST_DAYS=dice.choice(["1", "5", "10"]),
            HORIZON_FUTURE_DAYS=dice.choice(["30", "60", "130"]),
        )

    # What is due, and asked for

    def watches_are_due(self) -> None:
        self.field.sql(
            "update calendar_webhooks set expiration_time = now() + interval '1 minute', watch_retry_at = null"
            " where random() < 0.3"
        )
        self._ask("/functions/v1/renew-calendar-watches")

    def channel_dies(self) -> None:
        live = [each["id"] for each in self.world.google.channels() if each["state"] == "live"]
        if live:
            self.dead_channels.append(self.dice.choice(live))
            self.world.google.end_channel(self.dead_channels[-1])

    def sweep(self) -> None:
        self._ask("/functions/v1/calendar-polling-cron")

    def poll(self) -> None:
        member = self.dice.choice(self.members)
        self._ask("/functions/v1/calendar-polling-service", userId=member.person.user_id, force=True)

    def _ask(self, path: str, **body: object) -> int:
        return self.field.post(path, body, timeout_seconds=2.0)

    # People

    def leave(self) -> None:
        member = self._somebody(Presence.JOINED)
        if member is not None:
            member.presence = Presence.LEFT
            ask_for(self.field, member, timeout_seconds=3.0)

    def come_back(self) -> None:
        member = self._somebody(Presence.LEFT)
        if member is not None:
            member.presence = Presence.JOINED
            ask_for(self.field, member, timeout_seconds=3.0)

    def delete(self) -> None:
        """In Supabase Auth, as its dashboard does it."""
        member = self._somebody(Presence.LEFT if self.dice.random() < 0.5 else Presence.JOINED)
        if member is not None:
            member.presence, member.is_unanswered = Presence.DELETED, False
            self.field.sql("delete from auth.users where id = %s", member.person.user_id)

    def _somebody(self, presence: Presence) -> Member | None:
        found = [member for member in self.members if member.presence is presence]
        return self.dice.choice(found) if found else None


def ask_for(field: Field, member: Member, *, timeout_seconds: float = 30.0) -> int:
    """Tell the service what the person wants: to be joined with a new grant, or left. Its answer's status."""
    user = {"userId": member.person.user_id}
    if member.presence is Presence.JOINED:
        member.grant = field.world.google.grant(member.person.email)
        body = {**user, "provider_refresh_token": member.grant, "calendarIds": member.wanted}
        status = field.post("/functions/v1/connect-calendar", body, timeout_seconds=timeout_seconds)
    else:
        status = field.post("/connect/google/disconnect", user, timeout_seconds=timeout_seconds)
    member.is_unanswered = status != 200
    return status


Strike = Callable[[Fate], None]
# As often as they stand here.
STRIKES: list[Strike] = [
    *[Fate.refuse, Fate.break_answers, Fate.lose_answers, Fate.kill, Fate.begin] * 3,
    *[Fate.page_oddly, Fate.push_badly, Fate.peace, Fate.watches_are_due] * 2,
    Fate.refuse_watches,
    Fate.refuse_tokens,
    Fate.trouble_provider,
    Fate.trouble_subscriber,
    Fate.forget_tokens,
    Fate.push_late,
    Fate.turn_clock,
    Fate.lose_commits,
    Fate.postgrest_restarts,
    Fate.postgres_restarts,
    Fate.stop,
    Fate.change_settings,
    Fate.channel_dies,
    Fate.sweep,
    Fate.poll,
    Fate.leave,
    Fate.come_back,
    Fate.delete,
]


def drawn(seed: int, count: int) -> list[Strike]:
    """Some strikes, in the order of the seed."""
    return random.Random(seed).choices(STRIKES, k=count)
