"""Applies a batch, slice by slice: one transaction appends its observations and its totals and says what became of it.

Everything that takes Python time runs in threads, so the event loop only moves bytes: a slice is read and checked while
the one before it travels to the database. What the totals are added up from is kept until there is enough of it, so the
memory that a batch takes is bounded, whatever its size.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing

import numpy as np
import numpy.typing as npt
import polars as pl

from db.connection import Connection
from db.repositories import batches, lanes, locations, prices, totals, versions
from domain.batches import BatchOutcome, BatchStatus, OnError
from domain.locations import Location
from ingest.batches.aggregation import LaneDays, MonthTotals, month_of, totals_by_month
from ingest.batches.copy_encoding import copy_stream, encode_prices, encode_totals
from ingest.batches.counts import BatchCounts
from ingest.batches.pipeline import process_slices
from ingest.readers.price_file import Slice

PRICES_PART = 0.7
"""What storing prices takes of the work, about; the rest is for their averages (`python -m bench ingest`)."""
MAX_PENDING_ROWS = 4_000_000
"""Observations whose totals are added up together, at 24 bytes each: the more, the fewer partial sums for each key."""
MAX_STORED_REJECTIONS = 1_000_000
"""Problems of a batch that are stored; its counts are exact all the same."""
COPIED_REJECTIONS = 50_000
LANE_DAYS = ("origin", "destination", "first_day", "last_day", "usd_cents")
Slices = Callable[[], Iterator[Slice]]
"""Opens the items of a batch, a second time too."""
Report = Callable[[str, float], None]
"""Is told which stage of the work goes on, and which part of the items has been read, 0 to 1."""


class _InvalidItem(Exception):
    """An item is invalid in a batch that is all or nothing."""


def no_progress(_stage: str, _part: float) -> None:
    """Report to nobody."""


async def apply_slices(
    connection: Connection, batch_id: int, slices: Slices, on_error: OnError, report: Report = no_progress
) -> BatchOutcome:
    """Append the observations and totals of the items, or only their rejections, within the caller's transaction.

    Raise FileRejected when the items cannot be read to their end; then nothing was appended.
    """
    await locations.lock_tree_shared(connection)
    tree = await locations.list_locations(connection)
    try:
        async with connection.transaction():
            return await _store(connection, batch_id, slices(), tree, on_error, report)
    except _InvalidItem:
        # Nothing is left of the batch. A second look at its items lists the problems of all of them.
        async with connection.transaction():
            return await _collect_rejections(connection, batch_id, slices(), tree, report)


async def _store(
    connection: Connection,
    batch_id: int,
    slices: Iterator[Slice],
    tree: list[Location],
    on_error: OnError,
    report: Report,
) -> BatchOutcome:
    tally, held = BatchCounts(), list[pl.DataFrame]()
    async with aclosing(process_slices(connection, slices, tree)) as parts:
        async for examined in parts:
            if on_error is OnError.REJECT_BATCH and examined.rejected:
                raise _InvalidItem
            report("storing prices", PRICES_PART * examined.fraction_read)
            await copy_rejections(connection, batch_id, examined.rejections, before=tally.rejections)
            tally.add(examined)
            observations = examined.observations
            if len(observations):
                await prices.copy_prices(connection, copy_stream(encode_prices(batch_id, observations)))
                held.append(observations.select(LANE_DAYS))
            if sum(map(len, held)) > MAX_PENDING_ROWS:
                await _append_totals(connection, held, tree)
    if tally.rejected == tally.items:
        return tally.rejected_outcome()
    if held:
        await _append_totals(connection, held, tree, report)
    await lanes.insert_lanes(connection, batch_id, *tally.lanes())
    await versions.announce_change(connection, f"{batch_id} {BatchStatus.APPLIED}")
    return tally.applied_outcome()


async def _collect_rejections(
    connection: Connection, batch_id: int, slices: Iterator[Slice], tree: list[Location], report: Report
) -> BatchOutcome:
    tally = BatchCounts()
    async with aclosing(process_slices(connection, slices, tree)) as parts:
        async for examined in parts:
            report("listing problems", examined.fraction_read)
            await copy_rejections(connection, batch_id, examined.rejections, before=tally.rejections)
            tally.add(examined)
    return tally.rejected_outcome()


async def _append_totals(
    connection: Connection, held: list[pl.DataFrame], tree: list[Location], report: Report = no_progress
) -> None:
    """Append what the held observations add up to, and let go of them."""

    def tell(part: float) -> None:
        report("storing averages", PRICES_PART + (1 - PRICES_PART) * part)

    await totals.copy_totals(connection, copy_stream(await asyncio.to_thread(build_totals, held, tree, tell)))


def build_totals(
    held: list[pl.DataFrame], tree: list[Location], tell: Callable[[float], None] = lambda _part: None
) -> Iterator[npt.NDArray[np.void]]:
    """Return what the held observations, LANE_DAYS of them, add up to, as rows for COPY, and let go of them.

    While the rows are taken, `tell` hears which part of the months is done, 0 to 1.
    """
    observations = pl.concat(held)
    held.clear()
    columns = LaneDays(*(observations[name].to_numpy() for name in LANE_DAYS))
    return encode_totals(_report_months(totals_by_month(columns, tree), columns, tell))


def _report_months(
    months: Iterator[MonthTotals], observations: LaneDays, tell: Callable[[float], None]
) -> Iterator[MonthTotals]:
    first, last = int(month_of(observations.first_day).min()), int(month_of(observations.last_day).max())
    for totals_of_month in months:
        tell((totals_of_month.month - first) / (last - first + 1))
        yield totals_of_month


async def copy_rejections(connection: Connection, batch_id: int, rejections: pl.DataFrame, *, before: int = 0) -> None:
    """Store some of a batch's problems, numbered on from how many came before, up to MAX_LISTED of all of them."""
    listed = rejections.head(max(MAX_STORED_REJECTIONS - before, 0)).with_row_index("number", offset=before + 1)
    for part in listed.iter_slices(COPIED_REJECTIONS):
        lines = part.select(pl.lit(batch_id), "number", "item", "field", "code", "severity", "message", "value")
        text = await asyncio.to_thread(lines.write_csv, include_header=False)
        await batches.copy_rejections(connection, [text.encode()])
