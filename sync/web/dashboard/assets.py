"""GET /dashboard/static/…: the dashboard's own styles and scripts, kept by browsers for as long as they are the same.

An address names the content's digest, so that a new version is another address. Nothing is loaded from elsewhere.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from flask import Response, request, send_from_directory, url_for
from werkzeug.exceptions import NotFound

FOLDER = Path(__file__).parent / "static"
KEPT = "public, max-age=31536000, immutable"


@functools.cache
def _digest(name: str) -> str:
    return hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:16]


def address(name: str) -> str:
    """The address of one file, for templates."""
    return url_for("dashboard.asset", name=name, v=_digest(name))


def serve(name: str) -> Response:
    """Raises NotFound."""
    path = (FOLDER / name).resolve()
    if not path.is_relative_to(FOLDER.resolve()) or not path.is_file():
        raise NotFound
    answer = send_from_directory(FOLDER, name)
    if request.args.get("v") == _digest(name):
        answer.headers["Cache-Control"] = KEPT
    return answer
