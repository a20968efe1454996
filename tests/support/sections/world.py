"""The world on which SQL sections run: a tree, an applied batch, a queued one."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal

from db.connection import Connection
from domain.prices import DateRange
from ingest.observations.copy_stream import HEADER, TRAILER
from ingest.tree import change_tree
from tests.support.batches.forms import allow_changes, refuse_changes
from tests.support.batches.queue import accept
from tests.support.worlds import Item, World, apply_frame, frame_of

TOP, LEFT, RIGHT, CNAAA, CNBBB, USNYC = range(1, 7)
"""IDs of the locations: identity columns count from 1."""
WORLD = World(
    {"top": None, "left": "top", "right": "top", "CNAAA": "left", "CNBBB": "left", "USNYC": "right"},
    {"CNAAA", "CNBBB", "USNYC"},
)
MONTH = date(2024, 1, 1)
DAYS = DateRange(date(2024, 1, 1), date(2024, 2, 29))
APPLIED, QUEUED = 1, 3
"""IDs of the batches."""
TOKEN = "token"  # noqa: S105
RATE = b"EUR,2024-01-02,1.0956\n"
REJECTION = b"1,1,1,price,INVALID_PRICE,ERROR,not a number,ten\n"


async def fill(connection: Connection) -> None:
    """Create a tree, a queued batch, and two applied ones, by day and as changes."""
    await change_tree(connection, WORLD.entries())
    periods = (
        (date(2024, 1, 30), date(2024, 2, 2), 10),
        (date(2024, 1, 31), date(2024, 1, 31), 20),
        (date(2023, 11, 5), date(2024, 1, 30), 30),
    )
    for prepare, count in ((refuse_changes, 2), (allow_changes, 3)):
        await prepare(connection)
        items = [
            Item(origin, "USNYC", first, last, Decimal(price))
            for first, last, price in periods[:count]
            for origin in ("CNAAA", "CNBBB")
        ]
        await apply_frame(connection, frame_of(items))
    await accept(connection)


async def copy_nothing() -> AsyncIterator[bytes]:
    yield HEADER + TRAILER
