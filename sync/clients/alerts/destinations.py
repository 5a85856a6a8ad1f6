"""Where alerts go: Slack, mail, PagerDuty, a webhook, … whatever Apprise has a URL for.

Each message goes to each destination by a process of its own, which has a deadline: what hangs, breaks or floods is
ended with it, and its memory is given back. The URLs hold secrets: a destination is known by its kind and number
alone. Called by `jobs/operations/tell_alerts`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sync.alert_model import AlertMessage

SEND_SECONDS = 20.0
# Loading the library takes a second or two of a busy machine.
CHECK_SECONDS = 60.0
_MESSENGER = Path(__file__).with_name("messenger.py")
# What a program needs to run and to find the network; the service's own secrets are not among it.
_ENVIRONMENT = frozenset(
    {"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
     "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
     "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"}
)  # fmt: skip


class AlertDestinations:
    """Those of ALERT_URLS, by name: `slack-1`, `mailto-1`, `slack-2`. Thread-safe; starts nothing by itself."""

    def __init__(self, urls: Sequence[str], *, seconds: float = SEND_SECONDS) -> None:
        self._seconds = seconds
        kinds: Counter[str] = Counter()
        self._urls: dict[str, str] = {}
        for url in urls:
            kind = urlsplit(url).scheme.lower()[:40]
            kinds[kind] += 1
            self._urls[f"{kind}-{kinds[kind]}"] = url

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._urls)

    def unknown(self) -> list[int]:
        """The places, from 1 on, of the URLs that are not understood. Starts a process, if there are any URLs."""
        if not self._urls:
            return []
        answer = _ask({"check": list(self._urls.values())}, CHECK_SECONDS)
        if not isinstance(answer, list):
            return []
        return [place for place, is_known in enumerate(answer, 1) if not is_known]

    def send(self, name: str, message: AlertMessage) -> str | None:
        """None: it was taken. Else the code of what went wrong; nothing is raised, and nothing lasts longer than its
        time."""
        url = self._urls.get(name)
        if url is None:
            return "not_configured"
        task = {"url": url, "title": message.title, "body": message.body, "severity": message.severity}
        answer = _ask(task, self._seconds)
        return answer if answer is None or isinstance(answer, str) else "messenger_failed"


def _ask(task: dict[str, Any], seconds: float) -> Any:
    """What the messenger answers, or the code of why it does not."""
    environment = {name: value for name, value in os.environ.items() if name in _ENVIRONMENT}
    try:
        # -P: its own folder is not searched for modules. The task goes by the pipe, for arguments are there for
        # everybody to read.
        done = subprocess.run(  # noqa: S603 - a program of our own
            [sys.executable, "-P", str(_MESSENGER)],
            input=json.dumps(task).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            env=environment,
            check=True,
        )
        return json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return "timeout"
    except (OSError, subprocess.SubprocessError, ValueError):
        return "messenger_failed"
