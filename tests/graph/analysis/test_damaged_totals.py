"""Totals with a wrong form: every reader reports a code, and other lanes are answered."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from db.connection import Connection
from db.errors import TotalsDamaged
from ingest.tree import change_tree
from ingest.verify import verify
from tests.support.fixtures.server import Client
from tests.support.worlds import Item, World, apply_frame, frame_of

pytestmark = pytest.mark.anyio

WORLD = World(
    {"top": None, "left": "top", "AAAAA": "left", "BBBBB": "top", "CCCCC": "top"}, {"AAAAA", "BBBBB", "CCCCC"}
)
FIRST, LAST = date(2024, 2, 3), date(2024, 2, 20)
ITEMS = [
    *[Item("AAAAA", "BBBBB", FIRST, LAST, Decimal(1000 + number)) for number in range(3)],
    *[Item("BBBBB", "CCCCC", FIRST, LAST, Decimal(500)) for _ in range(3)],
]
CHANGES = "packed_changes IS NOT NULL"
DAYS = "first_day = month, packed_changes = NULL, price_sums = array_fill(3000::bigint, ARRAY[29]), price_counts ="
DAMAGE = {
    "a day behind the month": f"packed_changes[1] = packed_changes[1] | 31 WHERE {CHANGES}",
    "a lasting day behind the month": f"packed_changes[1] = packed_changes[1] | 63 WHERE {CHANGES}",
    "a change that is NULL": f"packed_changes[1] = NULL WHERE {CHANGES}",
    "neither arrays nor changes": f"packed_changes = NULL WHERE {CHANGES}",
    "a distant first day": "first_day = first_day + 1073741824 WHERE true",
    "counts with NULL": f"{DAYS} array_append(array_fill(3, ARRAY[28]), NULL) WHERE true",
    "arrays of two lengths": f"{DAYS} array_fill(3, ARRAY[28]) WHERE true",
}
LANE = {"origin": "AAAAA", "destination": "BBBBB"}
RANGE = {"dateFrom": "2024-02-01", "dateTo": "2024-02-29"}
AVERAGES = """
query ($origin: String!, $destination: String!, $dateFrom: Date!, $dateTo: Date!) {
  averagePrices(origin: $origin, destination: $destination, dateFrom: $dateFrom, dateTo: $dateTo) { averagePrice }
}
"""
SERIES = """
query ($lanes: [LaneInput!]!, $dateFrom: Date!, $dateTo: Date!) {
  priceSeries(lanes: $lanes, dateFrom: $dateFrom, dateTo: $dateTo) { lanes { averages medians } }
}
"""
COVERAGE = """
query ($origin: String!, $destination: String!) {
  coverage(origin: $origin, destination: $destination) { firstDay lastDay }
}
"""
LANES = '{ lanes(origin: "AAAAA") { edges { node { firstDay } } } }'
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    (AVERAGES, {**LANE, **RANGE}),
    (SERIES, {"lanes": [LANE], **RANGE}),
    (COVERAGE, LANE),
    (LANES, {}),
]


@pytest.fixture
async def prices(connection: Connection) -> None:
    """Store the prices of two lanes."""
    await change_tree(connection, WORLD.entries())
    await apply_frame(connection, frame_of(ITEMS))


async def damage(connection: Connection, change: str) -> tuple[int, int]:
    """Damage the totals of the lane; return the IDs of its locations."""
    cursor = await connection.execute("SELECT id FROM locations WHERE key IN ('AAAAA', 'BBBBB') ORDER BY key")
    (origin,), (destination,) = await cursor.fetchall()
    cursor = await connection.execute(
        f"UPDATE price_totals SET {change} AND origin = %s AND destination = %s".encode(), (origin, destination)
    )
    assert cursor.rowcount == 1
    return origin, destination


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE.keys())
@pytest.mark.usefixtures("prices")
async def test_damaged_totals_fail_their_lane_with_a_code_and_a_remedy(
    connection: Connection, client: Client, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    lane = await damage(connection, change)
    # Coverage and lanes read no sums.
    for question, variables in QUESTIONS[:2] if change == DAMAGE["arrays of two lengths"] else QUESTIONS:
        error = await asyncio.to_thread(client.fail, question, **variables)
        assert error["extensions"] == {"code": "TOTALS_DAMAGED"}
        assert "ratesgraph verify --repair" in error["message"]
    sound = {"origin": "BBBBB", "destination": "CCCCC"}
    asked = [asyncio.to_thread(client.post, AVERAGES, {**ends, **RANGE}) for ends in (LANE, sound) for _ in range(10)]
    answers = await asyncio.gather(*asked)
    assert {answer["errors"][0]["extensions"]["code"] for answer in answers[:10]} == {"TOTALS_DAMAGED"}
    assert all(answer["data"]["averagePrices"][5]["averagePrice"] == 500 for answer in answers[10:])
    logged = [record.getMessage() for record in caplog.records]
    place = "locations {} and {}".format(*lane)
    assert logged == [f"cannot answer: totals of {place} are damaged; `ratesgraph verify --repair` rebuilds them"]
    assert any([differences async for _, differences in verify(connection, repair=True)])
    answer = await asyncio.to_thread(client.ask, AVERAGES, **LANE, **RANGE)
    assert answer["averagePrices"][5]["averagePrice"] == 1001


@pytest.mark.usefixtures("prices")
async def test_totals_beyond_the_last_day_of_the_calendar_are_damaged(connection: Connection, client: Client) -> None:
    await damage(connection, "first_day = '9999-12-31' WHERE true")
    for question, variables in (COVERAGE, LANE), (LANES, {}):
        error = await asyncio.to_thread(client.fail, question, **variables)
        assert error["extensions"] == {"code": "TOTALS_DAMAGED"}


@pytest.mark.parametrize("path", ["series.csv", "series.parquet"])
@pytest.mark.usefixtures("prices")
async def test_download_of_damaged_totals_fails_as_an_error_of_the_server(
    connection: Connection, client: Client, path: str
) -> None:
    await damage(connection, DAMAGE["a distant first day"])
    parameters = {"lane": "AAAAA:BBBBB", **RANGE}
    answer = await asyncio.to_thread(client.http.get, f"/{path}", params=parameters)
    assert answer.status_code == 500
    [error] = answer.json()["errors"]
    assert error["extensions"] == {"code": "TOTALS_DAMAGED"}


@pytest.mark.parametrize(
    "name",
    ["a day behind the month", "a lasting day behind the month", "a change that is NULL", "neither arrays nor changes"],
)
@pytest.mark.usefixtures("prices")
async def test_change_of_the_tree_reports_damaged_totals(connection: Connection, name: str) -> None:
    await damage(connection, DAMAGE[name])
    moved = World({**WORLD.parents, "AAAAA": "top"}, WORLD.ports)
    with pytest.raises(TotalsDamaged, match="ratesgraph verify --repair"):
        await change_tree(connection, moved.entries())
    assert any([differences async for _, differences in verify(connection, repair=True)])
    await change_tree(connection, moved.entries())


@pytest.mark.usefixtures("prices")
async def test_period_of_all_prices_reports_damaged_totals(connection: Connection, client: Client) -> None:
    await connection.execute("UPDATE price_totals SET first_day = first_day + 1073741824")
    error = await asyncio.to_thread(client.fail, "{ dataPeriod { firstDay } }")
    assert error["extensions"] == {"code": "TOTALS_DAMAGED"}
