"""Refusals: one form for all, naming the field and the mend, never a secret, never a 5xx for a bad request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.calls import (
    CONNECT,
    CRON,
    POLL,
    RENEW,
    WEBHOOK,
    assert_no_secret,
    assert_problem,
    bearer,
    call,
    raw_request,
)
from tests.world import World

USER = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        (b"{nonsense", "body_malformed", "JSON object"),
        (b"[]", "body_malformed", "JSON object"),
        (b"null", "body_malformed", "JSON object"),
        (b'"userId"', "body_malformed", "JSON object"),
        (b"\xff\xfe{}", "body_malformed", "JSON object"),
        (b"[" * 50_000, "body_malformed", "JSON object"),
        (b'{"userId":' * 5_000, "body_malformed", "JSON object"),
        (b'{"userId": ' + b"9" * 10_000 + b"}", "body_malformed", "JSON object"),
        (b"", "user_id_missing", "userId"),
        (b"{}", "user_id_missing", "userId"),
        (b'{"userId": null}', "user_id_missing", "userId"),
        (b'{"userId": 7}', "user_id_missing", "userId"),
        (b'{"userId": ["7c9e6679-7425-40de-944b-e07fc1f90ae7"]}', "user_id_missing", "userId"),
        (b'{"userId": ""}', "user_id_malformed", "UUID"),
        (b'{"userId": "alice"}', "user_id_malformed", "UUID"),
        (b'{"userId": "\\ud800"}', "user_id_malformed", "UUID"),
        (b'{"userId": "7c9e6679-7425-40de-944b-e07fc1f90ae7\\u0000"}', "user_id_malformed", "UUID"),
    ],
)
@pytest.mark.parametrize("path", [POLL, CONNECT])
def test_a_bad_body_is_told_what_is_wrong(world: World, path: str, body: bytes, code: str, named: str) -> None:
    answer = call(world, path, bearer(world.supabase.service_key), content=body)

    assert named in assert_problem(answer, 400, code)["detail"]
    assert_no_secret(world, answer)


@pytest.mark.parametrize("force", ["true", 1, 0, "", [], {}, None])
def test_force_is_true_or_false(world: World, force: Any) -> None:
    answer = call(world, POLL, bearer(world.supabase.service_key), json={"userId": USER, "force": force})

    assert "force" in assert_problem(answer, 400, "force_malformed")["detail"]


@pytest.mark.parametrize("token", [None, "", "  ", 7, ["t"], {"t": 1}])
def test_connecting_needs_a_refresh_token(world: World, token: Any) -> None:
    body = {"userId": USER, "provider_refresh_token": token}
    answer = call(world, CONNECT, bearer(world.supabase.service_key), json=body)

    assert "provider_refresh_token" in assert_problem(answer, 400, "provider_refresh_token_missing")["detail"]


@pytest.mark.parametrize("token", ["1//" + "x" * 5000, "1//tok\u0000en", "1//tok en\n2", "1//tökén", "\ud800"])
def test_what_is_no_token_is_not_sent_to_google(world: World, token: str) -> None:
    body = json.dumps({"userId": USER, "provider_refresh_token": token})
    answer = call(world, CONNECT, bearer(world.supabase.service_key), content=body.encode())

    assert_problem(answer, 400, "provider_refresh_token_malformed")
    assert token.strip() not in answer.text
    assert world.google_calls("token") == 0


@pytest.mark.parametrize(
    "ids",
    [
        "primary",
        {"id": "primary"},
        7,
        True,
        [""],
        ["  "],
        [7],
        [None],
        [["primary"]],
        ["a\u0000b"],
        ["\ud800"],
        ["x" * 1025],
        ["primary"] * 51,
    ],
)
def test_calendar_ids_are_a_list_of_ids(world: World, ids: Any) -> None:
    body = json.dumps({"userId": USER, "provider_refresh_token": "1//token", "calendarIds": ids})
    answer = call(world, CONNECT, bearer(world.supabase.service_key), content=body.encode())

    assert "calendarIds" in assert_problem(answer, 400, "calendar_ids_malformed")["detail"]
    assert world.google_calls("token") == 0


def test_a_body_is_read_whatever_its_content_type(world: World) -> None:
    """curl -d says it is a form."""
    headers = {**bearer(world.supabase.service_key), "Content-Type": "application/x-www-form-urlencoded"}

    assert_problem(call(world, POLL, headers, content=json.dumps({"userId": USER})), 404, "no_calendars")


@pytest.mark.parametrize("path", [POLL, CONNECT])
def test_a_body_too_large_is_refused(world: World, path: str) -> None:
    answer = call(world, path, bearer(world.supabase.service_key), content=b" " * 70_000)

    assert_problem(answer, 413, "request_entity_too_large")


def test_a_body_in_endless_chunks_is_not_read_to_its_end(world: World) -> None:
    """Werkzeug cuts it at the limit, which leaves no JSON."""
    answer = call(world, POLL, bearer(world.supabase.service_key), content=iter([b" " * 10_000] * 70))

    assert answer.status_code in (400, 413)
    assert_problem(answer, answer.status_code)


@pytest.mark.parametrize("path", [POLL, CONNECT, CRON, RENEW, WEBHOOK])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_is_refused_with_the_right_one(world: World, path: str, method: str) -> None:
    answer = call(world, path, bearer(world.supabase.service_key), method=method)

    assert_problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize("path", [POLL, CONNECT, CRON, RENEW, WEBHOOK])
def test_head_is_refused_too(world: World, path: str) -> None:
    assert call(world, path, method="HEAD").status_code == 405


@pytest.mark.parametrize("path", ["/", "/functions/v1/", "/functions/v1/unknown", "/healthz/x", "/static/x", "/%00"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_not_found(world: World, path: str, method: str) -> None:
    assert_problem(call(world, path, method=method), 404, "not_found")


def test_a_store_that_does_not_answer_is_a_503_to_try_again(world: World) -> None:
    headers = bearer(world.supabase.service_key)
    for path in (POLL, CRON, RENEW):
        world.supabase.fault("*", "http_500", times=50)
        answer = call(world, path, headers, json={"userId": USER})
        world.supabase.clear_faults()
        assert_problem(answer, 503, "store_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert_no_secret(world, answer)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from([USER, "primary"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_bodies = st.one_of(
    st.fixed_dictionaries(
        {}, optional={"userId": _json, "force": _json, "provider_refresh_token": _json, "calendarIds": _json}
    ).map(lambda body: json.dumps(body).encode()),
    _json.map(lambda body: json.dumps(body).encode()),
    st.binary(max_size=200),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=_bodies, path=st.sampled_from([POLL, CONNECT]))
def test_no_body_whatever_it_holds_breaks_the_service(world: World, body: bytes, path: str) -> None:
    answer = call(world, path, bearer(world.supabase.service_key), content=body)

    assert 400 <= answer.status_code < 500, (body, answer.text)
    assert_problem(answer, answer.status_code)


@pytest.mark.parametrize("path", [POLL, CRON, CONNECT])
def test_a_request_cut_short_breaks_nothing(world: World, path: str) -> None:
    key = world.supabase.service_key
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 500\r\n\r\n"

    raw_request(world, head.encode() + b'{"userId": ')

    assert call(world, "/healthz", method="GET").status_code == 200
