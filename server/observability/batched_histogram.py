"""Prometheus histogram that adds observations in batches, on the public API.

`Histogram` of prometheus_client accepts single observations, about 6 µs each if processes share files. Here a batch is added to
two counters: one per bucket (label `le`), one for the sum. The multi-process mode of prometheus_client sums the counters of
all processes. `assemble` turns them into one histogram family with the samples that `Histogram` would export.
"""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.metrics_core import HistogramMetricFamily, Metric

INFINITY = "+Inf"
LE = "le"


class BatchedHistogram:
    """Histogram whose observations are grouped by bucket before they are added."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        *,
        bounds: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        """Register the two counters.

        `bounds` are the upper bounds of the buckets in ascending order, without infinity.
        """
        self._name, self._documentation = name, documentation
        self._labels = tuple(labels)
        self._bucket_labels = (*(str(float(bound)) for bound in bounds), INFINITY)
        self._buckets = Counter(f"{name}_by_bucket", documentation, (*labels, LE), registry=registry)
        self._sums = Counter(f"{name}_of_all", documentation, labels, registry=registry)

    def add(self, labels: Sequence[str], counts: Sequence[int], total: float) -> None:
        """Add a batch of observations.

        `counts` holds their number in each bucket (not cumulative), `total` the sum of their values.
        """
        self._sums.labels(*labels).inc(total)
        for bucket, count in zip(self._bucket_labels, counts, strict=True):
            if count:
                self._buckets.labels(*labels, bucket).inc(count)

    def assemble(self, families: Iterable[Metric]) -> Iterator[Metric]:
        """Yield the families, with one histogram family in the place of the two counters."""
        collected = list(families)
        sums = next((family for family in collected if family.name == f"{self._name}_of_all"), None)
        for family in collected:
            if family.name == f"{self._name}_by_bucket":
                yield self._build_family(family, sums)
            elif family is not sums:
                yield family

    def _build_family(self, buckets: Metric, sums: Metric | None) -> HistogramMetricFamily:
        counts: dict[tuple[str, ...], dict[str, float]] = {}
        for labels, value in _totals(buckets):
            counts.setdefault(self._label_values(labels), {})[labels[LE]] = value
        totals = {self._label_values(labels): value for labels, value in _totals(sums)} if sums else {}
        histogram = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, by_bucket in counts.items():
            cumulative = 0.0
            rows: list[tuple[str, float]] = []
            for bucket in self._bucket_labels:
                cumulative += by_bucket.get(bucket, 0.0)
                rows.append((bucket, cumulative))
            histogram.add_metric(values, rows, totals.get(values, 0.0))
        return histogram

    def _label_values(self, labels: dict[str, str]) -> tuple[str, ...]:
        return tuple(labels[name] for name in self._labels)


def _totals(counter: Metric) -> Iterator[tuple[dict[str, str], float]]:
    """Yield the labels and values of a counter, without its `_created` samples."""
    for sample in counter.samples:
        if sample.name.endswith("_total"):
            yield sample.labels, sample.value
