"""Archiving next to uploads, reverts, compaction, moves and readers."""

import asyncio
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from unittest import mock

import psycopg
import pytest

from db.pool import INGEST, connect, open_pool
from domain.locations import LocationKind, TreeEntry
from domain.prices import DailyAverages
from ingest.archive.storage import Folder
from ingest.archive.write import archive_prices
from ingest.batches.revert import revert_batch
from ingest.compact import compact
from ingest.distribution import distribute
from ingest.retention import delete_expired
from ingest.tree import change_tree
from ingest.verify import verify
from resolvers.averages import AveragePricesQuery, average_prices
from tests.support.contexts import reading_context
from tests.support.databases.citus import SHARDS, citus_schema
from tests.support.worlds import Item, World, apply_frame, frame_of

pytestmark = pytest.mark.anyio

WORLD = {"top": None, "low": "top", "other": "top", "AAAAA": "low", "BBBBB": "top"}
BEFORE = date(2024, 3, 1)
QUERY = AveragePricesQuery(date(2024, 1, 1), date(2024, 3, 31), "top", "top", with_statistics=True)


def items(month: int, amount: int) -> list[Item]:
    """Return prices of a month, one of which ends in the next."""
    first = date(2024, month, 1)
    return [
        Item("AAAAA", "BBBBB", first, date(2024, month, 20), Decimal(amount)),
        Item("BBBBB", "AAAAA", date(2024, month, 25), date(2024, month + 1, 3), Decimal(amount + 1)),
        Item("AAAAA", "AAAAA", first, first, Decimal(amount + 2)),
    ]


@pytest.fixture
def citus_url() -> Iterator[str]:
    """A migrated, empty schema of a cluster, whose tables are not distributed."""
    with citus_schema() as url:
        yield url


async def read_differences(database_url: str) -> list[object]:
    """Return the differences between totals and observations."""
    async with connect(database_url, INGEST) as connection:
        return [difference async for _, found in verify(connection) for difference in found]


def list_names(folder: Path) -> set[str]:
    """Return the names of the files of an archive."""
    return {path.name for path in folder.rglob("*.parquet")}


def count_prices(database_url: str) -> tuple[object, ...] | None:
    """Return the numbers of observations in the table and of archived ones that count."""
    query = "SELECT (SELECT count(*) FROM prices), (SELECT sum(price_count)::int FROM archived_lanes)"
    with psycopg.connect(database_url) as connection:
        return connection.execute(query).fetchone()


async def archive_all(database_url: str, folder: Path) -> int:
    """Archive all prices before BEFORE; return their number."""
    async with connect(database_url, INGEST) as connection:
        return sum([month.row_count async for month in archive_prices(connection, BEFORE, folder.as_uri())])


async def test_batch_reverted_during_its_archiving_is_not_archived(database_url: str, tmp_path: Path) -> None:
    world = World(dict(WORLD), {"AAAAA", "BBBBB"})
    async with connect(database_url, INGEST) as connection:
        await change_tree(connection, world.entries())
        batches = [(await apply_frame(connection, frame_of(items(1, amount))))[0] for amount in (1, 2)]
    written: list[str] = []
    write = Folder.write

    async def revert() -> None:
        async with connect(database_url, INGEST) as connection:
            await revert_batch(connection, batches[0])

    def write_and_revert(storage: Folder, name: str, data: bytes) -> None:
        write(storage, name, data)
        written.append(name)
        if len(written) == 1:
            # The files hold the batch, and the transaction that reads it has not deleted it yet.
            asyncio.run(revert())

    with mock.patch.object(Folder, "write", write_and_revert):
        assert await archive_all(database_url, tmp_path) == 3
    # The file with the reverted batch has been deleted.
    assert list_names(tmp_path) == {name.rpartition("/")[2] for name in written[1:]}
    assert await read_differences(database_url) == []
    assert count_prices(database_url) == (0, 3)


@pytest.mark.slow
async def test_archive_next_to_all_other_work_loses_and_doubles_nothing(database_url: str, tmp_path: Path) -> None:
    await archive_next_to_all_other_work(database_url, tmp_path)


@pytest.mark.slow
async def test_archive_on_a_cluster_next_to_all_other_work_loses_nothing(citus_url: str, tmp_path: Path) -> None:
    async with connect(citus_url, INGEST) as connection:
        await distribute(connection, shards=SHARDS, report=lambda _step, _part: None)
    await archive_next_to_all_other_work(citus_url, tmp_path, has_one_snapshot=False)


