"""The way to the store over real connections: what is used again, what is not, and what each trouble is called."""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from sync.clients.store.rpc import Rpc
from sync.clients.store.transport import KEEP_SECONDS, LeanClient, LeanTransport
from sync.clients.store.wire import Connection
from tests.certificates import serving, signed_by_itself
from tests.clients.google.answering import answering
from tests.clients.store.speaking import Reply, Spoken, speaking

Speak = Callable[..., tuple[Spoken, LeanClient]]
TIMEOUTS = {"connect": 5.0, "read": 5.0, "write": 5.0, "pool": 5.0}


def answer(body: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    named = b"".join(each + b"\r\n" for each in fields or (b"Content-Length: %d" % len(body),))
    return b"HTTP/1.1 " + status + b"\r\n" + named + b"\r\n" + body


def client_of(
    url: str, *, most: int = 40, tls: ssl.SSLContext | None = None, keep: float = KEEP_SECONDS, **timeouts: float
) -> LeanClient:
    context = tls or ssl.create_default_context()
    return LeanClient(httpx.URL(url), context, TIMEOUTS | timeouts, most, [], lambda _answer: None, keep)


@pytest.fixture
def speak() -> Iterator[Speak]:
    with ExitStack() as stays:

        def begin(reply: Reply, *, is_closing: bool = False, **client: float) -> tuple[Spoken, LeanClient]:
            spoken = stays.enter_context(speaking(reply, is_closing=is_closing))
            return spoken, stays.enter_context(client_of(spoken.url, **client))  # type: ignore[arg-type]

        yield begin


def post(client: LeanClient, url: str, body: bytes = b"{}") -> httpx.Response:
    return client.request("POST", url + "/rest/v1/rpc/f", content=body, headers=httpx.Headers({"apikey": "k"}))


BIG = os.urandom(3_000_000)
FORMS = {
    "length": (answer(b"[1]"), b"[1]"),
    "chunks": (answer(b"2\r\n[1\r\n1;x=y\r\n]\r\n0\r\nX-Trailer: t\r\n\r\n", b"Transfer-Encoding: chunked"), b"[1]"),
    "gzip": (
        answer(packed := gzip.compress(b"[1]" * 999), b"Content-Encoding: gzip", b"content-length:%d" % len(packed)),
        b"[1]" * 999,
    ),
    "big": (answer(BIG), BIG),
    "nothing": (answer(b"", b"X: y", status=b"204 No Content"), b""),
    "hint": (answer(b"", b"Link: </a>", status=b"103 Early Hints") + answer(b"[1]"), b"[1]"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_answer_is_read_whole_and_its_connection_used_again(speak: Speak, form: str) -> None:
    said, body = FORMS[form]
    spoken, client = speak(lambda _head, _body: said)

    assert [post(client, spoken.url).content for _ in range(3)] == [body] * 3
    assert spoken.connections == 1
    assert spoken.heads[0].startswith(b"POST /rest/v1/rpc/f HTTP/1.1\r\n")
    assert b"apikey: k\r\n" in spoken.heads[0]


@pytest.mark.parametrize(
    "said",
    [
        answer(b"[1]", b"Content-Length: 3", b"Connection: close"),
        answer(b"[1]", b"Content-Type: text/plain").replace(b"1.1", b"1.0"),
    ],
    ids=["close", "until_the_end"],
)
def test_a_connection_that_ends_with_its_answer_is_not_used_again(speak: Speak, said: bytes) -> None:
    spoken, client = speak(lambda _head, _body: said, is_closing=True)

    assert [post(client, spoken.url).content for _ in range(2)] == [b"[1]"] * 2
    assert spoken.connections == 2


def test_a_connection_is_not_used_again_after_its_other_side_has_said_so(speak: Speak) -> None:
    """Though it has not closed it yet: it may at any time."""
    spoken, client = speak(lambda _head, _body: answer(b"[1]", b"Content-Length: 3", b"Connection: close"))

    assert [post(client, spoken.url).content for _ in range(2)] == [b"[1]"] * 2
    assert spoken.connections == 2


def test_a_big_body_arrives_whole(speak: Speak) -> None:
    spoken, client = speak(lambda _head, body: answer(body))

    assert post(client, spoken.url, BIG).content == BIG


def test_an_idle_connection_that_the_other_side_closed_costs_no_call_and_none_is_sent_twice(speak: Speak) -> None:
    spoken, client = speak(lambda _head, _body: answer(b"[1]"), is_closing=True)
    for _ in range(3):
        assert post(client, spoken.url).content == b"[1]"
        assert spoken.ended.acquire(timeout=60)
    assert len(spoken.heads) == 3


def test_a_connection_that_was_idle_for_long_is_left(speak: Speak) -> None:
    spoken, client = speak(lambda _head, _body: answer(b"[1]"), keep=0.05)
    post(client, spoken.url)
    time.sleep(0.06)
    post(client, spoken.url)
    assert spoken.connections == 2


def test_what_comes_unasked_is_never_the_next_calls_answer(speak: Speak) -> None:
    spoken, client = speak(lambda _head, _body: answer(b"mine") + answer(b"whose?"))

    assert [post(client, spoken.url).content for _ in range(3)] == [b"mine"] * 3
    assert spoken.connections == 3


@pytest.mark.parametrize(
    "said",
    {
        "nothing": b"",
        "in_the_head": b"HTTP/1.1 200 OK\r\nContent-",
        "in_the_body": answer(b"[1]", b"Content-Length: 4"),
        "in_a_chunk": answer(b"5\r\n[1]", b"Transfer-Encoding: chunked"),
        "before_the_last_chunk": answer(b"3\r\n[1]\r\n", b"Transfer-Encoding: chunked"),
        "no_http": b"SSH-2.0-OpenSSH\r\n\r\n",
        "no_chunk": answer(b"zz\r\n[1]\r\n", b"Transfer-Encoding: chunked"),
        "longer_chunk": answer(b"2\r\n[1]\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
        "two_lengths": answer(b"[1]", b"Content-Length: 3", b"Content-Length: 2"),
        "no_length": answer(b"[1]", b"Content-Length: -3"),
        "beyond_all_measure": answer(b"[1]", b"Content-Length: 99999999999"),
        "folded": answer(b"[1]", b"Content-Length: 3", b" 4"),
        "endless_head": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 90_000,
    }.items(),
    ids=lambda case: case[0],
)
def test_an_answer_cut_or_malformed_is_a_failure_of_the_protocol(speak: Speak, said: tuple[str, bytes]) -> None:
    spoken, client = speak(lambda _head, _body: said[1], is_closing=True)

    with pytest.raises(httpx.RemoteProtocolError) as failure:
        post(client, spoken.url)
    assert failure.value.request.method == "POST"
    assert len(spoken.heads) == 1


def test_a_late_answer_is_given_up_and_is_nobody_elses(speak: Speak) -> None:
    is_over = threading.Event()

    def reply(_head: bytes, body: bytes) -> bytes:
        if body == b"late":
            is_over.wait(60)
        return answer(body)

    spoken, client = speak(reply, read=1.0)
    with pytest.raises(httpx.ReadTimeout):
        post(client, spoken.url, b"late")
    is_over.set()
    assert post(client, spoken.url, b"next").content == b"next"


def test_an_answer_that_trickles_is_given_up_at_the_callers_time(speak: Speak) -> None:
    """Each byte comes in time for its step; all of them together would take a minute."""
    with answering() as answers, client_of(answers.url, whole=0.3) as client:
        answers.drip_seconds, answers.body = 0.1, b"0" * 600
        began = time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            post(client, answers.url)
        assert time.monotonic() - began < 20


def test_a_connection_that_another_call_takes_at_once_costs_this_one_nothing(speak: Speak) -> None:
    class Snatched(deque[Connection]):
        """Somebody takes whatever is put back, before who put it back goes on."""

        def append(self, kept: Connection) -> None:
            kept.close()

    spoken, client = speak(lambda _head, body: answer(body))
    transport = client._transport
    assert isinstance(transport, LeanTransport)
    transport._idle = Snatched()
    assert post(client, spoken.url, b"mine").content == b"mine"


def test_who_cannot_be_reached_is_told_from_who_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with client_of(url) as client, pytest.raises(httpx.ConnectError):
        post(client, url)


def test_a_refusal_before_the_body_was_read_is_heard(speak: Speak) -> None:
    """What is too large is refused by its head; the rest of it then cannot be sent."""
    refusal = answer(b"too large", status=b"413 Too Large")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            with server.accept()[0] as connected:
                connected.recv(1000)
                connected.sendall(refusal)
                connected.shutdown(socket.SHUT_WR)
                while connected.recv(100_000):
                    if connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                        break

        threading.Thread(target=refuse, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with client_of(url) as client:
            assert post(client, url, BIG).status_code == 413


def test_eight_threads_get_their_own_answers_over_eight_connections_at_most(speak: Speak) -> None:
    spoken, client = speak(lambda _head, body: answer(body))

    def ask(number: int) -> bool:
        return all(
            post(client, spoken.url, mine).content == mine for mine in [b"%d.%d" % (number, n) for n in range(50)]
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(8)))
    assert spoken.connections <= 8


def test_calls_beyond_the_bound_wait_for_a_connection_and_not_for_ever(speak: Speak) -> None:
    begun, is_over = threading.Semaphore(0), threading.Event()

    def reply(_head: bytes, _body: bytes) -> bytes:
        begun.release()
        is_over.wait(60)
        return answer(b"[1]")

    spoken, client = speak(reply, most=2, pool=0.1)
    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(post, client, spoken.url) for _ in range(2)]
        assert begun.acquire(timeout=60)
        assert begun.acquire(timeout=60)
        with pytest.raises(httpx.PoolTimeout):
            post(client, spoken.url)
        is_over.set()
        assert [each.result().content for each in held] == [b"[1]"] * 2
    assert post(client, spoken.url).content == b"[1]"


@pytest.mark.parametrize("trusts", [True, False])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_certificate_must_be_trusted_and_of_the_name(tmp_path: Path, *, host: str, trusts: bool) -> None:
    certificate = signed_by_itself(tmp_path)
    context = ssl.create_default_context(cafile=str(certificate) if trusts else None)
    with speaking(lambda _head, _body: answer(b"[1]"), tls=serving(certificate)) as spoken:
        url = spoken.url.replace("127.0.0.1", host)
        with client_of(url, tls=context) as client:
            if trusts and host == "127.0.0.1":
                assert [post(client, url).content for _ in range(2)] == [b"[1]"] * 2
                assert spoken.connections == 1
            else:
                with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                    post(client, url)
                assert not spoken.heads


def test_a_forked_process_leaves_the_connections_to_its_parent(speak: Speak) -> None:
    spoken, client = speak(lambda _head, body: answer(body))
    post(client, spoken.url)

    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if post(client, spoken.url, b"child").content == b"child" else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert spoken.connections == 2
    assert post(client, spoken.url, b"parent").content == b"parent"
    assert spoken.connections == 2


def test_no_value_becomes_a_header_of_its_own(speak: Speak) -> None:
    spoken, client = speak(lambda _head, _body: answer(b"[1]"))
    with pytest.raises(httpx.LocalProtocolError):
        client.request("POST", spoken.url, content=b"{}", headers=httpx.Headers({"X-Request-ID": "a\r\nX-Other: b"}))
    assert not spoken.heads


def test_cookies_and_redirects_are_not_followed(speak: Speak) -> None:
    spoken, client = speak(
        lambda _head, _body: answer(
            b"", b"Set-Cookie: a=b", b"Location: /elsewhere", b"Content-Length: 0", status=b"302 F"
        )
    )
    assert [post(client, spoken.url).status_code for _ in range(2)] == [302, 302]
    assert b"cookie" not in spoken.heads[1].lower()


def test_a_proxy_that_the_environment_names_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering() as proxy:
        proxy.body = b"[]"
        monkeypatch.setenv("http_proxy", proxy.url)
        rpc = Rpc("http://store.invalid", "sb_secret_0123456789")
        assert rpc.call("sweep_state") == []
        rpc.close()
        assert proxy.heads == ["POST http://store.invalid/rest/v1/rpc/sweep_state HTTP/1.1"]
