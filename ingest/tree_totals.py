"""Totals and sketches after a change of the region tree: they follow moved ports.

The difference is computed in numpy, month by month, so that its memory is bounded.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from datetime import date

from db.administration import moves
from db.administration.moves import MovedLanes, PackedTotals
from db.connection import Connection
from db.errors import TotalsDamaged
from db.repositories import totals
from domain.intervals import month_number, months_between
from domain.locations import TreeMove
from ingest.batches.aggregation import MAX_MOVED_LANES, MonthTotals, move_lanes
from ingest.batches.copy_encoding import decode_totals, encode_totals
from ingest.errors import TreeRejected
from ingest.observations.copy_stream import copy_stream
from ingest.sketches.move import move_sketches

TOTALS_SHARE = 0.5
"""Share of the totals in the progress. The rest is the sketches."""


async def measure_move(connection: Connection, move: TreeMove, *, max_rows: int | None = None) -> MovedLanes:
    """Return the size of the totals of the lanes with a moved end.

    They have one row per lane and month, or more until compaction. Raise TreeRejected (TREE_CHANGE_TOO_LARGE) if there are more
    than `max_rows` rows.
    """
    async with connection.transaction():
        await moves.store_moved_lanes(connection, move.list_moved_ports(), part_lanes=MAX_MOVED_LANES)
        measured = await moves.measure_moved_lanes(connection)
        await moves.drop_moved_lanes(connection)
    if max_rows is not None and measured.row_count > max_rows:
        raise TreeRejected(
            "TREE_CHANGE_TOO_LARGE",
            f"the change moves {measured.row_count:,} lane-months, limit {max_rows:,}; move fewer locations at once, or run"
            " `ratesgraph locations load --large`, which reports its progress",
        )
    return measured


async def move_totals(connection: Connection, move: TreeMove, report: Callable[[float], None]) -> None:
    """Append the differences that the change makes to the totals and sketches.

    The time grows with the rows of totals of the lanes with a moved end, 15 to 35 µs each, and with their observations.
    `report` receives the fraction before each part of the totals and of the sketches.
    """
    as_changes = await totals.can_store_changes(connection)
    differences = compute_differences(connection, move, report=lambda part: report(TOTALS_SHARE * part))
    async with aclosing(differences):
        async for difference in differences:
            await totals.copy_totals(connection, copy_stream(encode_totals([difference], as_changes=as_changes)))
    report(TOTALS_SHARE)
    await move_sketches(connection, move, lambda part: report(TOTALS_SHARE + (1 - TOTALS_SHARE) * part))


async def compute_differences(
    connection: Connection,
    move: TreeMove,
    *,
    first: date = date.min,
    last: date = date.max,
    report: Callable[[float], None] = lambda _fraction: None,
) -> AsyncGenerator[MonthTotals]:
    """Yield the differences that the change makes to the stored totals in a range of months.

    The difference of a month is the sum of its parts. `report` receives the fraction before each part.
    """
    ports = move.list_moved_ports()
    await moves.store_moved_lanes(connection, ports, part_lanes=MAX_MOVED_LANES, first=first, last=last)
    await moves.analyze_moved_lanes(connection)
    measured = await moves.measure_moved_lanes(connection)
    if measured.last_part is not None:
        steps = [(month, part) for month in list_months(measured) for part in range(measured.last_part + 1)]
        for number, (month, part) in enumerate(steps):
            report(number / len(steps))
            packed = await moves.read_moved_month(connection, month, part)
            if packed is not None:
                yield await asyncio.to_thread(_compute_difference, month, packed, move)
    await moves.drop_moved_lanes(connection)


def list_months(measured: MovedLanes) -> Iterator[date]:
    """Yield the first day of each month from the first to the last one of the moved lanes."""
    first, last = measured.first_month, measured.last_month
    return iter(()) if first is None or last is None else months_between(first, last)


def _compute_difference(month: date, packed: PackedTotals, move: TreeMove) -> MonthTotals:
    try:
        moved = decode_totals(month_number(month), packed)
    except ValueError as error:
        raise TotalsDamaged from error
    return move_lanes(moved, move.before, move.after)
