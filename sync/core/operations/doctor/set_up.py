"""Whether the service is set up: its settings, its database, that database's schema. Pure. Called by the doctor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.core.operations.doctor.verdict import Verdict, failed, named, unchecked, warning, well
from sync.core.operations.mends import DATABASE_MENDS, sentence_of
from sync.errors import StoreFailure

SETTINGS, SERVICE_KEY, SIGN_IN, DATABASE = "settings", "service key", "sign-in keys", "database"
TABLES, ROW_SECURITY, GRANTS, REALTIME = "tables and functions", "row level security", "grants", "realtime"
SCHEMA = (TABLES, ROW_SECURITY, GRANTS, REALTIME)
_RERUN = "Run the newest migrations again"


def settings(problems: Mapping[str, str]) -> list[Verdict]:
    """`problems`: each bad key and its mend, as the settings tell them."""
    if not problems:
        return [well(SETTINGS, "Every key of the environment is set right.")]
    return [
        failed(SETTINGS, "settings_refused", f"{name} {_beginning(mend)}", f"{name} {mend}.")
        for name, mend in problems.items()
    ]


def _beginning(mend: str) -> str:
    """What is wrong, of a problem that also says how to put it right."""
    return "is missing." if mend.startswith("is missing") else "is not as it must be."


def service_key(*, is_legacy: bool) -> Verdict:
    if is_legacy:
        return warning(
            SERVICE_KEY,
            "legacy_service_key",
            "The key is the legacy service_role JWT, which the platform retires at the end of 2026.",
            "Make a secret key (sb_secret_…, Project Settings, API keys) and put it into SUPABASE_SECRET_KEY.",
        )
    return well(SERVICE_KEY, "The key has the form of a secret one.")


def sign_in(published: int | None, *, has_secret: bool) -> Verdict:
    """`published`: signing keys of the project; None: they cannot be had."""
    if published:
        return well(SIGN_IN, f"The project publishes its signing keys ({published}): users' calls can be checked.")
    if has_secret:
        return well(SIGN_IN, "Users' calls are checked with SUPABASE_JWT_SECRET.")
    if published is None:
        return failed(
            SIGN_IN,
            "keys_unavailable",
            "The project's signing keys cannot be had: no user's call can be checked.",
            "See whether SUPABASE_URL is the project's, and whether /auth/v1/.well-known/jwks.json answers there.",
        )
    return failed(
        SIGN_IN,
        "no_signing_keys",
        "The project publishes no signing key, and SUPABASE_JWT_SECRET is not set: no user's call can be checked.",
        "Put the project's legacy JWT secret into SUPABASE_JWT_SECRET, or move it to signing keys (Project Settings, "
        "JWT keys).",
    )


def database(failure: StoreFailure | None, url: str) -> Verdict:
    """`failure`: why the service is not ready, as `why_not_ready` tells it."""
    if failure is None:
        return well(DATABASE, f"{url} answers, takes the key, and has the migrations that this version needs.")
    if failure.code in DATABASE_MENDS:
        return failed(DATABASE, failure.code, f"{url} refuses ({failure}).", sentence_of(failure.code))
    return failed(
        DATABASE,
        "database_unreachable",
        f"{url} does not answer ({failure}).",
        "See whether SUPABASE_URL is the project's, whether the project is paused, and whether this network lets it "
        "through.",
    )


def schema(found: Mapping[str, Any]) -> list[Verdict]:
    """`found`: what is not as the migrations left it (`inspect_calendar_schema`)."""
    return [_tables(found), _row_security(found), _grants(found), _realtime(found)]


def schema_unknown(why: str) -> list[Verdict]:
    return [unchecked(check, why) for check in SCHEMA]


def _tables(found: Mapping[str, Any]) -> Verdict:
    missing = [*found["tables_missing"], *found["functions_missing"]]
    if missing:
        return failed(TABLES, "migrations_behind", f"Missing: {named(missing)}.", sentence_of("migrations_behind"))
    return well(TABLES, "All are there.")


def _row_security(found: Mapping[str, Any]) -> Verdict:
    tables, functions = found["tables_open"], found["functions_open"]
    if tables:
        return failed(
            ROW_SECURITY,
            "row_level_security_off",
            f"Users reach each other's rows: it is off on {named(tables)}.",
            _sql(f"alter table public.{name} enable row level security" for name in tables),
        )
    if functions:
        return failed(
            ROW_SECURITY,
            "functions_open",
            f"anon or authenticated may execute {named(functions)}, which are for the service alone.",
            _sql(f"revoke execute on function public.{name} from public, anon, authenticated" for name in functions),
        )
    return well(ROW_SECURITY, "It is on for every table, and every function is the service's alone.")


def _grants(found: Mapping[str, Any]) -> Verdict:
    tables, functions = found["tables_not_granted"], found["functions_not_granted"]
    if not tables and not functions:
        return well(GRANTS, "service_role reaches every table and function.")
    statements = [f"grant select, insert, update, delete on public.{name} to service_role" for name in tables]
    statements += [f"grant execute on function public.{name} to service_role" for name in functions]
    seen = f"service_role lacks its right on {named([*tables, *functions])}."
    return failed(GRANTS, "grants_missing", seen, _sql(statements))


def _realtime(found: Mapping[str, Any]) -> Verdict:
    unpublished: Sequence[str] | None = found["unpublished"]
    if unpublished is None:
        return warning(
            REALTIME,
            "publication_missing",
            "There is no publication supabase_realtime: front ends hear of nothing.",
            "Run in the SQL editor: create publication supabase_realtime; then run the newest migrations again.",
        )
    if unpublished:
        return warning(
            REALTIME,
            "unpublished",
            f"Front ends do not hear of {named(unpublished)}.",
            _sql(f"alter publication supabase_realtime add table public.{name}" for name in unpublished),
        )
    return well(REALTIME, "Front ends hear of what they listen to.")


def _sql(statements: Any) -> str:
    """The mend as SQL; of many the first ones, and the way that mends all."""
    told = list(statements)
    if len(told) > 3:
        return f"{_RERUN}, or in the SQL editor, of each: {told[0]};"
    return f"{_RERUN}, or in the SQL editor: {'; '.join(told)};"
