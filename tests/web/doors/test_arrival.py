"""When a request is all there."""

from __future__ import annotations

import pytest

from sync.web.doors.arrival import MAX_BODY_BYTES, MAX_HEAD_BYTES, Arrived, HeadTooLarge, arrived, expects_continue

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST / HTTP/1.1", b"Host: x", *lines, b"", body])


CHUNKED = post(b"Transfer-Encoding: Chunked", body=b"5;x=y\r\nhello\r\n0\r\n\r\n")
TRAILERS = post(b"transfer-encoding: chunked", body=b"1\r\n{\r\nA\r\n" + b"x" * 10 + b"\r\n000\r\nX: y\r\n\r\n")
WITH_LENGTH = post(b"Content-Length: 5", body=b"hello")


@pytest.mark.parametrize("request_", [GET, WITH_LENGTH, CHUNKED, TRAILERS, post(b"Content-Length: 0")])
def test_a_request_is_there_with_its_last_byte_and_not_before(request_: bytes) -> None:
    for cut in range(len(request_)):
        assert arrived(request_[:cut]) is None
    assert arrived(request_) == Arrived(len(request_))
    assert arrived(request_ + GET) == Arrived(len(request_))


@pytest.mark.parametrize(
    "lines",
    [
        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        (b"Content-Length: 5", b"Content-Length: 6"),
        (b"Content-Length: 5, 5",),
        (b"Content-Length: -1",),
        (b"Content-Length: +5",),
        (b"Content-Length: 0x5",),
        (b"Content-Length: ",),
        (b"Content-Length: 99999999999999999999",),
        (b"Content-Length: %d" % (MAX_BODY_BYTES + 1),),
        (b"Transfer-Encoding: gzip, chunked",),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: xchunked",),
        (b"X: y",) * 200,
    ],
)
def test_a_doubtful_length_goes_to_the_parser_at_once_and_nothing_follows_it(lines: tuple[bytes, ...]) -> None:
    request = post(*lines, body=b"hello" + GET)

    assert arrived(request) == Arrived(request.index(b"\r\n\r\n") + 4, is_last=True)


@pytest.mark.parametrize(
    "body", [b"x\r\n", b"-1\r\n", b"\r\n", b"fffffffff\r\n", b"1_0\r\n", b"ffffffff\r\n" + b"x" * 140_000]
)
def test_chunks_that_are_none_or_too_many_end_the_connection(body: bytes) -> None:
    request = post(b"Transfer-Encoding: chunked", body=body)

    assert arrived(request) == Arrived(len(request), is_last=True)


def test_trailers_without_end_end_the_connection() -> None:
    request = post(b"Transfer-Encoding: chunked", body=b"0\r\n" + b"A: b\r\n" * 30_000)

    assert arrived(request) == Arrived(len(request), is_last=True)


def test_a_head_beyond_the_limit_is_told_as_soon_as_it_is() -> None:
    assert arrived(b"GET / HTTP/1.1\r\nX: ".ljust(MAX_HEAD_BYTES - 1, b"x")) is None
    with pytest.raises(HeadTooLarge):
        arrived(b"GET / HTTP/1.1\r\nX: ".ljust(MAX_HEAD_BYTES, b"x"))


def test_a_client_that_waits_for_leave_is_known_by_its_whole_head() -> None:
    head = post(b"Expect: 100-Continue", b"Content-Length: 2")

    assert expects_continue(head)
    assert not expects_continue(head[:-2])
    assert not expects_continue(WITH_LENGTH)
