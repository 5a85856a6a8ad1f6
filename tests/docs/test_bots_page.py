"""The page about bots names every reason, status and preference that users meet."""

from __future__ import annotations

import pytest

from sync.core.bots.wish import BotReason
from sync.states import BotStatus
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "bots.md").read_text()
PREFERENCES = "join_rule calendar_rules skip_all_day skip_private skip_alone attendance bot_name chat_message"


@pytest.mark.parametrize("word", [*BotReason, "refused_by_provider", *BotStatus, *PREFERENCES.split()])
def test_the_page_about_bots_says_what_each_word_means(word: str) -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| ")]

    assert any(f"`{word}`" in row for row in rows)
