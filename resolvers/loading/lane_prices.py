"""Single prices of lanes: from the table, and from the files of archived months.

Archiving moves prices from one to the other at any time. So the list of files is read before and after the table: if it has not
changed, the two belong together.
"""

from collections.abc import Awaitable, Callable, Sequence

from db.connection import Connection
from db.pool import Pool
from db.replicas.router import Reads
from db.repositories import locations, prices
from domain.archive import ArchivedFile
from domain.prices import DateRange, PackedPrices
from resolvers.errors import RequestError
from resolvers.loading.day_totals import LaneDays
from telemetry.spans import traced

ReadArchive = Callable[[Sequence[ArchivedFile], Sequence[int], Sequence[int], DateRange], Awaitable[PackedPrices]]
"""Reads the prices between origins and destinations within the days from archived files.

It raises RequestError (ARCHIVE_FILE_MISSING, ARCHIVE_FILE_CHANGED, ARCHIVE_UNREACHABLE).
"""
Request = tuple[Sequence[int], Sequence[int], DateRange]
"""IDs of the origin ports and of the destination ports of a lane, and its days."""


@traced
async def load_lane_prices(
    reads: Reads, primary: Pool, read_archive: ReadArchive, keys: list[LaneDays]
) -> Sequence[PackedPrices]:
    """Return the prices of each lane that are valid within its range of days.

    Raise RequestError if an archived file cannot be read.
    """
    span = DateRange(min(days.first for _, days in keys), max(days.last for _, days in keys))
    while True:
        stored, files, requests = await reads.read(lambda connection: _read_stored(connection, keys, span))
        if not files:
            return stored
        try:
            archived = [await read_archive(files, *request) for request in requests]
        except RequestError:
            # The deletion of old months may have removed a file in the meantime. A replica may not know that yet.
            if await primary.read(lambda connection: prices.list_archived_files(connection, span)) == files:
                raise
            reads = primary
            continue
        return [_join(*parts) for parts in zip(stored, archived, strict=True)]


async def _read_stored(
    connection: Connection, keys: list[LaneDays], span: DateRange
) -> tuple[list[PackedPrices], list[ArchivedFile], list[Request]]:
    """Return the prices in the table, the files of the same moment, and the requests."""
    # The ports are read before, because Citus sends no statement that contains a recursion to the shards.
    ports = await locations.list_port_ids(connection, {end for lane, _ in keys for end in lane})
    requests: list[Request] = [
        (ports.get(lane.origin, []), ports.get(lane.destination, []), days) for lane, days in keys
    ]
    files = await prices.list_archived_files(connection, span)
    while True:
        stored = await prices.pack_lane_prices(connection, requests)
        files_before, files = files, await prices.list_archived_files(connection, span)
        if files == files_before:
            return stored, files, requests


def _join(first: PackedPrices, second: PackedPrices) -> PackedPrices:
    return PackedPrices(*(a + b for a, b in zip(first, second, strict=True)))
