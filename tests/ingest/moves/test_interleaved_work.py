"""Changes of the tree in steps with other work between the steps, and an oracle."""

import asyncio
from contextlib import nullcontext
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.connection import Connection
from db.pool import INGEST, connect
from ingest.batches.revert import revert_batch
from ingest.compact import compact
from ingest.tree import change_tree
from ingest.verify import verify
from tests.support.batches.strategies import clear
from tests.support.moves.stepping import (
    DAYS,
    FIRST,
    PARENTS,
    PORTS,
    Interruptions,
    compare_totals,
    count_records,
    entries_of,
    previous_release,
    steps_of_any_size,
)
from tests.support.worlds import Item, World, apply_frame, frame_of

pytestmark = pytest.mark.anyio

MOVES: list[dict[str, str | None]] = [
    {"AAAAA": "right"},
    {"deep": "right"},
    {"left": None, "BBBBB": "top"},
    {"AAAAA": "new", "new": "right"},
    {"AAAAA": "newer", "newer": "new", "new": None, "CCCCC": "new"},
]
"""Changes of parents; new locations among them."""
WORK = ["upload", "upload", "old upload", "revert", "old revert", "compact", "verify", "repair"]

items = st.builds(
    lambda origin, destination, start, length, price: Item(
        origin, destination, FIRST + timedelta(days=start), FIRST + timedelta(days=start + length), Decimal(price)
    ),
    st.sampled_from(PORTS),
    st.sampled_from(PORTS),
    st.integers(0, 90),
    st.sampled_from([0, 0, 3, 40]),
    st.integers(-9, 9),
)
batches = st.lists(items, min_size=1, max_size=5)


jobs = st.tuples(st.sampled_from(WORK), batches, st.integers(0, 9))
"""Kind of work, the items of an upload, and a number that chooses the batch of a revert."""
DAMAGE = (
    b"UPDATE price_totals SET price_sums[1] = price_sums[1] + 1 WHERE price_sums IS NOT NULL",
    b"UPDATE price_totals SET packed_changes[1] = packed_changes[1] + (1 << 24) WHERE packed_changes IS NOT NULL",
)
"""Add a cent to each row, in either form."""
schedules = st.lists(st.lists(jobs, max_size=2), min_size=6, max_size=6)
"""Work between the steps of a change."""


class Worker:
    """Work between the steps, and the state to which it should lead."""

    def __init__(self, database_url: str, world: World, schedule: list[list[tuple[str, list[Item], int]]]) -> None:
        self.database_url = database_url
        self.world = world
        self.schedule = schedule
        self.applied: dict[int, list[Item]] = {}

    async def upload(self, connection: Connection, offered: list[Item]) -> None:
        """Apply a batch."""
        batch_id, _ = await apply_frame(connection, frame_of(offered))
        self.applied[batch_id] = offered
        self.world.items += offered

    async def revert(self, connection: Connection, number: int) -> None:
        """Revert a batch."""
        if not self.applied:
            return
        batch_id = sorted(self.applied)[number % len(self.applied)]
        await revert_batch(connection, batch_id)
        for item in self.applied.pop(batch_id):
            self.world.items.remove(item)

    async def work(self, name: str, offered: list[Item], number: int) -> None:
        """Do one piece of work."""
        async with connect(self.database_url, INGEST) as connection:
            with previous_release() if name.startswith("old") else nullcontext():
                match name.split()[-1]:
                    case "upload":
                        await self.upload(connection, offered)
                    case "revert":
                        await self.revert(connection, number)
                    case "compact":
                        await compact(connection, max_rows=1)
                    case "verify":
                        assert [found async for _, found in verify(connection) if found] == []
                    case "repair":
                        for statement in DAMAGE:
                            await connection.execute(statement)
                        async for _ in verify(connection, repair=True):
                            pass

    async def interrupt(self, number: int) -> None:
        """Do some work between two steps. Readers see the tree and the averages before the change."""
        for job in self.schedule[number : number + 1]:
            for name, offered, chosen in job:
                await self.work(name, offered, chosen)
        await compare_totals(self.database_url, self.world, DAYS)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_change_in_steps_with_other_work_between_them_matches_the_oracle(
    module_database_url: str, data: st.DataObject
) -> None:
    world = World({**PARENTS, **dict.fromkeys(PORTS, "deep")}, set(PORTS))
    worker = Worker(module_database_url, world, data.draw(schedules, label="work between the steps"))
    move = data.draw(st.sampled_from(MOVES), label="move")
    before = data.draw(st.lists(batches, min_size=1, max_size=3), label="batches before")

    async def live() -> None:
        async with connect(module_database_url, INGEST) as connection:
            await clear(connection)
            await change_tree(connection, world.entries())
            for offered in before:
                await worker.upload(connection, offered)
            interruptions = Interruptions(connection, worker.interrupt)
            with steps_of_any_size():
                change = await change_tree(connection, entries_of(move), report=interruptions)
            assert (change.added, change.moved) == (
                len(move.keys() - PARENTS.keys() - set(PORTS)),
                len(move) - change.added,
            )
            assert interruptions.count > 0
            world.parents.update(move)
            await compare_totals(module_database_url, world, DAYS)
            assert [found async for _, found in verify(connection) if found] == []
            assert await count_records(connection) == 0

    asyncio.run(live())


async def test_change_in_steps_counts_what_is_applied_and_reverted_after_a_month_was_read(
    connection: Connection, database_url: str, world: World
) -> None:
    later = Item("BBBBB", "AAAAA", FIRST, FIRST + timedelta(days=100), Decimal(7))

    async def work(number: int) -> None:
        async with connect(database_url, INGEST) as other:
            if number in {2, 3}:
                await apply_frame(other, frame_of([later]))
            if number == 4:
                await revert_batch(other, 1)
                await revert_batch(other, 2)

    with steps_of_any_size():
        await change_tree(connection, entries_of({"AAAAA": "right"}), report=Interruptions(connection, work))
    world.parents["AAAAA"] = "right"
    world.items = [later]
    await compare_totals(database_url, world, DAYS)


async def test_change_in_steps_counts_an_old_batch_that_is_reverted_meanwhile(
    connection: Connection, database_url: str, world: World
) -> None:
    async def work(number: int) -> None:
        async with connect(database_url, INGEST) as other:
            if number == 2:
                with previous_release():
                    await apply_frame(other, frame_of([Item("AAAAA", "CCCCC", FIRST, FIRST, Decimal(7))]))
            if number == 3:
                # The first month has been read before the batch: only its revert is recorded.
                await revert_batch(other, 2)

    with steps_of_any_size():
        await change_tree(connection, entries_of({"AAAAA": "right"}), report=Interruptions(connection, work))
    world.parents["AAAAA"] = "right"
    await compare_totals(database_url, world, DAYS)
