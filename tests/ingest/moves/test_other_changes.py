"""Changes of the tree in steps next to archives and other changes, and on a cluster."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from copy import deepcopy
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from db.administration import moves
from db.connection import Connection, is_in_transaction
from db.pool import INGEST, connect
from db.repositories import locations
from ingest.archive.write import archive_prices
from ingest.batches.move_records import encoding
from ingest.batches.revert import revert_batch
from ingest.distribution import distribute
from ingest.errors import TreeRejected
from ingest.moves import recorded_differences, steps
from ingest.retention import delete_expired
from ingest.tree import change_tree
from tests.support.databases.citus import SHARDS, citus_schema
from tests.support.moves.stepping import (
    DAYS,
    FIRST,
    PARENTS,
    PORTS,
    Interruptions,
    compare_totals,
    count_records,
    entries_of,
    find_no_move,
    steps_of_any_size,
)
from tests.support.waiting import eventually
from tests.support.worlds import Item, World, apply_frame, frame_of

pytestmark = pytest.mark.anyio

LOCK_TIMEOUT_SECONDS = 0.2
WAITS_FOR_TREE = b"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7263002 AND NOT granted"


async def test_change_in_steps_survives_a_change_of_the_previous_release(
    connection: Connection, database_url: str, world: World
) -> None:
    async def work(number: int) -> None:
        if number == 2:
            async with connect(database_url, INGEST) as other, other.transaction():
                with patch.object(moves, "lock_tree_change", find_no_move):
                    await change_tree(other, entries_of({"CCCCC": "top"}))

    with steps_of_any_size():
        await change_tree(connection, entries_of({"AAAAA": "right"}), report=Interruptions(connection, work))
    world.parents |= {"AAAAA": "right", "CCCCC": "top"}
    await compare_totals(database_url, world, DAYS)
    assert await count_records(connection) == 0


@pytest.mark.usefixtures("world")
async def test_change_in_steps_reports_its_progress_also_while_it_commits(connection: Connection) -> None:
    outside, inside = list[float](), list[float]()

    def note(fraction: float) -> None:
        (inside if is_in_transaction(connection) else outside).append(fraction)

    with steps_of_any_size():
        await change_tree(connection, entries_of({"AAAAA": "right"}), report=note)
    # One before the change, one before each of three months, and one before the last transaction, which appends the totals and
    # the sketches of each month.
    assert (len(outside), len(inside)) == (5, 6)
    assert outside + inside == sorted(outside + inside)
    assert (outside[0], inside[-1]) == (0, 1)


async def archive(database_url: str, folder: Path) -> None:
    """Archive the prices of the first months."""
    async with connect(database_url, INGEST) as connection:
        async for _ in archive_prices(connection, date(2024, 4, 1), folder.as_uri()):
            pass


async def test_change_in_steps_survives_the_deletion_of_archived_months(
    connection: Connection, database_url: str, world: World, tmp_path: Path
) -> None:
    await archive(database_url, tmp_path)

    async def work(number: int) -> None:
        if number == 2:
            async with connect(database_url, INGEST) as other:
                assert [file async for file in delete_expired(other, date(2024, 4, 1))]

    with steps_of_any_size():
        await change_tree(connection, entries_of({"AAAAA": "right"}), report=Interruptions(connection, work))
    world.parents["AAAAA"] = "right"
    world.items.clear()
    await compare_totals(database_url, world, DAYS)


async def test_change_in_steps_moves_archived_prices(
    connection: Connection, database_url: str, world: World, tmp_path: Path
) -> None:
    await archive(database_url, tmp_path)
    with steps_of_any_size():
        await change_tree(connection, entries_of({"AAAAA": "new", "new": "right"}))
    world.parents |= {"AAAAA": "new", "new": "right"}
    await compare_totals(database_url, world, DAYS)


async def test_change_in_steps_is_not_lost_to_a_batch_that_runs_longer_than_others_wait(
    connection: Connection, database_url: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "LOCK_PATIENCE_SECONDS", 0)
    await connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'".encode())
    with psycopg.connect(database_url) as batch, ThreadPoolExecutor(1) as thread:

        def end_late() -> None:
            with psycopg.connect(database_url, autocommit=True) as observer:
                eventually(lambda: observer.execute(WAITS_FOR_TREE).fetchone() == (1,), "the change does not wait")
            time.sleep(3 * LOCK_TIMEOUT_SECONDS)
            batch.commit()

        def begin_batch(fraction: float) -> None:
            if fraction > 0 and batch.info.transaction_status is TransactionStatus.IDLE:
                batch.execute(locations.SQL["lock_tree_shared"])
                ends.append(thread.submit(end_late))

        ends = list[Future[None]]()
        with steps_of_any_size():
            await change_tree(connection, entries_of({"AAAAA": "right"}), report=begin_batch)
        [end] = ends
        end.result()
    world.parents["AAAAA"] = "right"
    await compare_totals(database_url, world, DAYS)


async def test_change_in_steps_records_and_merges_sketches_in_parts(
    connection: Connection, database_url: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "MAX_FILE_BYTES", 0)
    monkeypatch.setattr(recorded_differences, "MAX_SUMMED_BYTES", 0)
    later = Item("AAAAA", "CCCCC", FIRST, FIRST + timedelta(days=30), Decimal(7))

    async def work(number: int) -> None:
        if number == 2:
            async with connect(database_url, INGEST) as other:
                await apply_frame(other, frame_of([later]))

    with steps_of_any_size():
        await change_tree(connection, entries_of({"AAAAA": "right"}), report=Interruptions(connection, work))
    world.parents["AAAAA"] = "right"
    world.items.append(later)
    await compare_totals(database_url, world, DAYS)


async def test_change_that_is_rejected_in_its_last_transaction_changes_nothing(
    connection: Connection, database_url: str, world: World
) -> None:
    async def reject(_connection: Connection) -> None:
        raise TreeRejected("AMBIGUOUS_ALIAS", "ambiguous")

    with steps_of_any_size(), pytest.raises(TreeRejected):
        await change_tree(connection, entries_of({"AAAAA": "new", "new": "right"}), before_commit=reject)
    await compare_totals(database_url, world, DAYS)
    assert await count_records(connection) == 0
    await change_tree(connection, entries_of({"AAAAA": "right"}))


async def test_change_in_steps_on_a_cluster_counts_what_is_applied_meanwhile() -> None:
    world = World({**PARENTS, **dict.fromkeys(PORTS, "deep")}, set(PORTS))
    first, later = (
        Item(origin, destination, FIRST, FIRST + timedelta(days=70), Decimal(3))
        for origin, destination in (("AAAAA", "BBBBB"), ("BBBBB", "CCCCC"))
    )
    with citus_schema() as url:

        async def work(number: int) -> None:
            async with connect(url, INGEST) as other:
                if number in {2, 3}:
                    await apply_frame(other, frame_of([later, first]))
                if number == 4:
                    await revert_batch(other, 1)
            await compare_totals(url, world_at[number], DAYS)

        before, with_one, with_two, without = (deepcopy(world) for _ in range(4))
        before.items, with_one.items, with_two.items = (
            [first],
            [first, later, first],
            [first, later, first, later, first],
        )
        without.items = with_two.items[1:]
        world_at = [before, before, with_one, with_two, without]
        async with connect(url, INGEST) as connection:
            await distribute(connection, shards=SHARDS, report=lambda _step, _part: None)
            await change_tree(connection, world.entries())
            await apply_frame(connection, frame_of([first]))
            with steps_of_any_size():
                moved = entries_of({"AAAAA": "new", "new": "right"})
                await change_tree(connection, moved, report=Interruptions(connection, work))
            assert await count_records(connection) == 0
        without.parents |= {"AAAAA": "new", "new": "right"}
        await compare_totals(url, without, DAYS)
