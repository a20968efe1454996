"""World of three months for tests of the verification, and its outcome by month."""

from datetime import date
from decimal import Decimal

from db.connection import Connection
from ingest.verify import verify
from tests.support.worlds import Item, World

WORLD = World({"top": None, "low": "top", "AAAAA": "low", "BBBBB": "top"}, {"AAAAA", "BBBBB"})
JANUARY, FEBRUARY, MARCH = (date(2024, month, 1) for month in (1, 2, 3))
ITEMS = [
    Item("AAAAA", "BBBBB", date(2024, 1, 30), date(2024, 2, 2), Decimal("10.01")),
    Item("BBBBB", "AAAAA", date(2024, 1, 5), date(2024, 1, 6), Decimal(20)),
    Item("AAAAA", "AAAAA", date(2024, 3, 5), date(2024, 3, 5), Decimal(30)),
]
EVERYTHING = [JANUARY, FEBRUARY, MARCH]


async def check(connection: Connection, *, full: bool = False, repair: bool = False) -> dict[date, int]:
    """Return the number of differences of each month that was checked."""
    return {month: len(found) async for month, found in verify(connection, full=full, repair=repair)}
