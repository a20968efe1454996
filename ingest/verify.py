"""Verification: compares totals with observations by recursive SQL, and repairs them."""

from collections.abc import AsyncIterator
from datetime import date

from db.connection import Connection
from db.repositories import locations, totals, versions
from db.repositories.totals import Difference

MAX_DIFFERENCES = 1_000


async def verify(connection: Connection, *, repair: bool = False) -> AsyncIterator[tuple[date, list[Difference]]]:
    """Yield every month with its differences, largest first.

    With `repair`, months that differ are rebuilt. Batches wait for the lock while a month is checked, so a batch in
    progress never shows as a difference.
    """
    for month in await totals.list_months(connection):
        async with connection.transaction():
            await locations.lock_tree_exclusive(connection)
            await totals.create_day_sums(connection)
            await totals.create_ancestors(connection)
            await totals.collect_observed_month(connection, month)
            differences = await totals.diff_month(connection, month, limit=MAX_DIFFERENCES)
            if differences and repair:
                await totals.delete_month(connection, month)
                await totals.pack_day_sums(connection)
                await versions.announce_change(connection, f"repair {month}")
        yield month, differences
