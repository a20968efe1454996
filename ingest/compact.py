"""Compaction: replaces the partial sums of a key by their sum.

Query results do not change; reads get faster.
"""

from db.administration import shards
from db.connection import Connection
from db.repositories import locations, totals
from ingest.sketches.compact import compact_sketches

MAX_ROWS_PER_KEY = 8
"""Partial sums per location pair and month that reads tolerate before compaction.

Measured with `python -m bench reads`.
"""
MAX_KEYS_PER_STEP = 10_000
"""Limits one compaction transaction to about a second."""
MAX_KEYS_PER_SHARD = 1_000
"""The same for a shard of a distributed table, of which a node has several."""


async def compact(connection: Connection, *, max_rows: int = MAX_ROWS_PER_KEY) -> int:
    """Compact until no key has more than `max_rows` rows; return the number of rows merged.

    Runs concurrently with batches and readers: it replaces only rows that it has read, so rows appended meanwhile stay.
    """
    execute, max_keys = totals.execute_at_once, MAX_KEYS_PER_STEP
    if await shards.are_totals_distributed(connection):
        # All rows of a key lie in one shard: no row has to leave its node.
        execute, max_keys = shards.run_on_shards, MAX_KEYS_PER_SHARD
    total, last = 0, None
    while True:
        async with connection.transaction():
            await locations.lock_tree_shared(connection)
            step = await totals.compact_keys(connection, last, max_rows=max_rows, max_keys=max_keys, execute=execute)
        if step is None:
            return total + await compact_sketches(connection, max_rows=max_rows)
        last, rows = step
        total += rows
