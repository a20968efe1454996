"""Verification of what has changed since the last one, and of everything."""

import asyncio
from pathlib import Path

import pytest

from db.administration import verifications
from db.connection import Connection
from db.pool import INGEST, connect
from db.repositories import sketches
from domain.archive import ArchivedFile
from domain.locations import LocationKind, TreeEntry
from ingest import verify as verification
from ingest.archive.reader import read_lane_days
from ingest.archive.write import archive_prices
from ingest.batches.revert import revert_batch
from ingest.compact import compact
from ingest.retention import delete_expired
from ingest.tree import change_tree
from ingest.verification import comparison
from ingest.verification.changes import find_scope
from ingest.verification.snapshot import open_snapshot
from ingest.verify import verify
from tests.support.verification.verified_world import EVERYTHING, FEBRUARY, ITEMS, JANUARY, MARCH, check
from tests.support.waiting import DEADLINE_SECONDS
from tests.support.worlds import apply_frame, frame_of

pytestmark = pytest.mark.anyio


async def archive(database_url: str, folder: Path) -> None:
    """Archive January and February, on a connection whose end releases the lock of the command."""
    async with connect(database_url, INGEST) as connection:
        async for _ in archive_prices(connection, MARCH, folder.as_uri()):
            pass


async def delete_january(database_url: str) -> list[ArchivedFile]:
    """Delete the archived file of January."""
    async with connect(database_url, INGEST) as connection:
        return [file async for file in delete_expired(connection, FEBRUARY)]


@pytest.mark.parametrize("subject", ["price_totals", "price_sketches", "prices"])
async def test_verify_checks_a_month_whose_rows_have_another_checksum(verified: Connection, subject: str) -> None:
    """A bit that flips on the disk changes no transaction ID."""
    await verified.execute("UPDATE verified_parts SET checksum = checksum + 1 WHERE subject = %s", (subject,))
    assert await check(verified) == dict.fromkeys(EVERYTHING, 0)
    assert await check(verified) == {}


async def test_verify_checks_only_the_months_that_a_batch_touches(verified: Connection) -> None:
    await apply_frame(verified, frame_of([ITEMS[1]]))
    assert await check(verified) == {JANUARY: 0}
    assert await check(verified) == {}


async def test_verify_finds_a_wrong_batch(verified: Connection) -> None:
    await apply_frame(verified, frame_of([ITEMS[1]]))
    await verified.execute(
        "UPDATE price_totals SET price_counts[1] = price_counts[1] + 1"
        " WHERE xmin = (SELECT xmin FROM price_totals ORDER BY age(xmin) LIMIT 1)"
    )
    found = await check(verified)
    assert found.keys() == {JANUARY}
    assert found[JANUARY] == 6


async def test_verify_follows_compaction_reverts_and_moves(verified: Connection) -> None:
    assert await compact(verified, max_rows=1) > 0
    assert await check(verified) == dict.fromkeys(EVERYTHING, 0)
    batch_id, _ = await apply_frame(verified, frame_of([ITEMS[1]]))
    assert await check(verified) == {JANUARY: 0}
    await revert_batch(verified, batch_id)
    found = await check(verified)
    assert found[JANUARY] == 0
    assert not any(found.values())
    await change_tree(verified, [TreeEntry(LocationKind.PORT, "AAAAA", None, "top", "test:1")])
    assert await check(verified) == dict.fromkeys(EVERYTHING, 0)
    # A new location changes no totals.
    await change_tree(verified, [TreeEntry(LocationKind.PORT, "CCCCC", "New", "top", "test:1")])
    assert await check(verified) == {}


async def test_verify_follows_the_archive_and_retention(
    verified: Connection, database_url: str, tmp_path: Path
) -> None:
    await archive(database_url, tmp_path)
    assert await check(verified) == {JANUARY: 0, FEBRUARY: 0}
    assert await check(verified) == {}
    assert len(await delete_january(database_url)) == 1
    assert await sketches.list_stale_months(verified) == []
    found = await check(verified)
    assert found[JANUARY] == 0
    assert not any(found.values())
    assert not any((await check(verified, full=True)).values())


