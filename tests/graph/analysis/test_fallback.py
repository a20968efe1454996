"""Fallback: the order of the markets that it tries, and the buckets that must have figures."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from db.connection import Connection
from db.pool import API, open_pool
from ingest.tree import change_tree
from tests.support.analysis.asking import ask
from tests.support.worlds import Item, World, apply_frame, frame_of

PARENTS = {"top": None, "two": "top", "three": "top", "AAAAA": "two", "BBBBB": "two"} | dict.fromkeys(
    ["CCCCC", "DDDDD", "EEEEE"], "three"
)
FIRST = date(2024, 1, 1)
DAYS = 10


def price(origin: str, destination: str, offset: int = 0) -> Item:
    """Return an item of one day."""
    day = FIRST + timedelta(days=offset)
    return Item(origin, destination, day, day, Decimal(100))


@pytest.mark.parametrize(
    ("items", "coverage", "market"),
    [
        # Five port pairs come before six, although both ends together have more ports.
        ([price("AAAAA", "BBBBB"), price("BBBBB", "DDDDD")], 0, ("AAAAA", "top", 0, 2)),
        # The fifth candidate.
        ([price("BBBBB", "DDDDD")], 0, ("two", "three", 1, 1)),
        # One of ten days is enough for 0.1, and not for a little more.
        ([price("AAAAA", "CCCCC"), price("AAAAA", "DDDDD", 1)], 0.1, ("AAAAA", "CCCCC", 0, 0)),
        ([price("AAAAA", "CCCCC"), price("AAAAA", "DDDDD", 1)], 0.11, ("AAAAA", "three", 0, 1)),
        ([price("AAAAA", "CCCCC"), price("AAAAA", "DDDDD", 1)], 0.2, ("AAAAA", "three", 0, 1)),
        # No market suffices.
        ([price("AAAAA", "CCCCC"), price("AAAAA", "DDDDD", 1)], 0.21, ("AAAAA", "CCCCC", 0, 0)),
    ],
)
@pytest.mark.anyio
async def test_fallback_answers_by_the_narrowest_market_with_enough_buckets(
    database_url: str, connection: Connection, items: list[Item], coverage: float, market: tuple[str, str, int, int]
) -> None:
    await change_tree(connection, World(PARENTS, {key for key in PARENTS if key.isupper()}).entries())
    await apply_frame(connection, frame_of(items))
    question = {
        "lanes": [{"origin": "AAAAA", "destination": "CCCCC"}],
        "dateFrom": str(FIRST),
        "dateTo": str(FIRST + timedelta(days=DAYS - 1)),
        "interval": "DAY",
        "minimumSample": 1,
        "currency": "USD",
        "fallback": {"maxLevels": 2, "coverage": coverage},
    }
    async with open_pool(database_url, API, max_size=1) as pool:
        answer, errors = await ask(pool, "priceSeries", question)
    assert errors == []
    assert answer is not None
    [lane] = answer["lanes"]
    ends = (lane["origin"]["key"], lane["destination"]["key"], lane["originLevelsUp"], lane["destinationLevelsUp"])
    assert ends == market
    assert lane["sufficient"] is (coverage < 0.21)
