"""The frame of `scripts/bench`: what is met, and that a measure that fails stops no other and is not hidden."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.benchmarks.__main__ import main
from scripts.benchmarks.catalogue import MEASURES
from scripts.benchmarks.measuring import Measure, Row, Size, row_of, turn_about
from sync.version import VERSION


@pytest.mark.parametrize(
    ("ours", "floors", "aim", "better", "is_of_ratio", "is_met"),
    [
        ([80.0], [100.0], 0.8, "higher", True, True),
        ([79.0], [100.0], 0.8, "higher", True, False),
        ([1.4], [1.0], 1.5, "lower", True, True),
        ([1.6], [1.0], 1.5, "lower", True, False),
        ([170.0], [320.0], 167.0, "higher", False, True),
        ([14.0, 90.0, 15.0], [], 15.0, "lower", True, True),
        ([14.0, 90.0, 16.0], [], 15.0, "lower", True, False),
        ([14.0], [], None, "lower", True, None),
    ],
)
def test_an_aim_is_of_the_median_or_its_ratio_to_the_floor(
    ours: list[float], floors: list[float], aim: float | None, better: str, is_of_ratio: bool, is_met: bool | None
) -> None:
    row = row_of("it", "ms", ours, floors, aim=aim, better=better, is_of_ratio=is_of_ratio)  # type: ignore[arg-type]
    assert row.is_met is is_met


def test_ours_and_the_floor_are_timed_turn_about() -> None:
    order: list[str] = []

    def ours() -> float:
        order.append("ours")
        return len(order)

    def floor() -> float:
        order.append("floor")
        return len(order)

    found = turn_about(2, ours, floor)
    assert order == ["ours", "floor"] * 3
    # The first round warmed up.
    assert found == [[3.0, 5.0], [4.0, 6.0]]


def breaks(_size: Size) -> Iterator[Row]:
    yield row_of("before", "ms", [1.0])
    raise RuntimeError("no ground")


def works(size: Size) -> Iterator[Row]:
    yield row_of("after", "ms", [2.0] * size.rounds, [4.0], aim=0.6)


def is_stopped(_size: Size) -> Iterator[Row]:
    yield row_of("before", "ms", [1.0])
    raise KeyboardInterrupt


def measured(capsys: pytest.CaptureFixture[str], *measures: Measure) -> tuple[int, str, dict[str, Any]]:
    """The exit code, the table, and the figures, which stand alone on standard output."""
    code = main(["--quick", "--rounds", "2", "--json"], measures)
    said = capsys.readouterr()
    return code, said.err, json.loads(said.out)


def test_one_measure_that_fails_stops_no_other_and_the_command_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    code, table, told = measured(capsys, Measure("a", "one", "none", breaks), Measure("b", "other", "none", works))
    assert code == 1
    assert told["failed"] == {"a": "RuntimeError: no ground"}
    assert [(row["measure"], row["ours"], row["ratio"], row["is_met"]) for row in told["rows"]] == [
        ("a", 1.0, None, None),
        ("b", 2.0, 0.5, True),
    ]
    assert "after" in table
    assert "a FAILED: RuntimeError: no ground" in table


def test_who_stops_the_command_has_the_table_of_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    code, table, told = measured(
        capsys,
        Measure("a", "one", "none", works),
        Measure("b", "other", "none", is_stopped),
        Measure("c", "n", "n", works),
    )
    assert code == 1
    assert [(row["measure"], row["what"]) for row in told["rows"]] == [("a", "after"), ("b", "before")]
    assert "b FAILED: interrupted, and so were those after it" in table


def test_measures_that_all_worked_are_a_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert measured(capsys, Measure("b", "other", "none", works))[0] == 0


def test_the_figures_say_how_they_were_taken(capsys: pytest.CaptureFixture[str]) -> None:
    _, table, told = measured(capsys, Measure("b", "other", "none", works))
    assert (told["version"], told["rounds"], told["is_quick"]) == (VERSION, 2, True)
    assert told["cores"] == os.cpu_count()
    assert "these figures say little" in " ".join(table.split())
    (row,) = told["rows"]
    assert {"measure", "what", "unit", "ours", "least", "most", "floor", "aim", "better", "ratio", "is_met"} <= set(row)


def test_who_reads_it_from_a_pipe_is_shown_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"], [Measure("b", "other", "none", works)]) == 0
    assert "━" not in capsys.readouterr().err.split("┏")[0]


@pytest.mark.parametrize("arguments", [["b", "--json"], ["--json", "b"], ["b", "--json", "-"], ["b", "b", "--json"]])
def test_a_measure_after_the_option_is_no_file(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    measures = [Measure("a", "one", "none", breaks), Measure("b", "other", "none", works)]
    assert main(arguments, measures) == 0
    assert [row["measure"] for row in json.loads(capsys.readouterr().out)["rows"]] == ["b"]


def test_figures_that_are_written_leave_the_table_where_it_was(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["--json", str(tmp_path / "found")], [Measure("b", "other", "none", works)]) == 0
    assert "after" in capsys.readouterr().out
    assert json.loads((tmp_path / "found").read_text())["rows"][0]["what"] == "after"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["c"], "no such measure: c. There are: b"),
        (["--json", "/nowhere/found"], "--json: [Errno 2] No such file or directory: '/nowhere/found'"),
        (["--rounds", "0"], "argument --rounds: '0' is not a whole number from 1 on"),
    ],
)
def test_a_mistake_is_told_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    try:
        code = main(arguments, [Measure("b", "other", "none", works)])
    except SystemExit as stopped:
        code = int(str(stopped.code))
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert said in err


def test_every_measure_can_be_named_and_says_what_it_is() -> None:
    names = [measure.name for measure in MEASURES]
    assert len(set(names)) == len(names)
    assert all(measure.what and measure.floor and measure.name.isidentifier() for measure in MEASURES)
