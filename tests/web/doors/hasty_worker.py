"""The service's own gunicorn worker with less patience: what it does at a deadline is seen without waiting for it long.

For `gunicorn -k`. How long the real one waits is `PatientWorker.request_seconds`.
"""

from __future__ import annotations

from sync.web.doors.patient_worker import PatientWorker

HASTY_SECONDS = 1.5


class HastyWorker(PatientWorker):
    request_seconds = HASTY_SECONDS
