"""Tries an upload: examines it as a batch would be, compares with the averages as they are, and leaves nothing behind.

Everything that takes Python time runs in threads: this runs in a server process, beside its other requests.
"""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace

import polars as pl

from db.connection import Connection
from db.repositories import locations, previews
from db.repositories.previews import Preview
from domain.batches import BatchOutcome, BatchStatus, OnError, Rejection, Severity
from domain.locations import Lane, Location
from ingest.batches.apply import LANE_DAYS, MAX_PENDING_ROWS, build_totals
from ingest.batches.copy_encoding import copy_stream
from ingest.batches.counts import BatchCounts
from ingest.batches.pipeline import ProcessedSlice, process_slices
from ingest.errors import FileRejected
from ingest.readers.price_file import Slice

MAX_REJECTIONS = 1_000
MAX_LANES = 100
MAX_DELTAS = 10


async def preview(connection: Connection, slices: Iterator[Slice], on_error: OnError) -> Preview:
    """Return what the items would come to as a batch, in a transaction of its own that is rolled back.

    Holds the tree meanwhile, as a batch does. Compares with the batches that are applied by then: those that wait do not count.
    """
    try:
        async with connection.transaction(force_rollback=True):
            await locations.lock_tree_shared(connection)
            ports = await asyncio.to_thread(_without_parents, await locations.list_locations(connection))
            return await _preview(connection, slices, ports, on_error)
    except FileRejected as error:
        problem = Rejection(None, None, error.code, error.message, None, number=1)
        return Preview(BatchOutcome(BatchStatus.REJECTED, 0, 0, 0), [problem])


def _without_parents(tree: list[Location]) -> list[Location]:
    """Return the locations without their parents: each stands for itself alone, so only lanes are added up."""
    return [replace(location, parent_id=None) for location in tree]


async def _preview(
    connection: Connection, slices: Iterator[Slice], ports: list[Location], on_error: OnError
) -> Preview:
    tally, rejections, held = BatchCounts(), list[Rejection](), list[pl.DataFrame]()
    await previews.create_previewed_totals(connection)
    async with aclosing(process_slices(connection, slices, ports)) as parts:
        async for examined in parts:
            await asyncio.to_thread(_collect, examined, tally, rejections)
            if on_error is OnError.REJECT_BATCH and tally.rejected:
                # No price will count any more; only the problems of the items to come do.
                held.clear()
                continue
            if len(examined.observations):
                held.append(examined.observations.select(LANE_DAYS))
            if sum(map(len, held)) > MAX_PENDING_ROWS:
                await _add_totals(connection, held, ports)
    if tally.rejected == tally.items or (on_error is OnError.REJECT_BATCH and tally.rejected):
        return Preview(tally.rejected_outcome(), rejections)
    if held:
        await _add_totals(connection, held, ports)
    await previews.analyze_previewed_totals(connection)
    moves, new_average_count = await previews.list_average_deltas(connection, limit=MAX_DELTAS)
    lanes = await asyncio.to_thread(_first_lanes, tally)
    return Preview(tally.applied_outcome(), rejections, lanes, moves, new_average_count)


def _collect(examined: ProcessedSlice, tally: BatchCounts, rejections: list[Rejection]) -> None:
    """Count what was examined, and keep its problems while there is room for more."""
    before = tally.rejections
    tally.add(examined)
    room = examined.rejections.head(max(MAX_REJECTIONS - len(rejections), 0))
    columns = room.select("item", "field", "code", "message", "value", "severity")
    rejections += [
        Rejection(item, field, code, message, value, Severity(severity), number)
        for number, (item, field, code, message, value, severity) in enumerate(columns.iter_rows(), start=before + 1)
    ]


async def _add_totals(connection: Connection, held: list[pl.DataFrame], ports: list[Location]) -> None:
    """Put what the held observations add up to beside the totals, and let go of them."""
    chunks = copy_stream(await asyncio.to_thread(build_totals, held, ports))
    await previews.copy_previewed_totals(connection, chunks)


def _first_lanes(tally: BatchCounts) -> list[Lane]:
    origins, destinations = tally.lanes()
    return [Lane(*ends) for ends in zip(origins[:MAX_LANES], destinations[:MAX_LANES], strict=True)]
