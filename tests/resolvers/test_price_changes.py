"""Price-change polling: subscribers share one query, and errors affect only their cause."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from db.connection import Connection
from db.errors import DatabaseUnavailable
from db.pool import API, Pool, open_pool
from db.repositories import locations
from domain.locations import Lane, Location
from ingest.tree import change_tree
from resolvers import price_changes
from resolvers.errors import RequestError
from resolvers.price_changes import LaneSubscription, PriceChanges
from tests.support.databases.background_statements import is_background
from tests.support.fixtures.subscriptions import WORLD
from tests.support.worlds import Item, apply_frame, by_key, frame_of

pytestmark = pytest.mark.anyio

DAY = date(2024, 1, 1)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool of a single connection: a caller of two would deadlock."""
    async with open_pool(database_url, API, max_size=1) as pool:
        yield pool


@pytest.fixture
async def places(connection: Connection) -> dict[str, Location]:
    """Return the locations of the world, by code or slug."""
    await change_tree(connection, WORLD.entries())
    return dict(by_key(await locations.list_locations(connection)))


async def apply(connection: Connection, *lanes: tuple[str, str]) -> int:
    """Apply a batch with a price on each lane and return its id."""
    items = [Item(*lane, DAY, DAY, Decimal(7)) for lane in lanes]
    return (await apply_frame(connection, frame_of(items)))[0]


async def test_price_changes_polls_of_all_lanes_share_three_statements(
    pool: Pool, connection: Connection, places: dict[str, Location], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = PriceChanges(pool)
    lanes = {(a, b): Lane(places[a].id, places[b].id) for a in places for b in places}
    starts = await asyncio.gather(*(changes.poll(LaneSubscription(frozenset([lane]), None)) for lane in lanes.values()))
    assert len(starts) == 49
    there = await apply(connection, ("CNSGH", "NLRTM"))
    both = await apply(connection, ("CNSGH", "NLRTM"), ("USNYC", "CNSGH"))
    sent: list[bytes] = []
    execute = psycopg.AsyncCursor.execute

    async def counting(self: psycopg.AsyncCursor[Any], query: bytes, *args: Any, **kwargs: Any) -> object:  # noqa: ANN401
        if not is_background(query):
            sent.append(query)
        return await execute(self, query, *args, **kwargs)

    monkeypatch.setattr(psycopg.AsyncCursor, "execute", counting)
    watches = [
        LaneSubscription(frozenset([lane]), start.cursor) for lane, start in zip(lanes.values(), starts, strict=True)
    ]
    found = await asyncio.gather(*(changes.poll(watch) for watch in watches))
    assert len(sent) == 3
    reported = {
        ends: [change.batch.id for change in poll.changes]
        for ends, poll in zip(lanes, found, strict=True)
        if poll.changes
    }
    asia, europe, usa = ("asia", "china", "CNSGH"), ("europe", "NLRTM"), ("usa", "USNYC")
    assert reported == {
        **{(a, b): [there, both] for a in asia for b in europe},
        **{(a, b): [both] for a in usa for b in asia},
    }


async def test_price_changes_rejects_a_lagging_subscription_and_serves_the_others(
    pool: Pool, connection: Connection, places: dict[str, Location], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(price_changes, "MAX_LAG_BATCHES", 2)
    monkeypatch.setattr(price_changes, "BATCHES_PER_STATEMENT", 1)
    changes = PriceChanges(pool)
    lanes = frozenset([Lane(places["asia"].id, places["europe"].id)])
    behind = (await changes.poll(LaneSubscription(lanes, None))).cursor
    await apply(connection, ("CNSGH", "NLRTM"))
    near = (await changes.poll(LaneSubscription(lanes, behind))).cursor
    applied = [await apply(connection, ("CNSGH", "NLRTM")) for _ in range(2)]
    slow, quick = await asyncio.gather(
        changes.poll(LaneSubscription(lanes, behind)),
        changes.poll(LaneSubscription(lanes, near)),
        return_exceptions=True,
    )
    assert isinstance(slow, RequestError)
    assert slow.code == "TOO_FAR_BEHIND"
    assert isinstance(quick, price_changes.ChangesSince)
    assert [change.batch.id for change in quick.changes] == applied


async def test_price_changes_poll_failure_fails_concurrent_polls_and_the_next_succeeds(
    pool: Pool, connection: Connection, places: dict[str, Location]
) -> None:
    changes = PriceChanges(pool)
    lane = Lane(places["asia"].id, places["europe"].id)
    async with pool.connection() as taken:
        pid = taken.info.backend_pid
        await connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    watches = [LaneSubscription(frozenset([lane]), None)] * 3
    failed = await asyncio.gather(*(changes.poll(watch) for watch in watches), return_exceptions=True)
    start, *_ = await asyncio.gather(*(changes.poll(watch) for watch in watches), return_exceptions=True)
    assert all(isinstance(result, DatabaseUnavailable) for result in failed)
    assert isinstance(start, price_changes.ChangesSince)


async def test_price_changes_poll_continues_after_one_subscriber_is_cancelled(
    pool: Pool, places: dict[str, Location]
) -> None:
    changes = PriceChanges(pool)
    watch = LaneSubscription(frozenset([Lane(places["asia"].id, places["europe"].id)]), None)
    async with pool.connection():
        # The poll waits for the only connection of the pool.
        cancelled, remaining = asyncio.create_task(changes.poll(watch)), asyncio.create_task(changes.poll(watch))
        await asyncio.sleep(0)
        cancelled.cancel()
    assert (await remaining).changes == []
    assert cancelled.cancelled()


async def test_price_changes_name_the_touched_lanes_of_each_subscription(
    pool: Pool, connection: Connection, places: dict[str, Location]
) -> None:
    changes = PriceChanges(pool)
    there, back, never = (
        Lane(places[origin].id, places[destination].id)
        for origin, destination in (("asia", "NLRTM"), ("usa", "china"), ("europe", "asia"))
    )
    watched = [frozenset([there, back, never]), frozenset([there, never]), frozenset([never])]
    cursors = [(await changes.poll(LaneSubscription(lanes, None))).cursor for lanes in watched]
    await apply(connection, ("CNSGH", "NLRTM"), ("USNYC", "CNSGH"))
    polls = [LaneSubscription(lanes, cursor) for lanes, cursor in zip(watched, cursors, strict=True)]
    found = [[change.lanes for change in (await changes.poll(poll)).changes] for poll in polls]
    assert found == [[{there, back}], [{there}], []]
