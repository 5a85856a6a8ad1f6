"""One random history: two people with two calendars each, and what they do to them, as a seed says.

Edits are those of `tests.situations.random_edits`, announced by Google and made on today's dates. A person may leave
and come back, or be deleted. Which edits come is the seed's alone; when they meet what goes wrong is not.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field
from enum import StrEnum

from tests.situations.quiet import Quiet, all_day, timed
from tests.situations.random_edits import EDITS, INSTANCES, Diary, Step
from tests.world import Person, World

ZONES = ("UTC", "Europe/Zurich", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Auckland")


class Presence(StrEnum):
    """What a person wants of the service, who is owed nothing else.

    joined → left (they disconnect) → joined again; joined or left → deleted.
    """

    JOINED = "joined"
    LEFT = "left"
    DELETED = "deleted"


@dataclass
class Member:
    """A person, the diary of their two calendars, and what they want."""

    person: Person
    diary: Diary
    presence: Presence = Presence.JOINED
    # Their last wish was answered by nobody, or refused: it is repeated until somebody grants it.
    is_unanswered: bool = False
    # The refresh token they joined with last.
    grant: str = ""

    @property
    def calendars(self) -> dict[str, str]:
        """As the service names them → as the emulator does."""
        return {"primary": self.person.email, self.diary.team: self.diary.team}

    @property
    def wanted(self) -> list[str]:
        return list(self.calendars)


@dataclass
class History:
    """The members, and the steps left to be carried out."""

    seed: int
    members: list[Member]
    steps: list[tuple[int, Step]] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return not self.steps

    def go_on(self) -> None:
        """The next step."""
        if self.steps:
            number, step = self.steps.pop(0)
            self.members[number].diary.carry_out(step)


def new_history(world: World, seed: int, steps: int) -> History:
    """Accounts, calendars and first events, not connected yet."""
    dice = random.Random(seed)
    members = [_member(world, name, dice) for name in ("alice", "bob")]
    kinds = [*EDITS, *INSTANCES]
    drawn = [
        (dice.randrange(2), Step(dice.choice(kinds), dice.randrange(10), dice.randrange(10), dice.randrange(4)))
        for _ in range(steps)
    ]
    return History(seed, members, drawn)


def _member(world: World, name: str, dice: random.Random) -> Member:
    zone = dice.choice(ZONES)
    person = world.person(name, time_zone=zone)
    team = f"team-{person.email}"
    world.google.add_calendar(person.email, team, time_zone=zone)
    quiet = Quiet(world, person, announces=True)
    diary = Diary(quiet, team, rules=_rules(world.now), all_day_rules=_all_day_rules(world.now))
    day = world.now.date()
    for body in (
        timed("Daily", f"{day}T09:00", "RRULE:FREQ=DAILY;COUNT=40", zone=zone),
        all_day("Weekly", day.isoformat(), "RRULE:FREQ=WEEKLY"),
        timed("One", f"{day + dt.timedelta(days=2)}T09:00", zone=zone),
    ):
        diary.known.extend(quiet.insert(body))
    return Member(person, diary)


def _rules(now: dt.datetime) -> list[list[str]]:
    """Those of `random_edits`, around now: an end, an exception and a further day that lie within the horizon."""

    def at(days: int) -> str:
        return f"{now + dt.timedelta(days=days):%Y%m%d}T080000Z"

    return [
        ["RRULE:FREQ=DAILY"],
        ["RRULE:FREQ=DAILY;INTERVAL=2;COUNT=12"],
        ["RRULE:FREQ=WEEKLY;BYDAY=MO,TH"],
        [f"RRULE:FREQ=WEEKLY;UNTIL={at(23)}"],
        ["RRULE:FREQ=WEEKLY", f"EXDATE:{at(14)}"],
        ["RRULE:FREQ=MONTHLY;BYDAY=-1FR", f"RDATE:{at(12)}"],
        ["RRULE:FREQ=WEEKLY;BYDAY=TU", "RRULE:FREQ=MONTHLY;BYMONTHDAY=31"],
    ]


def _all_day_rules(now: dt.datetime) -> list[list[str]]:
    until = now + dt.timedelta(days=21)
    return [["RRULE:FREQ=WEEKLY;BYDAY=SU"], ["RRULE:FREQ=MONTHLY;COUNT=3"], [f"RRULE:FREQ=DAILY;UNTIL={until:%Y%m%d}"]]
