"""An in-memory Google Calendar for development and tests: OAuth, Calendar v3, push notifications, and faults on demand.

What is named here is its public face; docs/emulator.md describes it, with every switch, fault and counter. It knows
nothing of the service it exercises: nothing here imports `sync`.
"""

from .control import GoogleControl
from .errors import ControlError
from .instance_ids import address_of
from .process import EmulatorProcess
from .server import EmulatorServer

__all__ = ["ControlError", "EmulatorProcess", "EmulatorServer", "GoogleControl", "address_of"]
