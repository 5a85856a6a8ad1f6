"""PostgREST's and Postgres' words for a refusal, without the values they quote; and whether a refusal is the set-up's.

What is kept is what an operator needs: which table, column, function, constraint or role. Called by `rpc`.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from postgrest.exceptions import APIError

MOST_CHARACTERS = 400
KEY_REFUSED, KEY_NOT_SECRET = "database_key_refused", "database_key_not_secret"
GRANTS_MISSING, MIGRATIONS_BEHIND = "grants_missing", "migrations_behind"
# Functions, tables and columns that the database does not have: PostgREST's words for it, and Postgres'.
_UNKNOWN_THERE = frozenset({"PGRST202", "PGRST204", "PGRST205", "42883", "42P01", "42703"})
_POSTGREST_OR_POSTGRES = re.compile(r"PGRST\w+|[0-9A-Z]{5}")
# Names of the schema stay; what else stands in quotes is a value.
_NAMED = (
    "column|relation|table|view|function|constraint|type|schema|role|index|trigger|sequence|database|policy for table"
)
_VALUES = (
    (re.compile(rf'(?<!\w)((?:{_NAMED}) )"([\w.]+)"'), r"\1\2"),
    (re.compile(r"=\(.*\)", re.DOTALL), "=(…)"),
    (re.compile(r"(?i)(row contains )\(.*\)", re.DOTALL), r"\1(…)"),
    (re.compile(r"\"[^\"]*(?:\"|$)|(?<!\w)'[^']*(?:'|$)|“[^”]*(?:”|$)"), "…"),
    (re.compile(r"\S+@\S+"), "…"),
    (re.compile(r"[a-z][\w+.-]*://\S+"), "…"),
    (re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{13,27}"), "…"),
    # Keys, tokens, times, numbers of rows and people.
    (re.compile(r"\b(?=\w*\d)[\w+/=-]{16,}|\d{5,}|\b\d{4}-\d\d-\d\d[\d:. T+-]*"), "…"),
)


def words_of(refused: APIError) -> str:
    """ "<code> <message>; <detail>; <hint>", of PostgREST's own answers alone: a gateway's page says nothing here."""
    code = str(refused.code or "")
    if code and not _POSTGREST_OR_POSTGRES.fullmatch(code):
        return code
    parts = [part for part in (refused.message, refused.details, refused.hint) if isinstance(part, str) and part]
    return f"{code} {'; '.join(map(without_values, parts))}".strip()[:MOST_CHARACTERS]


def without_values(text: str) -> str:
    for form, instead in _VALUES:
        text = form.sub(instead, text)
    return " ".join(text.split())


def set_up_fault(status: int, code: str, *, is_front_end_key: bool) -> str | None:
    """Why every call would be refused so, as one of the codes above; None: it is about this call."""
    if code == "42501":
        # PostgREST answers 401 to whom it takes for nobody.
        return KEY_NOT_SECRET if is_front_end_key or status == HTTPStatus.UNAUTHORIZED else GRANTS_MISSING
    if status == HTTPStatus.UNAUTHORIZED and (code == "unknown" or code.startswith("PGRST30")):
        return KEY_NOT_SECRET if is_front_end_key else KEY_REFUSED
    if code in _UNKNOWN_THERE:
        return MIGRATIONS_BEHIND
    return None
