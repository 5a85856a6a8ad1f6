"""Where a request ends in the bytes that have come so far. Pure: no socket, no clock. Called by `patient_worker`.

Not a parser: it only tells when a request is all there, so that no thread waits for the rest. Whatever is doubtful
counts as all there; gunicorn's own parser, which reads the same bytes, refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass

# A request line, a dozen of Google's headers, a JWT of 2 KB: a tenth of it.
MAX_HEAD_BYTES = 64 * 1024
# As `app.MAX_BODY_BYTES`: a body beyond it is refused unread.
MAX_BODY_BYTES = 64 * 1024
# Framing of a chunked body may take as much again, not more.
MAX_CHUNKED_BYTES = 2 * MAX_BODY_BYTES
# All is looked at again whenever a byte comes, so there must not be much to look at. gunicorn refuses beyond 64 lines.
MAX_HEAD_LINES = 128
MAX_CHUNKS = 1024


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request is in the first `end` bytes. `is_last`: what follows them cannot be told apart from its body, so the
    connection ends with its answer."""

    end: int
    is_last: bool = False


class HeadTooLarge(ValueError):
    """A head beyond MAX_HEAD_BYTES."""


def arrived(data: bytes | bytearray) -> Arrived | None:
    """The first request in `data`; None: more is to come. Raises HeadTooLarge."""
    head_end = data.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
    if head_end < 0:
        if len(data) >= MAX_HEAD_BYTES:
            raise HeadTooLarge
        return None
    body_at = head_end + 4
    if data.count(b"\r\n", 0, head_end) > MAX_HEAD_LINES:
        return Arrived(body_at, is_last=True)
    lengths, codings = _framing(bytes(data[:head_end]))
    if not lengths and not codings:
        return Arrived(body_at)
    if codings == [b"chunked"] and not lengths:
        return _chunked(data, body_at)
    if len(lengths) != 1 or codings or not (lengths[0].isdigit() and len(lengths[0]) < 10):
        return Arrived(body_at, is_last=True)
    if (length := int(lengths[0])) > MAX_BODY_BYTES:
        return Arrived(body_at, is_last=True)
    return Arrived(body_at + length) if len(data) >= body_at + length else None


def expects_continue(data: bytes | bytearray) -> bool:
    """The head is there, and the client waits for leave to send the body."""
    head, found, _ = bytes(data[:MAX_HEAD_BYTES]).partition(b"\r\n\r\n")
    return bool(found) and b"\r\nexpect: 100-continue" in head.lower()


def _framing(head: bytes) -> tuple[list[bytes], list[bytes]]:
    """The values of Content-Length and of Transfer-Encoding."""
    lengths, codings = [], []
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            lengths.append(value.strip(b" \t"))
        elif name.lower() == b"transfer-encoding":
            codings.append(value.strip(b" \t").lower())
    return lengths, codings


def _chunked(data: bytes | bytearray, start: int) -> Arrived | None:
    at = start
    for _ in range(MAX_CHUNKS):
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            return _unfinished(data, start)
        size = _chunk_size(bytes(data[at:line_end]))
        if size is None:
            return Arrived(len(data), is_last=True)
        if size == 0:
            trailers_end = data.find(b"\r\n\r\n", line_end)
            return Arrived(trailers_end + 4) if trailers_end >= 0 else _unfinished(data, start)
        at = line_end + 2 + size + 2
        if at > len(data):
            return _unfinished(data, start)
    return Arrived(len(data), is_last=True)


def _unfinished(data: bytes | bytearray, start: int) -> Arrived | None:
    return Arrived(len(data), is_last=True) if len(data) - start > MAX_CHUNKED_BYTES else None


def _chunk_size(line: bytes) -> int | None:
    """Hexadecimal digits, an extension after `;` left out; None: no size."""
    digits = line.partition(b";")[0].strip(b" \t")
    if not digits or len(digits) > 8 or digits.strip(b"0123456789abcdefABCDEF"):
        return None
    return int(digits, 16)
