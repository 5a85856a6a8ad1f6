"""The operator's own bots against the fake receiver: signatures both ways, and what its answers mean."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from standardwebhooks import Webhook

from scripts.stack.bots import FakeServer
from sync.bot_model import Changed, MakeNew, NotNow, Removed
from sync.clients.bots.webhook import WebhookBots
from sync.errors import BotProviderKeyRejected, BotProviderRefused
from tests.bot_wishes import now_at, ref_of, wanted
from tests.clients.google.answering import answering


@pytest.fixture
def provider(bot_receiver: FakeServer) -> Iterator[WebhookBots]:
    client = WebhookBots(bot_receiver.api_url, [base64.b64decode(bot_receiver.secret)])
    yield client
    client.close()


def test_a_receiver_without_ids_knows_its_bots_by_our_key(provider: WebhookBots, bot_receiver: FakeServer) -> None:
    bot_receiver.control.configure(gives_ids=False)
    wish = wanted(bot_receiver)
    bot = provider.create(wish, "attempt-1", now_at(bot_receiver))

    assert bot.id == wish.key
    moved = wanted(bot_receiver, in_minutes=90)
    assert isinstance(provider.change(ref_of(bot, wish), moved, "attempt-2", now_at(bot_receiver)), Changed)
    assert provider.remove(ref_of(bot, wish), "attempt-3") == Removed("deleted")


def test_what_the_receiver_cannot_change_is_made_anew_and_removed_when_it_can(
    provider: WebhookBots, bot_receiver: FakeServer
) -> None:
    wish = wanted(bot_receiver)
    bot = provider.create(wish, "attempt-1", now_at(bot_receiver))
    bot_receiver.control.configure(is_unchangeable=True)

    assert provider.change(ref_of(bot, wish), wish, "attempt-2", now_at(bot_receiver)) == MakeNew("unchangeable")
    assert provider.remove(ref_of(bot, wish), "attempt-3") == NotNow("unchangeable")


def test_the_same_attempt_is_carried_out_once(provider: WebhookBots, bot_receiver: FakeServer) -> None:
    wish = wanted(bot_receiver)

    first = provider.create(wish, "attempt-1", now_at(bot_receiver))
    second = provider.create(wish, "attempt-1", now_at(bot_receiver))

    assert first.id == second.id
    assert len(bot_receiver.control.bots()) == 1


def test_two_secrets_sign_so_that_either_is_known(bot_receiver: FakeServer) -> None:
    newest, known = b"n" * 32, base64.b64decode(bot_receiver.secret)

    bot = WebhookBots(bot_receiver.api_url, [newest, known]).create(wanted(bot_receiver), "a1", now_at(bot_receiver))

    assert bot.is_alive
    with pytest.raises(BotProviderKeyRejected):
        WebhookBots(bot_receiver.api_url, [newest]).create(wanted(bot_receiver), "a2", now_at(bot_receiver))


def test_the_library_of_any_receiver_verifies_it(bot_receiver: FakeServer) -> None:
    """The fake checks by its own reading of the standard; this is the standard's own."""
    with answering() as far_side:
        wish = wanted(bot_receiver, bot_name="Prüfung")
        WebhookBots(far_side.url, [b"s" * 32]).create(wish, "attempt-1", now_at(bot_receiver))

    ((headers, body),) = far_side.received
    message = Webhook(b"s" * 32).verify(body, headers)
    assert (message["type"], message["data"]["bot_key"], message["data"]["bot_name"]) == (
        "bot.wanted",
        "m1-1",
        "Prüfung",
    )


def test_the_url_is_called_to_the_letter(bot_receiver: FakeServer) -> None:
    with answering() as far_side:
        WebhookBots(f"{far_side.url}/in/?team=1", [b"s" * 32]).create(
            wanted(bot_receiver), "attempt-1", now_at(bot_receiver)
        )
    assert far_side.heads == ["POST /in/?team=1 HTTP/1.1"]


def test_nobody_can_be_looked_up(provider: WebhookBots) -> None:
    with pytest.raises(BotProviderRefused):
        provider.get("own_1")
    assert (provider.find("m1-1"), provider.list_bots(None).bots) == ((), ())
