"""Verification of what has changed since the last one, and of everything."""

import asyncio
from datetime import date
from decimal import Decimal
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
from ingest.verify import verify
from tests.support.waiting import DEADLINE_SECONDS
from tests.support.worlds import Item, World, apply_frame, frame_of

pytestmark = pytest.mark.anyio

WORLD = World({"top": None, "low": "top", "AAAAA": "low", "BBBBB": "top"}, {"AAAAA", "BBBBB"})
JANUARY, FEBRUARY, MARCH = (date(2024, month, 1) for month in (1, 2, 3))
ITEMS = [
    Item("AAAAA", "BBBBB", date(2024, 1, 30), date(2024, 2, 2), Decimal("10.01")),
    Item("BBBBB", "AAAAA", date(2024, 1, 5), date(2024, 1, 6), Decimal(20)),
    Item("AAAAA", "AAAAA", date(2024, 3, 5), date(2024, 3, 5), Decimal(30)),
]
EVERYTHING = [JANUARY, FEBRUARY, MARCH]


async def archive(database_url: str, folder: Path) -> None:
    """Archive January and February, on a connection whose end releases the lock of the command."""
    async with connect(database_url, INGEST) as connection:
        async for _ in archive_prices(connection, MARCH, folder.as_uri()):
            pass


async def delete_january(database_url: str) -> list[ArchivedFile]:
    """Delete the archived file of January."""
    async with connect(database_url, INGEST) as connection:
        return [file async for file in delete_expired(connection, FEBRUARY)]


async def check(connection: Connection, *, full: bool = False, repair: bool = False) -> dict[date, int]:
    """Return the number of differences of each month that was checked."""
    return {month: len(found) async for month, found in verify(connection, full=full, repair=repair)}


@pytest.fixture
async def verified(connection: Connection) -> Connection:
    """A database whose three months are verified."""
    # The database holds sums and counts by day, as it does until it is contracted.
    await connection.execute("ALTER TABLE price_totals ALTER price_sums SET NOT NULL")
    await change_tree(connection, WORLD.entries())
    for item in ITEMS * 2:
        await apply_frame(connection, frame_of([item]))
    assert await check(connection) == dict.fromkeys(EVERYTHING, 0)
    assert await check(connection) == {}
    return connection


