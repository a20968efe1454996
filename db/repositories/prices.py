"""Observations: bulk append, bulk reads for statistics, and the files of archived months."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from psycopg.rows import args_row, class_row

from db.connection import Connection, copy_in, copy_out
from db.pipeline import execute_whole_pipeline, format_integers
from db.sql import load_sections
from domain.archive import ArchivedFile
from domain.locations import Lane
from domain.prices import DateRange, PackedPrices

SQL = load_sections("prices")

MAX_VALIDITY_DAYS = 3_660
"""Maximum validity of one item.

It bounds how far before a range the lane index must be read.
"""


@dataclass(frozen=True, slots=True)
class OldMonth:
    """Number of observations in the table whose last day lies in a month."""

    month: date
    row_count: int


async def copy_prices(connection: Connection, chunks: AsyncIterable[bytes]) -> None:
    """Append observations from binary COPY data. Call `lock_tree_shared` first."""
    await copy_in(connection, SQL["copy_prices"], chunks)


def copy_out_batch(connection: Connection, batch_id: int) -> AsyncGenerator[bytes]:
    """Yield the observations of a batch as CSV lines.

    The columns are origin, destination, first day, last day and US cents. Days count from 1970-01-01. Close the generator
    with `aclosing`: until then the connection is busy.
    """
    return copy_out(connection, SQL["copy_out_batch"], {"batch_id": batch_id})


async def delete_batch_prices(connection: Connection, batch_id: int) -> int:
    """Delete the observations of a batch and return their number."""
    return (await connection.execute(SQL["delete_batch_prices"], {"batch_id": batch_id})).rowcount


async def pack_lane_prices(
    connection: Connection, requests: Sequence[tuple[Sequence[int], Sequence[int], DateRange]]
) -> list[PackedPrices]:
    """Return for each request the observations that are valid on a day of its range.

    A request names the IDs of the origin ports and of the destination ports, and the days. All requests share one round trip.
    """
    parameters = [
        (
            format_integers(origins),
            format_integers(destinations),
            str(days.first),
            str(days.last),
            str(MAX_VALIDITY_DAYS),
        )
        for origins, destinations, days in requests
    ]
    return await execute_whole_pipeline(connection, SQL["pack_lane_prices"], parameters, _packed)


def _packed(_number: int, rows: list[tuple[bytes | None, ...]]) -> PackedPrices:
    return PackedPrices(*(column or b"" for column in rows[0]))


async def try_lock_archiving(connection: Connection) -> bool:
    """Lock the archive against a second command; return whether this succeeded.

    The lock lasts until the connection closes.
    """
    ((is_locked,),) = await (await connection.execute(SQL["try_lock_archiving"])).fetchall()
    return bool(is_locked)


async def lock_archive_shared(connection: Connection) -> None:
    """Lock the archive against changes until the transaction ends.

    Lock the tree before, if at all.
    """
    await connection.execute(SQL["lock_archive_shared"])


async def lock_archive_exclusive(connection: Connection) -> None:
    """Lock the archive for a change until the transaction ends. Lock the tree before, if at all."""
    await connection.execute(SQL["lock_archive_exclusive"])


async def lock_archive_session(connection: Connection) -> None:
    """Lock the archive for a change until `unlock_archive_session` or the session ends."""
    await connection.execute(SQL["lock_archive_session"])


async def unlock_archive_session(connection: Connection) -> None:
    """Release the lock of `lock_archive_session`."""
    await connection.execute(SQL["unlock_archive_session"])


async def set_snapshot_isolation(connection: Connection) -> None:
    """Make all statements of a transaction see one moment. Call it first in the transaction."""
    await connection.execute(SQL["set_snapshot_isolation"])


async def disable_idle_timeout(connection: Connection) -> None:
    """Let the transaction be idle without a limit."""
    await connection.execute(SQL["disable_idle_timeout"])


async def count_old_prices(connection: Connection, before: date) -> list[OldMonth]:
    """Return the months with observations whose last day is before a day, in order."""
    async with connection.cursor(row_factory=args_row(OldMonth)) as cursor:
        await cursor.execute(SQL["count_old_prices"], {"before": before})
        return await cursor.fetchall()


def copy_out_month(connection: Connection, month: date) -> AsyncGenerator[bytes]:
    """Yield the observations whose last day lies in the month as CSV lines, by lane.

    The columns are those of `ingest.archive.files.CSV_COLUMNS`. Close the generator with `aclosing`: until then the connection
    is busy.
    """
    return copy_out(connection, SQL["copy_out_month"], {"month": month})


async def delete_month_prices(connection: Connection, month: date) -> int:
    """Delete the observations whose last day lies in the month; return their number."""
    return (await connection.execute(SQL["delete_month_prices"], {"month": month})).rowcount


async def insert_archived_file(connection: Connection, file: ArchivedFile) -> None:
    """Record a file with observations."""
    parameters = {name: getattr(file, name) for name in ArchivedFile.__slots__ if name not in {"id", "reverted"}}
    await connection.execute(SQL["insert_archived_file"], parameters)


async def list_archived_files(
    connection: Connection, days: DateRange | None = None, *, batch_id: int | None = None
) -> list[ArchivedFile]:
    """Return the files with observations within the days, or that may have some of the batch."""
    parameters = {"first": days and days.first, "last": days and days.last, "batch_id": batch_id}
    async with connection.cursor(row_factory=class_row(ArchivedFile)) as cursor:
        await cursor.execute(SQL["list_archived_files"], parameters)
        return await cursor.fetchall()


async def delete_archived_file(connection: Connection, file_id: int) -> bool:
    """Remove a file from the list; return whether it was listed."""
    return await (await connection.execute(SQL["delete_archived_file"], {"file_id": file_id})).fetchone() is not None


async def add_archived_lanes(connection: Connection, lanes: Sequence[tuple[Lane, int]]) -> None:
    """Add numbers of archived observations, which may be negative, to those of lanes."""
    parameters = {
        "origins": [lane.origin for lane, _ in lanes],
        "destinations": [lane.destination for lane, _ in lanes],
        "counts": [count for _, count in lanes],
    }
    await connection.execute(SQL["add_archived_lanes"], parameters)


async def list_archived_lanes(connection: Connection, origins: Sequence[int]) -> list[Lane]:
    """Return the port-to-port lanes from the origins with archived observations, ordered by IDs."""
    async with connection.cursor(row_factory=args_row(Lane)) as cursor:
        await cursor.execute(SQL["list_archived_lanes"], {"origins": list(origins)})
        return await cursor.fetchall()


async def insert_tombstone(connection: Connection, batch_id: int) -> None:
    """Mark the archived observations of a batch as reverted."""
    await connection.execute(SQL["insert_tombstone"], {"batch_id": batch_id})


async def create_archived_days(connection: Connection) -> None:
    """Create the transaction's temporary table of archived sums by day."""
    await connection.execute(SQL["create_archived_days"])


async def copy_archived_days(connection: Connection, chunks: Iterable[bytes]) -> None:
    """Append sums of lanes by day, as CSV lines."""
    await copy_in(connection, SQL["copy_archived_days"], chunks)


async def analyze_archived_days(connection: Connection) -> None:
    """Update the planner statistics of the archived sums."""
    await connection.execute(SQL["analyze_archived_days"])


async def add_archived_days(connection: Connection) -> None:
    """Add the archived sums to the temporary table `day_sums`, for every pair of locations."""
    await connection.execute(SQL["add_archived_days"])


async def merge_day_sums(connection: Connection) -> None:
    """Merge the rows of `day_sums` of each pair of locations and day."""
    await connection.execute(SQL["merge_day_sums"])
