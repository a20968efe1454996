"""Application of a batch, slice by slice, in one transaction.

The transaction appends the observations and totals and records the outcome. CPU-bound work runs in threads, and the event loop
only moves bytes. A slice is read and checked while the one before it is sent to the database, and totals are computed while the
last observations are sent. Observations are buffered for the totals up to a limit, so memory is bounded for batches of any
size.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import NamedTuple

import polars as pl

from db.administration import moves
from db.connection import Connection
from db.repositories import batches, lanes, locations, prices, sketches, totals, versions
from domain.batch_size import DEFAULT_LIMITS, BatchLimits
from domain.batches import BatchOutcome, BatchStatus, OnError
from domain.locations import Location, TreeMove
from ingest.batches.aggregation import MonthTotals, totals_by_month
from ingest.batches.copy_encoding import encode_prices, encode_totals
from ingest.batches.counts import BatchCounts
from ingest.batches.move_records.recording import find_move, record_observations
from ingest.batches.pipeline import ProcessedSlice, process_slices
from ingest.observations.copy_stream import copy_stream
from ingest.observations.lane_days import LANE_DAYS, LaneDays, month_of, to_lane_days
from ingest.observations.read_ahead import ReadAhead
from ingest.readers.price_file import Slice
from ingest.sketches.build import sketches_by_month
from ingest.sketches.copy_encoding import encode_sketch_rows

PRICES_SHARE = 0.7
"""Approximate share of the work spent on prices.

The rest is for averages (`python -m bench ingest`).
"""
MAX_PENDING_ROWS = 4_000_000
"""Observations aggregated together, at 24 bytes each.

