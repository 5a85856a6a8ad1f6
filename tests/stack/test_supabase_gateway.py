"""The gateway admits keys as the platform does, counts calls, and fails on request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import psycopg
import pytest
from postgrest.exceptions import APIError

from scripts.stack.supabase import LocalSupabase
from scripts.stack.waiting import wait_until
from supabase import Client, create_client

ALICE = "00000000-0000-4000-8000-00000000a11c"
SCHEMA = """
create table public.notes (id int primary key, body text);
grant select, insert on public.notes to service_role;
create function public.whoami() returns text language sql stable set search_path = '' as 'select current_user::text';
create function public.note(id int) returns int language sql set search_path = ''
  as 'insert into public.notes (id) values (id) returning id';
"""


@pytest.fixture(scope="module")
def running() -> Iterator[LocalSupabase]:
    with LocalSupabase(migrate=False) as project:
        with psycopg.connect(project.postgres_url) as connection:
            connection.execute(SCHEMA)
        project.reload_schema()
        with project.rest() as client:
            wait_until(
                lambda: client.post("rpc/whoami", json={}).status_code == 200, within_seconds=60, what="the schema"
            )
        yield project


@pytest.fixture
def project(running: LocalSupabase) -> Iterator[LocalSupabase]:
    running.reset_counters()
    yield running
    running.clear_faults()


@pytest.fixture
def client(project: LocalSupabase) -> Iterator[httpx.Client]:
    with project.rest() as client:
        yield client


def ask(project: LocalSupabase, headers: dict[str, str], query: str = "") -> httpx.Response:
    return httpx.post(f"{project.url}/rest/v1/rpc/whoami{query}", json={}, headers=headers)


def notes(project: LocalSupabase, number: int) -> int:
    with psycopg.connect(project.db_url) as connection:
        row = connection.execute("select count(*) from public.notes where id = %s", (number,)).fetchone()
    return int(row[0]) if row else 0


def switch(project: LocalSupabase, method: str, path: str, content: Any = None) -> Any:
    headers = {"apikey": project.service_key}
    answer = httpx.request(method, f"{project.url}/_stack/{path}", headers=headers, json=content)
    return answer.raise_for_status().json()


def test_call_without_a_key_is_refused(project: LocalSupabase) -> None:
    answer = ask(project, {})
    assert (answer.status_code, answer.json()["message"]) == (401, "No API key found in request")
    assert project.counters() == {}


def test_call_with_an_authorization_but_no_key_is_refused(project: LocalSupabase) -> None:
    assert ask(project, {"authorization": f"Bearer {project.service_key}"}).status_code == 401


@pytest.mark.parametrize("key", [b"", b"wrong", b"sb_secret_wrong", "é".encode()])
def test_call_with_a_wrong_key_is_refused(project: LocalSupabase, key: bytes) -> None:
    answer = httpx.post(f"{project.url}/rest/v1/rpc/whoami", json={}, headers={b"apikey": key})
    assert (answer.status_code, answer.json()["message"]) == (401, "Invalid API key")


def test_key_signed_with_another_secret_is_refused(project: LocalSupabase) -> None:
    forged = jwt.encode({"role": "service_role"}, "x" * 40, algorithm="HS256")
    assert ask(project, {"apikey": forged}).status_code == 401
    assert ask(project, {"apikey": project.anon_key, "authorization": f"Bearer {forged}"}).status_code == 401


def test_each_key_alone_gives_its_role(project: LocalSupabase) -> None:
    keys = {
        project.anon_key: "anon",
        project.secrets.publishable_key: "anon",
        project.service_key: "service_role",
        project.sb_secret_key: "service_role",
    }
    assert {key: ask(project, {"apikey": key}).json() for key in keys} == keys


@pytest.mark.parametrize("key", ["sb_secret_key", "service_key"])
def test_an_opaque_key_as_bearer_is_refused_whatever_stands_beside_it(project: LocalSupabase, key: str) -> None:
    headers = {"apikey": getattr(project, key), "authorization": f"Bearer {project.sb_secret_key}"}
    answer = ask(project, headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "PGRST301")


def test_secret_key_is_refused_from_a_browser(project: LocalSupabase) -> None:
    headers = {"apikey": project.sb_secret_key, "user-agent": "Mozilla/5.0 (X11; Linux x86_64)"}
    assert ask(project, headers).status_code == 401


def test_key_in_the_query_is_taken_and_not_passed_on(project: LocalSupabase) -> None:
    assert ask(project, {}, f"?apikey={project.service_key}").json() == "service_role"
    answer = httpx.get(f"{project.url}/rest/v1/notes?select=id&apikey={project.service_key}&id=eq.-1")
    assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.parametrize("algorithm", ["HS256", "ES256"])
def test_users_token_passes_through(project: LocalSupabase, algorithm: Any) -> None:
    token = project.user_jwt(ALICE, algorithm=algorithm)
    headers = {"apikey": project.secrets.publishable_key, "authorization": f"Bearer {token}"}
    assert ask(project, headers).json() == "authenticated"


def test_expired_users_token_is_refused(project: LocalSupabase) -> None:
    token = project.user_jwt(ALICE, expires_in=-3600)
    answer = ask(project, {"apikey": project.anon_key, "authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["message"]) == (401, "JWT expired")


def test_published_keys_verify_asymmetric_tokens_and_hold_no_secret(project: LocalSupabase) -> None:
    url = f"{project.url}/auth/v1/.well-known/jwks.json"
    token = project.user_jwt(ALICE, algorithm="ES256")
    key = jwt.PyJWKClient(url).get_signing_key_from_jwt(token)
    assert jwt.decode(token, key, algorithms=["ES256"], audience="authenticated")["sub"] == ALICE
    assert [(each["kty"], "d" in each) for each in httpx.get(url).json()["keys"]] == [("EC", False)]


@pytest.mark.parametrize("path", ["/", "/rest/v2/notes", "/auth/v1/user", "/rest/v1x", "/storage/v1/bucket"])
def test_other_paths_do_not_exist(project: LocalSupabase, path: str) -> None:
    assert httpx.get(project.url + path, headers={"apikey": project.service_key}).status_code == 404


def test_supabase_py_as_it_is_comes_in_with_a_legacy_key_alone(project: LocalSupabase) -> None:
    with pytest.raises(APIError, match="PGRST301"):  # it sends the key as bearer too
        create_client(project.url, project.sb_secret_key).rpc("whoami", {}).execute()
    client: Client = create_client(project.url, project.service_key)
    assert client.rpc("whoami", {}).execute().data == "service_role"
    assert client.table("notes").select("id").eq("id", -1).execute().data == []


def test_calls_are_counted_by_function_and_table(project: LocalSupabase, client: httpx.Client) -> None:
    for _ in range(3):
        client.post("rpc/whoami", json={})
    client.get("notes", params={"id": "eq.1"})
    assert project.counters() == {"rpc/whoami": 3, "notes": 1} == switch(project, "GET", "counters")
    switch(project, "POST", "counters/reset")
    assert project.counters() == {}


def test_switches_need_the_service_key(project: LocalSupabase) -> None:
    for headers in ({}, {"apikey": project.anon_key}, {"apikey": "wrong"}):
        assert httpx.get(f"{project.url}/_stack/counters", headers=headers).status_code == 401


def test_drop_before_resets_without_executing(project: LocalSupabase, client: httpx.Client) -> None:
    project.fault("note", "drop_before")
    with pytest.raises(httpx.TransportError):
        client.post("rpc/note", json={"id": 1})
    assert notes(project, 1) == 0
    assert client.post("rpc/note", json={"id": 1}).status_code == 200
    assert project.counters() == {"rpc/note": 2}


def test_drop_after_executes_and_loses_the_answer(project: LocalSupabase, client: httpx.Client) -> None:
    switch(project, "POST", "faults", {"rpc": "note", "kind": "drop_after", "times": 1})
    with pytest.raises(httpx.TransportError):
        client.post("rpc/note", json={"id": 2})
    assert notes(project, 2) == 1


def test_http_500_strikes_as_often_as_asked_and_only_its_call(project: LocalSupabase, client: httpx.Client) -> None:
    project.fault("note", "http_500", times=2)
    assert client.post("rpc/whoami", json={}).status_code == 200
    assert [client.post("rpc/note", json={"id": 3}).status_code for _ in range(3)] == [500, 500, 200]


def test_table_can_fail_too(project: LocalSupabase, client: httpx.Client) -> None:
    project.fault("notes", "http_500")
    assert client.get("notes").status_code == 500


def test_delay_outlasts_an_impatient_client(project: LocalSupabase, client: httpx.Client) -> None:
    project.fault("note", "delay", seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        client.post("rpc/note", json={"id": 4}, timeout=httpx.Timeout(60, read=0.2))
    assert notes(project, 4) == 0


def test_held_call_waits_for_its_release(project: LocalSupabase, client: httpx.Client) -> None:
    project.fault("note", "hold")
    with ThreadPoolExecutor() as pool:
        call = pool.submit(client.post, "rpc/note", json={"id": 5})
        project.await_held()
        assert notes(project, 5) == 0
        assert switch(project, "GET", "faults") == [{"rpc": "note", "kind": "hold", "times": 0, "holding": 1}]
        switch(project, "POST", "faults/clear")
        assert call.result(timeout=60).status_code == 200
    assert notes(project, 5) == 1


@pytest.mark.parametrize(
    "fault",
    [[], {"rpc": "x"}, {"rpc": "x", "kind": "melt"}, {"rpc": "x", "kind": "hold", "times": 0}, {"kind": "hold"}],
)
def test_senseless_fault_is_refused(project: LocalSupabase, fault: Any) -> None:
    answer = httpx.post(f"{project.url}/_stack/faults", headers={"apikey": project.service_key}, json=fault)
    assert answer.status_code == 400


def test_many_clients_at_once_keep_their_connections(project: LocalSupabase) -> None:
    before = threading.active_count()

    def calls(_: int) -> set[int]:
        with project.rest() as client:
            return {client.post("rpc/whoami", json={}).status_code for _ in range(20)}

    with ThreadPoolExecutor(16) as pool:
        assert set().union(*pool.map(calls, range(16))) == {200}
    assert project.counters() == {"rpc/whoami": 320}
    wait_until(lambda: threading.active_count() <= before, within_seconds=60, what="the connections' threads to end")


def test_large_and_chunked_bodies_arrive_whole(client: httpx.Client) -> None:
    body = "x" * 3_000_000
    answer = client.post("notes", json={"id": 6, "body": body}, headers={"Prefer": "return=representation"})
    assert answer.json()[0]["body"] == body
    chunks = (part for part in (b'{"id": 7, ', b'"body": "in parts"}'))
    answer = client.post("notes", content=chunks, headers={"content-type": "application/json"})
    assert answer.status_code == 201


def exchange(project: LocalSupabase, request: bytes) -> bytes:
    address = urlsplit(project.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("request_bytes", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"])
def test_malformed_request_is_answered_400(project: LocalSupabase, request_bytes: bytes) -> None:
    assert exchange(project, request_bytes).startswith(b"HTTP/1.1 400 ")


def test_head_and_http_1_0_are_understood(project: LocalSupabase, client: httpx.Client) -> None:
    assert client.head("notes").status_code == 200
    request = f"GET /rest/v1/notes?id=eq.-1 HTTP/1.0\r\napikey: {project.service_key}\r\n\r\n"
    answer = exchange(project, request.encode())
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\n[]")
