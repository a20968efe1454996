"""Client that ariadne-codegen generates, with typed inputs and results.

Its operations are in `operations.graphql`.
"""

import asyncio
import io
from typing import Any

import httpx
from prices_client import (
    GraphQLClientGraphQLMultiError,
    PriceInput,
    PricesClient,
    UploadPriceFileInput,
    UploadPricesInput,
)
from prices_client.base_model import Upload
from scenario import FILE, LANE, PRICES, UNKNOWN_LANE, URL, WAIT_MS, describe_errors, report


async def read_pages(client: PricesClient) -> dict[str, list[list[str]]]:
    """Return the keys of all locations by page, forward and backward."""
    page = (await client.page(first=3)).locations
    forward = [[edge.node.key for edge in page.edges]]
    while page.page_info.has_next_page:
        page = (await client.page(first=3, after=page.page_info.end_cursor)).locations
        forward.append([edge.node.key for edge in page.edges])
    page = (await client.page(last=3)).locations
    backward = [[edge.node.key for edge in page.edges]]
    while page.page_info.has_previous_page:
        page = (await client.page(last=3, before=page.page_info.start_cursor)).locations
        backward.append([edge.node.key for edge in page.edges])
    return {"forward": forward, "backward": backward}


async def read_averages(client: PricesClient) -> list[dict[str, Any]]:
    """Return the averages as JSON."""
    days = (await client.averages(**LANE)).average_prices
    return [day.model_dump(mode="json", by_alias=True) for day in days]


async def run() -> dict[str, Any]:
    """Run the scenario and return its results."""
    results: dict[str, Any] = {}
    # The header permits forms. The responses to uploads wait longer than the 5 seconds of httpx.
    http = httpx.AsyncClient(headers={"GraphQL-Require-Preflight": "1"}, timeout=30)
    sockets = f"{URL.replace('http', 'ws')}/graphql"
    async with PricesClient(url=f"{URL}/graphql", http_client=http, ws_url=sockets) as client:
        results["before"] = await read_averages(client)
        prices = [PriceInput(**price) for price in PRICES]
        uploaded = await client.upload_prices(UploadPricesInput(prices=prices, wait_ms=WAIT_MS))
        results["uploaded"] = uploaded.upload_prices.model_dump(mode="json", by_alias=True)
        file = Upload(filename="prices.csv", content=io.BytesIO(FILE.encode()), content_type="text/csv")
        sent = await client.upload_price_file(file, UploadPriceFileInput(wait_ms=WAIT_MS))
        results["sent"] = sent.upload_price_file.model_dump(mode="json", by_alias=True)
        id_ = results["sent"]["batch"].pop("id")
        events = [event.batch_progress async for event in client.progress(id_)]
        results["progress"] = [event.model_dump(mode="json", by_alias=True) for event in events]
        results["after"] = await read_averages(client)
        results["pages"] = await read_pages(client)
        batch = (await client.batch_node(id_)).node
        assert batch.created_at.tzinfo is not None
        results["refetched"] = batch.status
        results["reverted"] = (await client.revert(id_)).revert_batch.batch.status
        try:
            await client.averages(**UNKNOWN_LANE)
        except GraphQLClientGraphQLMultiError as failure:
            results["failed"] = describe_errors([error.original for error in failure.errors])
    return results


report(asyncio.run(run()))
