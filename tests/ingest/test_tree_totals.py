"""Totals after tree changes of any kind, and their limit.

Readers and batches see a consistent state meanwhile.
"""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random

import psycopg
import pytest

from db.administration import moves
from db.connection import Connection
from db.errors import LockTimeout
from db.pool import INGEST, open_pool
from db.repositories import locations
from domain.batches import BatchStatus
from domain.locations import LocationKind, TreeEntry
from ingest import tree, tree_totals
from ingest.errors import TreeRejected
from ingest.tree import change_tree
from ingest.verify import verify
from ingest.worker import process_next_batch
from tests.support.batches.queue import accept, get_batch
from tests.support.worlds import Item, World, apply_frame, by_key, frame_of

pytestmark = pytest.mark.anyio

REGIONS = ["top", "low", "side"]
PORTS = ["AAAAA", "BBBBB", "CCCCC", "DDDDD"]
WORLD = World({"top": None, "low": "top", "side": None, **dict.fromkeys(PORTS, "low")}, set(PORTS))
DAY = date(2024, 1, 31)


def move_port(code: str, parent: str) -> TreeEntry:
    """Return the entry that moves a port."""
    return TreeEntry(LocationKind.PORT, code, None, parent, "the move")


async def list_differences(connection: Connection) -> list[object]:
    """Return all differences between totals and observations."""
    return [difference async for _, found in verify(connection) for difference in found]


@pytest.fixture(params=["at once", "in steps"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes in one transaction, or in steps however few totals they move."""
    if request.param == "in steps":
        monkeypatch.setattr(tree, "MAX_ROWS_AT_ONCE", -1)


@pytest.mark.usefixtures("way")
async def test_tree_change_that_swaps_ports_moves_sums_whose_counts_cancel(connection: Connection) -> None:
    await change_tree(connection, replace(WORLD, parents={**WORLD.parents, "BBBBB": "side"}).entries())
    # On the first day both ports have one price: the counts of the regions stay, their sums change.
    items = [
        Item("AAAAA", "CCCCC", DAY - timedelta(days=9), DAY - timedelta(days=9), Decimal(10)),
        Item("BBBBB", "CCCCC", DAY - timedelta(days=9), DAY - timedelta(days=9), Decimal(70)),
        Item("AAAAA", "CCCCC", DAY - timedelta(days=4), DAY - timedelta(days=4), Decimal(5)),
    ]
    await apply_frame(connection, frame_of(items))
    await change_tree(connection, [move_port("AAAAA", "side"), move_port("BBBBB", "low")])
    assert await list_differences(connection) == []


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("seed", range(6))
async def test_tree_change_of_many_locations_at_once_leaves_totals_correct(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(tree_totals, "MAX_MOVED_LANES", 2)
    random = Random(seed)  # noqa: S311
    await change_tree(connection, WORLD.entries())
    for _ in range(3):
        items = [
            Item(
                random.choice(PORTS),
                random.choice(PORTS),
                first,
                first + timedelta(days=random.choice((0, 3, 70))),
                price,
            )
            for first in (DAY + timedelta(days=random.randrange(90)) for _ in range(8))
            for price in [Decimal(random.randrange(-900, 900)) / 100]
        ]
        await apply_frame(connection, frame_of(items))
    for _ in range(3):
        parents = {code: random.choice([*REGIONS, "new"]) for code in PORTS}
        regions = {
            "top": None,
            "side": random.choice([None, "top"]),
            "low": random.choice(["top", "side"]),
            "new": "low",
        }
        await change_tree(connection, World({**regions, **parents}, set(PORTS)).entries())
        assert await list_differences(connection) == []


async def test_tree_change_is_invisible_to_readers_until_it_commits(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_totals, "MAX_MOVED_LANES", 1)
    await change_tree(connection, WORLD.entries())
    await apply_frame(connection, frame_of([Item("AAAAA", "BBBBB", DAY, DAY + timedelta(days=60), Decimal(1))]))
    query = b"""
        SELECT (SELECT count(*) FROM price_totals), (SELECT p.key FROM locations l JOIN locations p ON p.id = l.parent_id
        WHERE l.key = 'AAAAA'), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock')
    """
    seen, fractions = [], []
    with psycopg.connect(database_url, autocommit=True) as reader:

        def look(fraction: float) -> None:
            fractions.append(fraction)
            seen.append(reader.execute(query).fetchone())

        await change_tree(connection, [move_port("AAAAA", "side")], report=look)
        (rows, parent, locks) = reader.execute(query).fetchone() or ()
    # Three months of totals, then the sketches: before the prices are read, and after.
    assert fractions == [0, 1 / 6, 1 / 3, 1 / 2, 3 / 4]
    # Three months of three by three pairs. Batches and other changes wait.
    assert seen == [(27, "low", 2)] * 5
    assert (parent, locks) == ("side", 0)
    assert rows > 27


@pytest.mark.usefixtures("way")
async def test_tree_change_of_too_many_lane_months_changes_nothing(connection: Connection) -> None:
    await change_tree(connection, WORLD.entries())
    lanes = [Item(origin, "CCCCC", DAY, DAY + timedelta(days=1), Decimal(1)) for origin in ("AAAAA", "BBBBB")]
    await apply_frame(connection, frame_of(lanes))
    before = await locations.list_locations(connection)
    with pytest.raises(TreeRejected, match="the change moves 4 lane-months, limit 3") as caught:
        await change_tree(connection, [move_port("CCCCC", "side")], max_moved_rows=3)
    assert caught.value.code == "TREE_CHANGE_TOO_LARGE"
    assert await locations.list_locations(connection) == before
    assert await list_differences(connection) == []
    # A port without prices moves in any case, and so does one within the limit.
    await change_tree(connection, [move_port("DDDDD", "side")], max_moved_rows=1)
    await change_tree(connection, [move_port("CCCCC", "side")], max_moved_rows=4)
    assert await list_differences(connection) == []


async def test_worker_that_waits_too_long_for_a_tree_change_counts_no_attempt(
    connection: Connection, database_url: str
) -> None:
    await change_tree(connection, World({"top": None, "AAAAA": "top", "BBBBB": "top"}, {"AAAAA", "BBBBB"}).entries())
    batch_id = await accept(connection)
    impatient = replace(INGEST, lock_timeout=50)
    async with open_pool(database_url, impatient, max_size=3) as pool:
        async with connection.transaction():
            await locations.lock_tree_exclusive(connection)
            with pytest.raises(LockTimeout):
                await process_next_batch(pool)
        batch = await get_batch(connection, batch_id)
        assert (batch.status, batch.attempts, batch.failure) == (BatchStatus.QUEUED, 0, None)
        assert await process_next_batch(pool)
    assert (await get_batch(connection, batch_id)).status is BatchStatus.APPLIED


async def test_lanes_of_many_rows_are_moved_in_more_parts(connection: Connection) -> None:
    """A part of a month is one value, which PostgreSQL limits to 1 GB."""
    await change_tree(connection, WORLD.entries())
    for destination, batches in (("BBBBB", 8), ("CCCCC", 25)):
        for _ in range(batches):
            await apply_frame(connection, frame_of([Item("AAAAA", destination, DAY, DAY, Decimal(1))]))
    known = by_key(await locations.list_locations(connection))
    for part_lanes, last_part in ((1, 4), (2, 2), (5, 0)):
        async with connection.transaction(force_rollback=True):
            await moves.store_moved_lanes(connection, [known["AAAAA"].id], part_lanes=part_lanes)
            measured = await moves.measure_moved_lanes(connection)
        assert (measured.row_count, measured.last_part) == (33, last_part)
