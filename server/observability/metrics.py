"""What is counted and measured for Prometheus, in every process of a server: any of them can tell it for all.

With several processes each writes its figures into files of a folder that they share: prometheus_client's multi-process mode,
which the variable `PROMETHEUS_MULTIPROC_DIR` turns on when that package is imported. No label has a value that a stranger has
chosen.
"""

import asyncio
import os
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from db.background import background_task
from db.pool import Pool
from db.processes import process_exists
from telemetry.request_record import SUBSCRIPTION, RequestRecord

MULTIPROCESS_DIR_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
MULTIPROCESS = MULTIPROCESS_DIR_VARIABLE in os.environ
"""As prometheus_client has found it: it looks once, when it is imported."""
NONE, OTHER = "none", "other"
MAX_SERIES = 1_000
"""Kinds, statuses, codes and registered operations are few; should they not be, the rest is `other`."""
FLUSH_INTERVAL_SECONDS = 1.0
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds: a kept answer takes a tenth of a millisecond, statistics of a continent a second, an upload as long as it waits."""

# They tell when a series was begun, and double the number of all.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
REQUESTS = Counter(
    "ratesgraph_requests",
    "Requests, and operations on WebSockets, that have ended",
    ["kind", "operation", "status", "code"],
    registry=REGISTRY,
)
SECONDS = Histogram(
    "ratesgraph_request_seconds",
    "How long requests took, subscriptions aside",
    ["kind", "cache"],
    buckets=BUCKETS,
    registry=REGISTRY,
)
ERRORS = Counter("ratesgraph_errors", "Errors that callers were told", ["code"], registry=REGISTRY)


def _gauge(name: str, meaning: str, *labels: str) -> Gauge:
    # Of the processes that live, the sum.
    return Gauge(f"ratesgraph_{name}", meaning, labels, multiprocess_mode="livesum", registry=REGISTRY)


PROCESSES = _gauge("processes", "Server processes")
SUBSCRIPTIONS = _gauge("subscriptions_open", "Subscriptions that are open")
RESPONSE_CACHE_BYTES = _gauge("response_cache_bytes", "Bytes of cached responses")
FORMER_RESPONSE_CACHE_BYTES = _gauge(
    "kept_answers_bytes", "Former name of ratesgraph_response_cache_bytes, for one version"
)
POOL_LIMIT = _gauge("pool_limit", "Database connections that there may be", "pool")
POOL_SIZE = _gauge("pool_size", "Database connections that there are", "pool")
POOL_IDLE = _gauge("pool_idle", "Database connections that nobody uses", "pool")
POOL_WAITING = _gauge("pool_waiting", "Those who wait for a database connection", "pool")


@dataclass(slots=True)
class _RequestCounts:
    """Requests that have ended alike since the metrics were last added to."""

    count: int = 0
    seconds: float = 0.0
    by_bucket: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))


# Adding to metrics that processes share takes 6 µs of a request, and to these a tenth of that.
_request_counts: dict[tuple[str, str, int, str, str], _RequestCounts] = {}
_error_counts: dict[str, int] = {}


def record_request(notes: RequestRecord, seconds: float) -> None:
    """Count a request that has ended."""
    series = (
        notes.kind,
        notes.operation if notes.is_registered and notes.operation else "",
        notes.status,
        notes.codes[0] if notes.codes else "",
        notes.cache,
    )
    tally = _request_counts.get(series)
    if tally is None:
        if len(_request_counts) >= MAX_SERIES:
            series = (notes.kind, OTHER, 0, OTHER, notes.cache)
        tally = _request_counts.setdefault(series, _RequestCounts())
    tally.count += 1
    tally.seconds += seconds
    tally.by_bucket[bisect_left(BUCKETS, seconds)] += 1
    for code in notes.codes:
        record_error(code)


def record_error(code: str) -> None:
    """Count an error that a caller was told."""
    _error_counts[code] = _error_counts.get(code, 0) + 1


def _flush_counters() -> None:
    """Add what has been counted to the metrics."""
    for (kind, operation, status, code, cache), tally in _request_counts.items():
        if not tally.count:
            continue
        REQUESTS.labels(kind or NONE, operation or NONE, str(status or NONE), code or NONE).inc(tally.count)
        if kind != SUBSCRIPTION:
            # A histogram takes one observation at a time, or what it is made of.
            histogram = SECONDS.labels(kind or NONE, cache or NONE)
            histogram._sum.inc(tally.seconds)
            for bucket, added in zip(histogram._buckets, tally.by_bucket, strict=True):
                if added:
                    bucket.inc(added)
        tally.count, tally.seconds, tally.by_bucket = 0, 0.0, [0] * len(tally.by_bucket)
    for code, added in _error_counts.items():
        ERRORS.labels(code).inc(added)
    _error_counts.clear()


class MetricsRecorder:
    """What is counted and measured in this process."""

    def __init__(self, pools: Mapping[str, Pool], cache_size: Callable[[], int]) -> None:
        self._pools = pools
        self._cache_size = cache_size

    def flush(self) -> None:
        """Set the gauges, and add up what was counted."""
        _flush_counters()
        PROCESSES.set(1)
        size = self._cache_size()
        RESPONSE_CACHE_BYTES.set(size)
        FORMER_RESPONSE_CACHE_BYTES.set(size)
        for name, pool in self._pools.items():
            state = pool.stats()
            POOL_LIMIT.labels(name).set(state.limit)
            POOL_SIZE.labels(name).set(state.size)
            POOL_IDLE.labels(name).set(state.idle)
            POOL_WAITING.labels(name).set(state.waiting)

    async def flush_forever(self) -> None:
        """Do so again and again: another process may be asked."""
        while True:
            self.flush()
            await asyncio.sleep(FLUSH_INTERVAL_SECONDS)


@asynccontextmanager
async def open_metrics(pools: Mapping[str, Pool], cache_size: Callable[[], int]) -> AsyncIterator[MetricsRecorder]:
    """Measure what happens in this process until the end of the block."""
    figures = MetricsRecorder(pools, cache_size)
    async with background_task(figures.flush_forever()):
        yield figures
    figures.flush()


@contextmanager
def multiprocess_dir() -> Iterator[None]:
    """Have the processes that are started inside of the block share their figures."""
    with TemporaryDirectory(prefix="ratesgraph-metrics-") as folder:
        os.environ[MULTIPROCESS_DIR_VARIABLE] = folder
        yield


def collect() -> Iterator[Metric]:
    """Yield the metrics of all processes. Reads files where there are several: not on the event loop."""
    if not MULTIPROCESS:
        yield from REGISTRY.collect()
        return
    folder = os.environ[MULTIPROCESS_DIR_VARIABLE]
    for path in Path(folder).glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        # A process that was killed could take nothing back. What it has counted stays.
        if pid.isdigit() and not process_exists(int(pid)):
            mark_process_dead(int(pid), folder)  # type: ignore[no-untyped-call]
    yield from MultiProcessCollector(None, folder).collect()  # type: ignore[no-untyped-call]
