"""What providers tell of bots, and what a listing repairs: a status never goes back, each message counts once."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from sync.states import BotStatus
from tests.sql.bots.following import NOT_WANTED, Following, at
from tests.sql.database import NOON, Database, Row


@pytest.fixture
def bot(db: Database, bots: Following) -> Row:
    """A bot that its provider has, as its request stands."""
    bots.sync(db.calendar(), at(0))
    bots.decide()
    (request,) = bots.deliver()
    return request


def not_wanted_any_more(bots: Following) -> None:
    bots.db.admin.execute("update public.bot_wishes set due_at = now()")
    bots.decide(**NOT_WANTED)


# Messages


def test_a_message_moves_its_bot_on(bots: Following, bot: Row) -> None:
    assert bots.tell(bot, "bot_joined") == "taken"
    request = bots.request(bot["id"])
    assert (request["status"], request["provider_state"], request["state_at"]) == (
        "bot_joined",
        "their bot_joined",
        NOON,
    )
    assert (request["seen_at"] > bot["seen_at"], request["due_at"], request["is_shown"]) == (True, None, False)


def test_a_repeated_message_does_nothing(bots: Following, bot: Row) -> None:
    assert [bots.tell(bot, "bot_joined"), bots.tell(bot, "transcribing")] == ["taken", "repeated"]
    assert bots.request(bot["id"])["status"] == "bot_joined"


def test_a_status_never_goes_back_and_what_has_ended_stays_so(db: Database) -> None:
    order = list(BotStatus)
    ended = {BotStatus.COMPLETED, BotStatus.FAILED, BotStatus.CANCELLED}
    moves = "select calendar_internal.further(%s, %s) as further"
    for before, told in itertools.product(order, order):
        expected = before if before in ended or order.index(told) < order.index(before) else told
        assert db.row(moves, str(before), str(told)) == {"further": expected}
        assert db.row(moves, str(before), None) == {"further": before}


def test_a_late_message_changes_neither_status_nor_state(bots: Following, bot: Row) -> None:
    bots.tell(bot, "transcribing", message="1")
    bots.tell(bot, "bot_joined", message="2", p_at=NOON - dt.timedelta(minutes=5))
    request = bots.request(bot["id"])
    assert (request["status"], request["provider_state"], request["state_at"]) == (
        "transcribing",
        "their transcribing",
        NOON,
    )


def test_a_word_that_is_not_known_is_kept_and_moves_nothing(bots: Following, bot: Row) -> None:
    bots.tell(bot, None, p_provider_state="dancing")
    request = bots.request(bot["id"])
    assert (request["status"], request["provider_state"]) == ("bot_scheduled", "dancing")


@pytest.mark.parametrize(
    "key", ["", "x", "-" * 36 + ".1", "0" * 36 + ".1", None, "11111111-1111-4111-8111-111111111111.1"]
)
def test_a_bot_that_is_not_ours_is_unknown_whatever_its_key(bots: Following, bot: Row, key: str | None) -> None:
    assert bots.tell(bot, "bot_joined", p_bot_id="theirs", p_key=key) == "unknown"
    assert bots.request(bot["id"])["status"] == "bot_scheduled"


def test_a_bot_may_tell_of_itself_before_the_answer_that_made_it_is_heard(db: Database, bots: Following) -> None:
    bots.sync(db.calendar(), at(0))
    bots.decide()
    (request,) = bots.claim_requests()
    assert bots.tell(request, "bot_joined", p_bot_id="early") == "taken"
    assert bots.claim_requests() == [], "its maker still has it"
    assert bots.end(request, bot_id="early") is True
    (told,) = bots.requests()
    assert (told["bot_id"], told["status"], told["due_at"]) == ("early", "bot_joined", None)


def test_a_message_of_an_older_generation_names_no_bot_of_now(db: Database, bots: Following, bot: Row) -> None:
    db.admin.execute("update public.bot_requests set bot_id = null, generation = 2")
    assert bots.tell(bot, "failed") == "unknown"
    assert bots.request(bot["id"])["status"] == "bot_scheduled"


def test_a_bot_that_is_not_wanted_is_worked_on_in_its_next_state(bots: Following, bot: Row) -> None:
    not_wanted_any_more(bots)
    bots.db.admin.execute("update public.bot_requests set due_at = now() + interval '1 hour'")
    bots.tell(bot, "bot_scheduled")
    assert bots.request(bot["id"])["is_due"] is True


def test_a_bot_that_was_not_wanted_ends_as_cancelled(bots: Following, bot: Row) -> None:
    bots.tell(bot, "bot_joined", message="1")
    not_wanted_any_more(bots)
    bots.tell(bot, "completed", message="2")
    assert bots.request(bot["id"])["status"] == "cancelled"


def test_messages_of_a_bot_that_was_left_behind_are_not_the_new_ones(bots: Following, bot: Row) -> None:
    bots.db.admin.execute("update public.bot_requests set due_at = now(), revision = 2")
    (claimed,) = bots.claim_requests()
    bots.end(claimed, "make_new")
    assert bots.tell(bot, "bot_joined") == "taken"
    (left,), (new,) = bots.requests(wanted=False), bots.requests()
    assert (left["status"], left["is_due"], new["status"]) == ("bot_joined", True, "pending")


# Listings


def compare(db: Database, *listed: Row) -> Row:
    return dict(db.value("compare_bots", p_provider="recall", p_bots=Jsonb(list(listed))))


def listed(request: Row, **more: Any) -> Row:
    """As the provider's listing shows the bot of a request."""
    return {
        "id": request["bot_id"],
        "key": f"{request['id']}.{request['generation']}",
        "status": "bot_scheduled",
        "provider_state": "scheduled",
        "is_alive": True,
        "meeting_url": request["meeting_url"],
        "join_at": request["join_at"].isoformat(),
        **more,
    }


