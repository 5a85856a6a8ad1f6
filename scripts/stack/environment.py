"""Owns the service's development environment: which variables, which values, and the file they are written to.

Called by supabase.py (values), `__main__.py` (file), and by whoever puts an emulator in a provider's place. The names
are the contract of `sync/settings.py`.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path

from scripts.stack.bots import FakeServer
from scripts.stack.secrets_file import Secrets

# The client the emulator knows (scripts/stack/google). Not secret: it opens nothing but an emulator.
GOOGLE_CLIENT_ID = "emulator-client"
GOOGLE_CLIENT_SECRET = "emulator-secret"  # noqa: S105  # see above


def service_environment(
    secrets: Secrets, *, url: str, db_url: str, postgres_url: str, port: int, google: Mapping[str, str]
) -> dict[str, str]:
    """Every variable the service reads, plus the stack's own extras."""
    return {
        "SUPABASE_URL": url,
        "SUPABASE_SERVICE_ROLE_KEY": secrets.service_key,
        "SUPABASE_ANON_KEY": secrets.anon_key,
        "SUPABASE_PUBLISHABLE_KEY": secrets.publishable_key,
        "SUPABASE_JWT_SECRET": secrets.jwt_secret,
        "SUPABASE_DB_URL": db_url,
        "GOOGLE_CLIENT_ID": GOOGLE_CLIENT_ID,
        "GOOGLE_CLIENT_SECRET": GOOGLE_CLIENT_SECRET,
        **google,
        "WEBHOOK_BASE_URL": f"http://127.0.0.1:{port}",
        "PORT": str(port),
        "CHANNEL_TOKEN_SECRET": secrets.channel_token_secret,
        "TOKEN_ENCRYPTION_KEYS": secrets.token_encryption_key,
        "CRON_SECRET": secrets.cron_secret,
        "POLL_STALE_HOURS": "6",
        "RENEW_LEAD_HOURS": "36",
        "CALENDAR_LOST_DAYS": "7",
        "HORIZON_PAST_DAYS": "1",
        "HORIZON_FUTURE_DAYS": "60",
        "LOG_LEVEL": "info",
        "STACK_POSTGRES_URL": postgres_url,
        "STACK_SB_SECRET_KEY": secrets.secret_key,
        "STACK_SB_PUBLISHABLE_KEY": secrets.publishable_key,
    }


def google_addresses(emulator_url: str) -> dict[str, str]:
    """The emulator in Google's place. Without an emulator these are left out, and Google's own apply."""
    base = emulator_url.rstrip("/")
    return {
        "GOOGLE_CLIENT_ID": GOOGLE_CLIENT_ID,
        "GOOGLE_CLIENT_SECRET": GOOGLE_CLIENT_SECRET,
        "GOOGLE_API_ENDPOINT": base,
        "GOOGLE_AUTH_URI": f"{base}/o/oauth2/v2/auth",
        "GOOGLE_TOKEN_URI": f"{base}/token",
        "GOOGLE_REVOKE_URI": f"{base}/revoke",
    }


def bot_provider(fake: FakeServer) -> dict[str, str]:
    """The fake in its provider's place, with a bot for every meeting."""
    secret = fake.secret.removeprefix("whsec_")
    own = {
        "attendee": {
            "ATTENDEE_API_URL": fake.api_url,
            "ATTENDEE_API_KEY": fake.api_key,
            "ATTENDEE_WEBHOOK_SECRET": secret,
        },
        "recall": {
            "RECALL_API_URL": fake.api_url,
            "RECALL_API_KEY": fake.api_key,
            "RECALL_WEBHOOK_SECRET": f"whsec_{secret}",
        },
        "webhook": {"BOT_WEBHOOK_URL": fake.api_url, "BOT_WEBHOOK_SECRET": f"whsec_{secret}"},
    }[fake.kind]
    return {"BOT_PROVIDER": fake.kind, "BOT_JOIN_RULE": "all", **own}


def write_env_file(path: Path, variables: Mapping[str, str]) -> None:
    """Write lines that a shell can source for what it starts: all or nothing, readable by the owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
