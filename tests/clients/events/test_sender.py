"""The sender over real sockets: whom it connects to, how it signs, and that no answer holds it."""

from __future__ import annotations

import base64
import datetime as dt
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sync.clients.events.sender import DEADLINE_SECONDS, Sender
from sync.core.events.endpoints import is_loopback, is_public
from sync.event_model import Answer
from tests.certificates import serving, signed_by_itself
from tests.subscriber import Reply, subscriber

SECRET = "whsec_" + base64.b64encode(os.urandom(32)).decode()
OTHER = "whsec_" + base64.b64encode(os.urandom(32)).decode()
BODY = '{"type": "meeting.updated", "data": {"title": "ä"}}'
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def post(sender: Sender, url: str, secrets: Sequence[str] = (SECRET,)) -> Answer:
    return sender.post(url, "evt_7", BODY, secrets, dt.datetime.now(dt.UTC))


@pytest.fixture
def local() -> Sender:
    """As in development: this machine may be told."""
    return Sender(is_allowed=is_loopback)


@contextmanager
def server(
    answer: Callable[[socket.socket], None], *, context: ssl.SSLContext | None = None, family: int = socket.AF_INET
) -> Iterator[tuple[int, list[bytes]]]:
    """A port whose connections are answered by `answer` after their head was read, and those heads."""
    listening = socket.socket(socket.AddressFamily(family))
    listening.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    listening.listen()
    heads: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(connection, server_side=True) if context else connection as secured:
                    heads.append(secured.recv(65536))
                    # Whoever closes with something unread may take the answer back.
                    while not heads[-1].endswith(BODY.encode()):
                        heads[-1] += secured.recv(65536)
                    answer(secured)
            except OSError:
                continue

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1], heads
    finally:
        listening.close()


