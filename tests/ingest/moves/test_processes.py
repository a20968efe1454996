"""Changes of the tree in steps by a process that dies, or that meets a running batch."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal

import anyio
import psycopg
import pytest

from db.connection import Connection
from db.pool import INGEST, connect, open_pool
from db.repositories import batches
from domain.batches import BatchStatus, OnError
from domain.prices import DateRange
from ingest.batches.apply import apply_slices
from ingest.batches.revert import revert_batch
from ingest.moves.steps import clear_abandoned_change
from ingest.readers.price_file import Slice
from ingest.tree import change_tree
from ingest.verify import verify
from ingest.worker import process_next_batch
from tests.support.batches.queue import accept, get_batch
from tests.support.moves.moving_process import ENTRY
from tests.support.moves.stepping import compare_totals, count_records, steps_of_any_size
from tests.support.waiting import DEADLINE_SECONDS, eventually
from tests.support.worlds import Item, World, apply_frame, frame_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FIRST = date(2024, 1, 20)
DAYS = DateRange(FIRST, date(2024, 3, 31))
PAUSES = 5
"""One before the change begins, one before each of three months, and one before the last transaction."""
OLD = Item("AAAAA", "BBBBB", FIRST, FIRST + timedelta(days=50), Decimal(3))
NEW = Item("BBBBB", "AAAAA", FIRST + timedelta(days=20), FIRST + timedelta(days=30), Decimal(5))
MOVER_LOCKS = """
    SELECT count(*) FROM pg_locks WHERE relation = 'price_totals'::regclass AND mode = 'RowExclusiveLock' AND pid <> %s
"""


@pytest.fixture
def world() -> World:
    """A tree with one lane."""
    return World(
        {"top": None, "left": "top", "right": "top", "AAAAA": "left", "BBBBB": "left"}, {"AAAAA", "BBBBB"}, [OLD]
    )


@pytest.fixture
async def database(connection: Connection, world: World) -> Connection:
    """A database with the world."""
    await change_tree(connection, world.entries())
    await apply_frame(connection, frame_of([OLD]))
    return connection


class Mover:
    """Process that changes the tree in steps."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def advance(self, pauses: int) -> None:
        """Let it proceed to a pause, counted from 0."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        for number in range(pauses + 1):
            if number:
                self.proceed()
            assert self.process.stdout.readline().strip() == str(number)

    def proceed(self) -> None:
        """End a pause."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextmanager
def moving(database_url: str) -> Iterator[Mover]:
    """Run a process that changes the tree, and kill it at the end of the block."""
    command = [sys.executable, "-m", "tests.support.moves.moving_process", database_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Mover(process)
        finally:
            process.kill()


def count_sessions(database_url: str) -> int:
    """Return the number of other sessions with the database."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ).fetchone()
    return row[0] if row else 0


@pytest.mark.parametrize("pauses", range(PAUSES))
async def test_killed_change_leaves_the_old_state_and_the_next_one_succeeds(
    database: Connection, database_url: str, world: World, pauses: int
) -> None:
    sessions = count_sessions(database_url)
    with moving(database_url) as mover:
        await anyio.to_thread.run_sync(mover.advance, pauses)
    eventually(lambda: count_sessions(database_url) == sessions, "the session of the killed process continues")
    assert (await count_records(database) > 0) is (pauses > 0)
    await apply_frame(database, frame_of([NEW]))
    world.items.append(NEW)
    await compare_totals(database_url, world, DAYS)
    with steps_of_any_size():
        await change_tree(database, [ENTRY])
    world.parents["AAAAA"] = "right"
    await compare_totals(database_url, world, DAYS)
    assert [found async for _, found in verify(database) if found] == []
    assert await count_records(database) == 0


async def test_change_that_is_killed_while_it_commits_leaves_the_old_state(
    database: Connection, database_url: str, world: World
) -> None:
    sessions = count_sessions(database_url)
    async with connect(database_url, INGEST) as busy:
        with moving(database_url) as mover:
            async with busy.transaction():
                await commit_behind_a_batch(mover, database_url, busy)
                mover.process.kill()
                eventually(lambda: count_sessions(database_url) == sessions + 1, "the killed process has a session")
    world.items.append(NEW)
    await compare_totals(database_url, world, DAYS)
    await clear_abandoned_change(database)
    assert await count_records(database) == 0
    assert [found async for _, found in verify(database) if found] == []


async def test_uploads_do_not_wait_behind_a_change_that_waits_for_a_batch(
    database: Connection, database_url: str, world: World
) -> None:
    async with connect(database_url, INGEST) as busy:
        with moving(database_url) as mover:
            async with busy.transaction():
                await commit_behind_a_batch(mover, database_url, busy)
                await apply_frame(database, frame_of([NEW]))
                batch_id, _ = await apply_frame(database, frame_of([NEW]))
                await revert_batch(database, batch_id)
                assert mover.process.poll() is None
            eventually(lambda: mover.process.poll() == 0, "the change does not end")
    world.items += [NEW, NEW]
    world.parents["AAAAA"] = "right"
    await compare_totals(database_url, world, DAYS)
    assert [found async for _, found in verify(database) if found] == []


async def test_remains_of_a_change_that_is_under_way_are_kept(database: Connection, database_url: str) -> None:
    with moving(database_url) as mover:
        await anyio.to_thread.run_sync(mover.advance, PAUSES - 1)
        count = await count_records(database)
        await clear_abandoned_change(database)
        assert await count_records(database) == count > 0


async def test_second_change_waits_for_the_first_one(database: Connection, database_url: str) -> None:
    with moving(database_url) as mover:
        await anyio.to_thread.run_sync(mover.advance, 1)
        await database.execute(b"SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await change_tree(database, [ENTRY])
        async with open_pool(database_url, INGEST, max_size=3) as pool:
            batch_id = await accept(database)
            assert await process_next_batch(pool)
        assert (await get_batch(database, batch_id)).status is not BatchStatus.QUEUED
        for _ in range(PAUSES - 1):
            mover.proceed()
        eventually(lambda: mover.process.poll() == 0, "the change does not end", DEADLINE_SECONDS)
    await database.execute(b"RESET lock_timeout")
    assert (await change_tree(database, [ENTRY])).unchanged == 1


async def apply(connection: Connection, item: Item) -> None:
    """Apply a batch in the transaction of the connection."""
    batch_id = await batches.insert_batch(
        connection, on_error=OnError.REJECT_BATCH, source="test", idempotency_key=None, payload_sha256=b""
    )
    assert batch_id is not None
    slices = [Slice(frame_of([item]), 1.0)]
    outcome = await apply_slices(connection, batch_id, lambda: iter(slices), OnError.REJECT_BATCH)
    await batches.end_batch(connection, batch_id, outcome)


async def commit_behind_a_batch(mover: Mover, database_url: str, busy: Connection) -> None:
    """Let the process proceed until its last transaction tries to lock the tree.

    The transaction of `busy`, which has applied a batch, prevents it.
    """
    await anyio.to_thread.run_sync(mover.advance, PAUSES - 1)
    await apply(busy, NEW)
    mover.proceed()
    with psycopg.connect(database_url, autocommit=True) as observer:
        arguments = (busy.info.backend_pid,)

        def waits_for_tree() -> bool:
            return observer.execute(MOVER_LOCKS, arguments).fetchone() == (1,)

        await anyio.to_thread.run_sync(eventually, waits_for_tree, "the change does not write its totals")
