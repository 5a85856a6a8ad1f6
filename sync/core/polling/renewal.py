"""How long before it lapses a watch is renewed. Pure. Called where a channel was opened."""

from __future__ import annotations

# Google decides how long a channel lives: a week, or an hour. Two thirds of it are used, the last is for failed tries.
SHARE_OF_LIFETIME = 1 / 3
# Whatever lifetime Google names, a calendar's watch is not opened again within this.
SHORTEST_LIFE_SECONDS = 60.0


def renew_lead_seconds(setting_seconds: float, lifetime_seconds: float) -> float:
    """Seconds before its end. Negative for a channel that ends (or ended) within a minute: then it lapses unrenewed."""
    lead = min(setting_seconds, lifetime_seconds * SHARE_OF_LIFETIME)
    return min(lead, lifetime_seconds - SHORTEST_LIFE_SECONDS)
