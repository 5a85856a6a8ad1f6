"""Fixtures of the tests of bots."""

from __future__ import annotations

import pytest

from tests.sql.bots.following import Following
from tests.sql.database import Database


@pytest.fixture
def bots(db: Database) -> Following:
    return Following(db)