The more, the fewer partial sums per key.
"""
MAX_STORED_REJECTIONS = 1_000_000
"""Stored problems per batch; its counts are exact beyond this limit too."""
COPIED_REJECTIONS = 50_000
Slices = Callable[[], Iterator[Slice]]
"""Opens the items of a batch; may be called again for a second pass."""
ProcessedSlices = AsyncGenerator[ProcessedSlice]
ProgressCallback = Callable[[str, float], None]
"""Receives the current stage and the fraction of the items read so far (0 to 1)."""


class _Tree(NamedTuple):
    """The present tree, and the change of it that is under way in steps."""

    locations: list[Location]
    move: TreeMove | None


class _InvalidItem(Exception):
    """An all-or-nothing batch contains an invalid item."""


def no_progress(_stage: str, _fraction: float) -> None:
    """Ignore progress."""


async def apply_slices(
    connection: Connection,
    batch_id: int,
    slices: Slices,
    on_error: OnError,
    report: ProgressCallback = no_progress,
    *,
    limits: BatchLimits = DEFAULT_LIMITS,
) -> BatchOutcome:
    """Append the observations and totals of the items, or only their rejections.

    Runs in the caller's transaction, under a savepoint. An all-or-nothing batch is applied optimistically and rolled back at
    its first invalid item. Raise FileRejected if the items cannot be read to their end or exceed the limits; then nothing has
    been appended.
    """
    await locations.lock_tree_shared(connection)
    await sketches.declare_sketch_maintenance(connection)
    present = await locations.list_locations(connection)
    tree = _Tree(present, await find_move(connection, present))

    def process() -> ProcessedSlices:
        return process_slices(connection, slices(), tree.locations, limits)

    try:
        async with connection.transaction():
            return await _store(connection, batch_id, process(), tree, on_error, report)
    except _InvalidItem:
        # The savepoint was rolled back. A second pass lists the problems of all items.
        async with connection.transaction():
            return await _collect_rejections(connection, batch_id, process(), report)


async def _store(
    connection: Connection,
    batch_id: int,
    slices: ProcessedSlices,
    tree: _Tree,
    on_error: OnError,
    report: ProgressCallback,
) -> BatchOutcome:
    counts, pending = BatchCounts(), list[pl.DataFrame]()
    as_changes = await totals.can_store_changes(connection)
    async with aclosing(slices) as parts:
        async for processed in parts:
            if on_error is OnError.REJECT_BATCH and processed.rejected:
                raise _InvalidItem
            report("storing prices", PRICES_SHARE * processed.fraction_read)
            await copy_rejections(connection, batch_id, processed.rejections, before=counts.rejections)
            observations = processed.observations
            if not len(observations):
                counts.add(processed)
                continue
            pending.append(observations.select(LANE_DAYS))
            async with AsyncExitStack() as stack:
                price_rows = stack.enter_context(ReadAhead(encode_prices(batch_id, observations)))
                # Whether this is the last slice is a guess: the totals of any two parts of a batch can be summed.
                if sum(map(len, pending)) > MAX_PENDING_ROWS or processed.fraction_read >= 1:
                    await stack.enter_async_context(_deferred_totals(connection, pending, tree, as_changes, report))
                await asyncio.gather(
                    prices.copy_prices(connection, copy_stream(price_rows)), asyncio.to_thread(counts.add, processed)
                )
    if counts.rejected == counts.items:
        return counts.rejected_outcome()
    if pending:
        async with _deferred_totals(connection, pending, tree, as_changes, report):
            pass
    if tree.move is not None:
        await moves.insert_moved_batch(connection, batch_id)
    await lanes.insert_lanes(connection, batch_id, *counts.lanes())
    await versions.announce_change(connection, f"{batch_id} {BatchStatus.APPLIED}")
    return counts.applied_outcome()


async def _collect_rejections(
    connection: Connection, batch_id: int, slices: ProcessedSlices, report: ProgressCallback
) -> BatchOutcome:
    counts = BatchCounts()
    async with aclosing(slices) as parts:
        async for processed in parts:
            report("listing problems", processed.fraction_read)
            await copy_rejections(connection, batch_id, processed.rejections, before=counts.rejections)
            counts.add(processed)
    return counts.rejected_outcome()


@asynccontextmanager
async def _deferred_totals(
    connection: Connection,
    pending: list[pl.DataFrame],
    tree: _Tree,
    as_changes: bool,
    report: ProgressCallback,
) -> AsyncIterator[None]:
    """Append the totals and sketches of the pending observations at the end of the block.

    A thread computes the totals during the block, and the sketches while PostgreSQL stores the totals.
    """

    def on_progress(fraction: float) -> None:
        report("storing averages", PRICES_SHARE + (1 - PRICES_SHARE) * fraction)

    observations = await asyncio.to_thread(take_observations, pending)
    months = _report_months(totals_by_month(observations, tree.locations), observations, on_progress)
    with ReadAhead(encode_totals(months, as_changes=as_changes)) as total_rows:
        yield
        with ReadAhead(encode_sketch_rows(sketches_by_month(observations, tree.locations))) as sketch_rows:
            await totals.copy_totals(connection, copy_stream(total_rows))
            await sketches.copy_sketches(connection, copy_stream(sketch_rows))
    if tree.move is not None:
        await record_observations(connection, tree.move, observations)


def take_observations(pending: list[pl.DataFrame]) -> LaneDays:
    """Return the pending observations, which have the columns LANE_DAYS, and clear the list."""
    observations = pl.concat(pending)
    pending.clear()
    return to_lane_days(observations)


def _report_months(
    months: Iterator[MonthTotals], observations: LaneDays, on_progress: Callable[[float], None]
) -> Iterator[MonthTotals]:
    first, last = int(month_of(observations.first_day).min()), int(month_of(observations.last_day).max())
    for totals_of_month in months:
        on_progress((totals_of_month.month - first) / (last - first + 1))
        yield totals_of_month


async def copy_rejections(connection: Connection, batch_id: int, rejections: pl.DataFrame, *, before: int = 0) -> None:
    """Store problems of a batch, numbered after `before`, up to MAX_STORED_REJECTIONS in total."""
    listed = rejections.head(max(MAX_STORED_REJECTIONS - before, 0)).with_row_index("number", offset=before + 1)
    for part in listed.iter_slices(COPIED_REJECTIONS):
        lines = part.select(pl.lit(batch_id), "number", "item", "field", "code", "severity", "message", "value")
        text = await asyncio.to_thread(lines.write_csv, include_header=False)
        await batches.copy_rejections(connection, [text.encode()])
