"""What `doctor` says of one point: how it stands, what was seen of it, and the mend. Pure. Called by its rules and the
cli.

A verdict holds names, codes, counts and times: never a key, a token or a value of the environment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """The gravest last. NOT_CHECKED: nobody knows, since something else stands in the way."""

    OK = "ok"
    NOT_CHECKED = "not_checked"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`check`: which point. `code`: a stable slug of what is wrong, or "ok". `seen` and `mend` are sentences; nothing
    is to be mended where all is well."""

    check: str
    grade: Grade
    code: str
    seen: str
    mend: str = ""


def well(check: str, seen: str) -> Verdict:
    return Verdict(check, Grade.OK, "ok", seen)


def warning(check: str, code: str, seen: str, mend: str) -> Verdict:
    return Verdict(check, Grade.WARNING, code, seen, mend)


def failed(check: str, code: str, seen: str, mend: str) -> Verdict:
    return Verdict(check, Grade.FAILED, code, seen, mend)


def unchecked(check: str, why: str) -> Verdict:
    """`why`: a sentence, of what has to be mended or known first."""
    return Verdict(check, Grade.NOT_CHECKED, "not_checked", why)


def worst(verdicts: Iterable[Verdict]) -> Grade:
    grades = list(Grade)
    return max((verdict.grade for verdict in verdicts), key=grades.index, default=Grade.OK)


def named(names: Iterable[str], most: int = 6) -> str:
    """ "a, b and 3 more": what a sentence can take."""
    told = list(names)
    more = f" and {len(told) - most} more" if len(told) > most else ""
    return ", ".join(told[:most]) + more
