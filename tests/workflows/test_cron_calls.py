"""What the cron workflows do with each kind of answer: green, warned, or red with the reason."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.workflows.cron_service import (
    SECRET,
    Answer,
    CronService,
    Run,
    call_step,
    json_answer,
    problem,
    renewal,
    sweep,
)

RunCron = Callable[..., Run]


def test_one_complete_sweep_is_one_call_and_green(service: CronService, poll: RunCron) -> None:
    service.will_answer(sweep())
    run = poll()
    assert not run.is_red
    assert "::warning::" not in run.log
    (call,) = service.calls
    assert call.path == "/functions/v1/calendar-polling-cron"
    assert call.headers["Authorization"] == f"Bearer {SECRET}"
    assert call.headers["Content-Type"] == "application/json"
    assert call.body == b"{}"


def test_renewal_is_called_at_its_own_path(service: CronService, renew: RunCron) -> None:
    service.will_answer(renewal(renewed=3, failed=0))
    run = renew()
    assert not run.is_red
    assert [call.path for call in service.calls] == ["/functions/v1/renew-calendar-watches"]
    assert "renewed: 3, failed: 0, stopped: 3, total: 3" in run.summary


def test_slash_at_the_end_of_the_address_is_not_doubled(service: CronService, poll: RunCron) -> None:
    service.will_answer(sweep())
    assert not poll(service.url + "/").is_red
    assert service.calls[0].path == "/functions/v1/calendar-polling-cron"


def test_summary_has_each_round_with_its_counts(service: CronService, poll: RunCron) -> None:
    service.will_answer(sweep(remaining=3), sweep(remaining=0))
    run = poll()
    figures = (
        "total_processed: 7, total_created: 1, total_updated: 2, total_deleted: 0, total_skipped: 0, total_failed: 0"
    )
    assert run.summary.splitlines() == [
        f"Round 1: {figures}, remaining: 3",
        "",
        f"Round 2: {figures}, remaining: 0",
        "",
    ]


def test_calls_go_on_while_calendars_remain(service: CronService, poll: RunCron) -> None:
    service.will_answer(sweep(remaining=3), sweep(remaining=2), sweep(remaining=1), sweep(remaining=0))
    assert not poll().is_red
    assert len(service.calls) == 4


def test_remaining_counted_to_its_cap_is_progress_while_calendars_are_taken_up(
    service: CronService, poll: RunCron
) -> None:
    # Two rounds of a standstill are red: it takes three to tell that this is none.
    service.will_answer(*[sweep(remaining=1000)] * 3, sweep(remaining=0))
    assert not poll().is_red
    assert len(service.calls) == 4


def test_calendars_that_never_end_stop_at_the_last_round_and_are_red(service: CronService, poll: RunCron) -> None:
    assert call_step()["env"]["MAX_ROUNDS"] == "20"
    service.will_answer(sweep(remaining=9))
    run = poll(MAX_ROUNDS="3")
    assert run.is_red
    assert len(service.calls) == 3
    assert "9 are still due after 3 rounds" in run.summary


def test_time_limit_ends_the_rounds_as_well(service: CronService, poll: RunCron) -> None:
    service.will_answer(sweep(remaining=9))
    run = poll(MAX_SECONDS="0")
    assert run.is_red
    assert len(service.calls) == 1


def test_two_rounds_that_take_up_nothing_are_a_standstill_and_red(service: CronService, poll: RunCron) -> None:
    service.will_answer(sweep(remaining=9, synced=0))
    run = poll()
    assert run.is_red
    assert len(service.calls) == 2
    assert "No progress: 9 are still due" in run.summary


def test_one_round_that_takes_up_nothing_is_chance(service: CronService, poll: RunCron) -> None:
    service.will_answer(sweep(remaining=1, synced=0), sweep(remaining=0))
    assert not poll().is_red


def test_some_failed_is_a_warning_with_their_codes_and_no_names(service: CronService, poll: RunCron) -> None:
    service.will_answer(sweep(failed=2))
    run = poll()
    assert not run.is_red
    assert "::warning::2 failed, 1 did not." in run.log
    assert "(failed: 2 × throttled)" in run.summary
    assert "@example.com" not in run.log + run.summary


def test_all_failed_is_red(service: CronService, poll: RunCron) -> None:
    service.will_answer(sweep(failed=2, synced=0))
    run = poll()
    assert run.is_red
    assert "All failed (2)" in run.summary


def test_failures_are_judged_over_all_rounds(service: CronService, poll: RunCron) -> None:
    service.will_answer(sweep(remaining=1, failed=2, synced=0), sweep())
    run = poll()
    assert not run.is_red
    assert "::warning::2 failed, 1 did not." in run.log


def test_all_renewals_failed_is_red(service: CronService, renew: RunCron) -> None:
    service.will_answer(renewal(renewed=0, failed=1))
    assert renew().is_red


def test_some_renewals_failed_is_a_warning(service: CronService, renew: RunCron) -> None:
    service.will_answer(renewal(renewed=1, failed=1))
    run = renew()
    assert not run.is_red
    assert "::warning::1 failed, 1 did not." in run.log


def test_nothing_to_renew_is_green(service: CronService, renew: RunCron) -> None:
    service.will_answer(renewal(renewed=0, failed=0))
    assert not renew().is_red


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (problem(401, "unauthorized", "Send a key."), "answered 401: unauthorized: Send a key."),
        (problem(500, "internal_error", "It failed here."), "answered 500: internal_error: It failed here."),
        (problem(503, "store_unavailable", "Try again."), "answered 503: store_unavailable: Try again."),
        (Answer(502, b"<h1>Bad gateway</h1>", "text/html"), 'answered 502: no JSON object, but "text/html"'),
        (Answer(302, b"", "text/html"), "answered 302: no JSON object"),
        (Answer(200, b"<h1>Welcome</h1>", "text/html"), 'answered 200 with no JSON object, but "text/html"'),
        (Answer(200, b'{"success": true', "application/json"), "answered 200 with no JSON object"),
        (Answer(200, b"[]"), "answered 200 with no JSON object"),
        (Answer(200, b""), "answered 200 with no JSON object"),
        (Answer(204, b"", ""), "answered 204 with no JSON object"),
        (json_answer(success=False, code="busy", message="Later."), "did not succeed: busy: Later."),
        (json_answer(success="true", total_failed=0), "did not succeed"),
        (json_answer(total_failed=0), "did not succeed"),
        (sweep(remaining=-1), "counts cannot be read"),
        (json_answer(success=True, total_failed=0, remaining="3", results=[]), "counts cannot be read"),
        (json_answer(success=True, results=[]), "counts cannot be read"),
    ],
)
def test_answer_that_is_no_success_is_red_with_its_reason(
    service: CronService, poll: RunCron, answer: Answer, words: str
) -> None:
    service.will_answer(answer)
    run = poll()
    assert run.is_red
    assert words in run.log
    assert words in run.summary
    assert len(service.calls) == 1


def test_error_in_a_later_round_is_red_and_keeps_the_earlier_counts(service: CronService, poll: RunCron) -> None:
    service.will_answer(sweep(remaining=5), problem(500, "internal_error", "It failed here."))
    run = poll()
    assert run.is_red
    assert "Round 1: total_processed: 7" in run.summary
    assert "answered 500: internal_error" in run.summary


def test_empty_answer_is_not_taken_for_the_round_before(service: CronService, poll: RunCron) -> None:
    service.will_answer(sweep(remaining=5), Answer(200, b""))
    assert poll().is_red


def test_host_out_of_reach_is_red(service: CronService, poll: RunCron) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        run = poll(f"http://127.0.0.1:{closed.getsockname()[1]}")
    assert run.is_red
    assert "The service cannot be reached: curl: (7)" in run.summary


def test_host_that_is_just_restarting_is_asked_again(service: CronService, poll: RunCron) -> None:
    service.will_answer(
        Answer(503, b"<h1>Starting, and a longer text than the answer</h1>" * 100, "text/html"), sweep()
    )
    assert not poll(RETRIES="1", PAUSE_SECONDS="1").is_red
    assert len(service.calls) == 2


@pytest.mark.parametrize(
    ("environment", "named", "not_named"),
    [
        ({"CALENDAR_MONITOR_URL": ""}, "the variable CALENDAR_MONITOR_URL.", "CRON_SECRET"),
        ({"CRON_SECRET": ""}, "the secret CRON_SECRET.", "CALENDAR_MONITOR_URL"),
        (
            {"CALENDAR_MONITOR_URL": "", "CRON_SECRET": "\n"},
            "the variable CALENDAR_MONITOR_URL and the secret CRON_SECRET.",
            "is no https",
        ),
    ],
)
def test_missing_configuration_is_red_and_named(
    service: CronService, poll: RunCron, environment: dict[str, str], named: str, not_named: str
) -> None:
    run = poll(**environment)
    assert run.is_red
    assert named in run.summary
    assert not_named not in run.log
    assert service.calls == []


@pytest.mark.parametrize(
    "address",
    [
        "http://monitor.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost@example.com",
        "monitor.example.com",
        "file:///etc/hostname",
        "https://",
        "https://monitor.example.com?x=1",
        "https://monitor.example.com\nhttps://other.example.com",
    ],
)
def test_secret_is_sent_to_https_addresses_only(service: CronService, poll: RunCron, address: str) -> None:
    run = poll(address)
    assert run.is_red
    assert "CALENDAR_MONITOR_URL is no https:// address" in run.summary


def test_secret_is_never_printed_even_if_the_service_repeats_it(service: CronService, poll: RunCron) -> None:
    for answer in (
        sweep(),
        problem(500, SECRET, f"You sent {SECRET}."),
        Answer(200, b"no", f"text/html; {SECRET}"),
        json_answer(success=True, total_failed=1, results=[{"status": "failed", "error": SECRET}]),
    ):
        service.will_answer(answer)
        run = poll()
        assert SECRET not in run.log + run.summary
        assert "cron-secret" not in run.log + run.summary


def test_secret_is_in_no_process_arguments(service: CronService, poll: RunCron) -> None:
    service.will_answer(sweep(remaining=1), sweep())
    poll()
    curls = [line for line in service.processes if line.startswith(b"curl\0")]
    assert curls or not service.processes
    assert not any(SECRET.encode() in line for line in service.processes)


def test_line_break_pasted_along_with_the_secret_is_dropped(service: CronService, poll: RunCron) -> None:
    service.will_answer(sweep())
    assert not poll(CRON_SECRET=f"{SECRET}\r\n").is_red
    assert service.calls[0].headers["Authorization"] == f"Bearer {SECRET}"


def test_answer_cannot_give_commands_to_the_runner(service: CronService, poll: RunCron) -> None:
    service.will_answer(
        problem(500, "bad\n::add-mask::e", "<img src=x>\r\n::warning::forged `x` | y\u2028z" + "é" * 999)
    )
    run = poll()
    assert run.is_red
    assert not [line for line in run.log.splitlines() if line.startswith(("::add-mask", "::warning"))]
    assert "<img" not in run.summary
    assert "`" not in run.summary
    assert len(run.summary) < 400


def test_settings_of_the_machines_curl_are_ignored(
    service: CronService, poll: RunCron, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / ".curlrc").write_text("verbose\n")
    service.will_answer(sweep())
    run = poll(HOME=str(home))
    assert not run.is_red
    assert "Authorization" not in run.log
