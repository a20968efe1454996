"""One run of each SQL section about sketches, on the world of `world.fill`."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing

from db.connection import Connection
from db.repositories import sketches
from domain.compaction import KeyRange
from domain.locations import Lane
from tests.support.sections.world import CNAAA, DAYS, LEFT, MONTH, RIGHT, copy_nothing


async def _copy_out_month(connection: Connection) -> list[bytes]:
    """Return the lines in order: the rows have none."""
    async with aclosing(sketches.copy_out_month(connection, MONTH)) as chunks:
        return sorted([chunk async for chunk in chunks])


async def _copy_out_moved(connection: Connection) -> list[bytes]:
    async with aclosing(sketches.copy_out_moved(connection, [CNAAA], DAYS)) as chunks:
        return sorted([chunk async for chunk in chunks])


SKETCH_RUNS: Mapping[str, Callable[[Connection], Awaitable[object]]] = {
    "sketches.copy_out_month": _copy_out_month,
    "sketches.copy_out_moved": _copy_out_moved,
    "sketches.copy_sketches": lambda c: sketches.copy_sketches(c, copy_nothing()),
    "sketches.delete_month": lambda c: sketches.delete_month(c, MONTH),
    "sketches.declare_sketch_maintenance": sketches.declare_sketch_maintenance,
    "sketches.list_stale_months": sketches.list_stale_months,
    "sketches.mark_stale": lambda c: sketches.mark_stale(c, [MONTH]),
    "sketches.list_month_origins": lambda c: sketches.list_month_origins(c, MONTH),
    "sketches.select_origin_sketches": lambda c: sketches.select_origin_sketches(c, LEFT, MONTH),
    "sketches.select_sketches": lambda c: sketches.select_sketches(c, [(Lane(LEFT, RIGHT), DAYS)]),
    "sketches.delete_crowded_sketches": lambda c: sketches.delete_crowded_sketches(
        c, KeyRange((0, 0, MONTH), 1 << 20, 0, 5, 9)
    ),
    "sketches.unmark_stale": lambda c: sketches.unmark_stale(c, MONTH),
}
