"""The environment's keys of what the service tells: its users by mail, and whoever watches it by logs and metrics.

Part of `settings`, which reads and checks them with the others.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sync import env_checks
from sync.alert_settings import AlertSettings
from sync.model import SmtpServer
from sync.setting_keys import environment_key

_told = partial(environment_key, "What it tells")


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise env_checks.BadValue("must be an address of this host, like 127.0.0.1 or 0.0.0.0") from None


@dataclass(frozen=True, slots=True)
class ToldSettings(AlertSettings):
    smtp_server: SmtpServer | None = _told(
        "SMTP_URL",
        env_checks.smtp_server,
        "mail server for telling users what was connected or lost; without it user_notifications alone tells them",
        example="smtps://user:password@mail.example.com:465?from=calendar@example.com",
        optional=True,
        secret=True,
    )
    metrics_token: str | None = _told(
        "METRICS_TOKEN",
        env_checks.secret,
        "lets Prometheus read /metrics, as a bearer token; without it there is no such page",
        example="p4R…",
        optional=True,
        secret=True,
    )
    metrics_port: int | None = _told(
        "METRICS_PORT",
        env_checks.number(1, 65535, int),
        "where `python -m sync.jobs.worker` answers /metrics too; web processes have their own port for it",
        example="9464",
        optional=True,
    )
    metrics_host: str = _told(
        "METRICS_HOST", _address, "the address that METRICS_PORT is opened on", default="127.0.0.1"
    )
    log_level: str = _told("LOG_LEVEL", env_checks.log_level, "debug, info, warning or error", default="info")
    log_format: str = _told(
        "LOG_FORMAT",
        env_checks.choice("auto", "json", "console"),
        "json: a JSON object a line; console: lines for people; auto: console on a terminal, else json",
        default="auto",
    )


def told_without_need(values: Mapping[str, Any], known_bad: frozenset[str]) -> dict[str, str]:
    """What is wrong with values (by field) that are each good: the key, and its mend."""
    if values.get("metrics_port") and not values.get("metrics_token") and "METRICS_TOKEN" not in known_bad:
        return {
            "METRICS_TOKEN": f"is missing; METRICS_PORT is answered to its bearer only; {env_checks.HOW_TO_MAKE_ONE}"
        }
    return {}
