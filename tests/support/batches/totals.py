"""Stored totals: the sums and counts of a pair of locations, and the number of rows."""

from datetime import date

from db.connection import Connection
from db.repositories import locations, totals
from domain.locations import Lane
from domain.prices import DateRange
from tests.support.worlds import by_day, by_key


async def read_totals(
    connection: Connection, origin: str, destination: str, days: DateRange
) -> list[tuple[date, int, int]]:
    """Return the days with prices of a pair, each with its sum in US cents and its count."""
    known = by_key(await locations.list_locations(connection))
    lane = Lane(known[origin].id, known[destination].id)
    [found] = await totals.select_day_totals(connection, [(lane, days)])
    return [(day, total, count) for day, (count, total) in by_day(found, days).items()]


async def count_rows_of_totals(connection: Connection) -> int:
    """Return the number of stored partial sums."""
    row = await (await connection.execute("SELECT count(*) FROM price_totals")).fetchone()
    assert row is not None
    return int(row[0])
