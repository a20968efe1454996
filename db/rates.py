"""Exchange rates to the US dollar, by currency and day."""

from collections.abc import Iterable, Sequence
from datetime import date

from db.model import DateRange
from db.pool import Connection
from db.sql import load_sections

SQL = load_sections("rates")


async def create_incoming_rates(connection: Connection) -> None:
    """Make the transaction's table that `copy_rates` fills."""
    await connection.execute(SQL["create_incoming_rates"])


async def copy_rates(connection: Connection, chunks: Iterable[bytes]) -> None:
    """Take rates as CSV lines `currency,day,usd_per_unit`."""
    async with connection.cursor() as cursor, cursor.copy(SQL["copy_rates"]) as copy:
        for chunk in chunks:
            await copy.write(chunk)


async def merge_rates(connection: Connection) -> int:
    """Store what was copied and return how many rates are new or corrected."""
    return (await connection.execute(SQL["merge_rates"])).rowcount


async def find_latest_rate_day(connection: Connection) -> date | None:
    """Return the newest day on which any rate was published, or None without rates."""
    row = await (await connection.execute(SQL["find_latest_rate_day"])).fetchone()
    return None if row is None else row[0]


async def find_currencies(connection: Connection, currencies: Iterable[str]) -> set[str]:
    """Return those of the currencies that have a rate on any day."""
    cursor = await connection.execute(SQL["find_currencies"], {"currencies": sorted(currencies)})
    return {currency for (currency,) in await cursor.fetchall()}


async def list_rates(connection: Connection, currencies: Sequence[str], days: DateRange) -> list[tuple[str, date, int]]:
    """Return (currency, published day, US dollars for one unit in 10⁻¹²) within the days, by currency and day."""
    cursor = await connection.execute(
        SQL["list_rates"], {"currencies": list(currencies), "first": days.first, "last": days.last}
    )
    return [(currency, day, rate) for currency, day, rate in await cursor.fetchall()]
