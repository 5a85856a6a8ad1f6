"""`python -m scripts.stack.bots attendee|recall|webhook [--host H] [--port N]`: one fake in the foreground.

Prints the URL a client is configured with on stdout once it accepts connections, and stops on SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import signal
import threading

from .server import API_KEY, KINDS, SECRET, FakeServer


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m scripts.stack.bots", description="A fake of a bot provider.")
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--api-key", default=API_KEY)
    parser.add_argument("--secret", default=SECRET, help="of its messages, in base64")
    parser.add_argument("--message-url", help="where its messages go; by default nowhere")
    options = parser.parse_args()
    stopped = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.set())
    given = {"host": options.host, "port": options.port, "api_key": options.api_key, "secret": options.secret}
    with FakeServer(options.kind, **given) as server:
        server.control.configure(message_url=options.message_url)
        print(server.api_url, flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
