"""Takes an applied batch back: its observations go, and the negative of what they add up to is appended to the totals."""

import asyncio
import io
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl

from db import batches, locations, prices, totals
from db.model import BatchStatus, Location
from db.pool import Connection
from ingest.aggregate import LaneDays, total_by_month
from ingest.encode import copy_stream, encode_totals

COLUMNS = {
    "origin": pl.Int32,
    "destination": pl.Int32,
    "first_day": pl.Int32,
    "last_day": pl.Int32,
    "usd_cents": pl.Int64,
}


async def revert_batch(connection: Connection, batch_id: int) -> BatchStatus | None:
    """Revert an applied batch in one transaction; return the status that it had, or None when there is no such batch.

    A batch that is not APPLIED is left as it is. The totals follow the tree as it stands now, wherever ports have moved.
    """
    async with connection.transaction():
        await locations.share_tree(connection)
        status = await batches.lock_batch(connection, batch_id)
        if status is not BatchStatus.APPLIED:
            return status
        tree = await locations.list_locations(connection)
        text = await prices.copy_out_batch(connection, batch_id)
        if text:
            await totals.copy_totals(connection, copy_stream(await asyncio.to_thread(_negated_totals, text, tree)))
            await prices.delete_batch_prices(connection, batch_id)
        await batches.mark_reverted(connection, batch_id)
    return BatchStatus.APPLIED


def _negated_totals(text: bytes, tree: list[Location]) -> list[npt.NDArray[np.void]]:
    observations = pl.read_csv(io.BytesIO(text), has_header=False, schema=COLUMNS)
    added = total_by_month(LaneDays(*(observations[name].to_numpy() for name in COLUMNS)), tree)
    return list(encode_totals(replace(added, sums=-added.sums, counts=-added.counts)))
