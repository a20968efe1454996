"""Periods of validity: a price counts on each of its days, however long ago it began."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from db.connection import Connection
from db.pool import API, open_pool
from ingest.tree import change_tree
from tests.support.analysis.asking import ask
from tests.support.worlds import Item, World, apply_frame, frame_of

WORLD = World({"top": None, "AAAAA": "top", "BBBBB": "top"}, {"AAAAA", "BBBBB"})
LAST = date(2024, 3, 5)


@pytest.mark.parametrize("days", [1, 2, 31, 32, 33, 34, 366, 3_659, 3_660])
@pytest.mark.anyio
async def test_statistics_include_an_item_from_its_first_to_its_last_day(
    database_url: str, connection: Connection, days: int
) -> None:
    first = LAST - timedelta(days=days - 1)
    await change_tree(connection, WORLD.entries())
    await apply_frame(connection, frame_of([Item("AAAAA", "BBBBB", first, LAST, Decimal("-7.5"))]))
    async with open_pool(database_url, API, max_size=1) as pool:
        for day, is_valid in [(first, True), (LAST, True), (first - timedelta(1), False), (LAST + timedelta(1), False)]:
            question = {
                "lanes": [{"origin": "AAAAA", "destination": "top"}],
                "dateFrom": str(day),
                "dateTo": str(day),
                "interval": "DAY",
                "minimumSample": 1,
                "currency": "USD",
            }
            answer, _ = await ask(pool, "priceSeries", question)
            assert answer is not None
            [lane] = answer["lanes"]
            expected = (1, [-7.5]) if is_valid else (0, [None])
            for figures in (lane["averages"], lane["lows"], lane["medians"]):
                assert (*lane["counts"], figures) == expected
