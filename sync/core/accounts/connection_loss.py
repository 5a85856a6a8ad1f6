"""Why a grant died, in words a person understands. Pure. Called where a job finds that only the user can mend a
connection.

Sources: Google's OAuth guide, "Refresh token expiration" and "Errors"; the codes are the token endpoint's own.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

# While the OAuth consent screen is in "Testing", Google ends every grant seven days after consent. A loss is noticed at
# the first refresh after it: at most an access token's hour and a poll's interval later.
TESTING_LIFE = dt.timedelta(days=7)
NOTICED_WITHIN = dt.timedelta(hours=12)

TESTING_REASON = "testing_app_expired"
_MESSAGES = {
    "invalid_grant": (
        "Google ended the access to your calendar: it was withdrawn, your password changed, or it was not used for six "
        "months. Connect it again to go on."
    ),
    TESTING_REASON: (
        "Google ended the access to your calendar after seven days, as it does while this app's consent screen is in "
        "testing. Connect it again to go on; its operator can publish the app to end this."
    ),
    "admin_policy_enforced": (
        "Your organisation's administrator does not allow this app to read calendars. Ask them to allow it, then "
        "connect again."
    ),
    "invalid_rapt": "Your organisation asks you to sign in to Google again. Connect your calendar again to go on.",
    "scope_missing": ("Access to your calendar's events was not granted. Connect again and leave all boxes ticked."),
    "no_refresh_token": "Your calendar was connected without lasting access. Connect it again to go on.",
}
_OTHERWISE = "Google ended the access to your calendar. Connect it again to go on."

CALENDAR_LOST = "This calendar cannot be read any more: it was deleted, or is not shared with you now. We keep trying."
CALENDAR_BACK = "This calendar can be read again and has been caught up."


@dataclass(frozen=True, slots=True)
class Loss:
    """`reason`: a stable code. `message`: for the user."""

    reason: str
    message: str


def name_loss(
    code: str, connected_at: dt.datetime | None, promised_until: dt.datetime | None, now: dt.datetime
) -> Loss:
    """The loss that a token endpoint's `code` means for a grant given at `connected_at`.

    `promised_until`: the end Google announced with the grant, as it does for apps in testing.
    """
    reason = code
    if code == "invalid_grant":
        aged = connected_at is not None and (
            TESTING_LIFE - dt.timedelta(hours=1) <= now - connected_at <= TESTING_LIFE + NOTICED_WITHIN
        )
        if aged or (promised_until is not None and promised_until <= now):
            reason = TESTING_REASON
    return Loss(reason, _MESSAGES.get(reason, _OTHERWISE))
