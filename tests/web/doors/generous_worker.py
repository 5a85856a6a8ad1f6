"""The service's own gunicorn worker, which leaves a connection to its sibling for longer: whether it does is seen on a
machine that is busy, too. For `gunicorn -k`."""

from __future__ import annotations

from sync.web.doors.patient_worker import PatientWorker


class GenerousWorker(PatientWorker):
    moment_seconds = 0.5
