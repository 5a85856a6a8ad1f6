"""What PostgREST says of a refusal: words for the operator, without the values that it quotes."""

from __future__ import annotations

import pytest

from sync.clients.store.refusals import set_up_fault, without_values


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("permission denied for table meetings", "permission denied for table meetings"),
        (
            'null value in column "title" of relation "meetings" violates not-null constraint',
            "null value in column title of relation meetings violates not-null constraint",
        ),
        ("Key (user_id, room)=(5f0c2b1e-0000-4000-8000-000000000001, a) b) already exists.", "Key (user_id, room)=(…"),
        ("Failing row contains (7, Standup with Alice, https://meet.example/abc).", "Failing row contains (…)."),
        ('invalid input syntax for type uuid: "Alice\'s call"', "invalid input syntax for type uuid: …"),
        ("there is no user alice@example.com", "there is no user …"),
        ("see https://project.supabase.co/rest for 1234567 rows", "see … for … rows"),
        ("token eyJhbGciOiJIUzI1NiJ9abcdef is bad", "token … is bad"),
        (
            "Could not find the function public.commit_sync(p_a, p_b) in the schema cache",
            "Could not find the function public.commit_sync(p_a, p_b) in the schema cache",
        ),
    ],
)
def test_the_words_stay_and_the_values_go(said: str, kept: str) -> None:
    assert without_values(said).startswith(kept)
    assert not [value for value in ("5f0c", "Alice", "Standup", "alice@", "meet.", "eyJ", "12345") if value in
                without_values(said)]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "code", "is_front_end_key", "fault"),
    [
        (401, "unknown", False, "database_key_refused"),
        (401, "PGRST301", False, "database_key_refused"),
        (401, "PGRST301", True, "database_key_not_secret"),
        (401, "42501", False, "database_key_not_secret"),
        (403, "42501", True, "database_key_not_secret"),
        (403, "42501", False, "grants_missing"),
        (404, "PGRST202", False, "migrations_behind"),
        (404, "42P01", False, "migrations_behind"),
        (409, "23505", False, None),
        (400, "22P02", True, None),
    ],
)
def test_a_fault_of_the_set_up_is_told_from_a_refused_call(
    status: int, code: str, is_front_end_key: bool, fault: str | None
) -> None:
    assert set_up_fault(status, code, is_front_end_key=is_front_end_key) == fault
