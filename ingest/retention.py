"""Retention: permanently deletes archived months, and subtracts them from the averages."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

from db.connection import Connection
from db.repositories import audit, locations, prices, sketches, totals, versions
from db.repositories.audit import COMMAND, Action
from domain.archive import ArchivedFile
from ingest.archive.reader import count_lanes, read_lane_days
from ingest.archive.storage import split_url
from ingest.archive.write import require_lock
from ingest.batches.copy_encoding import encode_negated_totals
from ingest.errors import ArchiveError
from ingest.observations.copy_stream import copy_stream
from ingest.observations.lane_days import to_lane_days
from ingest.sketches.build import sketches_by_month
from ingest.sketches.copy_encoding import append_sketches


async def list_expired(connection: Connection, before: date) -> list[ArchivedFile]:
    """Return the files whose observations all ended before the month of a day, by month."""
    files = [file for file in await prices.list_archived_files(connection) if file.month < before.replace(day=1)]
    return sorted(files, key=lambda file: file.month)


async def delete_expired(connection: Connection, before: date) -> AsyncIterator[ArchivedFile]:
    """Delete the files of all months before that of a day; yield each when it is gone.

    Each file is one transaction, which subtracts its observations from the totals and appends an audit entry. A crash after it
    leaves an unreferenced file. Raise ArchiveError (ARCHIVE_RUNNING, ARCHIVE_FILE_MISSING, ARCHIVE_FILE_CHANGED,
    ARCHIVE_UNREACHABLE).
    """
    await require_lock(connection)
    for listed in await list_expired(connection, before):
        async with connection.transaction():
            await locations.lock_tree_shared(connection)
            await sketches.declare_sketch_maintenance(connection)
            await prices.lock_archive_exclusive(connection)
            # A batch in it may have been reverted since.
            file = next(each for each in await prices.list_archived_files(connection) if each.id == listed.id)
            await _subtract(connection, file)
            await prices.delete_archived_file(connection, file.id)
            await versions.announce_change(connection, f"archive {file.month}")
            detail = f"{file.month:%Y-%m}: {file.row_count:,} prices in {file.url}"
            await audit.insert_entry(connection, COMMAND, Action.DELETE_ARCHIVE, detail=detail)
        await asyncio.to_thread(_delete_file, file)
        yield file


def _delete_file(file: ArchivedFile) -> None:
    """Delete a file that the database no longer lists.

    Raise ArchiveError if this fails. No later run finds the file, so the operator must delete it.
    """
    storage, name = split_url(file.url)
    try:
        storage.delete(name)
    except ArchiveError as error:
        message = f"{error.message}. The prices of {file.url} have been deleted from the database: delete the file too"
        raise ArchiveError(error.code, message, file=file.name) from error


async def _subtract(connection: Connection, file: ArchivedFile) -> None:
    """Subtract the file's observations from totals, sketches and numbers of lanes."""
    tree = await locations.list_locations(connection)
    observations = await asyncio.to_thread(read_lane_days, file)
    if not len(observations):
        return
    columns, as_changes = to_lane_days(observations), await totals.can_store_changes(connection)
    rows = encode_negated_totals(columns, tree, as_changes=as_changes)
    await totals.copy_totals(connection, copy_stream(rows))
    await append_sketches(connection, sketches_by_month(columns, tree, sign=-1))
    lanes = await asyncio.to_thread(count_lanes, observations)
    await prices.add_archived_lanes(connection, [(lane, -count) for lane, count in lanes])
