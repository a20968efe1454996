"""Compaction: replaces the partial sums of a key by their sum. It changes no answer, only how fast one is read."""

from db.connection import Connection
from db.repositories import locations, totals

MAX_ROWS_PER_KEY = 8
"""How many partial sums a read may meet for a location pair and month before they are added up (`python -m bench reads`)."""
MAX_KEYS_PER_STEP = 10_000
"""Bounds the length of one compaction transaction to about a second."""


async def compact(connection: Connection, *, max_rows: int = MAX_ROWS_PER_KEY) -> int:
    """Compact until no key has more than `max_rows` rows; return the number of rows that were added up.

    Runs beside batches and readers: it takes only rows that it sees, and what is appended meanwhile stays.
    """
    total, last = 0, None
    while True:
        async with connection.transaction():
            await locations.lock_tree_shared(connection)
            step = await totals.compact_keys(connection, last, max_rows=max_rows, max_keys=MAX_KEYS_PER_STEP)
        if step is None:
            return total
        last, rows = step
        total += rows
