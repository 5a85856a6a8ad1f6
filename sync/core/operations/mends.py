"""What an operator does about each fault that only they can mend, as sentences. Pure. Called by whatever tells one: the
log, /readyz, problems, `doctor`."""

from __future__ import annotations

# Of the database: every call is refused alike until it is mended.
DATABASE_MENDS = {
    "database_key_refused": (
        "Supabase refuses the key: put the secret key (sb_secret_…, Project Settings, API keys) of the project at "
        "SUPABASE_URL into SUPABASE_SERVICE_ROLE_KEY"
    ),
    "database_key_not_secret": (
        "the key is one for front ends (publishable or anon): put the secret key (sb_secret_…) into "
        "SUPABASE_SERVICE_ROLE_KEY"
    ),
    "migrations_missing": (
        "the database has none of the migrations: run `supabase db push`, and check that SUPABASE_URL is the project "
        "they went to"
    ),
    "migrations_behind": (
        "the database lacks migrations that this version needs: run `supabase db push` (if it was just run: "
        "`notify pgrst, 'reload schema'`)"
    ),
    "grants_missing": (
        "service_role lacks a right on what the detail names: run the newest migrations again, or grant it"
    ),
}
_OTHERWISE = "check GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET and the Google Cloud project"
_MENDS = {
    **DATABASE_MENDS,
    "accessNotConfigured": "enable the Google Calendar API in the Google Cloud project",
    "SERVICE_DISABLED": "enable the Google Calendar API in the Google Cloud project",
    "push.webhookUrlNotHttps": "WEBHOOK_BASE_URL must be https",
    "push.webhookUrlUnauthorized": "WEBHOOK_BASE_URL is not accepted by Google: check its domain and certificate",
    "deleted_client": "the OAuth client was deleted: restore it within 30 days",
    "key_rejected": "the bot provider refuses its API key: put a valid one into the environment",
    "no_credit": "the bot provider's account has no credit: its bots wait until it has",
    "too_many_bots": "the bot provider's account has reached its number of concurrent bots: raise it there",
    "zoom_credentials_missing": "the bot provider needs Zoom credentials for this account: add them there",
    "other_oauth_client": "stored grants belong to another GOOGLE_CLIENT_ID: put it back, or have users connect again",
}


def is_operators(code: str) -> bool:
    """Whether it is a fault that the operator alone can mend."""
    return code in _MENDS


def mend_of(code: str) -> str:
    return _MENDS.get(code, _OTHERWISE)


def sentence_of(code: str) -> str:
    mend = mend_of(code)
    return f"{mend[:1].upper()}{mend[1:]}."
