"""Batched histogram: the same samples as prometheus_client's `Histogram`."""

import json
import subprocess
import sys
from bisect import bisect_left
from collections import defaultdict
from pathlib import Path
from random import Random

import pytest
from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from server.observability.batched_histogram import BatchedHistogram

NAME, LABELS = "example_seconds", ("kind", "cache")
BUCKETS = (0.0005, 0.001, 0.0025, 0.1, 0.25, 1, 2.5, 10)
Observation = tuple[tuple[str, str], float]


class Families:
    """Registry of fixed metric families, for the text format."""

    def __init__(self, families: list[Metric]) -> None:
        self.families = families

    def collect(self) -> list[Metric]:
        """Return the families."""
        return self.families


def draw_observations(random: Random, count: int) -> list[Observation]:
    """Return random observations, which include the bounds of the buckets."""
    return [
        (
            (random.choice(["query", "none"]), random.choice(["hit", "miss", 'a"b'])),
            random.choice([0.0, *BUCKETS, random.uniform(0, 12), 10 ** random.uniform(-5, 2)]),
        )
        for _ in range(count)
    ]


def add_batches(histogram: BatchedHistogram, observations: list[Observation]) -> None:
    """Add the observations in one batch for each label set."""
    batches: dict[tuple[str, str], list[float]] = defaultdict(list)
    for labels, value in observations:
        batches[labels].append(value)
    for labels, values in batches.items():
        counts = [0] * (len(BUCKETS) + 1)
        for value in values:
            counts[bisect_left(BUCKETS, value)] += 1
        histogram.add(labels, counts, sum(values))


def samples(families: list[Metric]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the samples of the text format; rounded sums hide the order of addition."""
    text = generate_latest(Families(families)).decode()
    assert text.startswith(f"# HELP {NAME} How long\n# TYPE {NAME} histogram\n")
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    values = {(sample.name, frozenset(sample.labels.items())): round(sample.value, 6) for sample in found}
    assert len(values) == len(found)
    return values


@pytest.mark.parametrize("seed", range(5))
def test_batched_histogram_equals_histogram(seed: int) -> None:
    disable_created_metrics()  # type: ignore[no-untyped-call]
    random = Random(seed)  # noqa: S311
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    batched = BatchedHistogram(NAME, "How long", LABELS, bounds=BUCKETS, registry=ours)
    histogram = Histogram(NAME, "How long", LABELS, buckets=BUCKETS, registry=theirs)
    assert samples(list(batched.assemble(ours.collect()))) == samples(list(theirs.collect())) == {}
    for size in (1, 30, 300):
        observations = draw_observations(random, size)
        add_batches(batched, observations)
        for labels, value in observations:
            histogram.labels(*labels).observe(value)
        expected = list(theirs.collect())
        assembled = list(batched.assemble(ours.collect()))
        assert samples(assembled) == samples(expected)
        # In one process the order of the samples is also the same.
        texts = [generate_latest(Families(families)) for families in (assembled, expected)]
        names = [[line.rpartition(b" ")[0] for line in text.splitlines()] for text in texts]
        assert names[0] == names[1]


PROCESS = """
import json, sys
from tests.server.observability import test_batched_histogram as test
kind, observations = json.load(sys.stdin)
test.observe(kind, [(tuple(labels), value) for labels, value in observations])
"""


def observe(kind: str, observations: list[Observation]) -> None:
    """Record the observations in this process with one of the two histograms."""
    registry = CollectorRegistry()
    if kind == "batched":
        add_batches(BatchedHistogram(NAME, "How long", LABELS, bounds=BUCKETS, registry=registry), observations)
    else:
        histogram = Histogram(NAME, "How long", LABELS, buckets=BUCKETS, registry=registry)
        for labels, value in observations:
            histogram.labels(*labels).observe(value)


def test_batched_histogram_equals_histogram_over_several_processes(tmp_path: Path) -> None:
    random = Random(6)  # noqa: S311
    parts = [draw_observations(random, 40) for _ in range(3)]
    for kind in ("batched", "single"):
        folder = tmp_path / kind
        folder.mkdir()
        for part in parts:
            subprocess.run(
                [sys.executable, "-c", PROCESS],
                input=json.dumps([kind, part]),
                env={"PROMETHEUS_MULTIPROC_DIR": str(folder), "PYTHONPATH": ":".join(filter(None, sys.path))},
                check=True,
                text=True,
            )
        assert len(list(folder.glob("*.db"))) == len(parts)
    batched = BatchedHistogram(NAME, "How long", LABELS, bounds=BUCKETS, registry=CollectorRegistry())
    collected = {
        kind: list(MultiProcessCollector(None, str(tmp_path / kind)).collect())  # type: ignore[no-untyped-call]
        for kind in ("batched", "single")
    }
    assert samples(list(batched.assemble(collected["batched"]))) == samples(collected["single"])
    assert samples(collected["single"])