def counts(**more: int) -> Row:
    return {"taken": 0, "doubled": 0, "differing": 0, **more}


@pytest.mark.parametrize(
    "more",
    [{}, {"join_at": None}, {"meeting_url": None}, {"join_at": "2030-01-15T11:58:00.4+00:00"}, {"key": None}],
)
def test_a_bot_that_is_as_it_was_told_needs_nothing(db: Database, bots: Following, bot: Row, more: Row) -> None:
    assert compare(db, listed(bot, **more)) == counts()
    assert bots.request(bot["id"])["due_at"] is None


@pytest.mark.parametrize("more", [{"meeting_url": "https://zoom.us/j/9"}, {"join_at": "2030-01-15T12:58:00+00:00"}])
def test_a_bot_that_is_otherwise_is_told_again(db: Database, bots: Following, bot: Row, more: Row) -> None:
    assert compare(db, listed(bot, **more)) == counts(differing=1)
    (claimed,) = bots.claim_requests()
    assert claimed["told_revision"] == 0


def test_a_bot_whose_creation_was_not_heard_of_is_taken(db: Database, bots: Following) -> None:
    bots.sync(db.calendar(), at(0))
    bots.decide()
    (request,) = bots.claim_requests()
    bots.end(request, "retry", retry_seconds=900, maybe_created=True)
    assert compare(db, listed(request, id="made")) == counts(taken=1)
    (claimed,) = bots.claim_requests()
    assert (claimed["bot_id"], claimed["maybe_created"], claimed["status"]) == ("made", False, "bot_scheduled")


def test_what_a_process_works_on_just_now_is_passed_over(db: Database, bots: Following) -> None:
    bots.sync(db.calendar(), at(0))
    bots.decide()
    (request,) = bots.claim_requests()
    assert compare(db, listed(request, id="made")) == counts()
    holder = db.another()
    bots.end(request, "retry", retry_seconds=900)
    with holder.transaction():
        holder.execute("select 1 from public.bot_requests for update")
        assert compare(db, listed(request, id="made")) == counts()


@pytest.mark.parametrize("generation", [1, 2])
def test_one_bot_too_many_is_removed(db: Database, bots: Following, bot: Row, generation: int) -> None:
    db.admin.execute("update public.bot_requests set generation = 2")
    surplus = listed(bot, id="surplus", key=f"{bot['id']}.{generation}")
    assert compare(db, listed(bot, key=f"{bot['id']}.2"), surplus) == counts(doubled=1)
    assert compare(db, surplus) == counts(), "known by now"
    (left,) = bots.claim_requests()
    assert (left["bot_id"], left["bot_key"], left["wanted"]) == ("surplus", surplus["key"], False)
    assert compare(db, listed(bot, id="ended", is_alive=False)) == counts()


def test_a_status_that_was_not_told_is_taken_and_shown(db: Database, bots: Following, bot: Row) -> None:
    bots.show()
    compare(db, listed(bot, status="bot_joined", provider_state="in_call"))
    request = bots.request(bot["id"])
    assert (request["status"], request["provider_state"], request["is_shown"]) == ("bot_joined", "in_call", False)
    compare(db, listed(bot, status="bot_scheduled"))
    assert bots.request(bot["id"])["status"] == "bot_joined"


def test_a_bot_that_is_there_though_nobody_wants_it_is_removed(db: Database, bots: Following, bot: Row) -> None:
    not_wanted_any_more(bots)
    db.admin.execute("update public.bot_requests set due_at = null")
    compare(db, listed(bot))
    assert bots.request(bot["id"])["is_due"] is True


def test_a_bot_that_a_whole_listing_did_not_show_is_looked_up(db: Database, bots: Following, bot: Row) -> None:
    since = db.row("select clock_timestamp() as now")["now"]
    compare(db, listed(bot))
    end = {"p_provider": "recall", "p_since": since}
    assert db.value("end_comparison", **end) == 0, "it was shown"
    later = {**end, "p_since": db.row("select clock_timestamp() as now")["now"]}
    holder = db.another()
    with holder.transaction():
        holder.execute("select 1 from public.bot_requests for update")
        assert db.value("end_comparison", **later) == 0, "who holds it is not waited for"
    assert db.value("end_comparison", **later) == 1
    (claimed,) = bots.claim_requests()
    assert claimed["in_doubt"] is True
    assert db.row("select listed_at from public.bot_providers")["listed_at"] == later["p_since"]


@pytest.mark.parametrize(
    "state", ["status = 'completed'", "meeting_end = now() - interval '8 days'", "bot_id = null", "due_at = now()"]
)
def test_what_need_not_be_there_is_not_missed(db: Database, bot: Row, state: str) -> None:
    db.admin.execute(f"update public.bot_requests set {state}".encode())
    since = db.row("select clock_timestamp() as now")["now"]
    assert db.value("end_comparison", p_provider="recall", p_since=since) == 0
