"""A fake on a socket, with its control API: `POST /_fake/<command>` with keyword arguments as a JSON object, answered
`{"result": …}`; refused with 400 and a sentence. Control commands come from loopback only.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from types import TracebackType
from typing import Any

from scripts.stack.http_values import Request, Response
from scripts.stack.listening import Listening

from .attendee import FakeAttendee
from .control import PREFIX, BotControl
from .errors import ControlError
from .fake import FakeProvider
from .recall import FakeRecall
from .receiver import FakeReceiver

KINDS: dict[str, type[FakeProvider]] = {"attendee": FakeAttendee, "recall": FakeRecall, "webhook": FakeReceiver}
# What each is used with unless told otherwise. They open nothing but a fake.
API_KEY = "fake-bot-key"
SECRET = "ZmFrZS1ib3Qtd2ViaG9vay1zZWNyZXQtMDEyMzQ1Njc4OQ=="  # noqa: S105
API_PATHS = {"attendee": "/api/v1", "recall": "/api/v1", "webhook": "/wanted"}


class FakeServer:
    """One fake, listening. `stop` closes every connection, as an outage does; its state stays for the next `start`."""

    def __init__(
        self, kind: str, *, host: str = "127.0.0.1", port: int = 0, api_key: str = API_KEY, secret: str = SECRET
    ) -> None:
        """`kind`: attendee, recall or webhook. `secret`: what its messages are signed with, in base64."""
        self.kind, self.api_key, self.secret = kind, api_key, secret
        self._fake = KINDS[kind](api_key, secret)
        self._commands = _commands_of(self._fake)
        self._fake.messages.start()
        self._listening = Listening(f"fake-{kind}", self._answer, Request, host, port)

    @property
    def url(self) -> str:
        """The base URL of its control API; known after `start`."""
        return self._listening.url

    @property
    def api_url(self) -> str:
        """What a client is configured with."""
        return self.url + API_PATHS[self.kind]

    @property
    def control(self) -> BotControl:
        """A client of its control API; good after `start`."""
        return BotControl(self.url)

    def start(self) -> FakeServer:
        self._listening.start()
        return self

    def stop(self) -> None:
        if self._listening.is_on:
            self._fake.faults.clear()
            self._listening.stop()

    def __enter__(self) -> FakeServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answer(self, request: Request, caller: str) -> Response:
        if not request.path.startswith(PREFIX):
            return self._fake.handle(request)
        if not ip_address(caller).is_loopback:
            return Response(403)
        name = request.path.removeprefix(PREFIX)
        try:
            if name not in self._commands:
                raise ControlError(f"no command {name!r}; there are {sorted(self._commands)}")
            return Response.of_json({"result": self._commands[name](**request.json_object())})
        except (ControlError, TypeError, ValueError) as error:
            return Response.of_json({"error": str(error)}, 400)


def _commands_of(fake: FakeProvider) -> dict[str, Callable[..., Any]]:
    return {
        "reset": fake.reset,
        "bots": fake.show_bots,
        "set_state": fake.set_state,
        "configure": fake.configure,
        "advance": fake.advance,
        "now": fake.now,
        "requests": fake.log,
        "add_fault": lambda kind, **match: fake.faults.add(kind, match),
        "clear_faults": fake.faults.clear,
        "release": fake.faults.release,
        "wait_held": fake.faults.wait_held,
        "messages": fake.messages.log,
        "flush_messages": fake.messages.flush,
        "wait_messages_idle": fake.messages.wait_idle,
    }
