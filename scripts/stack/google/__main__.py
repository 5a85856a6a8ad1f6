"""`python -m scripts.stack.google [--host H] [--port N]`: the emulator in the foreground.

Prints its URL on stdout once it accepts connections, and stops on SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import signal
import threading

from .server import EmulatorServer


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m scripts.stack.google", description="An in-memory Google Calendar.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--client-id", default="emulator-client")
    parser.add_argument("--client-secret", default="emulator-secret")
    options = parser.parse_args()
    stopped = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.set())
    with EmulatorServer(options.host, options.port, {options.client_id: options.client_secret}) as server:
        print(server.url, flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
