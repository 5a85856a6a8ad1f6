"""What an environment key is: one field of a settings class, with all that there is to say of it.

Used by `settings` and `bot_settings`, which list the keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Key:
    """One environment key: the `section` it is listed under, its check, its help, an example of its value, its default
    (None: required unless `optional`), whether it is a secret, another name that it goes by (`also`), the command
    that makes a value (`make`), and the `field` of Settings that holds what was read."""

    section: str
    name: str
    check: Callable[[str], Any]
    help: str
    example: str
    default: str | None
    optional: bool
    secret: bool
    also: str = ""
    make: str = ""
    field: str = ""


def environment_key(
    section: str,
    name: str,
    check: Callable[[str], Any],
    help: str,
    *,
    example: str | None = None,
    default: str | None = None,
    optional: bool = False,
    secret: bool = False,
    also: str = "",
    make: str = "",
) -> Any:
    """A field of Settings, with all that there is to say of its key. A secret is left out of the repr, and its
    example opens nothing."""
    key = Key(section, name, check, help, example or default or "", default, optional, secret, also, make)
    return field(repr=not secret, metadata={"key": key})


def keys_of(settings: type) -> tuple[Key, ...]:
    """The keys of a settings class, in the order it lists them."""
    return tuple(replace(each.metadata["key"], field=each.name) for each in fields(settings))
