"""What a sync learnt of its calendar's push, and when the calendar is looked at next. Called by `commit_changes`; the
rules live in `core/polling`."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields, replace
from zoneinfo import ZoneInfo

from sync.core.polling.belief import Belief, Channel, Learnt, died_by, learn
from sync.core.polling.evidence import Evidence, weigh_changes
from sync.core.polling.ingress import under_outage
from sync.core.polling.look_plan import NextLook, Outlook, plan_look
from sync.core.polling.push_state import PushFacts, odd_after_seconds, push_standing
from sync.core.polling.rhythm import hour_of_week
from sync.jobs.syncing.listing import Listing
from sync.jobs.syncing.sync_run import SyncRun
from sync.model import Claim
from sync.telemetry.metrics import MISSED_PUSHES

_DAY = 86400.0
_BELIEF = tuple(field.name for field in fields(Belief))
# Changes of one sync whose age is logged: more of them would say nothing new.
AGES_LOGGED = 50


def learn_and_plan(run: SyncRun, listing: Listing) -> dict[str, object]:
    """What of it `commit_sync` keeps: belief, reopened_in_vain, reopen_watch, missed_push, changes_announced,
    changes_missed, changed_at, stale_bound_seconds, next_poll_seconds, next_reason, push."""
    claim, common = run.claim, run.services.polling.now()
    since = claim.last_synced_at or run.now
    elapsed = max(0.0, (run.now - since).total_seconds())
    hour = hour_of_week(run.now.astimezone(ZoneInfo(listing.time_zone)))
    seen = _evidence(claim, listing, run.now, elapsed)
    change_days = 0.0 if listing.is_full else common.rhythm.days((hour - elapsed / 3600.0) % 168.0, elapsed / 3600.0)
    learnt = _learn(run, seen, elapsed / _DAY, change_days)
    run.services.ingress.count(claim.polling.channel_address, seen, is_watched=claim.is_watched)
    run.services.polling.count(
        learnt,
        changes=seen.changes,
        hour=hour,
        hours=0.0 if listing.is_full else elapsed / 3600.0,
    )
    missed_push = seen.missed > 0 and not claim.is_notified
    if missed_push:
        MISSED_PUSHES.inc()
    look = _plan(run, learnt, seen, hour)
    reopened = 0 if claim.is_notified else claim.polling.reopened_in_vain + learnt.reopens
    return {
        "belief": {name: getattr(learnt.belief, name) for name in _BELIEF},
        "reopened_in_vain": reopened,
        "reopen_watch": learnt.reopens,
        "missed_push": missed_push,
        **_found(seen, listing, run.now),
        "stale_bound_seconds": look.bound_seconds,
        "next_poll_seconds": look.seconds,
        "next_reason": look.reason,
        "push": _push(run, learnt, missed_push, reopened, hour, look.bound_seconds),
    }


def _push(
    run: SyncRun, learnt: Learnt, missed_push: bool, reopened: int, hour: float, bound_seconds: float
) -> dict[str, object]:
    """How push stands at this look, for people; and when silence after it will be odd."""
    common, belief = run.services.polling.now(), learnt.belief
    in_a_row = 0 if run.claim.is_notified else run.claim.webhook_failures + missed_push
    standing = push_standing(
        PushFacts(
            missed_in_a_row=in_a_row,
            reopened_in_vain=reopened,
            recall=belief.recall(common.pool),
            counted=belief.announced + belief.missed,
            unproven_days=belief.unproven_days,
        )
    )
    pushes_a_day = belief.rate(common.pool) * belief.recall(common.pool) if run.claim.is_watched else 0.0
    return {
        "state": standing.state,
        "reason": standing.reason,
        "odd_seconds": odd_after_seconds(pushes_a_day, common.rhythm, hour, bound_seconds),
    }


def _found(seen: Evidence, listing: Listing, now: dt.datetime) -> dict[str, object]:
    """For the log; a full listing tells nothing of changes."""
    if listing.is_full:
        return {}
    found: dict[str, object] = {"changes_announced": seen.announced, "changes_missed": seen.missed}
    if seen.ages_seconds:
        changed = [now - dt.timedelta(seconds=age) for age in seen.ages_seconds[:AGES_LOGGED]]
        found["changed_at"] = [at.isoformat() for at in changed]
    return found


def _learn(run: SyncRun, seen: Evidence, days: float, change_days: float) -> Learnt:
    """What was missed while its region is in trouble has that cause: neither its recall nor its channel is blamed, and
    no other is opened through the same door."""
    claim, pool, ingress = run.claim, run.services.polling.now().pool, run.services.ingress
    belief, address, channel = _belief(claim), claim.polling.channel_address, _channel(claim, run.now)
    if seen.was_notified or channel is None or not ingress.is_down(address):
        return learn(belief, pool, seen, channel, days=days, change_days=change_days)
    learnt = learn(under_outage(belief), pool, seen, channel, days=days, change_days=change_days)
    after = replace(learnt.belief, doubt=died_by(belief.doubt, pool.hazard, days))
    return Learnt(after, learnt.dead_chance, reopens=learnt.reopens and ingress.may_reopen(address))


def _evidence(claim: Claim, listing: Listing, now: dt.datetime, elapsed: float) -> Evidence:
    """A full listing names every event, changed or not; and what changed without a channel was announced by nobody."""
    if listing.is_full:
        return Evidence(was_notified=claim.is_notified)
    ages = ((now - at).total_seconds() for at in listing.changed_at)
    if not claim.has_live_channel and not claim.is_notified:
        unheard = weigh_changes(ages, look_seconds=elapsed, notified_seconds=None)
        return Evidence(unheard.changes, ages_seconds=unheard.ages_seconds)
    since = claim.polling.notified_since if claim.is_notified else None
    notified = max(0.0, (now - since).total_seconds()) if since else 0.0 if claim.is_notified else None
    return weigh_changes(ages, look_seconds=elapsed, notified_seconds=notified)


def _belief(claim: Claim) -> Belief:
    return Belief(**{name: getattr(claim.polling, name) for name in _BELIEF})


def _channel(claim: Claim, now: dt.datetime) -> Channel | None:
    opened_at = claim.polling.channel_opened_at
    if opened_at is None or not (claim.has_live_channel or claim.is_notified):
        return None
    return Channel(max(0.0, (now - opened_at).total_seconds()), claim.polling.reopened_in_vain)


def _plan(run: SyncRun, learnt: Learnt, seen: Evidence, hour: float) -> NextLook:
    claim, common = run.claim, run.services.polling.now()
    is_down = not seen.was_notified and run.services.ingress.is_down(claim.polling.channel_address)
    return plan_look(
        under_outage(learnt.belief) if is_down else learnt.belief,
        common.pool,
        common.rhythm,
        common.table,
        Outlook(
            hour,
            has_channel=claim.is_watched,
            vouched_seconds=0.0 if seen.missed else _vouched_seconds(run),
            meeting_seconds=_until(claim.polling.next_start_at, run.now),
            lapses_seconds=_until(claim.polling.channel_expires_at, run.now),
        ),
        run.services.jitter(),
    )


def _vouched_seconds(run: SyncRun) -> float:
    """The documented rule: a notification within POLL_STALE_HOURS means no poll, while there is a channel, and unless
    pushes were missed since."""
    claim = run.claim
    if (
        claim.last_webhook_received is None
        or not claim.is_watched
        or (claim.webhook_failures and not claim.is_notified)
    ):
        return 0.0
    stale = dt.timedelta(hours=run.services.settings.poll_stale_hours)
    return max(0.0, (claim.last_webhook_received + stale - run.now).total_seconds())


def _until(moment: dt.datetime | None, now: dt.datetime) -> float | None:
    return (moment - now).total_seconds() if moment else None
