"""Batch revert: deletes a batch's observations and appends the negative of their totals.

Observations in archived files stay there, and a tombstone marks them as reverted.
"""

import asyncio

import polars as pl

from db.administration import moves
from db.connection import Connection
from db.repositories import audit, batches, locations, prices, sketches, totals, versions
from db.repositories.audit import COMMAND, Action
from domain.batches import BatchStatus
from ingest.archive.reader import count_lanes, read_batch
from ingest.batches.copy_encoding import encode_negated_totals
from ingest.batches.move_records.recording import find_move, record_observations
from ingest.observations.copy_stream import copy_stream
from ingest.observations.csv_lines import read_observations
from ingest.observations.lane_days import to_lane_days
from ingest.sketches.build import sketches_by_month
from ingest.sketches.copy_encoding import append_sketches


async def revert_batch(connection: Connection, batch_id: int, *, by: str = COMMAND) -> BatchStatus | None:
    """Revert an applied batch in one transaction; return its previous status, or None.

    None means that no such batch exists. A batch that is not APPLIED is left unchanged, and a batch that is being applied is
    not waited for. The totals follow the current tree, even if ports have moved since. Raise ArchiveError, without a change, if
    an archived file with prices of the batch cannot be read.
    """
    found = await batches.get_batches(connection, [batch_id])
    # A worker holds the lock of the row until the batch has been applied, which may take minutes.
    if not found or found[0].status is not BatchStatus.APPLIED:
        return found[0].status if found else None
    async with connection.transaction():
        await locations.lock_tree_shared(connection)
        await sketches.declare_sketch_maintenance(connection)
        await prices.lock_archive_shared(connection)
        # A concurrent revert of the same batch may have ended in the meantime.
        status = await batches.lock_batch(connection, batch_id)
        if status is not BatchStatus.APPLIED:
            return status
        tree = await locations.list_locations(connection)
        stored = await read_observations(prices.copy_out_batch(connection, batch_id))
        archived = await _read_archived(connection, batch_id)
        if stored or archived:
            observations = to_lane_days(pl.concat([*stored, *archived]))
            as_changes = await totals.can_store_changes(connection)
            rows = encode_negated_totals(observations, tree, as_changes=as_changes)
            await totals.copy_totals(connection, copy_stream(rows))
            await append_sketches(connection, sketches_by_month(observations, tree, sign=-1))
            if (move := await find_move(connection, tree)) is not None:
                await record_observations(connection, move, observations, is_revert=True)
                await moves.insert_moved_batch(connection, batch_id)
            await prices.delete_batch_prices(connection, batch_id)
        if archived:
            lanes = await asyncio.to_thread(count_lanes, pl.concat(archived))
            await prices.add_archived_lanes(connection, [(lane, -count) for lane, count in lanes])
            await prices.insert_tombstone(connection, batch_id)
        await versions.announce_change(connection, f"{batch_id} {BatchStatus.REVERTED}")
        await batches.mark_reverted(connection, batch_id)
        await audit.insert_entry(connection, by, Action.REVERT, batch_id=batch_id)
    return BatchStatus.APPLIED


async def _read_archived(connection: Connection, batch_id: int) -> list[pl.DataFrame]:
    """Return the observations of the batch in archived files. Raise ArchiveError."""
    files = await prices.list_archived_files(connection, batch_id=batch_id)
    frames = [await asyncio.to_thread(read_batch, file, batch_id) for file in files]
    return [frame for frame in frames if len(frame)]