async def archive_next_to_all_other_work(database_url: str, folder: Path, *, has_one_snapshot: bool = True) -> None:
    """Archive, upload, revert, move, compact and read at the same time; compare the answers.

    A cluster has no snapshot over its nodes: a reader may see a batch on one and not yet on another.
    """
    world = World(dict(WORLD), {"AAAAA", "BBBBB"})
    async with connect(database_url, INGEST) as connection:
        await change_tree(connection, world.entries())
        kept: list[int] = []
        doomed = [
            (await apply_frame(connection, frame_of(items(1 + number % 2, 1_000 + number))))[0] for number in range(12)
        ]
    finished = asyncio.Event()

    async def upload(start: int) -> None:
        async with connect(database_url, INGEST) as connection:
            for amount in range(start, start + 15):
                await apply_frame(connection, frame_of(items(1 + amount % 2, amount)))
                kept.append(amount)

    async def revert() -> None:
        async with connect(database_url, INGEST) as connection:
            for batch_id in doomed:
                await revert_batch(connection, batch_id)

    async def move() -> None:
        async with connect(database_url, INGEST) as connection:
            for parent in ("other", "low") * 4:
                await change_tree(connection, [TreeEntry(LocationKind.PORT, "AAAAA", "AAAAA", parent, "test:1")])

    async def compact_often() -> None:
        async with connect(database_url, INGEST) as connection:
            while not finished.is_set():
                await compact(connection, max_rows=1)
                await asyncio.sleep(0.02)

    async def archive_often() -> None:
        async with connect(database_url, INGEST) as connection:
            while not finished.is_set():
                async for _ in archive_prices(connection, BEFORE, folder.as_uri()):
                    pass
                await asyncio.sleep(0.02)

    async def read() -> None:
        async with open_pool(database_url, INGEST, max_size=2) as pool:
            while not finished.is_set():
                # Figures of single prices and their counts come from one moment, in which every batch is whole.
                [answer] = await average_prices(reading_context(pool), [QUERY])
                assert isinstance(answer, DailyAverages), answer
                # Each batch of January has one price on the 2nd, and one that is valid from the 25th to the 3rd of February.
                assert not has_one_snapshot or answer.counts[1] == answer.counts[24] == answer.counts[30]

    background = [asyncio.create_task(work()) for work in (compact_often, archive_often, read)]
    await asyncio.gather(upload(1), upload(101), revert(), move())
    finished.set()
    await asyncio.gather(*background)
    await archive_all(database_url, folder)
    assert await read_differences(database_url) == []
    world.items = [item for amount in kept for item in items(1 + amount % 2, amount)]
    async with open_pool(database_url, INGEST, max_size=2) as pool:
        [answer] = await average_prices(reading_context(pool), [QUERY])
    assert isinstance(answer, DailyAverages), answer
    expected = [world.expect("top", "top", day) for day in answer.days.days()]
    assert answer.counts == [day.count for day in expected]
    assert answer.lows == [None if day.low is None else float(day.low) for day in expected]
    assert answer.medians == [None if day.middle is None else float(day.middle) for day in expected]


@pytest.mark.slow
async def test_readers_never_see_a_deleted_file_as_missing(database_url: str, tmp_path: Path) -> None:
    world = World(dict(WORLD), {"AAAAA", "BBBBB"})
    async with connect(database_url, INGEST) as connection:
        await change_tree(connection, world.entries())
        for amount in range(6):
            await apply_frame(connection, frame_of(items(1, amount)))
            # On one connection: the server releases the lock of another one a moment after it was closed.
            assert sum([month.row_count async for month in archive_prices(connection, BEFORE, tmp_path.as_uri())]) == 3
    finished = asyncio.Event()

    async def read() -> None:
        async with open_pool(database_url, INGEST, max_size=2) as pool:
            while not finished.is_set():
                [answer] = await average_prices(reading_context(pool), [QUERY])
                assert isinstance(answer, DailyAverages), answer

    reader = asyncio.create_task(read())
    async with connect(database_url, INGEST) as connection:
        async for _ in delete_expired(connection, BEFORE):
            await asyncio.sleep(0.02)
    finished.set()
    await reader
    assert await read_differences(database_url) == []
