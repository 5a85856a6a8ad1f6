"""Mails users what they must not miss, if mail is configured. Called by the duties and the polling cron.

The row in `user_notifications` is what a user is told; the mail only carries it to where they look. A failed mail is
tried again while the row still holds.
"""

from __future__ import annotations

from collections.abc import Callable

from sync.errors import MailFailure
from sync.jobs.services import Services
from sync.states import UserNotice

SUBJECT = "Your calendar connection needs you"
SUBJECTS = {UserNotice.CONNECTED: "A Google Calendar was connected"}
AT_ONCE = 20
# Also the pause after a failure: a mail server that refuses is asked again, but not in a hurry.
LEASE_SECONDS = 900
OLDEST_SECONDS = 3 * 86400


def mail_users(services: Services, should_stop: Callable[[], bool] = lambda: False) -> int:
    """Mails sent. None are, and nothing is asked of the store, without SMTP_URL. Raises StoreFailure.

    `should_stop` is asked before each mail: a slow server costs a cron call one mail's time-out at the most.
    """
    if services.mailer is None or should_stop():
        return 0
    sent = 0
    for due in services.store.mails.claim_unmailed(AT_ONCE, LEASE_SECONDS, OLDEST_SECONDS):
        if should_stop():
            break
        try:
            services.mailer.send(due.address, SUBJECTS.get(due.kind, SUBJECT), due.message)
        except MailFailure as failure:
            services.log.warning("mail_not_sent", notification_id=due.notification_id, error_code=failure.code)
            continue
        services.store.mails.mark_mailed(due.notification_id)
        sent += 1
    return sent
