"""Recording of the differences that a tree change under way makes to the prices of a batch.

The change reads the stored prices month by month, and does not see what is applied later. Until its last transaction, all
totals and sketches follow the tree before it.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from db.administration import moves
from db.administration.moves import RecordKind
from db.connection import Connection
from domain.intervals import first_of_month
from domain.locations import Location, LocationKind, TreeMove
from ingest.batches.aggregation import MonthTotals, move_lane_days, select_moved
from ingest.batches.move_records.encoding import encode_sketches, encode_totals
from ingest.observations.lane_days import LaneDays
from ingest.sketches.build import MonthSketches
from ingest.sketches.move import compute_sketch_differences

MAX_RECORDED_CHANGES = 50_000
"""Changes of totals in one record: 2 MB in memory."""


async def find_move(connection: Connection, tree: Sequence[Location]) -> TreeMove | None:
    """Return the change of the tree that is under way in steps, or None.

    Call `lock_tree_shared` first.
    """
    change = await moves.find_tree_change(connection)
    if change is None:
        return None
    parents = dict(zip(change.location_ids, change.parent_ids, strict=True))
    new = [Location(number, LocationKind.REGION, "", "", parent) for number, parent in parents.items() if number < 0]
    return TreeMove(tree, [*(replace(each, parent_id=parents.get(each.id, each.parent_id)) for each in tree), *new])


async def record_observations(
    connection: Connection, move: TreeMove, observations: LaneDays, *, is_revert: bool = False
) -> None:
    """Record the differences that the change makes to the totals and sketches of observations.

    With `is_revert` the observations are subtracted, so the differences are negated.
    """
    moved = select_moved(observations, move)
    if not len(moved.origin):
        return
    parts = move_lane_days(moved, move)
    while (part := await asyncio.to_thread(next, parts, None)) is not None:
        await record_totals(connection, part.negated() if is_revert else part)
    await record_sketches(
        connection, compute_sketch_differences(moved, move.before, move.after), sign=-1 if is_revert else 1
    )


async def record_totals(connection: Connection, difference: MonthTotals) -> None:
    """Record a difference of totals for the last transaction of the change."""
    for start in range(0, len(difference), MAX_RECORDED_CHANGES):
        content = await asyncio.to_thread(encode_totals, difference[start : start + MAX_RECORDED_CHANGES])
        await moves.insert_moved_record(connection, RecordKind.TOTALS, first_of_month(difference.month), content)


async def record_sketches(connection: Connection, parts: Iterable[MonthSketches], *, sign: int = 1) -> None:
    """Record differences of sketches for the last transaction of the change."""
    encoded = encode_sketches(parts, sign=sign)
    while (found := await asyncio.to_thread(next, encoded, None)) is not None:
        await moves.insert_moved_record(connection, RecordKind.SKETCHES, first_of_month(found[0]), found[1])
