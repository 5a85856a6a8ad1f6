"""The command that sends a test alert, and what is said of ALERT_URLS at the start: by place, never by value."""

from __future__ import annotations

import pytest

from sync.alert_model import AlertMessage
from sync.clients.alerts.destinations import AlertDestinations
from sync.settings import SettingsError, load
from sync.states import AlertSeverity
from tests.command_line import Cli
from tests.flows.processes import worker
from tests.subscriber import subscriber
from tests.world import World, patient

MESSAGE = AlertMessage(AlertSeverity.CRITICAL, "Title", "Body")


def test_each_destination_has_its_line(world: World, cli: Cli) -> None:
    with subscriber() as good, subscriber([404]) as bad:
        urls = f"{good.url}?token=hidden {bad.url}".replace("http:", "json:")
        done = cli("test-alert", services=patient(world.services_with(ALERT_URLS=urls)))
        assert (done.exit_code, done.stderr) == (1, "")
        assert [line.split() for line in done.stdout.splitlines()[1:]] == [["json-1", "taken"], ["json-2", "http_404"]]
        assert good.messages[0].body["title"] == "[calendar monitor] Test alert"


def test_without_a_destination_there_is_nothing_to_test(cli: Cli) -> None:
    done = cli("test-alert")
    assert (done.exit_code, done.stderr) == (2, "ALERT_URLS names no destination.\n")


def test_a_destination_that_hangs_is_given_up_and_its_process_with_it() -> None:
    destinations = AlertDestinations(["json://127.0.0.1:1/"], seconds=0.05)
    assert destinations.send("json-1", MESSAGE) == "timeout"
    assert destinations.send("json-2", MESSAGE) == "not_configured"


def test_destinations_are_named_by_kind_and_number() -> None:
    urls = ["slack://a/b/c", "json://h/hidden", "SLACK://d/e/f"]
    assert AlertDestinations(urls).names == ("slack-1", "json-1", "slack-2")


@pytest.mark.parametrize(
    ("value", "urls"),
    [
        ("json://h/a", ("json://h/a",)),
        ("json://h/a,json://h/b", ("json://h/a", "json://h/b")),
        (" json://h/a\n json://h/b ,", ("json://h/a", "json://h/b")),
        ("mailto://u:p@h?to=a@b.c,d@e.f, json://h", ("mailto://u:p@h?to=a@b.c,d@e.f", "json://h")),
    ],
)
def test_urls_are_separated_by_commas_or_space(world: World, value: str, urls: tuple[str, ...]) -> None:
    assert load({**world.environment, "ALERT_URLS": value}).alert_urls == urls


@pytest.mark.parametrize("value", ["hidden", "json://h/a hidden", ",", " ".join(["json://hidden"] * 11)])
def test_what_is_no_url_is_refused_by_its_place(world: World, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load({**world.environment, "ALERT_URLS": value})
    assert set(refused.value.problems) == {"ALERT_URLS"}
    assert "hidden" not in str(refused.value)


def test_what_nothing_can_be_sent_to_ends_the_start(world: World) -> None:
    with worker(world, ALERT_URLS="json://h/a slack://hidden jsons://h/b bogus://hidden") as process:
        assert process.wait() == 2
        assert '"ALERT_URLS":"number 2, 4 of 4 is no URL that Apprise understands' in process.log
        assert "hidden" not in process.log
