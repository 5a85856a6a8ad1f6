"""gunicorn's own log, of the master and its workers: lines like all others. Named in `gunicorn.conf.py`."""

from __future__ import annotations

import logging
from typing import Any

from gunicorn.glogging import Logger

from sync.logs import configure_logs, take_over_process
from sync.settings import log_settings

# What follows it quotes the request, and names its address.
_MALFORMED = "Invalid request from ip="


class ServerLog(Logger):  # type: ignore[misc]
    """There is no access log: the application tells of each request by itself."""

    def setup(self, cfg: Any) -> None:
        """gunicorn's own, once in the master, and again when it is reloaded."""
        super().setup(cfg)
        level, form = log_settings()
        configure_logs(level, form)
        take_over_process()
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True
        # Below it gunicorn tells what clients sent.
        self.error_log.setLevel(max(logging.INFO, logging.getLevelNamesMapping()[level.upper()]))

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        super().warning("Malformed request" if str(msg).startswith(_MALFORMED) else msg, *args, **kwargs)
