"""Prometheus metrics of the server; any process can export those of all processes.

With several processes each writes its values into files of a shared folder: the multi-process mode of prometheus_client. The
package enables it if the variable `PROMETHEUS_MULTIPROC_DIR` is set at import. No label has a value chosen by a client.
"""

import asyncio
import os
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from db.background import background_task
from db.pool import Pool
from db.replicas.gated_server import GateState
from db.replicas.router import ReadRouter
from db.shards.router import ShardRouter
from server.observability.batched_histogram import BatchedHistogram
from server.observability.processes import process_exists
from telemetry.request_record import SUBSCRIPTION, RequestRecord

MULTIPROCESS_DIR_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
MULTIPROCESS = MULTIPROCESS_DIR_VARIABLE in os.environ
"""Whether multiprocess mode is on. Read once at import, as prometheus_client does."""
NONE, OTHER = "none", "other"
MAX_SERIES = 1_000
"""Limit on distinct label sets.

Kinds, statuses, codes and registered operations are few. Any excess is counted as `other`.
"""
FLUSH_INTERVAL_SECONDS = 1.0
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds in seconds.

A cached response is sent in 0.1 ms, statistics of a continent in 1 s. An upload waits for its batch.
"""

TakeCounts = Callable[[], Mapping[str, int]]
"""Returns counts by name since the last time."""

# The `_created` series state when a series began and would double the number of series.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
REQUESTS = Counter(
    "ratesgraph_requests",
    "Finished requests and WebSocket operations",
    ["kind", "operation", "status", "code"],
    registry=REGISTRY,
)
SECONDS = BatchedHistogram(
    "ratesgraph_request_seconds",
    "Request duration in seconds, without subscriptions",
    ["kind", "cache"],
    bounds=BUCKETS,
    registry=REGISTRY,
)
ERRORS = Counter("ratesgraph_errors", "Errors reported to clients", ["code"], registry=REGISTRY)


def _create_gauge(name: str, meaning: str, *labels: str) -> Gauge:
    # `livesum`: the sum over the running processes.
    return Gauge(f"ratesgraph_{name}", meaning, labels, multiprocess_mode="livesum", registry=REGISTRY)


PROCESSES = _create_gauge("processes", "Server processes")
SUBSCRIPTIONS = _create_gauge("subscriptions_open", "Open subscriptions")
RESPONSE_CACHE_BYTES = _create_gauge("response_cache_bytes", "Size of the response cache in bytes")
FORMER_RESPONSE_CACHE_BYTES = _create_gauge(
    "kept_answers_bytes", "Former name of ratesgraph_response_cache_bytes, for one version"
)
# Each process has a gate per replica: hence the number of processes by state, and the greatest lag.
REPLICA_STATE = _create_gauge("replica_state", "Server processes by the state of a read replica", "replica", "state")
REPLICA_LAG = Gauge(
    "ratesgraph_replica_lag_seconds",
    "Seconds since the oldest change that a read replica does not have, or since it was lost",
    ["replica"],
    multiprocess_mode="livemax",
    registry=REGISTRY,
)
READS = Counter(
    "ratesgraph_reads", "Reads of prices and locations, if there are replicas", ["server"], registry=REGISTRY
)
READS_REPEATED = Counter(
    "ratesgraph_reads_repeated", "Reads that failed at a replica and were repeated at the primary", registry=REGISTRY
)
SHARD_WORKER_STATE = _create_gauge(
    "shard_worker_state", "Server processes by the state of a worker of Citus that they read from", "node", "state"
)
SHARD_READS = Counter(
    "ratesgraph_shard_reads", "Reads of lanes, if workers of Citus are read directly", ["server"], registry=REGISTRY
)
SHARD_READS_REPEATED = Counter(
    "ratesgraph_shard_reads_repeated",
    "Reads that failed at a worker of Citus and were repeated through the coordinator",
    registry=REGISTRY,
)
SHARED_CACHE = Counter(
    "ratesgraph_shared_cache", "Calls of the shared cache, if there is one", ["result"], registry=REGISTRY
)
POOL_LIMIT = _create_gauge("pool_limit", "Maximum number of database connections", "pool")
POOL_SIZE = _create_gauge("pool_size", "Open database connections", "pool")
POOL_IDLE = _create_gauge("pool_idle", "Idle database connections", "pool")
POOL_WAITING = _create_gauge("pool_waiting", "Callers waiting for a database connection", "pool")


@dataclass(slots=True)
class _RequestCounts:
    """Counts of requests with equal labels since the last flush."""

    count: int = 0
    seconds: float = 0.0
    by_bucket: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))


# A metric that processes share costs 6 µs per request, these counts a tenth of that.
_request_counts: dict[tuple[str, str, int, str, str], _RequestCounts] = {}
_error_counts: dict[str, int] = {}


def record_request(record: RequestRecord, seconds: float) -> None:
    """Count a finished request."""
    series = (
        record.kind,
        record.operation if record.is_registered and record.operation else "",
        record.status,
        record.codes[0] if record.codes else "",
        record.cache,
    )
    counts = _request_counts.get(series)
    if counts is None:
        if len(_request_counts) >= MAX_SERIES:
            series = (record.kind, OTHER, 0, OTHER, record.cache)
        counts = _request_counts.setdefault(series, _RequestCounts())
    counts.count += 1
    counts.seconds += seconds
    counts.by_bucket[bisect_left(BUCKETS, seconds)] += 1
    for code in record.codes:
        record_error(code)


def record_error(code: str) -> None:
    """Count an error that was reported to a client."""
    _error_counts[code] = _error_counts.get(code, 0) + 1


def _flush_counters() -> None:
    """Add the counts since the last flush to the metrics and reset them."""
    for (kind, operation, status, code, cache), counts in _request_counts.items():
        if not counts.count:
            continue
        REQUESTS.labels(kind or NONE, operation or NONE, str(status or NONE), code or NONE).inc(counts.count)
        if kind != SUBSCRIPTION:
            SECONDS.add((kind or NONE, cache or NONE), counts.by_bucket, counts.seconds)
        counts.count, counts.seconds, counts.by_bucket = 0, 0.0, [0] * len(counts.by_bucket)
    for code, count in _error_counts.items():
        ERRORS.labels(code).inc(count)
    _error_counts.clear()


def _record_replicas(router: ReadRouter) -> None:
    """Add the reads since the last flush, and set the gauges of the replicas."""
    primary, replicas, repeated = router.take_counts()
    READS.labels("primary").inc(primary)
    READS.labels("replica").inc(replicas)
    READS_REPEATED.inc(repeated)
    for replica in router.replicas:
        REPLICA_LAG.labels(str(replica.number)).set(replica.lag())
        for state in GateState:
            REPLICA_STATE.labels(str(replica.number), state.value).set(replica.state is state)


def _record_shards(router: ShardRouter) -> None:
    """Add the reads since the last flush, and set the gauges of the workers."""
    coordinator, workers, repeated = router.take_counts()
    SHARD_READS.labels("coordinator").inc(coordinator)
    SHARD_READS.labels("worker").inc(workers)
    SHARD_READS_REPEATED.inc(repeated)
    for worker in router.workers:
        for state in GateState:
            SHARD_WORKER_STATE.labels(worker.node.address, state.value).set(worker.state is state)


class MetricsRecorder:
    """Recorder of this process's metrics: flushes counters and samples gauges."""

    def __init__(
        self,
        pools: Mapping[str, Pool],
        cache_size: Callable[[], int],
        router: ReadRouter | None,
        shards: ShardRouter | None,
        take_shared: TakeCounts | None,
    ) -> None:
        self._pools = pools
        self._cache_size = cache_size
        self._router = router
        self._shards = shards
        self._take_shared = take_shared

    def flush(self) -> None:
        """Flush the counters and set the gauges."""
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
        if self._router is not None:
            _record_replicas(self._router)
        if self._shards is not None:
            _record_shards(self._shards)
        if self._take_shared is not None:
            for result, count in self._take_shared().items():
                SHARED_CACHE.labels(result).inc(count)

    async def flush_forever(self) -> None:
        """Flush once a second, because another process may serve the scrape."""
        while True:
            self.flush()
            await asyncio.sleep(FLUSH_INTERVAL_SECONDS)


