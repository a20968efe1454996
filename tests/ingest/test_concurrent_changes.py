"""Uploads, reverts, moves, compaction and verification at the same time.

The totals stay equal to a plain-Python oracle.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import date, timedelta
from decimal import Decimal

import orjson
import pytest

from db.connection import Connection
from db.pool import INGEST, Pool, open_pool
from db.repositories import batches, locations, totals
from domain.batches import BatchStatus
from domain.locations import Lane, LocationKind, TreeEntry
from domain.prices import DateRange
from ingest.batches.revert import revert_batch
from ingest.compact import compact
from ingest.tree import change_tree
from ingest.verify import verify
from ingest.worker import process_next_batch
from tests.support.batches.queue import accept
from tests.support.moves.stepping import steps_of_any_size
from tests.support.waiting import DEADLINE_SECONDS
from tests.support.worlds import Item, World, by_day, by_key, days_between

pytestmark = pytest.mark.anyio

BATCHES, WORKERS, REVERTERS, MOVES = 30, 3, 4, 8
FIRST, LAST = date(2024, 1, 20), date(2024, 2, 15)
PORTS = ["AAAAA", "BBBBB", "CCCCC", "DDDDD"]
REGIONS: dict[str, str | None] = {"top": None, "left": "top", "right": "top", "deep": "left"}


def draw_items(chance: random.Random) -> list[Item]:
    """Return the items of a batch."""
    items = []
    for _ in range(chance.randint(1, 30)):
        first = FIRST + timedelta(days=chance.randint(0, 20))
        last = min(LAST, first + timedelta(days=chance.randint(0, 6)))
        origin, destination = chance.sample(PORTS, 2)
        items.append(Item(origin, destination, first, last, Decimal(chance.randint(-500, 99_999)) / 100))
    return items


def as_ndjson(items: list[Item]) -> bytes:
    """Return the payload of a batch."""
    return b"\n".join(
        orjson.dumps(
            {
                "origin": item.origin,
                "destination": item.destination,
                "date_from": str(item.first),
                "date_to": str(item.last),
                "price": str(item.price),
            }
        )
        for item in items
    )


class ConcurrentChanges:
    """Tasks that change prices and tree at once, and the state that they should lead to."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self.pool = pool
        self.chance = random.Random(seed)  # noqa: S311
        self.world = World({**REGIONS, **dict.fromkeys(PORTS, "deep")}, set(PORTS))
        self.items: dict[int, list[Item]] = {}
        self.reverted: list[int] = []
        self.has_ended = asyncio.Event()

    async def upload(self) -> None:
        """Queue all batches."""
        for _ in range(BATCHES):
            items = draw_items(self.chance)
            async with self.pool.connection() as connection:
                self.items[await accept(connection, as_ndjson(items))] = items

    async def work(self) -> None:
        """Apply batches until all have ended."""
        while not self.has_ended.is_set():
            if not await process_next_batch(self.pool):
                await asyncio.sleep(0)

    async def revert(self) -> None:
        """Revert batches of any status, often the same one as another task."""
        while not self.has_ended.is_set():
            if self.items:
                batch_id = self.chance.choice(list(self.items)[-4:])
                async with self.pool.connection() as connection:
                    if await revert_batch(connection, batch_id) is BatchStatus.APPLIED:
                        self.reverted.append(batch_id)
            await asyncio.sleep(0.005)

    async def move(self) -> None:
        """Move ports and regions."""
        for _ in range(MOVES):
            key = self.chance.choice([*PORTS, "deep"])
            parent = self.chance.choice([name for name in REGIONS if not self.world.is_within(key, name)])
            kind = LocationKind.PORT if key in PORTS else LocationKind.REGION
            async with self.pool.connection() as connection:
                await change_tree(connection, [TreeEntry(kind, key, None, parent, "test:1")])
            self.world.parents[key] = parent
            await asyncio.sleep(0.02)

    async def compact(self) -> None:
        """Compact as two workers do at the same time."""
        while not self.has_ended.is_set():
            async with self.pool.connection() as connection:
                await compact(connection, max_rows=1)
            await asyncio.sleep(0.01)

    async def verify(self) -> None:
        """Verify, which must never see half of a change."""
        while not self.has_ended.is_set():
            async with self.pool.connection() as connection:
                assert [found async for _, found in verify(connection) if found] == []
            await asyncio.sleep(0.05)

    async def run(self) -> None:
        """Run all tasks until every batch has ended."""
        async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as tasks:
            changes = [tasks.create_task(self.upload()), tasks.create_task(self.move())]
            for task, count in ((self.work, WORKERS), (self.revert, REVERTERS), (self.compact, 2), (self.verify, 1)):
                for _ in range(count):
                    tasks.create_task(task())
            await asyncio.gather(*changes)
            # The queue is in the database, for whose end no event exists.
            while await self.count_waiting():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            self.has_ended.set()

    async def count_waiting(self) -> int:
        """Return the number of batches that have not ended."""
        async with self.pool.connection() as connection:
            state = await batches.measure_queue(connection)
            return state.queued + state.running


async def compare(connection: Connection, changes: ConcurrentChanges) -> None:
    """Compare all averages with the oracle, after a last verification."""
    found = await batches.get_batches(connection, list(changes.items))
    statuses = {batch.id: batch.status for batch in found}
    assert set(statuses.values()) == {BatchStatus.APPLIED, BatchStatus.REVERTED}
    # Every batch was applied at the first attempt and reverted at most once.
    assert {batch.attempts for batch in found} == {1}
    assert sorted(changes.reverted) == sorted(id_ for id_, status in statuses.items() if status is BatchStatus.REVERTED)
    world = changes.world
    world.items = [
        item for id_, items in changes.items.items() if statuses[id_] is BatchStatus.APPLIED for item in items
    ]
    assert [differences async for _, differences in verify(connection) if differences] == []
    known = by_key(await locations.list_locations(connection))
    pairs = [(origin, destination) for origin in world.parents for destination in world.parents]
    days = DateRange(FIRST, LAST)
    lanes = [(Lane(known[origin].id, known[destination].id), days) for origin, destination in pairs]
    for (origin, destination), answer in zip(pairs, await totals.select_day_totals(connection, lanes), strict=True):
        expected = {
            day: (len(prices), int(sum(prices) * 100))
            for day in days_between(FIRST, LAST)
            if (prices := world.prices_on(origin, destination, day))
        }
        assert by_day(answer, days) == expected, (origin, destination)


@pytest.mark.parametrize("way", [nullcontext, steps_of_any_size])
@pytest.mark.parametrize("seed", [1, 2])
async def test_concurrent_uploads_reverts_moves_and_compaction_match_the_oracle(
    database_url: str, connection: Connection, seed: int, way: Callable[[], AbstractContextManager[None]]
) -> None:
    with way():
        await run_and_compare(database_url, connection, seed)


async def run_and_compare(database_url: str, connection: Connection, seed: int) -> None:
    """Run the changes, and compare the state to which they lead."""
    async with open_pool(database_url, INGEST, max_size=20) as pool:
        changes = ConcurrentChanges(pool, seed)
        await change_tree(connection, changes.world.entries())
        await changes.run()
    await compare(connection, changes)
