"""The emulator on a socket. Refuses control commands from anywhere but loopback. Used by the stack and the tests."""

from __future__ import annotations

from ipaddress import ip_address
from types import TracebackType

from scripts.stack.listening import Listening

from .control import GoogleControl
from .control_api import PREFIX, ControlApi
from .emulator import Emulator
from .http import Request, Response


class EmulatorServer:
    """The emulator, listening. `start` returns once it accepts; `stop` closes every connection, as an outage does."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, clients: dict[str, str] | None = None) -> None:
        """Port 0 picks a free one; `clients` are the OAuth clients, secret by id."""
        self.emulator = Emulator(clients)
        self._control = ControlApi(self.emulator)
        self._listening = Listening("google-emulator", self._answer, Request, host, port)

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash; known after `start`."""
        return self._listening.url

    @property
    def control(self) -> GoogleControl:
        """A client of its control API; good after `start`."""
        return GoogleControl(self.url)

    def start(self) -> EmulatorServer:
        """Listen (on port 0: on a free one) and serve from a thread of its own."""
        self.emulator.push.start()
        self._listening.start()
        return self

    def stop(self) -> None:
        """Close the socket and every connection, release held calls, stop delivering. State is kept for a `start`."""
        if not self._listening.is_on:
            return
        self.emulator.faults.clear()
        self._listening.stop()
        self.emulator.push.stop()

    def _answer(self, request: Request, caller: str) -> Response:
        if not request.path.startswith(PREFIX):
            return self.emulator.handle(request)
        if ip_address(caller).is_loopback:
            return self._control.handle(request)
        return Response(403, b"")

    def __enter__(self) -> EmulatorServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
