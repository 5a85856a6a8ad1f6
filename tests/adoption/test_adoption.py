"""Our migrations move into a company's repository after its own, once, and never over what was changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.adoption import MIGRATIONS, AdoptionRefused, carry_out, plan_adoption
from tests.command_line import invoke

OURS = len(list(MIGRATIONS.glob("*.sql")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "20290101000000_theirs.sql").write_text("select 1;")
    (tmp_path / "notes.txt").write_text("no migration")
    return tmp_path


def adopt(folder: Path, **more: str | bool) -> list[str]:
    """The names of the files it adds."""
    moves = plan_adoption(folder, **more)  # type: ignore[arg-type]
    carry_out(moves)
    return [move.target.name for move in moves if not move.is_there]


def test_they_come_after_all_of_theirs_in_order_with_their_text(folder: Path) -> None:
    added = adopt(folder)
    assert added[0] == "20290101000001_calendar_monitor_preflight.sql"
    assert added == sorted(added)
    assert added[-1].endswith("_calendar_monitor_keep_old_code.sql")
    assert len(added) == OURS + 1
    texts = [(folder / name).read_bytes() for name in added[:-1]]
    assert texts == [path.read_bytes() for path in sorted(MIGRATIONS.glob("*.sql"))]


def test_they_keep_their_versions_where_those_come_last(tmp_path: Path) -> None:
    (tmp_path / "0001_theirs.sql").write_text("select 1;")
    assert adopt(tmp_path)[0] == "20261122080000_calendar_monitor_preflight.sql"


def test_a_second_run_adds_nothing_and_an_upgrade_what_is_new(folder: Path) -> None:
    last = adopt(folder)[-2]
    assert adopt(folder) == []
    (folder / last).unlink()
    (folder / "20300101000000_their_next.sql").write_text("select 2;")
    assert [name.partition("_")[2] for name in adopt(folder)] == [last.partition("_")[2]]


def test_the_end_comes_last_of_all(folder: Path) -> None:
    adopt(folder)
    (folder / "20300101000000_their_next.sql").write_text("select 2;")
    assert adopt(folder, is_finish=True) == ["20300101000001_calendar_monitor_finish_adoption.sql"]


def test_a_newer_history_of_the_database_is_heeded(folder: Path) -> None:
    assert adopt(folder, remote_newest="20310101000000")[0].startswith("20310101000001_")


def test_a_changed_copy_is_refused_and_nothing_is_written(folder: Path) -> None:
    first, *_, last = adopt(folder)
    (folder / first).write_text("select 'mine';")
    (folder / last).unlink()
    before = sorted(folder.iterdir())
    with pytest.raises(AdoptionRefused, match="never changes"):
        adopt(folder)
    assert sorted(folder.iterdir()) == before


def test_a_hole_in_the_middle_is_refused(folder: Path) -> None:
    (folder / adopt(folder)[2]).unlink()
    with pytest.raises(AdoptionRefused, match="not in the order"):
        adopt(folder)


def test_the_command_shows_before_it_copies(folder: Path) -> None:
    shown = invoke(["adopt", str(folder), "--dry-run"])
    assert (shown.exit_code, shown.stdout.count("would be copied")) == (0, OURS + 1)
    assert "supabase db push" in shown.stdout
    assert len(list(folder.glob("*.sql"))) == 1
    assert invoke(["adopt", str(folder)]).exit_code == 0
    assert len(list(folder.glob("*.sql"))) == OURS + 2
    refused = invoke(["adopt", str(folder / "nowhere")])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "is no folder" in refused.stderr
