"""Sample worlds for tests: a location tree, prices, and an oracle in plain Python.

The oracle uses neither totals, arrays nor SQL. It iterates over every observation of every day.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from statistics import median

import polars as pl

from db.connection import Connection
from db.repositories import batches
from domain.batches import BatchOutcome, FileFormat, OnError
from domain.locations import Location, LocationKind, TreeEntry
from domain.prices import DateRange, DayTotals
from ingest.batches.apply import apply_slices
from ingest.readers.price_file import Slice, read_slices

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Item:
    """Item of an upload, in USD."""

    origin: str
    destination: str
    first: date
    last: date
    price: Decimal


@dataclass(frozen=True)
class Expected:
    """Expected result of one day. Aggregates of fewer than three prices are None."""

    count: int
    average: Decimal | None
    low: Decimal | None = None
    high: Decimal | None = None
    middle: Decimal | None = None


@dataclass
class World:
    """Location tree as a map of key to parent key, with the set of port keys."""

    parents: dict[str, str | None]
    ports: set[str]
    items: list[Item] = field(default_factory=list)

    def entries(self) -> list[TreeEntry]:
        """Return the tree as entries for the loader."""
        return [
            TreeEntry(
                LocationKind.PORT if key in self.ports else LocationKind.REGION, key, f"Name of {key}", parent, "test:1"
            )
            for key, parent in self.parents.items()
        ]

    def is_within(self, place: str, port: str) -> bool:
        """Return whether the port is the location or a descendant of it."""
        above: str | None = port
        while above is not None:
            if above == place:
                return True
            above = self.parents[above]
        return False

    def prices_on(self, origin: str, destination: str, day: date) -> list[Decimal]:
        """Return the sorted prices of a day between the two locations, rounded to cents."""
        return sorted(
            to_cents(item.price)
            for item in self.items
            if item.first <= day <= item.last
            and self.is_within(origin, item.origin)
            and self.is_within(destination, item.destination)
        )

    def expect(self, origin: str, destination: str, day: date) -> Expected:
        """Compute the expected result of the day for the two locations from every item."""
        prices = self.prices_on(origin, destination, day)
        if len(prices) < 3:
            return Expected(len(prices), None)
        mean = to_cents(sum(prices, Decimal(0)) / len(prices))
        return Expected(len(prices), mean, prices[0], prices[-1], to_cents(Decimal(median(prices))))


def to_cents(amount: Decimal) -> Decimal:
    """Round to cents, halves away from zero."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def frame_of(items: Sequence[Item], currency: str = "USD") -> pl.DataFrame:
    """Return the items as a frame, as a `Slice` of `ingest.readers.price_file` contains them."""
    rows = [
        (number, item.origin, item.destination, str(item.first), str(item.last), str(item.price), currency)
        for number, item in enumerate(items, start=1)
    ]
    text = dict.fromkeys(["origin", "destination", "date_from", "date_to", "price", "currency"], pl.String)
    return pl.DataFrame(rows, schema={"item": pl.UInt32, **text}, orient="row")


def read_items(data: bytes, file_format: FileFormat | None) -> pl.DataFrame:
    """Return all items of a file."""
    return pl.concat([part.items for part in read_slices(io.BytesIO(data), file_format)])


async def apply_frame(
    connection: Connection, frame: pl.DataFrame, on_error: OnError = OnError.REJECT_BATCH
) -> tuple[int, BatchOutcome]:
    """Apply a frame of items as one batch."""
    async with connection.transaction():
        batch_id = await batches.insert_batch(
            connection, on_error=on_error, source="test", idempotency_key=None, payload_sha256=b""
        )
        assert batch_id is not None
        outcome = await apply_slices(connection, batch_id, lambda: iter([Slice(frame, 1.0)]), on_error)
        await batches.end_batch(connection, batch_id, outcome)
    return batch_id, outcome


def by_key(locations: Iterable[Location]) -> Mapping[str, Location]:
    """Return the locations by code or slug."""
    return {location.key: location for location in locations}


def by_day(totals: DayTotals, days: DateRange) -> dict[date, tuple[int, int]]:
    """Return (count, sum in cents) of the days with a nonzero count or sum."""
    rows = zip(days.days(), totals.counts, totals.sums, strict=True)
    return {day: (count, total) for day, count, total in rows if count or total}


def days_between(first: date, last: date) -> list[date]:
    """Return every day from first to last, both included."""
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
