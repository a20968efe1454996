"""Rebuilding of the sketches of whole months from the observations.

It is due for months whose prices were stored without sketches, or whose sketches are wrong.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

import polars as pl

from db.connection import Connection
from db.repositories import locations, prices, sketches, totals, versions
from db.repositories.sketches import ALL_MONTHS
from domain.intervals import days_of_month
from ingest.archive.reader import list_months, read_lane_days
from ingest.errors import ArchiveError
from ingest.observations.csv_lines import cut_observations, read_observations
from ingest.observations.lane_days import to_lane_days
from ingest.sketches.build import sketches_by_month
from ingest.sketches.copy_encoding import append_sketches

MAX_OBSERVATIONS = 4_000_000
"""Observations whose sketches are built at once."""


async def rebuild_stale(connection: Connection) -> AsyncIterator[date]:
    """Build the sketches of all stale months, and yield each month when it is done.

    Until then, readers compute from single prices. Batches wait while a month is built. Raise ArchiveError, after all other
    months, if an archived file cannot be read.
    """
    failure: ArchiveError | None = None
    for month in await _list_stale_months(connection):
        try:
            async with connection.transaction():
                await locations.lock_tree_exclusive(connection)
                if await sketches.unmark_stale(connection, month):
                    await rebuild_month(connection, month)
                    await versions.announce_change(connection, f"sketches {month}")
        except ArchiveError as error:
            failure = failure or error
        else:
            yield month
    if failure is not None:
        raise failure


async def _list_stale_months(connection: Connection) -> list[date]:
    """Return the stale months, after marking each month if all are stale."""
    stale = await sketches.list_stale_months(connection)
    if ALL_MONTHS not in stale:
        return stale
    async with connection.transaction():
        # The lock excludes batches, which may add a month or mark all months again.
        await locations.lock_tree_exclusive(connection)
        files = await prices.list_archived_files(connection)
        await sketches.mark_stale(connection, sorted({*await totals.list_months(connection), *list_months(files)}))
        await sketches.unmark_stale(connection, ALL_MONTHS)
        return await sketches.list_stale_months(connection)


async def rebuild_month(connection: Connection, month: date) -> None:
    """Replace the sketches of a month by those of its observations.

    Call `lock_tree_exclusive` first. Raise ArchiveError if an archived file cannot be read.
    """
    await prices.lock_archive_shared(connection)
    await sketches.delete_month(connection, month)
    tree = await locations.list_locations(connection)
    for part in (await read_month(connection, month)).iter_slices(MAX_OBSERVATIONS):
        await append_sketches(connection, sketches_by_month(to_lane_days(part), tree))


async def read_month(connection: Connection, month: date) -> pl.DataFrame:
    """Return the observations that are valid in a month, cut to it.

    The columns are those of `ingest.observations.csv_lines`. Raise ArchiveError if an archived file cannot be read.
    """
    days = days_of_month(month)
    frames = await read_observations(sketches.copy_out_month(connection, month))
    for file in await prices.list_archived_files(connection, days):
        frames.append(await asyncio.to_thread(read_lane_days, file))
    if not frames:
        return pl.DataFrame()
    return cut_observations(pl.concat(frames), days)
