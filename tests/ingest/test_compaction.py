"""Compaction: one row per key and equal totals, also by several jobs and processes."""

import asyncio
import re
import subprocess
from contextlib import AsyncExitStack
from datetime import date
from decimal import Decimal
from itertools import product

import pytest

from db.connection import Connection
from db.errors import CountTooLarge
from db.pool import INGEST, connect
from db.repositories import locations, totals
from domain.compaction import KeyRange
from domain.prices import DateRange
from ingest import compact as compaction
from ingest.compact import compact
from ingest.tree import change_tree
from ingest.verify import verify
from tests.support.batches.totals import count_rows_of_totals, read_totals
from tests.support.commands.processes import COMMAND, environment
from tests.support.waiting import DEADLINE_SECONDS
from tests.support.worlds import Item, World, apply_frame, by_key, frame_of

pytestmark = pytest.mark.anyio

WORLD = World({"top": None, "low": "top", "AAAAA": "low", "BBBBB": "top"}, {"AAAAA", "BBBBB"})
ITEM = Item("AAAAA", "BBBBB", date(2024, 1, 30), date(2024, 2, 2), Decimal("10.01"))
DAYS = DateRange(date(2024, 1, 1), date(2024, 2, 29))
PORTS = [f"P{letter}AAA" for letter in "ABCDEFGH"]
MANY = World({"top": None, **dict.fromkeys(PORTS, "top")}, set(PORTS))
BATCHES = 6
SKETCHES = BATCHES
"""Sketches of the only pair of regions."""


async def fill(connection: Connection) -> int:
    """Apply several batches with a price on every lane, and return the number of keys."""
    await change_tree(connection, MANY.entries())
    day = date(2024, 1, 1)
    for number in range(BATCHES):
        items = [Item(origin, to, day, day, Decimal(number)) for origin, to in product(PORTS, PORTS) if origin != to]
        await apply_frame(connection, frame_of(items))
    return await count_rows_of_totals(connection) // BATCHES


async def assert_verified(connection: Connection) -> None:
    """Compare the totals with the observations."""
    assert [difference async for _, found in verify(connection) for difference in found] == []


async def test_compaction_leaves_one_row_per_key_and_equal_totals(connection: Connection) -> None:
    await change_tree(connection, WORLD.entries())
    for day in (1, 5, 31):
        item = Item("AAAAA", "BBBBB", date(2024, 1, day), date(2024, 1, day), Decimal(day))
        await apply_frame(connection, frame_of([item]))
    before = await read_totals(connection, "low", "top", DAYS)
    assert await count_rows_of_totals(connection) == 3 * 6
    assert await compact(connection, max_rows=3) == 0
    # Six pairs of locations, two of them pairs of regions, have three rows each.
    assert await compact(connection, max_rows=2) == 3 * 6 + 3 * 2
    assert await count_rows_of_totals(connection) == 6
    after = await read_totals(connection, "low", "top", DAYS)
    assert (
        [day for day in after if day[2]]
        == before
        == [
            (date(2024, 1, 1), 100, 1),
            (date(2024, 1, 5), 500, 1),
            (date(2024, 1, 31), 3100, 1),
        ]
    )