async def test_verify_takes_another_snapshot_after_an_archived_file_is_deleted(
    verified: Connection, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await archive(database_url, tmp_path)
    deleted = list[ArchivedFile]()

    def read_later(file: ArchivedFile) -> object:
        if not deleted:
            deleted.extend(asyncio.run(delete_january(database_url)))
        return read_lane_days(file)

    monkeypatch.setattr(comparison, "read_lane_days", read_later)
    found = await check(verified, full=True)
    assert len(deleted) == 1
    assert not any(found.values())


async def test_uploads_go_on_while_verify_reads_and_show_no_difference(
    verified: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_reading, may_go_on = asyncio.Event(), asyncio.Event()

    async def find_later(*arguments: object) -> object:
        scope = await find_scope(*arguments)  # type: ignore[arg-type]
        is_reading.set()
        await may_go_on.wait()
        return scope

    monkeypatch.setattr(verification, "find_scope", find_later)
    async with asyncio.timeout(DEADLINE_SECONDS), connect(database_url, INGEST) as other:
        checking = asyncio.create_task(check(verified, full=True))
        await is_reading.wait()
        await apply_frame(other, frame_of([ITEMS[1]]))
        await compact(other, max_rows=1)
        may_go_on.set()
        assert await checking == dict.fromkeys(EVERYTHING, 0)
        monkeypatch.undo()
        assert await check(other) == dict.fromkeys(EVERYTHING, 0)


async def test_verify_checks_rows_again_that_a_transaction_in_progress_may_have_written(
    verified: Connection, database_url: str
) -> None:
    async with connect(database_url, INGEST) as slow, slow.transaction():
        await slow.execute("SELECT pg_current_xact_id()")
        await apply_frame(verified, frame_of([ITEMS[1]]))
        assert await check(verified) == {JANUARY: 0}
        assert await check(verified) == {JANUARY: 0}
    assert await check(verified) == {JANUARY: 0}
    assert await check(verified) == {}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE verifications SET storage = 'of another server'",
        "UPDATE verifications SET settled_xid = 0, storage = storage",
        "DELETE FROM verifications",
    ],
)
async def test_verify_checks_everything_without_a_usable_record(
    verified: Connection, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    monkeypatch.setattr("ingest.verification.changes.MAX_AGE", 100)
    await verified.execute(statement.encode())
    assert await check(verified) == dict.fromkeys(EVERYTHING, 0)


async def test_verify_keeps_the_newer_record_of_another_command(verified: Connection) -> None:
    await verified.execute("UPDATE verifications SET settled_xid = settled_xid + 1000000, failed = '{2024-03-01}'")
    assert await check(verified, full=True) == dict.fromkeys(EVERYTHING, 0)
    record = await verifications.find_verification(verified)
    assert record is not None
    assert record.failed == [MARCH]


async def test_connections_of_a_snapshot_wait_for_each_other_beyond_the_idle_limit(
    connection: Connection, database_url: str
) -> None:
    async with connect(database_url, INGEST) as second_connection:
        for each in (connection, second_connection):
            await each.execute("SET idle_in_transaction_session_timeout = '20ms'")
        async with open_snapshot(connection, second_connection):
            # The database works for the one while the other is idle.
            await second_connection.execute("SELECT pg_sleep(0.5)")
            await connection.execute("SELECT pg_sleep(0.5)")
            await second_connection.execute("SELECT 1")
        cursor = await connection.execute("SHOW idle_in_transaction_session_timeout")
        assert await cursor.fetchone() == ("20ms",)


async def test_verify_with_a_helper_reads_the_same_snapshot(verified: Connection, database_url: str) -> None:
    async with connect(database_url, INGEST) as second_connection:
        months = {
            month: found async for month, found in verify(verified, full=True, second_connection=second_connection)
        }
        assert list(months) == EVERYTHING
        assert not any(months.values())
        await verified.execute("DELETE FROM prices WHERE ctid = '(0,1)'")
        months = {month: found async for month, found in verify(verified, second_connection=second_connection)}
        assert any(months.values())
