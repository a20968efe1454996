"""Conversion of answers: which rate holds on a day, and ranks next to a converted price."""

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from db.connection import Connection
from db.pool import API, open_pool
from ingest.exchange_rates.ecb import store_rates
from ingest.exchange_rates.refresh import RATES
from ingest.tree import change_tree
from tests.support.analysis.asking import ask
from tests.support.analysis.figures import Json
from tests.support.worlds import Item, World, apply_frame, frame_of

WORLD = World({"top": None, "AAAAA": "top", "BBBBB": "top"}, {"AAAAA", "BBBBB"})
FIRST, LAST = date(2023, 12, 1), date(2024, 12, 31)
LANE = {"origin": "AAAAA", "destination": "BBBBB"}


async def answer(connection: Connection, database_url: str, name: str, question: Json) -> Json:
    """Return the answer to a question about a price of 110 dollars on each day.

    The rate of EUR is published on 1 January only, that of JPY on 20 January.
    """
    rows = [("EUR", date(2024, 1, 1), Decimal("1.1")), ("JPY", date(2024, 1, 20), Decimal("0.007"))]
    await store_rates(connection, pl.DataFrame(rows, schema=RATES, orient="row"))
    await change_tree(connection, WORLD.entries())
    await apply_frame(connection, frame_of([Item("AAAAA", "BBBBB", FIRST, LAST, Decimal(110))]))
    async with open_pool(database_url, API, max_size=1) as pool:
        found, errors = await ask(pool, name, {"minimumSample": 1, **question})
    assert errors == []
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("currency", "day", "average"),
    [
        ("EUR", "2023-12-31", None),
        ("EUR", "2024-01-01", 100),
        ("EUR", "2024-01-15", 100),
        ("EUR", "2024-01-16", None),
        # The newest day of all currencies is 20 January: EUR was too old then, and still is.
        ("EUR", "2024-12-31", None),
        ("JPY", "2024-01-19", None),
        ("JPY", "2024-01-20", 15714.29),
        ("JPY", "2024-12-31", 15714.29),
    ],
)
@pytest.mark.anyio
async def test_price_series_of_one_day_use_a_rate_of_at_most_14_days_before(
    database_url: str, connection: Connection, currency: str, day: str, average: float | None
) -> None:
    question = {"lanes": [LANE], "dateFrom": day, "dateTo": day, "interval": "DAY", "currency": currency}
    found = await answer(connection, database_url, "priceSeries", question)
    [lane] = found["lanes"]
    assert (lane["counts"], lane["averages"], lane["medians"]) == ([1], [average], [average])
    assert lane["nullReasons"] == [None if average else "NO_EXCHANGE_RATE"]


@pytest.mark.parametrize(
    ("currency", "price", "rank"),
    [
        ("USD", "109.9999", 0),
        ("USD", "110", 50),
        ("USD", "110.0001", 100),
        ("EUR", "99.9999", 0),
        ("EUR", "100", 50),
        ("EUR", "100.0001", 100),
        # 110 ÷ 0.007 = 15,714.2857 and 1/7 of 0.0001.
        ("JPY", "15714.2857", 0),
        ("JPY", "15714.2858", 100),
    ],
)
@pytest.mark.anyio
async def test_benchmark_ranks_prices_next_to_a_converted_one_exactly(
    database_url: str, connection: Connection, currency: str, price: str, rank: float
) -> None:
    day = "2024-01-20" if currency == "JPY" else "2024-01-01"
    question = {**LANE, "dateFrom": day, "currency": currency, "price": price}
    found = await answer(connection, database_url, "benchmark", question)
    assert found["percentileRank"] == rank
