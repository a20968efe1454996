"""Dry run of an upload: processes it like a batch, compares averages, and rolls back.

CPU-bound work runs in threads, because a dry run shares a server process with other requests.
"""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace

import polars as pl

from db.connection import Connection
from db.repositories import locations, previews
from db.repositories.previews import Preview
from domain.batch_size import BatchLimits
from domain.batches import BatchOutcome, BatchStatus, OnError, Rejection, Severity
from domain.locations import Lane, Location
from ingest.batches.aggregation import totals_by_month
from ingest.batches.apply import MAX_PENDING_ROWS, ProcessedSlices, take_observations
from ingest.batches.copy_encoding import encode_totals
from ingest.batches.counts import BatchCounts
from ingest.batches.pipeline import ProcessedSlice, process_slices
from ingest.errors import FileRejected
from ingest.observations.copy_stream import copy_stream
from ingest.observations.lane_days import LANE_DAYS
from ingest.readers.price_file import Slice

MAX_REJECTIONS = 1_000
MAX_LANES = 100
MAX_DELTAS = 10


async def preview(
    connection: Connection, slices: Iterator[Slice], on_error: OnError, *, limits: BatchLimits
) -> Preview:
    """Return the outcome that the items would have as a batch.

    The work runs in a transaction that is rolled back and, as a batch does, holds the shared tree lock. The averages are
    compared with those of the batches applied so far; queued batches do not count.
    """
    try:
        async with connection.transaction(force_rollback=True):
            await locations.lock_tree_shared(connection)
            ports = await asyncio.to_thread(_without_parents, await locations.list_locations(connection))
            return await _preview(connection, process_slices(connection, slices, ports, limits), ports, on_error)
    except FileRejected as error:
        problem = Rejection(None, None, error.code, error.message, None, number=1)
        return Preview(BatchOutcome(BatchStatus.REJECTED, 0, 0, 0), [problem])


def _without_parents(tree: list[Location]) -> list[Location]:
    """Return the locations without parents, so that totals are built for lanes only."""
    return [replace(location, parent_id=None) for location in tree]


async def _preview(
    connection: Connection, slices: ProcessedSlices, ports: list[Location], on_error: OnError
) -> Preview:
    counts, rejections, pending = BatchCounts(), list[Rejection](), list[pl.DataFrame]()
    await previews.create_previewed_totals(connection)
    async with aclosing(slices) as parts:
        async for processed in parts:
            await asyncio.to_thread(_collect, processed, counts, rejections)
            if on_error is OnError.REJECT_BATCH and counts.rejected:
                # The batch would be rejected: from here on only problems are collected.
                pending.clear()
                continue
            if len(processed.observations):
                pending.append(processed.observations.select(LANE_DAYS))
            if sum(map(len, pending)) > MAX_PENDING_ROWS:
                await _add_totals(connection, pending, ports)
    if counts.rejected == counts.items or (on_error is OnError.REJECT_BATCH and counts.rejected):
        return Preview(counts.rejected_outcome(), rejections)
    if pending:
        await _add_totals(connection, pending, ports)
    await previews.analyze_previewed_totals(connection)
    deltas, new_average_count = await previews.list_average_deltas(connection, limit=MAX_DELTAS)
    lanes = await asyncio.to_thread(_first_lanes, counts)
    return Preview(counts.applied_outcome(), rejections, lanes, deltas, new_average_count)


def _collect(processed: ProcessedSlice, counts: BatchCounts, rejections: list[Rejection]) -> None:
    """Count a processed slice, and collect its problems up to MAX_REJECTIONS."""
    before = counts.rejections
    counts.add(processed)
    room = processed.rejections.head(max(MAX_REJECTIONS - len(rejections), 0))
    columns = room.select("item", "field", "code", "message", "value", "severity")
    rejections += [
        Rejection(item, field, code, message, value, Severity(severity), number)
        for number, (item, field, code, message, value, severity) in enumerate(columns.iter_rows(), start=before + 1)
    ]


async def _add_totals(connection: Connection, pending: list[pl.DataFrame], ports: list[Location]) -> None:
    """Copy the totals of the pending observations to the previewed totals, and clear them."""
    observations = await asyncio.to_thread(take_observations, pending)
    chunks = copy_stream(encode_totals(totals_by_month(observations, ports), as_changes=False))
    await previews.copy_previewed_totals(connection, chunks)


def _first_lanes(counts: BatchCounts) -> list[Lane]:
    origins, destinations = counts.lanes()
    return [Lane(*ends) for ends in zip(origins[:MAX_LANES], destinations[:MAX_LANES], strict=True)]
