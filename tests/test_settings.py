"""Configuration: all problems at once, by name, with a mend, and never with a value."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.apart import apart
from sync import env_checks
from sync.settings import KEYS, Settings, SettingsError, load

ROOT = Path(__file__).parent.parent
KEY_A, KEY_B = (base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 250))
GOOD = {
    "SUPABASE_URL": "https://project.supabase.co",
    "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_service",
    "GOOGLE_CLIENT_ID": "client",
    "GOOGLE_CLIENT_SECRET": "client-secret",
    "WEBHOOK_BASE_URL": "https://sync.example.com",
    "CHANNEL_TOKEN_SECRET": "channel-secret-0123456789",
    "TOKEN_ENCRYPTION_KEYS": KEY_A,
}


def problems(**changes: str) -> dict[str, str]:
    """What `load` says of the good environment with these changes."""
    with pytest.raises(SettingsError) as refused:
        load({**GOOD, **changes})
    return refused.value.problems


def test_every_key_has_its_field_and_every_field_its_key() -> None:
    fields = [field.name for field in dataclasses.fields(Settings)]

    assert sorted(key.field for key in KEYS) == sorted(fields)
    assert len({key.name for key in KEYS}) == len(KEYS) == len(fields)


def test_every_key_is_explained_and_its_default_is_good() -> None:
    for key in KEYS:
        assert len(key.help) > 5
        assert key.name.isupper()
        assert not (key.optional and key.default)
        if key.default is not None:
            key.check(key.default)


def test_the_defaults_are_the_documented_ones() -> None:
    settings = load(GOOD)

    assert settings.google_api_endpoint == "https://www.googleapis.com"
    assert settings.google_auth_uri.startswith("https://accounts.google.com/")
    assert settings.google_token_uri == "https://oauth2.googleapis.com/token"
    assert settings.google_revoke_uri == "https://oauth2.googleapis.com/revoke"
    assert (settings.poll_stale_hours, settings.renew_lead_hours) == (6, 36)
    assert (settings.horizon_past_days, settings.horizon_future_days) == (1, 60)
    assert (settings.calendar_lost_days, settings.cron_budget_seconds) == (7, 50)
    assert (settings.log_retention_days, settings.log_level) == (90, "info")
    assert (settings.supabase_jwt_secret, settings.cron_secret) == (None, None)


def test_all_missing_keys_are_named_at_once_with_their_mend() -> None:
    with pytest.raises(SettingsError) as refused:
        load({})

    assert set(refused.value.problems) == set(GOOD)
    for name in GOOD:
        assert f"{name}: is missing: " in str(refused.value)


def test_a_secret_that_is_missing_comes_with_the_command_that_makes_one() -> None:
    found = problems(CHANNEL_TOKEN_SECRET="", TOKEN_ENCRYPTION_KEYS="")
    assert found["CHANNEL_TOKEN_SECRET"].endswith(env_checks.HOW_TO_MAKE_ONE)
    assert found["TOKEN_ENCRYPTION_KEYS"].endswith(env_checks.HOW_TO_MAKE_A_KEY)


@pytest.mark.parametrize("name", sorted(GOOD))
@pytest.mark.parametrize("empty", ["", "  ", "\n"])
def test_an_empty_value_counts_as_missing(name: str, empty: str) -> None:
    found = problems(**{name: empty})

    assert list(found) == [name]
    assert "is missing" in found[name]


def test_an_empty_optional_or_defaulted_value_is_none_or_the_default() -> None:
    settings = load({**GOOD, "CRON_SECRET": "", "POLL_STALE_HOURS": " "})

    assert (settings.cron_secret, settings.poll_stale_hours) == (None, 6)


def jwt_of(role: str) -> str:
    payload = base64.urlsafe_b64encode(json.dumps({"role": role}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{payload}.hidden"


BAD = [
    ("SUPABASE_SERVICE_ROLE_KEY", "sb_publishable_hidden"),
    ("SUPABASE_SERVICE_ROLE_KEY", jwt_of("anon")),
    ("SUPABASE_SERVICE_ROLE_KEY", "eyhidden.bm9uZQ.hidden"),
    ("SUPABASE_JWT_SECRET", "hidden-" + "x" * 24),
    ("SUPABASE_URL", "project.supabase.co"),
    ("SUPABASE_URL", "ftp://project.supabase.co"),
    ("SUPABASE_URL", "http://project.supabase.co"),
    ("SUPABASE_URL", "https://"),
    ("SUPABASE_URL", "https://[hidden-value"),
    ("SUPABASE_URL", "https://host:hidden-value"),
    ("SUPABASE_URL", "https://hidden\u2100value.example"),
    ("SUPABASE_URL", "https://host/?key=hidden-value"),
    ("GOOGLE_TOKEN_URI", "http://tokens.example/hidden-value"),
    ("WEBHOOK_BASE_URL", "http://sync.example.com/hidden-value"),
    ("WEBHOOK_BASE_URL", "eu=https://a.example,eu=https://hidden-value.example"),
    ("WEBHOOK_BASE_URL", "https://a.example,https://hidden-value.example"),
    ("WEBHOOK_BASE_URL", "eu="),
    ("WEBHOOK_BASE_URL", "=https://hidden-value.example"),
    ("WEBHOOK_BASE_URL", "eu=hidden-value"),
    ("WEBHOOK_BASE_URL", ","),
    ("CHANNEL_TOKEN_SECRET", "hidden-value"),
    ("CHANNEL_TOKEN_SECRET", "channel-secret-0123456789,hidden-value"),
    ("CHANNEL_TOKEN_SECRET", ","),
    ("CONNECT_REDIRECT_URLS", "app.example.com/hidden-value"),
    ("CONNECT_REDIRECT_URLS", "http://app.example.com/hidden-value"),
    ("CONNECT_REDIRECT_URLS", "https://app.example.com/, javascript:hidden-value"),
    ("CONNECT_REDIRECT_URLS", "https://hidden-value@app.example.com/"),
    ("CONNECT_REDIRECT_URLS", "https://app.example.com/hidden value"),
    ("CONNECT_REDIRECT_URLS", "https://app.example.com/hidden-välue"),
    ("CONNECT_REDIRECT_URLS", ","),
    ("CRON_SECRET", "hidden-value"),
    ("TOKEN_ENCRYPTION_KEYS", "hidden-value"),
    ("TOKEN_ENCRYPTION_KEYS", KEY_A[:-4]),
    ("TOKEN_ENCRYPTION_KEYS", f"{KEY_A},hidden-value"),
    ("TOKEN_ENCRYPTION_KEYS", "hidden-välue" * 4),
    ("TOKEN_ENCRYPTION_KEYS", ","),
    ("POLL_STALE_HOURS", "hidden-value"),
    ("POLL_STALE_HOURS", "0"),
    ("POLL_STALE_HOURS", "nan"),
    ("POLL_STALE_HOURS", "inf"),
    ("RENEW_LEAD_HOURS", "145"),
    ("HORIZON_PAST_DAYS", "-1"),
    ("HORIZON_FUTURE_DAYS", "1.5"),
    ("HORIZON_FUTURE_DAYS", "9" * 5000),
    ("LOG_RETENTION_DAYS", "0"),
    ("SYNC_THREADS", "0"),
    ("CRON_BUDGET_SECONDS", "one"),
    ("LOG_LEVEL", "hidden-value"),
    ("BOT_PROVIDER", "hidden-value"),
    ("BOT_JOIN_RULE", "hidden-value"),
    ("BOT_NAME", "hidden\tvalue"),
    ("BOT_NAME", "hidden" * 20),
    ("BOT_LEAD_SECONDS", "3601"),
    ("ATTENDEE_API_URL", "http://attendee.example/hidden-value"),
    ("ATTENDEE_API_KEY", "hidden value"),
    ("ATTENDEE_WEBHOOK_SECRET", "hidden-value"),
    ("ATTENDEE_WEBHOOK_SECRET", ","),
    ("RECALL_API_URL", "https://recall.example/?hidden=value"),
    ("RECALL_REGION", "hidden-value"),
    ("RECALL_API_KEY", "hidden-välue"),
    ("RECALL_WEBHOOK_SECRET", "whsec_hidden"),
    ("BOT_WEBHOOK_URL", "http://bots.example/hidden-value"),
    ("BOT_WEBHOOK_URL", "https://hidden-value@bots.example/"),
    ("BOT_WEBHOOK_SECRET", "whsec_hidden-value"),
    ("BOT_WEBHOOK_SECRET", ","),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_malformed_value_is_named_with_its_mend_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load({**GOOD, name: value})

    assert list(refused.value.problems) == [name]
    assert "hidden" not in str(refused.value)
    assert refused.value.problems[name].startswith(("must ", "has "))


def test_all_malformed_and_missing_keys_are_reported_together() -> None:
    bad = dict(BAD)

    found = problems(**bad, GOOGLE_CLIENT_ID="")

    assert set(found) == {*bad, "GOOGLE_CLIENT_ID"}


_text = st.text(st.characters(blacklist_characters="\x00", codec="utf-8"), min_size=24, max_size=60)


@given(st.fixed_dictionaries({key.name: _text for key in KEYS}))
def test_whatever_the_values_are_none_is_ever_shown(environment: dict[str, str]) -> None:
    try:
        load(environment)
    except SettingsError as refused:
        shown = str(refused)
        assert not [name for name, value in environment.items() if value.strip() and value.strip() in shown]


@pytest.mark.parametrize("key", ["sb_secret_service", jwt_of("service_role"), "a-key-of-a-self-hosted-project"])
@pytest.mark.parametrize("names", [{"SUPABASE_SECRET_KEY"}, {"SUPABASE_SERVICE_ROLE_KEY"}])
def test_the_service_key_goes_by_either_name(names: set[str], key: str) -> None:
    others = {name: value for name, value in GOOD.items() if name != "SUPABASE_SERVICE_ROLE_KEY"}

    assert load({**others, **dict.fromkeys(names, key)}).supabase_service_role_key == key
    assert load({**others, **dict.fromkeys(names | {"SUPABASE_SECRET_KEY"}, key)}).supabase_service_role_key == key


def test_two_service_keys_that_differ_are_refused_by_both_names() -> None:
    found = problems(SUPABASE_SERVICE_ROLE_KEY="hidden-old", SUPABASE_SECRET_KEY="hidden-new")

    assert list(found) == ["SUPABASE_SERVICE_ROLE_KEY"]
    assert "SUPABASE_SECRET_KEY" in found["SUPABASE_SERVICE_ROLE_KEY"]
    assert "hidden" not in str(found)


def test_a_signing_secret_has_32_bytes_at_least() -> None:
    assert load({**GOOD, "SUPABASE_JWT_SECRET": "ü" * 16}).supabase_jwt_secret == "ü" * 16
    assert "32 bytes" in problems(SUPABASE_JWT_SECRET="x" * 31)["SUPABASE_JWT_SECRET"]


def test_secrets_are_not_in_the_settings_repr() -> None:
    secrets = {
        "SUPABASE_SERVICE_ROLE_KEY": "hidden-service-role-key",
        "SUPABASE_JWT_SECRET": "hidden-jwt-secret-0123456789-abcdef",
        "GOOGLE_CLIENT_SECRET": "hidden-client-secret",
        "CHANNEL_TOKEN_SECRET": "hidden-channel-secret-01",
        "CRON_SECRET": "hidden-cron-secret-01234",
        "TOKEN_ENCRYPTION_KEYS": base64.urlsafe_b64encode(b"hidden" + b"x" * 26).decode(),
        "ATTENDEE_API_KEY": "hidden-attendee-key",
        "ATTENDEE_WEBHOOK_SECRET": base64.b64encode(b"hidden" + b"x" * 26).decode(),
        "RECALL_API_KEY": "hidden-recall-key",
        "RECALL_WEBHOOK_SECRET": base64.b64encode(b"hidden" + b"x" * 26).decode(),
        "BOT_WEBHOOK_SECRET": base64.b64encode(b"hidden" + b"x" * 26).decode(),
    }

    assert "hidden" not in repr(load({**GOOD, **secrets}))


BOT_SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
BOTS = {
    "attendee": {"ATTENDEE_API_KEY": "key", "ATTENDEE_WEBHOOK_SECRET": base64.b64encode(b"a" * 32).decode()},
    "recall": {"RECALL_REGION": "eu-central-1", "RECALL_API_KEY": "key", "RECALL_WEBHOOK_SECRET": BOT_SECRET},
    "webhook": {"BOT_WEBHOOK_URL": "https://bots.example/in/?team=1", "BOT_WEBHOOK_SECRET": BOT_SECRET},
}


def test_without_a_bot_provider_nothing_of_bots_is_needed() -> None:
    settings = load(GOOD)

    assert (settings.bot_provider, settings.bot_join_rule, settings.bot_lead_seconds) == (None, "none", 120)


@pytest.mark.parametrize("provider", BOTS)
def test_a_bot_provider_that_is_named_needs_its_keys(provider: str) -> None:
    assert load({**GOOD, **BOTS[provider], "BOT_PROVIDER": provider}).bot_provider == provider
    found = problems(BOT_PROVIDER=provider)

    assert set(found) == set(BOTS[provider])
    assert all(mend.startswith(f"is missing; BOT_PROVIDER={provider} needs it") for mend in found.values())


@pytest.mark.parametrize("provider", BOTS)
def test_a_key_of_the_bots_that_is_bad_is_not_called_missing(provider: str) -> None:
    name = next(name for name in BOTS[provider] if name.endswith("SECRET"))

    found = problems(**{**BOTS[provider], name: "hidden-value", "BOT_PROVIDER": provider, "GOOGLE_CLIENT_ID": ""})

    assert set(found) == {name, "GOOGLE_CLIENT_ID"}
    assert found[name].startswith("must hold ")


def test_recall_is_reached_by_region_or_by_address_and_not_by_both() -> None:
    recall = {**GOOD, **BOTS["recall"], "BOT_PROVIDER": "recall"}
    by_address = {**recall, "RECALL_REGION": "", "RECALL_API_URL": "http://127.0.0.1:8086/api/v1/"}

    assert load(recall).recall_url == "https://eu-central-1.recall.ai/api/v1"
    assert load(by_address).recall_url == "http://127.0.0.1:8086/api/v1"
    with pytest.raises(SettingsError) as refused:
        load({**by_address, "RECALL_REGION": "us-east-1"})
    assert refused.value.problems == {"RECALL_REGION": "is set beside RECALL_API_URL; keep one of them"}


def test_secrets_of_bots_are_bytes_newest_first_and_the_url_is_kept_to_the_letter() -> None:
    secrets = f"{BOT_SECRET}, {base64.b64encode(b'o' * 24).decode()}"

    settings = load({**GOOD, **BOTS["webhook"], "BOT_WEBHOOK_SECRET": secrets})

    assert settings.bot_webhook_secrets == (b"s" * 32, b"o" * 24)
    assert settings.bot_webhook_url == "https://bots.example/in/?team=1"


@pytest.mark.parametrize(
    ("value", "urls"),
    [
        ("https://sync.example.com", {"default": "https://sync.example.com"}),
        ("https://sync.example.com/base/", {"default": "https://sync.example.com/base"}),
        ("http://127.0.0.1:8080", {"default": "http://127.0.0.1:8080"}),
        ("http://localhost:8080", {"default": "http://localhost:8080"}),
        ("http://[::1]:8080", {"default": "http://[::1]:8080"}),
        ("eu=https://eu.example,us=https://us.example", {"eu": "https://eu.example", "us": "https://us.example"}),
        (
            " us = https://us.example/ , eu=https://eu.example ,",
            {"us": "https://us.example", "eu": "https://eu.example"},
        ),
        ("https://a.example/path=x", {"default": "https://a.example/path=x"}),
    ],
)
def test_the_webhook_url_is_one_or_one_for_each_region(value: str, urls: dict[str, str]) -> None:
    found = load({**GOOD, "WEBHOOK_BASE_URL": value}).webhook_base_urls

    assert list(found.items()) == list(urls.items())


def test_pages_to_return_to_are_kept_to_the_letter() -> None:
    value = " https://app.example.com/a/?x=1&y=%20#/b , http://localhost:3000/ ,"

    found = load({**GOOD, "CONNECT_REDIRECT_URLS": value}).connect_redirect_urls

    assert found == ("https://app.example.com/a/?x=1&y=%20#/b", "http://localhost:3000/")
    assert load(GOOD).connect_redirect_urls is None


def test_lists_of_secrets_keep_their_order_newest_first() -> None:
    settings = load(
        {
            **GOOD,
            "CHANNEL_TOKEN_SECRET": "newest-secret-012345, older-secret-0123456,",
            "TOKEN_ENCRYPTION_KEYS": f" {KEY_B} ,{KEY_A}",
        }
    )

    assert settings.channel_token_secrets == ("newest-secret-012345", "older-secret-0123456")
    assert settings.token_encryption_keys == (bytes([250]) * 32, bytes([1]) * 32)


def test_numbers_and_levels_are_read() -> None:
    settings = load({**GOOD, "POLL_STALE_HOURS": " 0.5 ", "HORIZON_PAST_DAYS": "0", "LOG_LEVEL": "WARNING"})

    assert (settings.poll_stale_hours, settings.horizon_past_days, settings.log_level) == (0.5, 0, "warning")


def test_a_service_that_is_tried_hears_no_operator(tmp_path: Path) -> None:
    """Or it would mail, alert and send bots for a real project."""
    of_a_project = {
        "SUPABASE_SECRET_KEY": "sb_secret_of_a_project",
        "BOT_PROVIDER": "webhook",
        "ALERT_URLS": "json://alerts.example.com",
        "HEARTBEAT_URL": "https://beat.example.com",
    }
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in of_a_project.items()))
    script = "from sync.settings import load; print(load())"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "SMTP_URL": "smtps://mail.example.com"}

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**environment, **apart(GOOD)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == str(load(GOOD))


def test_the_process_environment_wins_over_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in GOOD.items()) + "LOG_LEVEL=debug\n")
    script = "from sync.settings import load; s = load(); print(s.log_level, s.google_client_id)"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LOG_LEVEL": "error"}

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["error", "client"]
