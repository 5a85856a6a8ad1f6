"""A server that says, byte by byte, what a test has it say: for what no HTTP library would let it send."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

# (head, body) of a request → the bytes of its answer; None: none, and the connection ends.
Reply = Callable[[bytes, bytes], bytes | None]


@dataclass
class Spoken:
    """`heads`: of each request, in the order they came; `connections`: made; `ended`: one release for each that the
    server has closed."""

    url: str = ""
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    ended: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


@contextmanager
def speaking(reply: Reply, *, tls: ssl.SSLContext | None = None, is_closing: bool = False) -> Iterator[Spoken]:
    """`is_closing`: each connection ends, unannounced, after one answer."""
    spoken = Spoken()
    listening = socket.create_server(("127.0.0.1", 0))
    spoken.url = f"{'https' if tls else 'http'}://127.0.0.1:{listening.getsockname()[1]}"

    def serve(raw: socket.socket) -> None:
        with suppress(OSError), raw if tls is None else tls.wrap_socket(raw, server_side=True) as connected:
            came = connected.makefile("rb")
            while head := _head(came.readline):
                length = next(
                    (line.split(b":")[1] for line in head if line.lower().startswith(b"content-length")), b"0"
                )
                spoken.heads.append(b"".join(head))
                said = reply(spoken.heads[-1], came.read(int(length)))
                connected.sendall(said or b"")
                if said is None or is_closing:
                    break
            connected.shutdown(socket.SHUT_RDWR)
        spoken.ended.release()

    def accept() -> None:
        with suppress(OSError):
            while True:
                connected, _ = listening.accept()
                spoken.connections += 1
                threading.Thread(target=serve, args=(connected,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield spoken
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def _head(line: Callable[[], bytes]) -> list[bytes]:
    """Its lines; none: the client has gone."""
    lines = []
    while (read := line()) not in (b"", b"\r\n"):
        lines.append(read)
    return lines
