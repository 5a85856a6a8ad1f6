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

# These ask for others; nothing that is looked at needs them.
ASKING = ("BOT_PROVIDER", "METRICS_PORT")


def services_around(problems: Mapping[str, str]) -> Services | None:
    """Services in which every key of `problems` is left out, or has a stand-in if it has to be there. None: not even
    so."""
    left_out = {**_left_out(problems), **dict.fromkeys(ASKING, "")}
    stand_ins = {name: value for name, value in _stand_ins().items() if name in problems}
    try:
        return build_services(load({**process_environment(), **left_out, **stand_ins}))
    except SettingsError:
        return None


def _left_out(problems: Mapping[str, str]) -> dict[str, str]:
    """An empty value counts as missing: the default holds."""
    return {name: "" for key in KEYS if key.name in problems for name in (key.name, key.also) if name}


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
