"""Watches the doors through which notifications come: probes each region, judges it, and acts on what is found.

A duty, for all processes at once; rules live in `core/polling/ingress`. What it writes every process reads within a
minute: whoever opens channels, and whoever plans looks.
"""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import asdict, dataclass, fields
from typing import Any

from sync.core.accounts.ingress_probe import (
    ANSWER_HEADER,
    PROBE_HEADER,
    PROOF_HEADER,
    is_answer,
    make_probe,
    probe_proof,
)
from sync.core.polling.ingress import Region, RegionTraffic, RegionVerdict, expected_pushes, judge_region, probed
from sync.jobs.services import Services
from sync.states import RegionState

# How the service's own refusals are told from those of what stands in front of it.
PROBLEM = "application/problem+json"
# A probe as a whole, however slowly its answer drips.
PROBE_SECONDS = 20.0
# Calendars that are looked at for a region's silence: their changes tell, and they are a few calls.
LOOKS_AT_SILENCE = 20
SAMPLED_AT_ONCE = 20_000
SAMPLE_EVERY = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of a probe; `error_code` None: it came back. `is_refused_there`: a service like this one refuses it."""

    error_code: str | None
    duration_ms: int
    is_refused_there: bool = False


def watch_ingress(services: Services) -> list[Region]:
    """One round over all regions, and how they stand then. Raises StoreFailure."""
    now = services.clock()
    services.ingress.report()
    rows = {row["name"]: row for row in services.store.regions.read()}
    probes = _probe_all(services)
    judged = [_judge(services, name, rows.get(name, {}), probe, now) for name, probe in probes.items()]
    services.store.regions.record([record for _, record in judged])
    for verdict, record in judged:
        _act(services, verdict, record)
    if any(_is_old(rows.get(name, {}).get("sampled_at"), now) for name in probes):
        _sample(services, now)
    services.ingress.refresh()
    return [verdict.region for verdict, _ in judged]


def _probe_all(services: Services) -> dict[str, Probed]:
    """All regions side by side: one that hangs holds up no other."""
    addresses = services.ingress.addresses
    pool = ThreadPoolExecutor(len(addresses), thread_name_prefix="probe")
    running = {name: pool.submit(probe_region, services, name, address) for name, address in addresses.items()}
    found = {}
    for name, answer in running.items():
        try:
            found[name] = answer.result(timeout=PROBE_SECONDS)
        except NotInTime:
            found[name] = Probed("timeout", round(PROBE_SECONDS * 1000))
    pool.shutdown(wait=False)
    return found


def probe_region(services: Services, name: str, address: str) -> Probed:
    """Sends one probe through a region's door. Never raises for what the network does."""
    secret, began = services.settings.channel_token_secrets[0], services.clock()
    probe = make_probe(name, began.timestamp(), secrets.token_hex(16))
    headers, error_code = services.doors.post(address, {PROBE_HEADER: probe, PROOF_HEADER: probe_proof(secret, probe)})
    if error_code is None and not is_answer(secret, probe, headers.get(ANSWER_HEADER, "")):
        error_code = "foreign_answer"
    is_refused_there = error_code == "status_401" and headers.get("content-type", "") == PROBLEM
    return Probed(error_code, round((services.clock() - began).total_seconds() * 1000), is_refused_there)


def _judge(
    services: Services, name: str, row: Mapping[str, Any], probe: Probed, now: dt.datetime
) -> tuple[RegionVerdict, dict[str, Any]]:
    """The verdict, and what `record_ingress` keeps of it. A region that moved to another address is a new one."""
    address = services.ingress.addresses[name]
    known = row if row.get("address") == address else {}
    traffic = _traffic(services, known, now)
    verdict = judge_region(probed(_region(name, known), probe.error_code), traffic, now)
    record = {
        **{key: _plain(value) for key, value in asdict(verdict.region).items()},
        "address": address,
        "window_since": (now if verdict.starts_window else _instant(known.get("window_since")) or now).isoformat(),
        "expected": 0.0 if verdict.starts_window else traffic.expected,
        "probed_at": now.isoformat(),
        "probe_ms": probe.duration_ms,
        "judged_at": now.isoformat(),
        "starts_window": verdict.starts_window,
        **{key: getattr(traffic, key) for key in ("pushes", "announced", "missed", "missing", "looks")},
    }
    return verdict, record


def _traffic(services: Services, row: Mapping[str, Any], now: dt.datetime) -> RegionTraffic:
    counted = {field.name: row.get(field.name) or 0.0 for field in fields(RegionTraffic)}
    judged_at = _instant(row.get("judged_at"))
    if judged_at:
        counted["expected"] += expected_pushes(row["rates"], services.polling.now().rhythm, judged_at, now)
    return RegionTraffic(**counted)


def _act(services: Services, verdict: RegionVerdict, record: Mapping[str, Any]) -> None:
    """Says what has changed, and looks at some calendars where only they can tell."""
    region = verdict.region
    if verdict.asks:
        looked_at = services.store.regions.look_through(record["address"], limit=LOOKS_AT_SILENCE)
        services.log.warning("region_looked_through", region=region.name, calendars=looked_at)
    if record["since"] == record["judged_at"]:
        emit = services.log.info if region.state is RegionState.HEALTHY else services.log.error
        emit(f"region_{region.state}", region=region.name, reason=region.reason, flaps=region.flaps)


def _sample(services: Services, now: dt.datetime) -> None:
    # From somewhere in the first half, so that a sample of many calendars has its full length.
    start = str(uuid.UUID(int=int(services.jitter() * 2**127)))
    for first in (start, str(uuid.UUID(int=0))):
        if services.store.regions.sample(first, limit=SAMPLED_AT_ONCE, now=now) >= SAMPLED_AT_ONCE:
            break


def _region(name: str, row: Mapping[str, Any]) -> Region:
    stored = {field.name: row[field.name] for field in fields(Region) if field.name in row}
    for key in ("since", "window_since", "well_since", "left_at", "asked_at", "calm_until"):
        stored[key] = _instant(stored.get(key))
    return Region(**{**stored, "name": name, "state": RegionState(row.get("state", RegionState.HEALTHY))})


def _is_old(sampled_at: str | None, now: dt.datetime) -> bool:
    at = _instant(sampled_at)
    return at is None or now - at > SAMPLE_EVERY


def _instant(value: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(value).astimezone(dt.UTC) if value else None


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, dt.datetime) else value
