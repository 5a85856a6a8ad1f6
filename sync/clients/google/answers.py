"""What every listing's answer has in common: its items, its tokens, and pages that come to an end."""

from __future__ import annotations

from typing import Any

from sync.errors import ForeignAnswer, RetryLater


class PagesTurned:
    """The page tokens of one listing: none comes twice, and there are not more than `most`, whatever the other side
    says."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: set[str] = set()

    def to(self, page_token: str) -> None:
        """Raises RetryLater."""
        if page_token in self._seen:
            raise RetryLater("page_token_repeats")
        if len(self._seen) >= self._most:
            raise RetryLater("too_many_pages")
        self._seen.add(page_token)


def items_of(answer: dict[str, Any], kind: str) -> list[Any]:
    """The items of a list answer. Raises ForeignAnswer for a JSON object that is no such list: as an empty one it would
    end everything in the calendar."""
    items = answer.get("items", [])
    if answer.get("kind") != kind or not isinstance(items, list):
        raise ForeignAnswer("foreign_answer_200")
    return items


def token_of(answer: dict[str, Any], name: str) -> str | None:
    """A text of an answer; None where it is missing or empty. Raises ForeignAnswer for anything else."""
    value = answer.get(name)
    if value is not None and not isinstance(value, str):
        raise ForeignAnswer("foreign_answer_200")
    return value or None
