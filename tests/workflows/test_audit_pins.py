"""The look-up of known vulnerabilities: a finding fails, missing data is said aloud, nothing passes in silence."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from tests.workflows.cron_service import ROOT

verdict = runpy.run_path(str(ROOT / "scripts" / "audit_pins"))["verdict"]
CLEAN = {"name": "flask", "version": "3.1.3", "vulns": []}
UNKNOWN = {"name": "own-thing", "skip_reason": "Dependency not found on PyPI"}
FOUND = {
    "name": "flask",
    "version": "2.2.4",
    "vulns": [{"id": "PYSEC-2023-62", "fix_versions": ["2.2.5", "2.3.2"], "description": "…"}],
}


@pytest.mark.parametrize(
    ("report", "is_clean", "said"),
    [
        ([CLEAN, CLEAN], True, "2 requirements looked up, 0 vulnerabilities, 0 without"),
        ([CLEAN, UNKNOWN], True, "1 requirements looked up, 0 vulnerabilities, 1 without"),
        ([UNKNOWN, UNKNOWN], True, "skipped: no advisory data"),
        ([], True, "skipped: no advisory data"),
        ([CLEAN, FOUND], False, "flask 2.2.4: PYSEC-2023-62, mended in 2.2.5, 2.3.2"),
        ([UNKNOWN, FOUND], False, "1 vulnerabilities"),
    ],
)
def test_a_report_comes_to_a_verdict(report: list[dict[str, Any]], is_clean: bool, said: str) -> None:
    text, clean = verdict(report)

    assert clean is is_clean
    assert said in text
