"""Sketches read by plain Python, and the counts that they must have.

Neither uses the product's encoder or decoder.
"""

import struct
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta

from db.connection import Connection
from tests.support.worlds import World, to_cents

Cell = tuple[str, str, date, int]
"""Origin region, destination region, day and bucket."""
ROWS = b"""
SELECT o.key, d.key, s.month, s.sketch
FROM price_sketches s JOIN locations o ON o.id = s.origin JOIN locations d ON d.id = s.destination
"""


def plain_bucket(cents: int) -> int:
    """Return the bucket of a price: exact below 128 cents, then 64 steps an octave."""
    size, octave = abs(cents), 0
    while size >> octave >= 128:
        octave += 1
    bucket = 64 * octave + (size >> octave)
    return -bucket if cents < 0 else bucket


def plain_cells(sketch: bytes, month: date) -> Iterable[tuple[date, int, int]]:
    """Yield day, bucket and count of each day of a sketch.

    A change counts on each day to the end of the month, behind which there are no entries.
    """
    flags, days = sketch[0], sketch[1]
    sizes = struct.unpack_from(f"<{days}H", sketch, 2 + days)
    total, at = sum(sizes), 2 + 3 * days
    buckets = struct.unpack_from(f"<{total}h", sketch, at)
    counts = struct.unpack_from(f"<{total}{'bhiq'[flags >> 1]}", sketch, at + 2 * total)
    assert len(sketch) == at + (2 + (1 << (flags >> 1))) * total
    offsets = [offset for offset, size in zip(sketch[2 : 2 + days], sizes, strict=True) for _ in range(size)]
    for offset, bucket, count in zip(offsets, buckets, counts, strict=True):
        day = month + timedelta(offset)
        assert day.month == month.month
        while day.month == month.month:
            yield day, bucket, count
            if not flags & 1:
                break
            day += timedelta(1)


async def read_cells(connection: Connection) -> Counter[Cell]:
    """Return the stored count of each cell that is not zero."""
    cells = Counter[Cell]()
    async with connection.cursor(binary=True) as cursor:
        for origin, destination, month, sketch in await (await cursor.execute(ROWS)).fetchall():
            for day, bucket, count in plain_cells(sketch, month):
                cells[origin, destination, day, bucket] += count
    return Counter({cell: count for cell, count in cells.items() if count})


def expect_cells(world: World) -> Counter[Cell]:
    """Return the count of each cell, from every item and its ancestors."""
    cells = Counter[Cell]()
    regions = [key for key in world.parents if key not in world.ports]
    for item in world.items:
        bucket = plain_bucket(int(to_cents(item.price) * 100))
        origins = [region for region in regions if world.is_within(region, item.origin)]
        destinations = [region for region in regions if world.is_within(region, item.destination)]
        for offset in range((item.last - item.first).days + 1):
            for origin in origins:
                for destination in destinations:
                    cells[origin, destination, item.first + timedelta(offset), bucket] += 1
    return cells
