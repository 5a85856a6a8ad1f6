"""Mail to users: what they must act on reaches them once, and never keeps anything else from working."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from sync.jobs.accounts.connect_calendar import connect_calendars
from sync.jobs.accounts.disconnect import disconnect
from sync.jobs.accounts.mail_users import mail_users
from sync.jobs.driving.poll_user import poll_user
from sync.jobs.services import Services, build_services
from sync.settings import SettingsError, load
from tests.world import Person, World


class _Conversation(socketserver.StreamRequestHandler):
    """As much SMTP as handing in a mail takes (RFC 5321)."""

    server: _Server

    def handle(self) -> None:
        self._say("220 mail.test")
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            if verb == "RCPT" and self.server.office.refuses:
                self._say("451 try again later")
            elif verb == "DATA":
                self._say("354 go on")
                self.server.office.mails.append(self._text())
                self._say("250 taken")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _text(self) -> str:
        lines = []
        while (line := self.rfile.readline().decode()) != ".\r\n":
            lines.append(line)
        return "".join(lines)

    def _say(self, answer: str) -> None:
        self.wfile.write(f"{answer}\r\n".encode())


@dataclass
class PostOffice:
    """What a mail server took."""

    port: int = 0
    refuses: bool = False
    mails: list[str] = field(default_factory=list)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    office: PostOffice


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with _Server(("127.0.0.1", 0), _Conversation) as server:
        server.office = PostOffice(port=server.server_address[1])
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server.office
        server.shutdown()


def mailing(world: World, office: PostOffice) -> Services:
    url = f"smtp://127.0.0.1:{office.port}?from=monitor@example.com"
    return build_services(load({**world.environment, "SMTP_URL": url}))


def lost(world: World) -> Person:
    alice = world.person()
    world.connect(alice)
    world.google.revoke(alice.email)
    world.db.execute("update google_credentials set access_token = null, access_token_expires_at = null")
    for _ in range(2):
        poll_user(world.services, alice.user_id, forced=True)
        world.let_suspicions_age()
    return alice


def test_a_lost_connection_is_mailed_once_to_the_google_account(world: World, office: PostOffice) -> None:
    alice = lost(world)
    services = mailing(world, office)

    assert mail_users(services) == 1
    assert mail_users(services) == 0

    (mail,) = office.mails
    assert f"To: {alice.email}" in mail
    assert "From: monitor@example.com" in mail
    assert "Connect it again" in mail.replace("=\r\n", "")


def test_a_new_connection_is_mailed_to_the_google_account_with_how_to_undo_it(world: World, office: PostOffice) -> None:
    alice = world.person()
    connect_calendars(world.services, alice.user_id, alice.refresh_token, [], tells=True)
    services = mailing(world, office)

    assert mail_users(services) == 1
    assert mail_users(services) == 0

    (mail,) = office.mails
    assert f"To: {alice.email}" in mail
    assert "Subject: A Google Calendar was connected" in mail
    assert "https://myaccount.google.com/connections" in mail.replace("=\r\n", "")


@pytest.mark.parametrize("then", ["another account", "left"])
def test_a_new_connection_is_mailed_to_its_own_address_whatever_became_of_it(
    world: World, office: PostOffice, then: str
) -> None:
    mallory, vera = world.person("mallory"), world.person("vera")
    connect_calendars(world.services, mallory.user_id, vera.refresh_token, [], tells=True)
    if then == "left":
        disconnect(world.services, mallory.user_id, "keep")
    else:
        connect_calendars(world.services, mallory.user_id, mallory.refresh_token, [])

    assert mail_users(mailing(world, office)) == 1
    assert [f"To: {vera.email}" in mail for mail in office.mails] == [True]


def test_a_mail_that_was_refused_is_tried_again_later(world: World, office: PostOffice) -> None:
    lost(world)
    services = mailing(world, office)
    office.refuses = True

    assert mail_users(services) == 0
    assert mail_users(services) == 0
    office.refuses = False
    world.db.execute("update user_notifications set mail_after = now()")

    assert mail_users(services) == 1
    assert len(office.mails) == 1


def test_who_has_reconnected_meanwhile_gets_no_mail(world: World, office: PostOffice) -> None:
    alice = lost(world)
    alice.refresh_token = world.google.grant(alice.email)
    world.connect(alice)

    assert mail_users(mailing(world, office)) == 0
    assert office.mails == []


def test_what_was_told_before_mail_was_switched_on_is_not_mailed_late(world: World, office: PostOffice) -> None:
    lost(world)
    world.db.execute("update user_notifications set created_at = now() - interval '4 days'")

    assert mail_users(mailing(world, office)) == 0


def test_a_mail_server_out_of_reach_stops_nothing(world: World, office: PostOffice) -> None:
    lost(world)
    gone = PostOffice(port=1)

    assert mail_users(mailing(world, gone)) == 0
    assert world.rows("select mailed_at from user_notifications") == [{"mailed_at": None}]


def test_a_used_up_budget_ends_between_two_mails(world: World, office: PostOffice) -> None:
    lost(world)
    lost(world)

    assert mail_users(mailing(world, office), lambda: bool(office.mails)) == 1
    assert len(office.mails) == 1
    assert len(world.rows("select 1 from user_notifications where mailed_at is null")) == 1


def test_a_cron_whose_budget_is_used_up_begins_no_mail(world: World, office: PostOffice) -> None:
    lost(world)

    assert mail_users(mailing(world, office), lambda: True) == 0
    assert office.mails == []


@pytest.mark.parametrize("address", ["alice@example.com\r\nBcc: eve@example.com", "ålice@exämple.com"])
def test_an_address_that_cannot_be_written_to_stops_nothing(world: World, office: PostOffice, address: str) -> None:
    lost(world)
    world.db.execute("update google_credentials set google_account = %s", (address,))

    assert mail_users(mailing(world, office)) == 0
    assert office.mails == []


def test_without_a_mail_server_the_store_is_not_asked(world: World) -> None:
    lost(world)
    world.supabase.reset_counters()

    assert mail_users(world.services) == 0
    assert world.supabase.counters() == {}


@pytest.mark.parametrize(
    "value",
    ["mail.example.com", "http://mail.example.com?from=a@b.c", "smtp://mail.example.com", "smtp://h:x?from=a@b.c"],
)
def test_a_malformed_mail_server_is_reported_with_its_mend(world: World, value: str) -> None:
    with pytest.raises(SettingsError) as bad:
        load({**world.environment, "SMTP_URL": value})
    assert list(bad.value.problems) == ["SMTP_URL"]
    assert "?from=" in bad.value.problems["SMTP_URL"]
    assert value not in str(bad.value)
