"""Label values are few and short, whatever they come from."""

from __future__ import annotations

import pytest

from sync.telemetry.words import OTHER, Words, snake


def test_a_label_takes_so_many_values_and_then_others() -> None:
    words = Words(most=2)
    assert [words(word) for word in ("notFound", "internal_error", "a third", "third", "notFound")] == [
        "notFound",
        "internal_error",
        OTHER,
        OTHER,
        "notFound",
    ]


@pytest.mark.parametrize("odd", ["", "a b", "x" * 61, "né", 'quote"', "line\n"])
def test_what_is_no_word_is_other(odd: str) -> None:
    assert Words()(odd) == OTHER


def test_a_failure_is_named_as_labels_are() -> None:
    assert snake("RetryLater") == "retry_later"