async def test_compaction_processes_every_key_with_a_small_step_size(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.compact.MAX_KEYS_PER_STEP", 5)
    await change_tree(connection, WORLD.entries())
    await apply_frame(connection, frame_of([ITEM]))
    await apply_frame(connection, frame_of([ITEM]))
    # Six pairs of locations in two months, two of them pairs of regions.
    assert await count_rows_of_totals(connection) == 2 * 12
    assert await compact(connection, max_rows=1) == 2 * 12 + 2 * 4
    assert await count_rows_of_totals(connection) == 12
    assert [difference async for _, found in verify(connection) for difference in found] == []


async def test_compaction_merges_a_limited_number_of_rows_per_transaction(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_count = await fill(connection)
    monkeypatch.setattr(compaction, "MAX_MERGED_ROWS_PER_STEP", 2 * BATCHES)
    merged = []

    async def step(connection: Connection, keys: KeyRange) -> object:
        result = await totals.compact_keys(connection, keys)
        merged.append(result[1] if result else 0)
        return result

    monkeypatch.setattr(compaction, "STEPS", (step,))
    assert await compact(connection, max_rows=1) == key_count * BATCHES
    assert max(merged) == 2 * BATCHES
    assert await count_rows_of_totals(connection) == key_count
    await assert_verified(connection)


@pytest.mark.parametrize("jobs", [2, 4])
async def test_compaction_by_several_jobs_merges_every_key_once(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr(compaction, "ORIGINS_PER_RANGE", 1)
    keys = await fill(connection)
    fractions = list[float]()
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(connect(database_url, INGEST)) for _ in range(jobs)]
        assert await compact(connections, max_rows=1, report=fractions.append) == keys * BATCHES + SKETCHES
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert await count_rows_of_totals(connection) == keys
    await assert_verified(connection)


async def test_compaction_skips_or_awaits_a_range_that_another_process_compacts(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "ORIGINS_PER_RANGE", 1)
    keys = await fill(connection)
    held = by_key(await locations.list_locations(connection))[PORTS[3]].id
    row = await (await connection.execute("SELECT count(*) FROM price_totals WHERE origin = %s", (held,))).fetchone()
    assert row is not None
    async with connect(database_url, INGEST) as other, connect(database_url, INGEST) as third:
        async with third.transaction():
            await locations.lock_id_range(third, held)
            assert await compact(other, max_rows=1, skip_locked=True) == keys * BATCHES + SKETCHES - row[0]
            waiting = asyncio.create_task(compact(other, max_rows=1))
            async with asyncio.timeout(DEADLINE_SECONDS):
                # The lock that it waits for is in the database, where no event can be set.
                while not await is_waiting(connection):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        assert await asyncio.wait_for(waiting, DEADLINE_SECONDS) == row[0]
    assert await count_rows_of_totals(connection) == keys
    await assert_verified(connection)


async def is_waiting(connection: Connection) -> bool:
    """Return whether a session of this database waits for an advisory lock."""
    row = await (
        await connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    ).fetchone()
    return row is not None and row[0] > 0


def start_compaction(database_url: str) -> subprocess.Popen[str]:
    """Start the command with two connections."""
    return subprocess.Popen(
        [COMMAND, "compact", "--jobs", "2"],
        env=environment(database_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_compaction_by_several_processes_beside_uploads_merges_every_row_once(
    connection: Connection, database_url: str
) -> None:
    keys = await fill(connection)
    processes = [start_compaction(database_url) for _ in range(3)]
    while any(process.poll() is None for process in processes):
        await apply_frame(connection, frame_of([ITEM_OF_MANY]))
        await asyncio.sleep(0)
    outputs = [process.communicate(timeout=DEADLINE_SECONDS) for process in processes]
    assert {process.returncode for process in processes} == {0}, outputs
    merged = [int(re.sub(r"\D", "", out)) for out, _ in outputs]
    # A key of the batches meanwhile may be merged again.
    assert sum(merged) >= keys * BATCHES
    await compact(connection, max_rows=1)
    assert await count_rows_of_totals(connection) == keys
    await assert_verified(connection)


ITEM_OF_MANY = Item(PORTS[0], PORTS[1], date(2024, 1, 1), date(2024, 1, 1), Decimal(7))


async def test_compaction_names_the_limit_of_prices_of_a_day(connection: Connection) -> None:
    await fill(connection)
    rows = await count_rows_of_totals(connection)
    await connection.execute(
        "UPDATE price_totals SET first_day = month, packed_changes = NULL, price_sums = '{1}', price_counts = '{2147483647}'"
    )
    with pytest.raises(CountTooLarge, match="more than 2,147,483,647 prices of one day"):
        await compact(connection, max_rows=1)
    assert await count_rows_of_totals(connection) == rows
