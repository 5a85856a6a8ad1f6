"""A port is chosen before its server binds it: meanwhile nobody else is given the same."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.stack.ports import free_port

CHOOSE = """
import sys
from scripts.stack import ports
ports.LOWEST_PORT = ports.HIGHEST_PORT = int(sys.argv[1])
print(ports.free_port())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere whoever binds second retries")
def test_a_port_that_was_given_is_given_to_no_other_process_and_can_be_served() -> None:
    port = free_port()

    chosen = subprocess.run(
        [sys.executable, "-c", CHOOSE, str(port)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "no free port" in chosen.stderr, chosen.stdout
    with socket.create_server(("127.0.0.1", port)) as server:
        assert server.getsockname()[1] == port
