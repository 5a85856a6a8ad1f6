"""When a watch is renewed, by how long Google lets it live."""

from __future__ import annotations

import pytest

from sync.core.polling.renewal import renew_lead_seconds

HOUR, DAY = 3600.0, 86400.0


@pytest.mark.parametrize(
    ("lifetime", "lead"),
    [
        (7 * DAY, 36 * HOUR),
        (3 * DAY, 24 * HOUR),
        (DAY, 8 * HOUR),
        (HOUR, 20 * 60.0),
        (90.0, 30.0),
        (61.0, 1.0),
        # Nonsense: it ends at once, or did long ago. Tried again in a minute.
        (0.0, -60.0),
        (-DAY, -DAY - 60),
    ],
)
def test_the_lead_is_the_setting_or_a_third_of_the_lifetime(lifetime: float, lead: float) -> None:
    assert renew_lead_seconds(36 * HOUR, lifetime) == pytest.approx(lead)
