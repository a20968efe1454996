"""Archiving: moves the observations of old months from the table to files.

A month is one transaction with one snapshot. The files are durable before the transaction records them and deletes their rows.
So a crash may leave an unreferenced file, but never loses an observation or counts it twice. The next run gives the same rows
the same name, and overwrites the file.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import date

import polars as pl

from db.administration.citus import find_citus
from db.connection import Connection
from db.errors import ConcurrentChange, driver_errors
from db.repositories import audit, locations, prices, versions
from db.repositories.audit import COMMAND, Action
from domain.archive import ArchivedFile
from domain.locations import Lane
from ingest.archive.files import describe_file, encode_file, parse_rows
from ingest.archive.reader import count_lanes
from ingest.archive.storage import Storage, open_storage, split_url
from ingest.errors import ArchiveError

MAX_FILE_ROWS = 1_000_000
"""Observations of a file: 10 MB or less, and 100 MB of memory while it is written."""
PARSED_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class ArchivedMonth:
    """Observations of one month that were archived, or would be."""

    month: date
    row_count: int
    byte_count: int
    file_count: int


@dataclass(frozen=True, slots=True)
class _WrittenFile:
    file: ArchivedFile
    lanes: list[tuple[Lane, int]]


async def archive_prices(
    connection: Connection,
    before: date,
    url: str,
    *,
    dry_run: bool = False,
    report: Callable[[date, float], None] = lambda _month, _fraction: None,
) -> AsyncGenerator[ArchivedMonth]:
    """Archive all observations whose last day is before a day; yield each committed month.

    A dry run encodes the files and writes nothing. `report` receives the current month and the fraction of all rows so far.
    Raise ArchiveError (INVALID_ARCHIVE_URL, ARCHIVE_RUNNING, ARCHIVE_UNREACHABLE, NO_ROOM).
    """
    storage = await asyncio.to_thread(open_storage, url)
    await require_lock(connection)
    months = await prices.count_old_prices(connection, before)
    total, done = sum(month.row_count for month in months), 0
    for old in months:

        def on_rows(rows: int, month: date = old.month, before: int = done) -> None:
            report(month, (before + rows) / total)

        archived = await _archive_month(connection, old.month, storage, url, on_rows, dry_run=dry_run)
        done += old.row_count
        if archived is not None:
            yield archived


async def require_lock(connection: Connection) -> None:
    """Lock the archive against other commands until the connection closes.

    Raise ArchiveError (ARCHIVE_RUNNING).
    """
    if not await prices.try_lock_archiving(connection):
        raise ArchiveError("ARCHIVE_RUNNING", "another `ratesgraph archive` is running; wait until it has ended")


async def _archive_month(
    connection: Connection,
    month: date,
    storage: Storage,
    url: str,
    on_rows: Callable[[int], None],
    *,
    dry_run: bool,
) -> ArchivedMonth | None:
    """Archive the observations whose last day lies in the month; return None if there are none."""
    files: list[_WrittenFile] = []
    try:
        await _move_month(connection, month, storage, url, files, on_rows, dry_run=dry_run)
    except ConcurrentChange:
        # A batch was reverted in the meantime: its rows must not be archived. The transaction was rolled back, so nothing
        # refers to the files. Other reverts wait for the second attempt; those in a cluster wait for the lock of the tree.
        await _discard(files)
        files.clear()
        waits = nullcontext() if await find_citus(connection) else _reverts_waiting(connection)
        async with waits:
            await _move_month(connection, month, storage, url, files, on_rows, dry_run=dry_run)
    if not files:
        return None
    entries = [each.file for each in files]
    return ArchivedMonth(
        month, sum(entry.row_count for entry in entries), sum(entry.byte_count for entry in entries), len(entries)
    )


@asynccontextmanager
async def _reverts_waiting(connection: Connection) -> AsyncIterator[None]:
    await prices.lock_archive_session(connection)
    try:
        yield
    finally:
        await prices.unlock_archive_session(connection)


async def _move_month(
    connection: Connection,
    month: date,
    storage: Storage,
    url: str,
    files: list[_WrittenFile],
    on_rows: Callable[[int], None],
    *,
    dry_run: bool,
) -> None:
    """Write the files of the month, add them to `files`, and delete their rows.

    Raise ConcurrentChange if other work deletes some of the rows.
    """
    with driver_errors():
        is_cluster = await find_citus(connection) is not None
        async with connection.transaction(force_rollback=dry_run):
            if is_cluster and not dry_run:
                # A cluster has no snapshot over its nodes: uploads and reverts wait until the month has moved. A snapshot of
                # the coordinator would be older than the lock, if it has to be waited for.
                await locations.lock_tree_exclusive(connection)
            else:
                await prices.set_snapshot_isolation(connection)
            async with aclosing(_write_files(connection, month, None if dry_run else storage, url)) as written:
                async for file in written:
                    files.append(file)
                    on_rows(sum(each.file.row_count for each in files))
            if files and not dry_run:
                await _replace_rows(connection, month, files, url)
        if is_cluster and files and not dry_run:
            # Between the commits of the nodes, prices may have counted twice. Responses of that moment must leave the caches.
            await versions.announce_change(connection, f"archive {month}")


async def _write_files(
    connection: Connection, month: date, storage: Storage | None, url: str
) -> AsyncGenerator[_WrittenFile]:
    """Yield the files of the month when they are durable; without a storage, encode them only."""
    frames, count = list[pl.DataFrame](), 0

    async with aclosing(_read_rows(connection, month)) as parts:
        async for part in parts:
            frames.append(part)
            count += len(part)
            while count >= MAX_FILE_ROWS:
                rows = pl.concat(frames)
                yield await asyncio.to_thread(_write_file, month, rows.head(MAX_FILE_ROWS), storage, url)
                frames, count = [rows.slice(MAX_FILE_ROWS)], count - MAX_FILE_ROWS
    if count:
        yield await asyncio.to_thread(_write_file, month, pl.concat(frames), storage, url)


async def _read_rows(connection: Connection, month: date) -> AsyncGenerator[pl.DataFrame]:
    rest = bytearray()
    async with aclosing(prices.copy_out_month(connection, month)) as chunks:
        async for chunk in chunks:
            rest += chunk
            if len(rest) > PARSED_BYTES:
                yield await asyncio.to_thread(parse_rows, bytes(rest))
                rest.clear()
    if rest:
        yield await asyncio.to_thread(parse_rows, bytes(rest))


def _write_file(month: date, rows: pl.DataFrame, storage: Storage | None, url: str) -> _WrittenFile:
    data = encode_file(rows)
    file = describe_file(url, month, rows, data)
    if storage is not None:
        storage.write(file.name, data)
    return _WrittenFile(file, count_lanes(rows))


async def _replace_rows(connection: Connection, month: date, files: list[_WrittenFile], url: str) -> None:
    """Record the files and delete their rows, in the transaction that has read them.

    Raise ConcurrentChange if their number is not that of the files.
    """
    # The lock keeps reverts and verifications from reading the rows in both places, or in neither.
    await prices.lock_archive_exclusive(connection)
    for written in files:
        await prices.insert_archived_file(connection, written.file)
        await prices.add_archived_lanes(connection, written.lanes)
    count = sum(written.file.row_count for written in files)
    deleted = await prices.delete_month_prices(connection, month)
    if deleted != count:
        raise ConcurrentChange
    detail = f"{month:%Y-%m}: {count:,} prices moved to {url}"
    await audit.insert_entry(connection, COMMAND, Action.ARCHIVE, detail=detail)


async def _discard(files: list[_WrittenFile]) -> None:
    """Delete unreferenced files. If this fails, they only occupy space."""
    for written in files:
        storage, name = split_url(written.file.url)
        with suppress(ArchiveError):
            await asyncio.to_thread(storage.delete, name)