@asynccontextmanager
async def open_metrics(
    pools: Mapping[str, Pool],
    cache_size: Callable[[], int],
    router: ReadRouter | None,
    shards: ShardRouter | None,
    take_shared: TakeCounts | None,
) -> AsyncIterator[MetricsRecorder]:
    """Record metrics of this process for the duration of the block."""
    recorder = MetricsRecorder(pools, cache_size, router, shards, take_shared)
    async with background_task(recorder.flush_forever()):
        yield recorder
    recorder.flush()


@contextmanager
def multiprocess_dir() -> Iterator[None]:
    """Make the processes started inside the block share their metrics."""
    with TemporaryDirectory(prefix="ratesgraph-metrics-") as folder:
        os.environ[MULTIPROCESS_DIR_VARIABLE] = folder
        yield


def collect() -> Iterator[Metric]:
    """Yield the metrics of all processes.

    With several processes this reads files: do not call it on the event loop.
    """
    if not MULTIPROCESS:
        yield from SECONDS.assemble(REGISTRY.collect())
        return
    folder = os.environ[MULTIPROCESS_DIR_VARIABLE]
    for path in Path(folder).glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        # A killed process could not reset its gauges. Its counters remain valid.
        if pid.isdigit() and not process_exists(int(pid)):
            mark_process_dead(int(pid), folder)  # type: ignore[no-untyped-call]
    yield from SECONDS.assemble(MultiProcessCollector(None, folder).collect())  # type: ignore[no-untyped-call]
