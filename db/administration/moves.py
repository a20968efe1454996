"""The change of the region tree that is under way in steps, and what it has recorded."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from psycopg import DataError
from psycopg.rows import args_row

from db.connection import Connection
from db.errors import TotalsDamaged
from db.repositories.audit import Action
from db.sql import load_sections
from domain.prices import MAX_CHANGES

SQL = load_sections("moves")


class PendingChange(NamedTuple):
    """Change under way: the locations that get another parent, and their new parents.

    A parent of None stands for a root. New locations have negative IDs until the change commits.
    """

    id: int
    location_ids: list[int]
    parent_ids: list[int | None]


class RecordKind(StrEnum):
    """Kind of derived data that a recorded difference belongs to."""

    TOTALS = "totals"
    SKETCHES = "sketches"


class MovedRecord(NamedTuple):
    """Record of differences; `number` orders the records."""

    number: int
    content: bytes


class MovedLanes(NamedTuple):
    """Size of the totals of the lanes that a tree change moves, and their number of parts.

    `last_part` is the number of the last part; parts are numbered from 0.
    """

    row_count: int
    first_month: date | None
    last_month: date | None
    last_part: int | None


class PackedTotals(NamedTuple):
    """Totals of one month as columns in PostgreSQL's binary format.

    Rows with changes have columns of their own. Arrays of sums and counts have 31 elements, one per day. Arrays of changes have
    MAX_CHANGES, of which the last ones may be 0.
    """

    origins: bytes
    destinations: bytes
    price_sums: bytes
    price_counts: bytes
    changed_origins: bytes
    changed_destinations: bytes
    changes: bytes


async def lock_tree_change(connection: Connection) -> None:
    """Lock out other changes of the tree until the transaction ends, after the one under way."""
    await connection.execute(SQL["lock_tree_change"])


async def try_lock_tree_change(connection: Connection) -> bool:
    """Try to take the lock of `lock_tree_change` without waiting; return whether it was taken."""
    row = await (await connection.execute(SQL["try_lock_tree_change"])).fetchone()
    return row is not None and bool(row[0])


async def lock_tree_change_session(connection: Connection) -> None:
    """Lock out other changes of the tree until `unlock_tree_change_session`.

    Wait for a change under way first. The lock belongs to the session, so the connection must not pass a pooler that lends its
    sessions.
    """
    await connection.execute(SQL["lock_tree_change_session"])


async def unlock_tree_change_session(connection: Connection) -> None:
    """Release the lock of `lock_tree_change_session`."""
    await connection.execute(SQL["unlock_tree_change_session"])


async def disable_lock_timeout(connection: Connection) -> None:
    """Let this transaction wait for locks without a limit."""
    await connection.execute(SQL["disable_lock_timeout"])


async def insert_tree_change(
    connection: Connection, location_ids: Sequence[int], parent_ids: Sequence[int | None]
) -> int:
    """Begin a change and return its ID.

    Call `lock_tree_exclusive` and `clear_tree_change` first.
    """
    cursor = await connection.execute(
        SQL["insert_tree_change"], {"location_ids": list(location_ids), "parent_ids": list(parent_ids)}
    )
    return int((await cursor.fetchall())[0][0])


async def find_tree_change(connection: Connection) -> PendingChange | None:
    """Return the change under way, or None. Call `lock_tree_shared` first, so that it stays."""
    async with connection.cursor(row_factory=args_row(PendingChange)) as cursor:
        await cursor.execute(SQL["find_tree_change"])
        return await cursor.fetchone()


async def delete_tree_change(connection: Connection, change_id: int) -> bool:
    """End a change, and return whether it was still under way."""
    return (await connection.execute(SQL["delete_tree_change"], {"id": change_id})).rowcount > 0


async def clear_tree_change(connection: Connection) -> None:
    """Delete the change under way with everything that it has recorded."""
    await connection.execute(SQL["clear_tree_change"])


async def has_tree_change(connection: Connection) -> bool:
    """Return whether a change is under way, or has left records behind."""
    row = await (await connection.execute(SQL["has_tree_change"])).fetchone()
    return row is not None and bool(row[0])


async def insert_moved_month(connection: Connection, month: date) -> None:
    """Mark a month as read in the snapshot of this transaction."""
    await connection.execute(SQL["insert_moved_month"], {"month": month})


async def delete_moved_months(connection: Connection, months: Sequence[date]) -> None:
    """Mark months as not read, so that their records no longer count."""
    await connection.execute(SQL["delete_moved_months"], {"months": list(months)})


async def insert_moved_record(connection: Connection, kind: RecordKind, month: date, content: bytes) -> None:
    """Record differences of a month."""
    await connection.execute(SQL["insert_moved_record"], {"kind": kind, "month": month, "content": content})


async def insert_moved_batch(connection: Connection, batch_id: int) -> None:
    """Record that this transaction has recorded the part of a batch.

    Call it before the batch is marked as applied or reverted.
    """
    await connection.execute(SQL["insert_moved_batch"], {"batch_id": batch_id})


async def get_snapshot(connection: Connection) -> str:
    """Return the snapshot of this statement, for `list_moved_records`."""
    return str((await (await connection.execute(SQL["get_snapshot"])).fetchall())[0][0])


async def list_recorded_months(connection: Connection) -> list[date]:
    """Return the months with recorded differences, in order."""
    cursor = await connection.execute(SQL["list_recorded_months"])
    return [month for (month,) in await cursor.fetchall()]


async def list_moved_records(
    connection: Connection, kind: RecordKind, month: date, *, snapshot: str, is_visible: bool, after: int, limit: int
) -> list[MovedRecord]:
    """Return up to `limit` recorded differences of the month and kind, after a number.

    Only those that count are returned: the ones that the snapshot contains or, with `is_visible` false, the others.
    """
    parameters = {
        "kind": kind,
        "month": month,
        "snapshot": snapshot,
        "is_visible": is_visible,
        "after": after,
        "limit": limit,
    }
    async with connection.cursor(binary=True, row_factory=args_row(MovedRecord)) as cursor:
        await cursor.execute(SQL["list_moved_records"], parameters)
        return await cursor.fetchall()


async def list_stale_months(connection: Connection) -> list[date]:
    """Return the months that a batch changed without a record after they were read, in order."""
    cursor = await connection.execute(SQL["list_stale_months"])
    return [month for (month,) in await cursor.fetchall()]


async def has_deleted_archive(connection: Connection) -> bool:
    """Return whether archived months have been deleted since the change began."""
    row = await (await connection.execute(SQL["has_deleted_archive"], {"action": Action.DELETE_ARCHIVE})).fetchone()
    return row is not None and bool(row[0])


async def store_moved_lanes(
    connection: Connection, moved: Sequence[int], *, part_lanes: int, first: date = date.min, last: date = date.max
) -> None:
    """Store the lanes that have totals in a range of months and a moved port at an end.

    They are numbered in parts of `part_lanes` lanes. A part whose lanes have many rows has fewer lanes.
    """
    await connection.execute(
        SQL["store_moved_lanes"], {"moved": list(moved), "part_lanes": part_lanes, "first": first, "last": last}
    )


async def analyze_moved_lanes(connection: Connection) -> None:
    """Update the planner statistics of the moved lanes."""
    await connection.execute(SQL["analyze_moved_lanes"])


async def measure_moved_lanes(connection: Connection) -> MovedLanes:
    """Return the size of the moved lanes' totals."""
    async with connection.cursor(row_factory=args_row(MovedLanes)) as cursor:
        await cursor.execute(SQL["measure_moved_lanes"])
        (measured,) = await cursor.fetchall()
        return measured


async def read_moved_month(connection: Connection, month: date, part: int) -> PackedTotals | None:
    """Return the totals of one part of the moved lanes in one month, or None if there are none.

    Raise TotalsDamaged.
    """
    async with connection.cursor(binary=True) as cursor:
        try:
            await cursor.execute(SQL["read_moved_month"], {"month": month, "part": part, "max_changes": MAX_CHANGES})
        except DataError as error:
            raise TotalsDamaged from error
        (columns,) = await cursor.fetchall()
        return PackedTotals(*(column or b"" for column in columns)) if any(columns) else None


async def drop_moved_lanes(connection: Connection) -> None:
    """Drop the moved lanes before the end of the transaction."""
    await connection.execute(SQL["drop_moved_lanes"])
