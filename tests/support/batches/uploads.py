"""Uploads by mutation: a small world, valid and invalid items, and their operations."""

import asyncio

from db.pool import INGEST, connect
from ingest.tree import change_tree
from tests.support.fixtures.server import Client, Json
from tests.support.worlds import World

WORLD = World({"europe": None, "NLRTM": "europe", "china": None, "CNSGH": "china"}, {"NLRTM", "CNSGH"})


UPLOAD = """
mutation ($input: UploadPricesInput!) {
  uploadPrices(input: $input) {
    replayed
    batch {
      id number status onError source idempotencyKey itemCount acceptedCount rejectedCount priceDayCount createdAt endedAt
    }
    userErrors { item field code message value }
    warnings { item field code }
  }
}
"""


AVERAGES = """{
  averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-02", origin: "china", destination: "europe") {
    averagePrice priceCount
  }
}"""


VALID_ITEM = {"dateFrom": "2024-01-01", "dateTo": "2024-01-02", "origin": "CNSGH", "destination": "NLRTM", "price": 100}


def create_locations(database_url: str) -> None:
    """Create the location tree."""

    async def work() -> None:
        async with connect(database_url, INGEST) as connection:
            await change_tree(connection, WORLD.entries())

    asyncio.run(work())


def upload(client: Client, *items: Json, **options: object) -> Json:
    """Upload the items and return the payload."""
    payload: Json = client.ask(UPLOAD, input={"prices": items, "waitMs": 30_000, **options})["uploadPrices"]
    return payload


def price_counts(client: Client) -> list[int]:
    """Return the price counts of the two days."""
    return [day["priceCount"] for day in client.ask(AVERAGES)["averagePrices"]]


INVALID_ITEMS: list[tuple[Json, str, str, str]] = [
    ({"origin": "CNXXX"}, "origin", "UNKNOWN_PORT", "CNXXX"),
    ({"destination": "europe"}, "destination", "NOT_A_PORT", "europe"),
    ({"dateFrom": "20240101"}, "dateFrom", "INVALID_DATE", "20240101"),
    ({"dateTo": "2024-02-30"}, "dateTo", "INVALID_DATE", "2024-02-30"),
    ({"dateTo": "2023-12-31"}, "dateTo", "INVALID_DATE_RANGE", "2024-01-01..2023-12-31"),
    ({"dateTo": "2044-01-01"}, "dateTo", "DATE_RANGE_TOO_LONG", "2024-01-01..2044-01-01"),
    ({"price": "a lot"}, "price", "INVALID_PRICE", "a lot"),
    ({"price": "NaN"}, "price", "INVALID_PRICE", "NaN"),
    ({"price": "Infinity"}, "price", "INVALID_PRICE", "Infinity"),
    ({"price": 10_000_000.01}, "price", "PRICE_OUT_OF_RANGE", "10000000.01"),
    ({"price": "-10000000.01"}, "price", "PRICE_OUT_OF_RANGE", "-10000000.01"),
    ({"currency": "XQX"}, "currency", "UNKNOWN_CURRENCY", "XQX"),
    ({"currency": "E\x00R"}, "currency", "UNKNOWN_CURRENCY", "E\ufffdR"),
    ({"origin": "CN\x00GH"}, "origin", "UNKNOWN_PORT", "CN\ufffdGH"),
]
