"""A server whose insides can be looked at: who waits for notifications, and what its connections do."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import psycopg
import pytest

import server.app
from db.notifications import DATA, Notifications, open_notifications
from db.pool import INGEST, connect
from ingest.revert import revert_batch
from ingest.tree import change_tree
from tests.fix_server import Client, running_server
from tests.streams import until
from tests.worlds import Item, World, apply_frame, frame_of

WORLD = World(
    {"asia": None, "china": "asia", "CNSGH": "china", "europe": None, "NLRTM": "europe", "usa": None, "USNYC": "usa"},
    {"CNSGH", "NLRTM", "USNYC"},
)
DAY = date(2024, 1, 1)


@dataclass(frozen=True)
class Watched:
    """A running server over a small world, whose readers share two connections."""

    client: Client
    database_url: str
    notifications: list[Notifications]

    @property
    def url(self) -> str:
        """Where it answers."""
        return str(self.client.http.base_url)

    def apply(self, *lanes: tuple[str, str]) -> list[str]:
        """Apply a batch with one price for each lane, all in one transaction; return their ids."""

        async def work() -> list[str]:
            async with connect(self.database_url, INGEST) as connection, connection.transaction():
                return [
                    str((await apply_frame(connection, frame_of([Item(*lane, DAY, DAY, Decimal(7))])))[0])
                    for lane in lanes
                ]

        return asyncio.run(work())

    def revert(self, batch_id: str) -> None:
        """Take a batch back."""

        async def work() -> None:
            async with connect(self.database_url, INGEST) as connection:
                await revert_batch(connection, int(batch_id))

        asyncio.run(work())

    def waiting(self) -> int:
        """Return how many wait for a notification."""
        return sum(len(events) for events in self.notifications[0]._waiting.values())

    def wait_for_watchers(self, count: int) -> None:
        """Wait until so many watch prices."""
        waiting = self.notifications[0]._waiting
        until(lambda: len(waiting.get((DATA, None), ())) == count, f"nobody came to be the watcher number {count}")

    def api_connections(self) -> list[str]:
        """Return what each of the server's reading connections does; the one that listens is among them."""
        with psycopg.connect(self.database_url) as connection:
            rows = connection.execute(
                "SELECT state FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'ratesgraph-api' ORDER BY state"
            )
            return [state for (state,) in rows.fetchall()]


@pytest.fixture
def watched(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """A server over a small world without prices, and nobody who applies batches."""

    async def fill() -> None:
        async with connect(database_url, INGEST) as connection:
            await change_tree(connection, WORLD.entries())

    asyncio.run(fill())
    opened: list[Notifications] = []

    def opening(url: str, *channels: str) -> AbstractAsyncContextManager[Notifications]:
        @asynccontextmanager
        async def remembered() -> AsyncIterator[Notifications]:
            async with open_notifications(url, *channels) as notifications:
                opened.append(notifications)
                yield notifications

        return remembered()

    monkeypatch.setattr(server.app, "open_notifications", opening)
    with running_server(database_url, pool_size=2) as client:
        yield Watched(client, database_url, opened)
