"""Checks the totals against the observations by the recursive region SQL, month by month, and mends them."""

from collections.abc import AsyncIterator
from datetime import date

from db.connection import Connection
from db.repositories import locations, totals, versions
from db.repositories.totals import Difference

MAX_DIFFERENCES = 1_000


async def verify(connection: Connection, *, repair: bool = False) -> AsyncIterator[tuple[date, list[Difference]]]:
    """Yield every month and its differences, the worst first. With `repair`, a month that differs is rebuilt.

    Batches wait while a month is checked, so that a difference is never one that is still on its way.
    """
    for month in await totals.list_months(connection):
        async with connection.transaction():
            await locations.lock_tree_exclusive(connection)
            await totals.create_day_sums(connection)
            await totals.collect_observed_month(connection, month)
            differences = await totals.diff_month(connection, month, limit=MAX_DIFFERENCES)
            if differences and repair:
                await totals.delete_month(connection, month)
                await totals.pack_day_sums(connection)
                await versions.announce_change(connection, f"repair {month}")
        yield month, differences