def says(answer: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(answer)


def test_a_message_is_signed_by_the_standard(local: Sender) -> None:
    with subscriber() as told:
        assert post(local, told.url).status == 204
        (message,) = told.messages

    assert message.is_signed_with(SECRET)
    assert not message.is_signed_with(OTHER)
    assert (message.id, message.raw.decode()) == ("evt_7", BODY)
    assert message.headers["content-type"] == "application/json"


def test_while_a_secret_is_rotated_both_sign(local: Sender) -> None:
    with subscriber() as told:
        post(local, told.url, [SECRET, OTHER])
        (message,) = told.messages

    assert message.is_signed_with(SECRET)
    assert message.is_signed_with(OTHER)


@pytest.mark.parametrize("reply", [200, 301, 404, 410, 500, (429, {"Retry-After": "7"})])
def test_the_status_is_what_was_answered_and_no_redirect_is_followed(local: Sender, reply: Reply) -> None:
    with subscriber() as elsewhere, subscriber() as told:
        told.answer = lambda _message: (301, {"Location": elsewhere.url}) if reply == 301 else reply
        answer = post(local, told.url)
        followed = elsewhere.messages

    assert (answer.status, followed) == (reply if isinstance(reply, int) else reply[0], [])
    assert answer.retry_after_seconds == (None if isinstance(reply, int) else 7)


def test_no_proxy_of_the_environment_is_asked(local: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    with server(says(OK)) as (proxy, heads), subscriber() as told:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        assert post(local, told.url).status == 204

    assert heads == []


def test_ipv6(local: Sender) -> None:
    with server(says(OK), family=socket.AF_INET6) as (port, heads):
        assert post(local, f"http://[::1]:{port}/").status == 204
        assert f"Host: [::1]:{port}".encode() in heads[0]


# Whom it connects to


class Resolver:
    """Answers one list of addresses after the other, then the last again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["::1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"]])
def test_a_name_that_leads_inside_by_any_of_its_addresses_is_refused(addresses: list[str]) -> None:
    with server(says(OK)) as (port, heads):
        answer = post(Sender(is_allowed=is_public, resolve=Resolver(addresses)), f"http://evil.example:{port}/")

    assert (answer.error_code, heads) == ("address_refused", [])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "[::1]", "0.0.0.0"])
def test_no_spelling_of_this_machine_gets_through(host: str) -> None:
    with server(says(OK)) as (port, heads):
        answer = post(Sender(is_allowed=is_public), f"http://{host}:{port}/")

    assert (answer.status, heads) == (None, [])


def test_a_name_is_resolved_once_and_that_address_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is public when it is checked and this machine a moment later, as the system would resolve it."""
    resolver = Resolver(["8.8.8.8"], ["127.0.0.1"])
    connected: list[Any] = []
    connect = socket.create_connection

    def watched(address: tuple[str, int], *arguments: Any, **more: Any) -> socket.socket:
        connected.append(address[0])
        if address[0] == "8.8.8.8":
            raise ConnectionRefusedError
        return connect(address, *arguments, **more)

    monkeypatch.setattr(socket, "create_connection", watched)
    with server(says(OK)) as (port, heads):
        answer = post(Sender(is_allowed=is_public, resolve=resolver), f"http://rebinding.example:{port}/")

    assert (answer.error_code, resolver.asked, connected, heads) == ("not_connected", 1, ["8.8.8.8"], [])


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    with server(says(OK)) as (port, _):
        sender = Sender(is_allowed=is_loopback, resolve=Resolver(["127.0.0.9", "127.0.0.1"]))
        assert post(sender, f"http://two.example:{port}/").status == 204


def test_a_name_that_nobody_knows_or_that_is_not_found_in_time() -> None:
    assert post(Sender(is_allowed=is_public, resolve=Resolver([])), "https://no.example/").error_code == "name_unknown"
    is_over = threading.Event()

    def endless(host: str, port: int) -> Sequence[str]:
        is_over.wait(60)
        return ["8.8.8.8"]

    hurried = Sender(is_allowed=is_public, resolve=endless, resolve_seconds=0.1)
    try:
        assert post(hurried, "https://no.example/").error_code == "name_unknown"
    finally:
        is_over.set()


# What it demands of a certificate


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of hooks.example.com, signed by itself; with its key."""
    return signed_by_itself(tmp_path_factory.mktemp("tls"), "hooks.example.com")


@pytest.mark.parametrize(
    ("host", "trusts", "outcome"),
    [
        ("hooks.example.com", True, (204, None)),
        ("other.example.com", True, (None, "tls_failed")),
        ("hooks.example.com", False, (None, "tls_failed")),
    ],
)
def test_the_certificate_must_be_of_the_name_and_trusted(
    certificate: Path, host: str, trusts: bool, outcome: tuple[int | None, str | None]
) -> None:
    context = serving(certificate)
    named: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: named.append(name)
    trusting = ssl.create_default_context(cafile=str(certificate)) if trusts else None
    sender = Sender(is_allowed=is_loopback, resolve=Resolver(["127.0.0.1"]), context=trusting)
    with server(says(OK), context=context) as (port, heads):
        answer = post(sender, f"https://{host}:{port}/")

    assert (answer.status, answer.error_code) == outcome
    assert named == [host]
    assert all(f"Host: {host}:{port}".encode() in head for head in heads)


# That no answer holds it


def drips(part: bytes) -> Callable[[socket.socket], None]:
    """A part at a time for a minute, each soon enough for a time-out between two reads."""

    def answer(connection: socket.socket) -> None:
        for _ in range(1200):
            connection.sendall(part)
            time.sleep(0.05)

    return answer


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda connection: connection.recv(1), "timeout"),
        (drips(b"H"), "timeout"),
        (lambda c: (c.sendall(b"HTTP/1.1 200 OK\r\n"), drips(b"X-A: b\r\n")(c)), "timeout"),
        (drips(b"HTTP/1.1 103 Early Hints\r\n\r\n"), "timeout"),
        (lambda _connection: None, "no_answer"),
        (says(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 10_000_000), "no_answer"),
        (says(b"no HTTP at all\r\n\r\n"), "no_answer"),
    ],
    ids=["silent", "dripping garbage", "dripping head", "endless hints", "hung up", "huge head", "not HTTP"],
)
def test_an_answer_that_does_not_come_is_given_up(answer: Callable[[socket.socket], None], code: str) -> None:
    sender = Sender(is_allowed=is_loopback, deadline_seconds=0.4 if code == "timeout" else DEADLINE_SECONDS)
    began = time.monotonic()
    with server(answer) as (port, _):
        found = post(sender, f"http://127.0.0.1:{port}/")

    assert (found.status, found.error_code) == (None, code)
    assert time.monotonic() - began < DEADLINE_SECONDS


@pytest.mark.parametrize("body", [drips(b"x"), says(b"x" * 50_000_000)], ids=["dripping", "huge"])
def test_a_body_is_not_waited_for(local: Sender, body: Callable[[socket.socket], None]) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        body(connection)

    began = time.monotonic()
    with server(answer) as (port, _):
        assert post(local, f"http://127.0.0.1:{port}/").status == 200
    assert time.monotonic() - began < DEADLINE_SECONDS


def test_nobody_there(local: Sender) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert post(local, f"http://127.0.0.1:{bound.getsockname()[1]}/").error_code == "not_connected"
