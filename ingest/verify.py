"""Verification: compares totals with observations by recursive SQL, and repairs them."""

import asyncio
from calendar import monthrange
from collections.abc import AsyncIterator
from datetime import date

from db.connection import Connection
from db.repositories import locations, prices, totals, versions
from db.repositories.totals import Difference
from domain.prices import DateRange
from ingest.archive.reader import list_months, sum_days

MAX_DIFFERENCES = 1_000


async def verify(connection: Connection, *, repair: bool = False) -> AsyncIterator[tuple[date, list[Difference]]]:
    """Yield every month with its differences, largest first.

    With `repair`, months that differ are rebuilt. Batches wait for the lock while a month is checked, so a batch in
    progress never shows as a difference. Archived observations are read from their files: raise ArchiveError if one cannot be.
    """
    months = {*await totals.list_months(connection), *list_months(await prices.list_archived_files(connection))}
    for month in sorted(months):
        async with connection.transaction():
            await locations.lock_tree_exclusive(connection)
            await prices.lock_archive_shared(connection)
            await totals.create_day_sums(connection)
            await totals.create_ancestors(connection)
            await totals.collect_observed_month(connection, month)
            await _collect_archived_month(connection, month)
            differences = await totals.diff_month(connection, month, limit=MAX_DIFFERENCES)
            if differences and repair:
                await totals.delete_month(connection, month)
                await totals.pack_day_sums(connection)
                await versions.announce_change(connection, f"repair {month}")
        yield month, differences


async def _collect_archived_month(connection: Connection, month: date) -> None:
    """Add the sums of a month's archived observations to those that were collected."""
    days = DateRange(month, month.replace(day=monthrange(month.year, month.month)[1]))
    files = await prices.list_archived_files(connection, days)
    if not files:
        return
    await prices.create_archived_days(connection)
    for file in files:
        parts = sum_days(file, days)
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            await prices.copy_archived_days(connection, [part])
    await prices.analyze_archived_days(connection)
    await prices.add_archived_days(connection)
    await prices.merge_day_sums(connection)
