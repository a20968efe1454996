"""Exchange rates to the US dollar, by currency and day.

What everybody who reads them must agree on stands here too: which rate holds on which day is decided where prices are
converted (`ingest.batches.currency_conversion`) and where rates are shown (`resolvers.rates`), by these numbers.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from db.connection import Connection
from db.sql import load_sections
from domain.prices import DateRange

SQL = load_sections("rates")

MAX_RATE_AGE_DAYS = 14
"""No rate is used longer than this after its day. The European Central Bank's longest pause is five days."""
RATE_UNITS = 10**12
"""Rates are whole numbers of 10⁻¹² US dollars for one unit of a currency: 12 decimals."""
MAX_USD_PER_UNIT = 10**6
"""No currency is worth more. In units of 10⁻¹² it stays within 64 bits."""


def days_to_read(days: DateRange, newest: date) -> DateRange:
    """Return the days whose published rates can hold on one of `days`; `newest` is the newest day with any rate."""
    first = min(days.first, newest).toordinal() - MAX_RATE_AGE_DAYS
    return DateRange(date.fromordinal(max(first, date.min.toordinal())), days.last)


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


async def list_currencies(connection: Connection) -> dict[str, date]:
    """Return every currency that has rates, with the newest day on which one was published."""
    cursor = await connection.execute(SQL["list_currencies"])
    return dict(await cursor.fetchall())


async def list_rates(connection: Connection, currencies: Sequence[str], days: DateRange) -> list[tuple[str, date, int]]:
    """Return (currency, published day, US dollars for one unit in 10⁻¹²) within the days, by currency and day."""
    cursor = await connection.execute(
        SQL["list_rates"], {"currencies": list(currencies), "first": days.first, "last": days.last}
    )
    return [(currency, day, rate) for currency, day, rate in await cursor.fetchall()]
