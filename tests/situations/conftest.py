"""The quiet world, for the tests that need neither push nor the web."""

from __future__ import annotations

from tests.situations.quiet import quiet

__all__ = ["quiet"]
