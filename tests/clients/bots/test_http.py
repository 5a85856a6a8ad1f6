"""An answer is bounded in bytes and, as a whole, in time; and nobody is followed elsewhere."""

from __future__ import annotations

import time

import pytest

from sync.clients.bots import http
from sync.clients.bots.http import ProviderHttp
from sync.errors import BotProviderBusy
from tests.clients.google.answering import answering


def test_an_answer_that_drips_ends_at_the_deadline() -> None:
    """Each byte comes well within any time-out of a read; all of them would take a minute."""
    with answering() as far_side:
        far_side.body, far_side.drip_seconds = b" " * 1200, 0.05
        client = ProviderHttp(far_side.url, {}, deadline_seconds=0.4)
        began = time.monotonic()

        with pytest.raises(BotProviderBusy) as busy:
            client.call("GET", "/")

    assert (busy.value.code, busy.value.maybe_done) == ("answer_too_slow", True)
    assert time.monotonic() - began < 20


def test_an_answer_beyond_the_bound_is_not_read() -> None:
    with answering() as far_side:
        far_side.body = b" " * (http.MAX_ANSWER_BYTES + 1)

        with pytest.raises(BotProviderBusy) as busy:
            ProviderHttp(far_side.url, {}).call("GET", "/")

    assert (busy.value.code, busy.value.maybe_done) == ("answer_too_large", True)


def test_a_redirect_is_not_followed() -> None:
    with answering() as elsewhere, answering() as far_side:
        far_side.status, far_side.headers = 307, {"Location": elsewhere.url}

        answer = ProviderHttp(far_side.url, {"Authorization": "Token hidden"}).call("GET", "/")

    assert (answer.status, elsewhere.requests) == (307, 0)


def test_a_packed_answer_is_not_unpacked() -> None:
    with answering() as far_side:
        far_side.headers, far_side.body = {"Content-Encoding": "gzip"}, b'{"id": "bot_1"}'

        answer = ProviderHttp(far_side.url, {}).call("GET", "/")

    assert answer.fields == {"id": "bot_1"}


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with answering() as far_side:
        assert ProviderHttp(far_side.url, {}).call("GET", "/").status == 200


def test_one_slow_call_shortens_no_other() -> None:
    """The deadline is the thread's: a call that follows one that failed has all of its time."""
    with answering() as far_side:
        client = ProviderHttp(far_side.url, {}, deadline_seconds=1.0)
        far_side.body, far_side.drip_seconds = b" " * 1200, 0.05
        with pytest.raises(BotProviderBusy):
            client.call("GET", "/")
        far_side.body, far_side.drip_seconds = b"{}", 0.0

        assert client.call("GET", "/").body == {}
