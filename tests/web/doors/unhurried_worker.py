"""The service's own gunicorn worker with all the patience for requests that do not end: that they are held, and keep
nobody from an answer, is seen however slow the machine. For `gunicorn -k`."""

from __future__ import annotations

from sync.web.doors.patient_worker import PatientWorker


class UnhurriedWorker(PatientWorker):
    request_seconds = 600.0
