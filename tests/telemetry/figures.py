"""Reading figures in tests: of this process, or of an answer of /metrics."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from sync.telemetry.exposition import exposition


def figure(name: str, text: str | None = None, **labels: str) -> float:
    """The sum of a metric's samples that have these labels, of `text` or of this process; 0.0 if there are none."""
    text = exposition().decode() if text is None else text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
