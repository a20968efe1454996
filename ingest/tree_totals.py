"""Totals and sketches after a change of the region tree: they follow moved ports.

The difference is computed in numpy, month by month, so that its memory is bounded, and appended in the transaction that changes
the tree.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import date

from db.connection import Connection
from db.repositories import locations, totals
from db.repositories.totals import PackedTotals
from domain.locations import Location, LocationKind
from ingest.batches.aggregation import MonthTotals, move_lanes
from ingest.batches.copy_encoding import decode_totals, encode_totals
from ingest.errors import TreeRejected
from ingest.observations.copy_stream import copy_stream
from ingest.observations.lane_days import month_number
from ingest.sketches.move import move_sketches

MAX_LANES = 10_000
"""Lanes of a month that are computed at once.

It bounds memory: in a tree of five levels, a lane becomes up to 25 rows of half a kilobyte, before and after the change.
"""


async def move_totals(
    connection: Connection, before: Sequence[Location], *, max_rows: int | None, report: Callable[[float], None]
) -> None:
    """Append the difference of the totals and sketches to those in the tree `before`.

    The time grows with the rows of totals of the lanes with a moved end: one per lane and month, or more until compaction.
    Raise TreeRejected (TREE_CHANGE_TOO_LARGE) if there are more than `max_rows`.
    """
    after = await locations.list_locations(connection)
    ports = _find_moved_ports(before, after)
    await totals.store_moved_lanes(connection, ports, part_lanes=MAX_LANES)
    await totals.analyze_moved_lanes(connection)
    row_count, first, last, last_part = await totals.measure_moved_lanes(connection)
    if max_rows is not None and row_count > max_rows:
        raise TreeRejected(
            "TREE_CHANGE_TOO_LARGE",
            f"the change moves {row_count:,} lane-months, limit {max_rows:,}; move fewer locations at once, or run"
            " `ratesgraph locations load --large` at a time when uploads may wait",
        )
    if first is None or last is None or last_part is None:
        return
    as_changes = await totals.can_store_changes(connection)
    steps = [(month, part) for month in _list_months(first, last) for part in range(last_part + 1)]
    for number, (month, part) in enumerate(steps):
        report(number / len(steps))
        packed = await totals.read_moved_month(connection, month, part)
        if packed is not None:
            difference = await asyncio.to_thread(_compute_difference, month, packed, before, after)
            await totals.copy_totals(connection, copy_stream(encode_totals([difference], as_changes=as_changes)))
    await move_sketches(connection, ports, before, after)


def _find_moved_ports(before: Sequence[Location], after: Sequence[Location]) -> list[int]:
    """Return the IDs of the ports that have other ancestors than before.

    New ports have no totals yet.
    """
    known, present = ({location.id: location.parent_id for location in tree} for tree in (before, after))
    return [
        location.id
        for location in after
        if location.kind is LocationKind.PORT
        and location.id in known
        and _list_ancestors(location.id, known) != _list_ancestors(location.id, present)
    ]


def _list_ancestors(location_id: int, parents: dict[int, int | None]) -> list[int]:
    ancestors = []
    above = parents[location_id]
    while above is not None:
        ancestors.append(above)
        above = parents[above]
    return ancestors


def _list_months(first: date, last: date) -> Iterator[date]:
    """Yield the first day of each month from `first` to `last`."""
    for month in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        yield date(month // 12, month % 12 + 1, 1)


def _compute_difference(
    month: date, packed: PackedTotals, before: Sequence[Location], after: Sequence[Location]
) -> MonthTotals:
    return move_lanes(decode_totals(month_number(month), packed), before, after)
