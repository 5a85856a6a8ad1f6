"""Services in spite of settings that are not right: what does not need the bad keys can be looked at all the same.

Called by the cli, for `doctor` alone: with these services nothing is done.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping

from sync.jobs.services import Services, build_services
from sync.settings import KEYS, SettingsError, load, process_environment

# Loading again may uncover what does not fit together; each time one key more is left out.
ROUNDS = 5


def services_around(problems: Mapping[str, str]) -> tuple[Services | None, dict[str, str]]:
    """Services in which every key of `problems` has a stand-in, and all problems there are. None: not even so."""
    found, stand_ins = dict(problems), _stand_ins()
    for _ in range(ROUNDS):
        try:
            return build_services(
                load({**process_environment(), **_left_out(found), **_chosen(stand_ins, found)})
            ), found
        except SettingsError as more:
            if more.problems.keys() <= found.keys():
                break
            found |= more.problems
    return None, found


def _left_out(problems: Mapping[str, str]) -> dict[str, str]:
    """An empty value counts as missing: the default holds."""
    return {name: "" for key in KEYS if key.name in problems for name in (key.name, key.also) if name}


def _chosen(stand_ins: Mapping[str, str], problems: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in stand_ins.items() if name in problems}


def _stand_ins() -> dict[str, str]:
    """Of what has no default. They reach nobody and open nothing."""
    return {
        "SUPABASE_URL": "https://unset.invalid",
        "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_unset",
        "GOOGLE_CLIENT_ID": "unset",
        "GOOGLE_CLIENT_SECRET": "unset",
        "WEBHOOK_BASE_URL": "https://unset.invalid",
        "CHANNEL_TOKEN_SECRET": secrets.token_urlsafe(32),
        "TOKEN_ENCRYPTION_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    }
