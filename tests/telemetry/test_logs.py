"""Every line of a process is one JSON object, whoever wrote it, and holds nothing that looks like a secret."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from sync.logs import cleaned

OTHERS = """
import gc, logging, sys, threading, warnings
import structlog
from sync.logs import configure_logs, take_over_process
configure_logs("info", sys.argv[1])
take_over_process()
structlog.get_logger("x").info("ours", count=1)
structlog.get_logger("x").info("odd", text="\\udcff", number=2**70, thing=object)
logging.getLogger("urllib3").warning("Retrying %s", "https://h/calendars?syncToken=abc&x=1")
logging.getLogger("httpx").info("GET https://h/secret")
warnings.warn("old way")
def die():
    raise ValueError("Authorization: Bearer abc.def.ghi")
thread = threading.Thread(target=die)
thread.start()
thread.join()
class Ill:
    def __del__(self):
        raise RuntimeError("at the end")
Ill()
gc.collect()
try:
    die()
except ValueError:
    structlog.get_logger("x").exception("caught", error="ValueError")
raise KeyError("nobody's")
"""


def lines(form: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", OTHERS, form], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr.splitlines()


def test_everybodys_lines_are_json() -> None:
    told: list[dict[str, Any]] = [json.loads(line) for line in lines("json")]
    assert [(line["event"].split("\n")[0].split(":")[0], line["level"]) for line in told] == [
        ("ours", "info"),
        ("odd", "info"),
        ("Retrying https", "warning"),
        ("<string>", "warning"),
        ("uncaught", "critical"),
        ("uncaught", "critical"),
        ("caught", "error"),
        ("uncaught", "critical"),
    ]
    assert all(line["timestamp"].endswith("Z") for line in told)
    assert told[2]["logger"] == "urllib3"
    assert told[2]["event"] == "Retrying https://h/calendars?…"
    assert 'raise KeyError("nobody' in told[-1]["exception"] or "KeyError" in told[-1]["exception"]
    assert "abc.def.ghi" not in json.dumps(told)


def test_people_get_lines_to_read() -> None:
    told = lines("console")
    assert told[0].split(" ", 1)[1].split() == ["[info", "]", "ours", "count=1"]
    assert any("Traceback" in line for line in told)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("GET /connect/google/callback?state=s3cr3t&code=4%2F0A HTTP/1.1", "GET /connect/google/callback?… HTTP/1.1"),
        ("https://user:password@mail.example.com:465/x", "https://…@mail.example.com:465/x"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer …"),
        ("{'apikey': 'sb_secret_abc', 'a': 1}", "{'apikey': '…', 'a': 1}"),
        ('"refresh_token": "1//0gLongEnough", "ok": true', '"refresh_token": "…", "ok": true'),
        ("token=abc&next=2", "token=…&next=2"),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.sig here", "got … here"),
        ("ya29.a0Af_x-y then", "… then"),
        ("what? nothing = odd", "what? nothing = odd"),
        ("sync of 4 calendars: code 410", "sync of 4 calendars: code 410"),
    ],
)
def test_what_looks_like_a_secret_is_cut_and_the_rest_stays(text: str, left: str) -> None:
    assert cleaned(text) == left
