"""Round trips to the database per request, counted on the network connection."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from db import pool as pool_module
from db.connection import Connection
from db.pool import API, open_pool
from graph.schema import schema
from ingest.tree import change_tree
from tests.support.contexts import reading_context
from tests.support.worlds import Item, World, apply_frame, frame_of

pytestmark = pytest.mark.anyio

DAY = date(2024, 1, 1)
PORTS = [f"XP{first}{second}A" for first in "ABCDEFG" for second in "ABCDEFGH"]
WORLD = World(dict.fromkeys(["world"]) | dict.fromkeys(PORTS, "world"), set(PORTS))


class RoundTripProxy:
    """A proxy in front of PostgreSQL that counts round trips.

    A round trip begins with the first client data after data of the server.
    """

    def __init__(self, socket_path: str) -> None:
        self.round_trips = 0
        self._socket_path = socket_path
        self._server_sent_last = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward a connection until either side closes it."""
        from_server, to_server = await asyncio.open_unix_connection(self._socket_path)
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(
                self._forward_requests(reader, to_server), self._forward_responses(from_server, writer)
            )

    async def _forward_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            self.round_trips += self._server_sent_last
            self._server_sent_last = False
            writer.write(data)
        writer.close()

    async def _forward_responses(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            self._server_sent_last = True
            writer.write(data)
        writer.close()


@asynccontextmanager
async def running_round_trip_proxy(database_url: str) -> AsyncIterator[tuple[RoundTripProxy, str]]:
    """Yield the counting proxy, and the URL of the database through it."""
    host = str(conninfo_to_dict(database_url)["host"])
    proxy = RoundTripProxy(f"{host}/.s.PGSQL.5432")
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield proxy, make_conninfo(database_url, host="127.0.0.1", port=port)


def lanes(count: int) -> str:
    """Return a query with the given number of lanes."""
    field = 'averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-31", origin: "{}", destination: "world") {{ priceCount }}'
    return "{" + " ".join(f"{port.lower()}: {field.format(port)}" for port in PORTS[:count]) + "}"


def series_lanes(count: int) -> str:
    """Return a query of price series with the given number of lanes."""
    lanes = " ".join(f'{{ origin: "{port}", destination: "world" }}' for port in PORTS[:count])
    arguments = f'lanes: [{lanes}], dateFrom: "2024-01-01", dateTo: "2024-01-31", interval: MONTH'
    return f"{{ priceSeries({arguments}) {{ lanes {{ counts averages }} }} }}"


@pytest.mark.parametrize("create_query", [lanes, series_lanes])
async def test_round_trips_of_averages_are_one_for_any_number_of_lanes(
    database_url: str,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    create_query: Callable[[int], str],
) -> None:
    # Once a second, a read also asks its server whether it still accepts writes.
    monkeypatch.setattr(pool_module, "CHECK_SECONDS", 3_600.0)
    await change_tree(connection, WORLD.entries())
    await apply_frame(connection, frame_of([Item(port, PORTS[0], DAY, DAY, Decimal(1)) for port in PORTS]))
    known_ids: dict[str, int] = {}
    async with running_round_trip_proxy(database_url) as (proxy, url), open_pool(url, API, max_size=1) as pool:

        async def ask(count: int) -> int:
            before = proxy.round_trips
            context = reading_context(pool)
            context.app.location_id_cache = known_ids
            result = await schema.execute(create_query(count), context_value=context)
            assert result.errors is None
            assert count_prices(result.data) == [1] * count
            return proxy.round_trips - before

        # The ids of all 51 locations are queried once in the life of a process. Then the statement is prepared.
        assert await ask(50) <= 3
        assert [await ask(count) for count in (1, 1, 10, 50)] == [1, 1, 1, 1]


def count_prices(data: Any) -> list[int]:  # noqa: ANN401
    """Return the number of prices of each lane in the response."""
    if "priceSeries" in data:
        return [lane["counts"][0] for lane in data["priceSeries"]["lanes"]]
    return [days[0]["priceCount"] for days in data.values()]
