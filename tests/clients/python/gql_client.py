"""gql with httpx for queries, mutations and files, and WebSocket for subscriptions."""

import asyncio
import io
from pathlib import Path
from typing import Any

from gql import Client, FileVar, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from scenario import FILE, LANE, PRICES, UNKNOWN_LANE, URL, WAIT_MS, describe_errors, report

OPERATIONS = Path("operations.graphql").read_text()
SCHEMA = Path("schema.graphql").read_text()


def create_request(name: str, **variables: object) -> GraphQLRequest:
    """Return an operation of the file with its variables."""
    return GraphQLRequest(OPERATIONS, operation_name=name, variable_values=variables)


async def read_pages(session: AsyncClientSession) -> dict[str, list[list[str]]]:
    """Return the keys of all locations by page, forward and backward."""
    pages: dict[str, list[list[str]]] = {}
    for direction, size, cursor, end, more in (
        ("forward", "first", "after", "endCursor", "hasNextPage"),
        ("backward", "last", "before", "startCursor", "hasPreviousPage"),
    ):
        pages[direction] = []
        info: dict[str, Any] = {more: True}
        while info[more]:
            page = (await session.execute(create_request("Page", **{size: 3, cursor: info.get(end)})))["locations"]
            pages[direction].append([edge["node"]["key"] for edge in page["edges"]])
            info = page["pageInfo"]
    return pages


async def find_errors(session: AsyncClientSession, request: GraphQLRequest) -> list[list[str | None]]:
    """Send an operation that fails and return its errors."""
    try:
        await session.execute(request)
    except TransportQueryError as error:
        errors: list[list[str | None]] = describe_errors(error.errors or [])
        return errors
    return []


async def run() -> dict[str, Any]:
    """Run the scenario and return its results."""
    http = HTTPXAsyncTransport(url=f"{URL}/graphql", timeout=30, headers={"GraphQL-Require-Preflight": "1"})
    sockets = WebsocketsTransport(url=f"{URL.replace('http', 'ws')}/graphql")
    results: dict[str, Any] = {}
    # With a schema, the client validates its operations. Introspection is disabled in production.
    async with Client(transport=http, schema=SCHEMA) as session:
        results["before"] = (await session.execute(create_request("Averages", **LANE)))["averagePrices"]
        options = {"prices": PRICES, "waitMs": WAIT_MS}
        results["uploaded"] = (await session.execute(create_request("UploadPrices", input=options)))["uploadPrices"]
        file = FileVar(io.BytesIO(FILE.encode()), filename="prices.csv")
        upload = create_request("UploadPriceFile", file=file, input={"waitMs": WAIT_MS})
        results["sent"] = (await session.execute(upload, upload_files=True))["uploadPriceFile"]
        id_ = results["sent"]["batch"].pop("id")

        async with Client(transport=sockets, schema=SCHEMA) as events:
            subscription = events.subscribe(create_request("Progress", id=id_))
            results["progress"] = [event["batchProgress"] async for event in subscription]

        results["after"] = (await session.execute(create_request("Averages", **LANE)))["averagePrices"]
        results["pages"] = await read_pages(session)
        results["refetched"] = (await session.execute(create_request("BatchNode", id=id_)))["node"]["status"]
        reverted = await session.execute(create_request("Revert", id=id_))
        results["reverted"] = reverted["revertBatch"]["batch"]["status"]
        results["failed"] = await find_errors(session, create_request("Averages", **UNKNOWN_LANE))

    async with Client(transport=http) as session:
        results["refused"] = await find_errors(session, GraphQLRequest("{ unknownField }"))
    return results


report(asyncio.run(run()))
