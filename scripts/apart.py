"""The service for trying and measuring, apart from a real project: an operator's own settings, in the environment or in
a `.env` of the checkout, name addresses that alerts, mails, heartbeats and bots would go to.

Called by whoever starts the service beside a local stack: the demo, the measures, the tests.
"""

from __future__ import annotations

from collections.abc import Mapping

from sync.settings import KEYS

# An empty value counts as missing, and stands before what a `.env` says.
_UNSET = {name: "" for key in KEYS for name in (key.name, key.also) if name}


def apart(environment: Mapping[str, str]) -> dict[str, str]:
    """These, and none of the service's settings but these."""
    return {**_UNSET, **environment}
