"""A small world with prices, queries about it, and the expected results."""

import asyncio
import random
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from db.pool import INGEST, connect
from ingest.tree import change_tree
from tests.support.worlds import Item, World, apply_frame, days_between, frame_of

FIRST, LAST = date(2024, 1, 1), date(2024, 3, 31)
PORTS = {"CNSGH": "china", "CNNGB": "china", "NLRTM": "europe", "DEHAM": "europe"}
REGIONS = {"asia": None, "china": "asia", "europe": None}


@dataclass(frozen=True, slots=True)
class QueryCase:
    """Variables of a query, and the expected days of its result."""

    variables: dict[str, str]
    days: list[dict[str, Any]]


def create_query_cases(database_url: str) -> list[QueryCase]:
    """Fill a migrated database and return queries about it."""
    world = World({**REGIONS, **PORTS}, set(PORTS))
    chance = random.Random(19)  # noqa: S311
    world.items += [
        Item(
            origin,
            destination,
            day,
            day + timedelta(days=chance.randint(0, 9)),
            Decimal(chance.randint(100, 99_999)) / 100,
        )
        for origin in ("CNSGH", "CNNGB")
        for destination in ("NLRTM", "DEHAM")
        for day in days_between(FIRST, LAST)
    ]

    async def fill() -> None:
        async with connect(database_url, INGEST) as connection:
            await change_tree(connection, world.entries())
            await apply_frame(connection, frame_of(world.items))

    asyncio.run(fill())
    return [
        _create_query_case(world, origin, destination, FIRST + timedelta(days=5 * number), length)
        for origin in ("CNSGH", "china", "asia")
        for destination in ("NLRTM", "europe")
        for number, length in enumerate((1, 10, 31))
    ]


def _create_query_case(world: World, origin: str, destination: str, first: date, length: int) -> QueryCase:
    last = first + timedelta(days=length - 1)
    days = []
    for day in days_between(first, last):
        expected = world.expect(origin, destination, day)
        average = None if expected.average is None else float(expected.average)
        days.append({"day": str(day), "averagePrice": average, "priceCount": expected.count})
    variables = {"from": str(first), "to": str(last), "origin": origin, "destination": destination}
    return QueryCase(variables, days)
