"""Batch revert: deletes a batch's observations and appends the negative of their totals."""

import asyncio
import io
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl

from db.connection import Connection
from db.repositories import audit, batches, locations, prices, totals, versions
from db.repositories.audit import COMMAND, Action
from domain.batches import BatchStatus
from domain.locations import Location
from ingest.batches.aggregation import LaneDays, totals_by_month
from ingest.batches.copy_encoding import copy_stream, encode_totals

COLUMNS = {
    "origin": pl.Int32,
    "destination": pl.Int32,
    "first_day": pl.Int32,
    "last_day": pl.Int32,
    "usd_cents": pl.Int64,
}
PARSED_BYTES = 8 << 20


async def revert_batch(connection: Connection, batch_id: int, *, by: str = COMMAND) -> BatchStatus | None:
    """Revert an applied batch in one transaction; return its previous status, or None.

    None means that no such batch exists. A batch that is not APPLIED is left unchanged, and a batch that is being applied is
    not waited for. The totals follow the current tree, even if ports have moved since.
    """
    found = await batches.get_batches(connection, [batch_id])
    # A worker holds the lock of the row until the batch has been applied, which may take minutes.
    if not found or found[0].status is not BatchStatus.APPLIED:
        return found[0].status if found else None
    async with connection.transaction():
        await locations.lock_tree_shared(connection)
        # A concurrent revert of the same batch may have ended in the meantime.
        status = await batches.lock_batch(connection, batch_id)
        if status is not BatchStatus.APPLIED:
            return status
        tree = await locations.list_locations(connection)
        columns = await _read_observations(connection, batch_id)
        if columns is not None:
            await totals.copy_totals(connection, copy_stream(_negated_totals(columns, tree)))
            await prices.delete_batch_prices(connection, batch_id)
        await versions.announce_change(connection, f"{batch_id} {BatchStatus.REVERTED}")
        await batches.mark_reverted(connection, batch_id)
        await audit.insert_entry(connection, by, Action.REVERT, batch_id=batch_id)
    return BatchStatus.APPLIED


async def _read_observations(connection: Connection, batch_id: int) -> LaneDays | None:
    """Return the observations of the batch, 24 bytes each, or None if it has none."""
    frames, rest = list[pl.DataFrame](), bytearray()
    async with aclosing(prices.copy_out_batch(connection, batch_id)) as chunks:
        async for chunk in chunks:
            rest += chunk
            if len(rest) > PARSED_BYTES:
                frames.append(await asyncio.to_thread(_parse, bytes(rest)))
                rest.clear()
    if rest:
        frames.append(await asyncio.to_thread(_parse, bytes(rest)))
    if not frames:
        return None
    observations = pl.concat(frames)
    return LaneDays(*(observations[name].to_numpy() for name in COLUMNS))


def _parse(lines: bytes) -> pl.DataFrame:
    return pl.read_csv(io.BytesIO(lines), has_header=False, schema=COLUMNS)


def _negated_totals(observations: LaneDays, tree: list[Location]) -> Iterator[npt.NDArray[np.void]]:
    for added in totals_by_month(observations, tree):
        yield from encode_totals([replace(added, sums=-added.sums, counts=-added.counts)])
