"""The page Prices in tests: a small world with a thin lane, and what the page shows."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Locator

from db.pool import INGEST, connect
from ingest.exchange_rates.ecb import load_ecb_rates
from tests.support.batches.uploads import upload
from tests.support.fixtures.browser import VisitOpener
from tests.support.fixtures.server import Client, Json, running_server, running_worker
from tests.support.pages.visit import Visit

TREE = """mutation {
  upsertRegions(regions: [{ slug: "europe", name: "Europe" }, { slug: "china", name: "China" }]) { userErrors { code } }
  upsertPorts(ports: [
    { code: "NLRTM", name: "Rotterdam", parentSlug: "europe" }
    { code: "DEHAM", name: "Hamburg", parentSlug: "europe" }
    { code: "CNSGH", name: "Shanghai", parentSlug: "china" }
    { code: "CNNBO", name: "Ningbo", parentSlug: "china" }
  ]) { addedCount }
}"""
FULL, THIN, SPARSE, MARKET = "CNNBO~NLRTM", "CNSGH~NLRTM", "CNNBO~DEHAM", "china~europe"
"""Lanes of the world, as the address of the page has them: with an average on all days of January 2026, on some, on none."""
CHART, TABLE = ".chart canvas", ".table tbody tr"


def item(origin: str, destination: str, first: int, last: int, price: int) -> Json:
    """Return an item of an upload, valid on days of January 2026."""
    days = {"dateFrom": f"2026-01-{first:02}", "dateTo": f"2026-01-{last:02}"}
    return {"origin": origin, "destination": destination, "price": price, **days}


ITEMS = [
    # An average on every day.
    *(item("CNNBO", "NLRTM", 1, 31, price) for price in (1_000, 1_100, 1_200)),
    # Three prices, then two, then none, then three again.
    *(item("CNSGH", "NLRTM", 1, 10, price) for price in (2_000, 2_100, 2_200)),
    *(item("CNSGH", "NLRTM", 11, 15, price) for price in (2_000, 2_100)),
    *(item("CNSGH", "NLRTM", 21, 31, price) for price in (2_300, 2_400, 2_500)),
    # Never enough prices.
    item("CNNBO", "DEHAM", 1, 31, 900),
]


@contextmanager
def running_price_server(database_url: str) -> Iterator[Client]:
    """Serve the world with a worker, and yield a client of the server."""

    async def load_rates() -> None:
        async with connect(database_url, INGEST) as connection:
            await load_ecb_rates(connection)

    asyncio.run(load_rates())
    with running_server(database_url) as client, running_worker(database_url):
        assert client.ask(TREE)["upsertPorts"] == {"addedCount": 4}
        assert upload(client, *ITEMS)["batch"]["status"] == "APPLIED"
        yield client


def open_prices(
    open_visit: VisitOpener,
    client: Client,
    *lanes: str,
    query: str = "",
    wait_for: str = CHART,
    **options: Any,  # noqa: ANN401
) -> Visit:
    """Open the page with these lanes and wait for its chart, or for another element."""
    parts = [*(f"lane={lane}" for lane in lanes), *filter(None, [query])]
    visit = open_visit(str(client.http.base_url), f"/?{'&'.join(parts)}" if parts else "/", **options)
    visit.page.locator(wait_for).first.wait_for()
    return visit


def options(visit: Visit) -> Locator:
    """Return the places that a field of the form offers."""
    return visit.page.locator(".combobox").get_by_role("option")


def read_table(visit: Visit) -> list[list[str]]:
    """Return the texts of the rows of the table, with empty texts for empty cells."""
    rows: list[list[str]] = visit.page.locator(TABLE).evaluate_all(
        "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
    )
    return rows


def cards(visit: Visit) -> list[str]:
    """Return the texts of the cards of the lanes."""
    return [" ".join(text.split()) for text in visit.page.locator(".lane").all_inner_texts()]
