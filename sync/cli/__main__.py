"""`python -m sync.cli`, and the entry `calendar-monitor`."""

from __future__ import annotations

from sync.cli.app import app


def main() -> None:
    app(prog_name="calendar-monitor")


if __name__ == "__main__":
    main()
