"""Compaction: replaces the partial sums of a key by their sum.

Query results do not change; reads get faster. The keys are divided into ranges of origins. A process holds the advisory lock of
a range during a step. So several workers and commands compact different ranges concurrently, and never the same key.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import NamedTuple, Protocol

from db.administration import shards
from db.connection import Connection
from db.repositories import locations, totals
from domain.compaction import Key, KeyRange
from ingest.sketches.compact import compact_sketch_keys

MAX_ROWS_PER_KEY = 8
"""Partial sums per location pair and month that reads tolerate before compaction.

Measured with `python -m bench reads`.
"""
MAX_KEYS_PER_STEP = 10_000
MAX_MERGED_ROWS_PER_STEP = 30_000
"""Both limit one compaction transaction to about a second."""
ORIGINS_PER_RANGE = 16
"""Number of origin IDs in a range. It must be the same in all processes, because the first ID names the lock."""
ALL_ORIGINS = (1 << 31) - 1
"""A distributed table is one range, because its shards are processed concurrently anyway."""
MAX_KEYS_PER_SHARD = 1_000
"""As MAX_KEYS_PER_STEP, for a shard of a distributed table, of which a node has several."""


class CompactionStep(Protocol):
    """Merges the rows of some keys of a table, in the present transaction."""

    async def __call__(self, connection: Connection, keys: KeyRange) -> tuple[Key, int] | None: ...


STEPS: tuple[CompactionStep, ...] = (totals.compact_keys, compact_sketch_keys)
"""One step for each table that is compacted. A range is locked for all of them."""


class _Plan(NamedTuple):
    """How tables are compacted: IDs of origins per range, steps of a range, keys of a step."""

    width: int
    steps: Sequence[CompactionStep]
    max_keys: int


async def _plan_compaction(connection: Connection) -> _Plan:
    if await shards.are_totals_distributed(connection):
        # All rows of a key lie in one shard: no row has to leave its node.
        step = partial(totals.compact_keys, execute=shards.run_on_shards)
        return _Plan(ALL_ORIGINS, (step, *STEPS[1:]), MAX_KEYS_PER_SHARD)
    return _Plan(ORIGINS_PER_RANGE, STEPS, MAX_KEYS_PER_STEP)


async def compact(
    connections: Connection | Sequence[Connection],
    *,
    max_rows: int = MAX_ROWS_PER_KEY,
    skip_locked: bool = False,
    report: Callable[[float], None] = lambda _fraction: None,
) -> int:
    """Compact until no key has more than `max_rows` rows; return the number of rows merged.

    The connections compact different ranges of origins concurrently. A range that another process compacts is skipped with
    `skip_locked`; otherwise the compaction waits for it at the end. Batches and readers continue: only rows that were read are
    replaced, so rows appended meanwhile stay. `report` receives the fraction of the ranges that are done (0 to 1).
    """
    connections = connections if isinstance(connections, Sequence) else [connections]
    plan = await _plan_compaction(connections[0])
    ranges = await locations.list_id_ranges(connections[0], plan.width)
    # Workers that begin at the same time would meet at every range.
    start = random.randrange(len(ranges)) if skip_locked and ranges else 0  # noqa: S311
    queue = _RangeQueue([*ranges[start:], *ranges[:start]], report)
    jobs = [asyncio.ensure_future(_compact_ranges(each, queue, plan, max_rows, skip_locked)) for each in connections]
    try:
        return sum(await asyncio.gather(*jobs))
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


class _RangeQueue:
    """Queue of the remaining ranges, shared by the connections of a process.

    Free ranges come first, then the ranges that other processes have locked.
    """

    def __init__(self, ranges: Sequence[int], report: Callable[[float], None]) -> None:
        self._free, self._locked = deque(ranges), deque[int]()
        self._count, self._done = len(ranges), 0
        self._report = report

    def pop(self) -> tuple[int, bool] | None:
        """Return the next range and whether to wait for its lock, or None at the end."""
        if self._free:
            return self._free.popleft(), False
        return (self._locked.popleft(), True) if self._locked else None

    def postpone(self, first: int) -> None:
        """Put back a range that another process has locked."""
        self._locked.append(first)

    def finish(self) -> None:
        """Count a range as done."""
        self._done += 1
        self._report(self._done / self._count)


async def _compact_ranges(
    connection: Connection, queue: _RangeQueue, plan: _Plan, max_rows: int, skip_locked: bool
) -> int:
    total = 0
    while (item := queue.pop()) is not None:
        first, waits = item
        is_complete = True
        for step in plan.steps:
            rows, is_complete = await _compact_range(connection, first, plan, step, max_rows=max_rows, waits=waits)
            total += rows
            if not is_complete:
                break
        if is_complete or skip_locked:
            queue.finish()
        else:
            queue.postpone(first)
    return total


async def _compact_range(
    connection: Connection, first: int, plan: _Plan, step: CompactionStep, *, max_rows: int, waits: bool
) -> tuple[int, bool]:
    """Compact the keys of a range of origins, a bounded number in each transaction.

    Return the number of rows merged, and whether the end of the range was reached. It is not reached if another process holds
    the lock of the range and `waits` is false.
    """
    rows, until = 0, min(first + plan.width, ALL_ORIGINS)
    keys = KeyRange((first, 0, date.min), until, max_rows, plan.max_keys, MAX_MERGED_ROWS_PER_STEP)
    while True:
        async with connection.transaction():
            await locations.lock_tree_shared(connection)
            if waits:
                await locations.lock_id_range(connection, first)
            elif not await locations.try_lock_id_range(connection, first):
                return rows, False
            merged = await step(connection, keys)
        if merged is None:
            return rows, True
        after, count = merged
        keys = keys._replace(after=after)
        rows += count
