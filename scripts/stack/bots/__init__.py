"""Local fakes of meeting-bot providers: Attendee, Recall.ai, and a receiver of BOT_WEBHOOK_URL.

Strict over real HTTP: they refuse what the documented API refuses, with its status. They stand alone and know nothing
of this service.
"""

from .control import BotControl
from .errors import ControlError
from .server import KINDS, FakeServer

__all__ = ["KINDS", "BotControl", "ControlError", "FakeServer"]