DAMAGE = {
    "a sum": "UPDATE price_totals SET price_sums[1] = price_sums[1] # 1 WHERE ctid = '(0,1)'",
    "the highest bit of a sum": f"UPDATE price_totals SET price_sums[1] = price_sums[1] # {-(2**63)} WHERE ctid = '(0,1)'",
    "a count": "UPDATE price_totals SET price_counts[1] = price_counts[1] # 1024 WHERE ctid = '(0,1)'",
    "the first day": "UPDATE price_totals SET first_day = first_day + 1 WHERE ctid = '(0,1)'",
    "a distant first day": "UPDATE price_totals SET first_day = first_day + 1073741824 WHERE ctid = '(0,1)'",
    "the month": "UPDATE price_totals SET month = month + 64 WHERE ctid = '(0,1)'",
    "a low bit of the month": "UPDATE price_totals SET month = month + 1 WHERE ctid = '(0,1)'",
    "the origin": "UPDATE price_totals SET origin = origin # 4096 WHERE ctid = '(0,1)'",
    "the destination": "UPDATE price_totals SET destination = destination # 1 WHERE ctid = '(0,1)'",
    "an array with NULL": "UPDATE price_totals SET price_sums[1] = NULL WHERE ctid = '(0,1)'",
    "neither arrays nor changes": "ALTER TABLE price_totals ALTER price_sums DROP NOT NULL, ALTER price_counts DROP NOT NULL;"
    " UPDATE price_totals SET price_sums = NULL, price_counts = NULL WHERE ctid = '(0,1)'",
    "an empty array": "UPDATE price_totals SET price_sums = '{}' WHERE ctid = '(0,1)'",
    "arrays of two lengths": "UPDATE price_totals SET price_sums = price_sums || 5::bigint WHERE ctid = '(0,1)'",
    "a missing row": "DELETE FROM price_totals WHERE ctid = '(0,1)'",
    "a missing month": "DELETE FROM price_totals WHERE month = '2024-02-01'",
    "a double row": "INSERT INTO price_totals SELECT * FROM price_totals WHERE ctid = '(0,1)'",
    "all totals": "DELETE FROM price_totals",
    "a day of a sketch": "UPDATE price_sketches SET sketch = set_byte(sketch, 2, get_byte(sketch, 2) # 32)"
    " WHERE ctid = '(0,1)'",
    "a bucket of a sketch": "UPDATE price_sketches SET sketch = set_bit(sketch, 40, 1 - get_bit(sketch, 40))"
    " WHERE ctid = '(0,1)'",
    "the last byte of a sketch": "UPDATE price_sketches SET sketch = set_byte(sketch, length(sketch) - 1,"
    " get_byte(sketch, length(sketch) - 1) # 1) WHERE ctid = '(0,1)'",
    "the flags of a sketch": "UPDATE price_sketches SET sketch = set_byte(sketch, 0, 255) WHERE ctid = '(0,1)'",
    "an empty sketch": "UPDATE price_sketches SET sketch = '' WHERE ctid = '(0,1)'",
    "an origin of sketches": "UPDATE price_sketches SET origin = origin # 4096 WHERE ctid = '(0,1)'",
    "a month of sketches": "UPDATE price_sketches SET month = '2024-03-01' WHERE ctid = '(0,1)'",
    "a low bit of a month of sketches": "UPDATE price_sketches SET month = month + 1 WHERE ctid = '(0,1)'",
    "a missing sketch": "DELETE FROM price_sketches WHERE ctid = '(0,1)'",
    "a double sketch": "INSERT INTO price_sketches SELECT * FROM price_sketches WHERE ctid = '(0,1)'",
    "all sketches": "DELETE FROM price_sketches",
    "a price": "UPDATE prices SET usd_cents = usd_cents # 1 WHERE ctid = '(0,1)'",
    "the highest bit of a price": f"UPDATE prices SET usd_cents = usd_cents # {-(2**63)} WHERE ctid = '(0,1)'",
    "an origin of prices": "UPDATE prices SET origin = origin # 4096 WHERE ctid = '(0,1)'",
    "a last day": "UPDATE prices SET last_day = last_day + 16 WHERE ctid = '(0,1)'",
    "a first day of prices": "UPDATE prices SET first_day = first_day + 1 WHERE ctid = '(0,1)'",
    "a distant first day of prices": "UPDATE prices SET first_day = first_day + 1073741824 WHERE ctid = '(0,1)'",
    "a missing price": "DELETE FROM prices WHERE ctid = '(0,1)'",
    "a double price": "INSERT INTO prices SELECT * FROM prices WHERE ctid = '(0,1)'",
}


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
@pytest.mark.parametrize("statement", DAMAGE.values(), ids=DAMAGE.keys())
async def test_verify_finds_damage_and_repair_removes_it(verified: Connection, statement: str, full: bool) -> None:
    await verified.execute(statement.encode())
    found = await check(verified, full=full)
    assert any(found.values()), found
    # A month with differences is never taken as verified.
    assert (await check(verified)).items() >= {month: count for month, count in found.items() if count}.items()
    assert any((await check(verified, repair=True)).values())
    assert not any((await check(verified)).values())
    assert not any((await check(verified, full=True)).values())
    cursor = await verified.execute(
        "SELECT month FROM price_totals UNION SELECT month FROM price_sketches ORDER BY month"
    )
    assert [month for (month,) in await cursor.fetchall()] == EVERYTHING


@pytest.mark.parametrize("name", ["the last byte of a sketch", "the flags of a sketch"])
async def test_verify_finds_damage_in_sketches_that_are_decoded_in_parts(
    verified: Connection, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(comparison, "MAX_SKETCH_BYTES", 1)
    assert not any((await check(verified, full=True)).values())
    await verified.execute(DAMAGE[name].encode())
    assert any((await check(verified, full=True)).values())
    assert any((await check(verified, repair=True)).values())
    assert not any((await check(verified, full=True)).values())


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
async def test_verify_finds_changes_that_begin_on_another_day_than_their_month(
    connection: Connection, full: bool
) -> None:
    await change_tree(connection, WORLD.entries())
    await apply_frame(connection, frame_of(ITEMS))
    assert not any((await check(connection)).values())
    cursor = await connection.execute(
        "UPDATE price_totals SET first_day = first_day + 1 WHERE packed_changes IS NOT NULL AND month = '2024-01-01'"
    )
    assert cursor.rowcount > 0
    assert any((await check(connection, full=full)).values())
    assert any((await check(connection, repair=True)).values())
    assert not any((await check(connection, full=True)).values())


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
@pytest.mark.parametrize("bit", [1, 32, 64, 1 << 22, 1 << 24, 1 << 62])
async def test_verify_finds_a_flipped_bit_of_changes(connection: Connection, bit: int, full: bool) -> None:
    await change_tree(connection, WORLD.entries())
    await apply_frame(connection, frame_of(ITEMS))
    assert not any((await check(connection)).values())
    cursor = await connection.execute(
        "UPDATE price_totals SET packed_changes[1] = packed_changes[1] # %s::bigint"
        " WHERE packed_changes IS NOT NULL AND month = '2024-01-01'",
        (bit,),
    )
    assert cursor.rowcount > 0
    assert any((await check(connection, full=full)).values())
    assert any((await check(connection, repair=True)).values())
    assert not any((await check(connection, full=True)).values())


@pytest.mark.parametrize("subject", ["price_totals", "price_sketches", "prices"])
async def test_verify_checks_a_month_whose_rows_have_another_checksum(verified: Connection, subject: str) -> None:
    """A bit that flips on the disk changes no transaction number."""
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
