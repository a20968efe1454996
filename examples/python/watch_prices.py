"""Print the averages of lanes, and again those of the days that an upload changes, with gql.

Usage: python watch_prices.py [ORIGIN:DESTINATION ...], until Ctrl-C
"""

import asyncio
import contextlib
import os
import sys
from typing import Any

from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.websockets import WebsocketsTransport

URL = os.environ.get("RATESGRAPH_URL", "http://127.0.0.1:8000")
TOKEN = os.environ.get("RATESGRAPH_TOKEN")
NAMES = sys.argv[1:] or ["CNSGH:NLRTM", "china_main:north_europe_main"]
LANES = [dict(zip(("origin", "destination"), name.split(":"), strict=True)) for name in NAMES]
CHANGES = "subscription ($lanes: [LaneInput!]!) { pricesChanged(lanes: $lanes) { status firstDay lastDay } }"
SERIES = """query ($lanes: [LaneInput!]!, $firstDay: Date!, $lastDay: Date!) {
  priceSeries(lanes: $lanes, dateFrom: $firstDay, dateTo: $lastDay, interval: YEAR) { from to lanes { averages counts } }
}"""


async def print_averages(session: AsyncClientSession, days: dict[str, Any]) -> None:
    """Print one row per lane and year. The days cut the first and the last year."""
    request = GraphQLRequest(SERIES, variable_values={**days, "lanes": LANES})
    series = (await session.execute(request))["priceSeries"]
    for name, lane in zip(NAMES, series["lanes"], strict=True):
        for row in zip(series["from"], series["to"], lane["averages"], lane["counts"], strict=True):
            print("{:<30} {} to {} {!s:>10} USD of {:,.0f} prices".format(name, *row), flush=True)


async def print_changes(session: AsyncClientSession) -> None:
    """Print each change with the averages of its days, until the stream ends."""
    async for event in session.subscribe(GraphQLRequest(CHANGES, variable_values={"lanes": LANES})):
        change = event["pricesChanged"]
        print(change.pop("status"))
        await print_averages(session, change)


async def watch() -> None:
    """Print the averages, then each change, over one WebSocket, until it is closed."""
    token = {"Authorization": f"Bearer {TOKEN}"} if TOKEN else {}
    sockets = WebsocketsTransport(f"{URL.replace('http', 'ws', 1)}/graphql", init_payload=token)
    async with Client(transport=sockets) as session, asyncio.TaskGroup() as tasks:
        # The stream begins before the first query, so that no change is lost between them.
        tasks.create_task(print_changes(session))
        period = (await session.execute(GraphQLRequest("{ dataPeriod { firstDay lastDay } }")))["dataPeriod"]
        if period["firstDay"]:
            await print_averages(session, period)


def find_code(failure: BaseException) -> str:
    """Return the code of an error, or of the reason for which the socket was closed."""
    if isinstance(failure, TransportQueryError) and failure.errors:
        return str(failure.errors[0]["extensions"]["code"])
    closed = getattr(failure.__cause__, "rcvd", None)
    return (closed and closed.reason.partition(":")[0]) or str(failure)


async def main() -> None:
    """Watch, and reconnect after a lost connection: a subscription cannot be resumed."""
    while True:
        code = "The stream has ended"
        try:
            await watch()
        except* (TransportError, OSError) as lost:
            code = find_code(lost.exceptions[0])
        if code in ("FORBIDDEN", "UNAUTHENTICATED", "UNKNOWN_LOCATION"):
            raise SystemExit(code)
        print(f"{code}; connecting again …", file=sys.stderr)
        await asyncio.sleep(2)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
