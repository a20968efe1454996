"""Property test: the rate shown for a day equals the rate of the conversion of its prices.

Histories are random, and every day is checked.
"""

import asyncio
from datetime import date, timedelta
from decimal import Decimal

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.connection import Connection
from db.pool import INGEST, Pool, connect, open_pool
from db.repositories import batches
from domain.batches import OnError
from domain.prices import RATE_UNITS
from ingest.exchange_rates.ecb import store_rates
from ingest.exchange_rates.refresh import RATES
from ingest.tree import change_tree
from resolvers.errors import RequestError
from resolvers.rates import exchange_rates
from tests.support.contexts import reading_context
from tests.support.worlds import Item, World, apply_frame, days_between, frame_of

WORLD = World({"top": None, "AAAAA": "top", "BBBBB": "top"}, {"AAAAA", "BBBBB"})
CURRENCIES = ["EUR", "GBP", "XYZ"]
BEGIN = date(2024, 2, 1)
Shown = dict[date, tuple[Decimal, date | None] | None]

histories = st.dictionaries(
    st.sampled_from(CURRENCIES),
    # Days in clusters and far apart: consecutive rates, and gaps around the maximum age of a rate.
    st.dictionaries(
        st.one_of(st.integers(0, 80), st.sampled_from([0, 1, 15, 16, 30, 31, 60])),
        st.integers(1, 3 * RATE_UNITS),
        min_size=1,
        max_size=12,
    ),
)


def expected_rate(history: dict[int, int], newest: int, day: date) -> tuple[Decimal, date] | None:
    """Return the expected rate of a day: the latest before it, unless too old.

    A rate is too old if it is more than 14 days older than the day, or than the newest published
    day if this is earlier.
    """
    number = (day - BEGIN).days
    before = [published for published in history if published <= number]
    if not before or min(number, newest) - max(before) > 14:
        return None
    return Decimal(history[max(before)]).scaleb(-12), BEGIN + timedelta(days=max(before))


async def read_conversion_rates(connection: Connection, first: date, last: date) -> dict[str, Shown]:
    """Return the conversion rate of a price for each day and currency, or None without one.

    The prices are uploaded, one for each day and currency.
    """
    days = days_between(first, last)
    frames = [frame_of([Item("AAAAA", "BBBBB", day, day, Decimal(1)) for day in days], code) for code in CURRENCIES]
    frame = pl.concat(frames).with_columns(item=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32))
    batch_id, _ = await apply_frame(connection, frame, OnError.SKIP_INVALID)
    found: dict[str, Shown] = {code: dict.fromkeys(days) for code in CURRENCIES}
    rows = await connection.execute("SELECT currency, first_day, last_day, rate, rate_day FROM prices")
    for code, first_day, last_day, rate, rate_day in await rows.fetchall():
        assert first_day == last_day
        found[code][first_day] = (rate, rate_day)
    # A currency without any rate has a different code than a currency without a rate on that day.
    for rejection in await batches.list_rejections(connection, batch_id, limit=1_000):
        if rejection.code == "UNKNOWN_CURRENCY":
            found.pop(str(rejection.value), None)
        else:
            assert rejection.code == "NO_EXCHANGE_RATE"
    return found


async def read_shown_rates(pool: Pool, first: date, last: date) -> dict[str, Shown]:
    """Return the rate shown for each day and known currency."""
    shown: dict[str, Shown] = {}
    for code in CURRENCIES:
        try:
            entries = await exchange_rates(reading_context(pool), currency=code, date_from=first, date_to=last)
        except RequestError as error:
            if error.code != "UNKNOWN_CURRENCY":
                raise
            continue
        assert [entry.day for entry in entries] == days_between(first, last)
        shown[code] = {
            entry.day: None
            if entry.usd_per_unit is None
            else (Decimal(entry.usd_per_unit).quantize(Decimal("1e-12")), entry.published_day)
            for entry in entries
        }
        assert all((entry.usd_per_unit is None) is (entry.published_day is None) for entry in entries)
    return shown


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    published=histories,
    start=st.integers(-20, 110),
    length=st.integers(0, 40),
    before=st.integers(0, 30),
    after=st.integers(0, 30),
)
def test_exchange_rates_shown_equal_those_used_for_currency_conversion(
    module_database_url: str, published: dict[str, dict[int, int]], start: int, length: int, before: int, after: int
) -> None:
    first = BEGIN + timedelta(days=start)
    last = first + timedelta(days=length)
    rows = [
        (code, BEGIN + timedelta(days=day), Decimal(rate).scaleb(-12))
        for code, history in published.items()
        for day, rate in history.items()
    ]

    async def compare() -> None:
        async with (
            connect(module_database_url, INGEST) as connection,
            open_pool(module_database_url, INGEST, max_size=2) as pool,
        ):
            await connection.execute(
                "TRUNCATE exchange_rates, prices, price_totals, price_sketches, price_batches CASCADE"
            )
            await change_tree(connection, WORLD.entries())
            assert await store_rates(connection, pl.DataFrame(rows, schema=RATES, orient="row")) == len(rows)
            converted = await read_conversion_rates(connection, first, last)
            # Neither result may depend on the other days in the same query.
            shown = await read_shown_rates(pool, first - timedelta(days=before), last + timedelta(days=after))
        newest = max((day for history in published.values() for day in history), default=0)
        assert shown == {
            code: {day: expected_rate(history, newest, day) for day in shown[code]}
            for code, history in published.items()
        }
        assert {
            code: {day: rate for day, rate in days.items() if first <= day <= last} for code, days in shown.items()
        } == converted

    asyncio.run(compare())
