"""Verification: rows as columns, checksums of rows, and the record of the last run.

The reading functions need a transaction with one snapshot (`prices.set_snapshot_isolation`). Days count from 1970-01-01.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from psycopg import AsyncClientCursor
from psycopg.rows import args_row
from psycopg.types.json import Jsonb

from db.connection import Connection
from db.sql import load_sections

SQL = load_sections("verifications")

XIDS = 1 << 32
"""Number of distinct transaction IDs in row headers. Full transaction IDs (xid8) have 64 bits."""


class Blocks(NamedTuple):
    """Range of blocks of a table, without the block `until`."""

    first: int
    until: int


class StorageState(NamedTuple):
    """Storage of the prices at a snapshot.

    Attributes:
        identity: Cluster, database, tables and major version to which transaction IDs and hashes belong.
        settled_xid: The oldest transaction in progress: all before it have ended.
        next_xid: The first transaction that had not begun.
        total_blocks: Size of the totals.
        price_blocks: Size of the observations.
        sketch_blocks: Size of the sketches, without their TOAST table.
    """

    identity: str
    settled_xid: int
    next_xid: int
    total_blocks: int
    price_blocks: int
    sketch_blocks: int


class PartChecksum(NamedTuple):
    """Checksum of some rows of a part of a table, which is a period and a range of origins.

    Attributes:
        is_verified: Whether the rows were settled before the last verification.
        is_settled: Whether they are settled before this one.
        checksum: Sum of the hashes of the rows.
    """

    period: int
    first_origin: int
    is_verified: bool
    is_settled: bool
    last_day: int
    row_count: int
    checksum: Decimal


class VerifiedPart(NamedTuple):
    """Rows and checksum of a part of a table at the last verification."""

    subject: str
    period: int
    first_origin: int
    row_count: int
    checksum: Decimal
    last_day: int


class PackedTotalRows(NamedTuple):
    """Rows of totals as columns in PostgreSQL's binary format."""

    origins: bytes
    destinations: bytes
    months: bytes
    first_days: bytes
    sum_lengths: bytes
    count_lengths: bytes
    change_lengths: bytes
    sums: bytes
    counts: bytes
    changes: bytes


class PackedSketchRows(NamedTuple):
    """Sketches as columns in PostgreSQL's binary format, their bytes one after the other."""

    origins: bytes
    destinations: bytes
    months: bytes
    lengths: bytes
    sketches: bytes


class PackedPriceRows(NamedTuple):
    """Observations as columns in PostgreSQL's binary format."""

    origins: bytes
    destinations: bytes
    first_days: bytes
    last_days: bytes
    usd_cents: bytes
    is_new: bytes


class Verification(NamedTuple):
    """Last verification; the columns are described in the migration."""

    ended_at: datetime
    storage: str
    settled_xid: int
    last_location: int
    tree_sha256: bytes
    month_count: int
    failed: list[date]
    files: list[list[int]]


async def describe_storage(connection: Connection) -> StorageState:
    """Return the state of the storage at the snapshot."""
    async with connection.cursor(row_factory=args_row(StorageState)) as cursor:
        await cursor.execute(SQL["describe_storage"])
        return (await cursor.fetchall())[0]


async def export_snapshot(connection: Connection) -> str:
    """Return the name under which other transactions can read this one's snapshot until it ends."""
    return str((await (await connection.execute(SQL["export_snapshot"])).fetchall())[0][0])


async def import_snapshot(connection: Connection, name: str) -> None:
    """Read the snapshot of another transaction. Call `set_snapshot_isolation` first."""
    async with AsyncClientCursor(connection) as cursor:
        await cursor.execute(SQL["import_snapshot"], {"name": name})


async def list_totals_checksums(
    connection: Connection, blocks: Blocks, width: int, *, before: int, settled: int
) -> list[PartChecksum]:
    """Return the checksums of the totals in some blocks, by month and range of `width` origins.

    They cover the rows settled before the transaction `before`, and those settled before `settled`.
    """
    return await _list_checksums(connection, SQL["list_totals_checksums"], blocks, width, before, settled)


async def list_prices_checksums(
    connection: Connection, blocks: Blocks, width: int, *, before: int, settled: int
) -> list[PartChecksum]:
    """Return the checksums of the observations in some blocks, as `list_totals_checksums` does."""
    return await _list_checksums(connection, SQL["list_prices_checksums"], blocks, width, before, settled)


async def list_sketches_checksums(
    connection: Connection, blocks: Blocks, width: int, *, before: int, settled: int
) -> list[PartChecksum]:
    """Return the checksums of the sketches in some blocks, as `list_totals_checksums` does."""
    return await _list_checksums(connection, SQL["list_sketches_checksums"], blocks, width, before, settled)


async def _list_checksums(
    connection: Connection, statement: bytes, blocks: Blocks, width: int, before: int, settled: int
) -> list[PartChecksum]:
    parameters = _range(blocks) | {"width": width, "before": _xid(before), "settled": _xid(settled)}
    async with connection.cursor(row_factory=args_row(PartChecksum)) as cursor:
        await cursor.execute(statement, parameters)
        return await cursor.fetchall()


async def pack_totals(
    connection: Connection, blocks: Blocks, width: int, *, before: int, parts: Sequence[tuple[int, int]] | None
) -> PackedTotalRows | None:
    """Return the totals in a range of blocks that must be checked, or None if there are none.

    They are the rows not settled before the transaction `before`, and all rows of the parts. A part is the first day of a month
    and the first of `width` origins. None stands for all parts.
    """
    parameters = _choose_parts(blocks, width, before, parts)
    columns = await _read_packed(connection, SQL["pack_totals"], parameters)
    return None if columns is None else PackedTotalRows(*columns)


async def pack_sketches(
    connection: Connection, blocks: Blocks, width: int, *, before: int, parts: Sequence[tuple[int, int]] | None
) -> PackedSketchRows | None:
    """Return the sketches in a range of blocks, chosen as by `pack_totals`, or None."""
    columns = await _read_packed(connection, SQL["pack_sketches"], _choose_parts(blocks, width, before, parts))
    return None if columns is None else PackedSketchRows(*columns)


def _choose_parts(
    blocks: Blocks, width: int, before: int, parts: Sequence[tuple[int, int]] | None
) -> dict[str, object]:
    return {
        **_range(blocks),
        "width": width,
        "before": _xid(before),
        "is_full": parts is None,
        "months": [month for month, _ in parts or ()],
        "first_origins": [first for _, first in parts or ()],
    }


async def pack_prices(
    connection: Connection, blocks: Blocks, *, before: int, days: tuple[int, int] | None
) -> PackedPriceRows | None:
    """Return the new observations in some blocks, and those valid on some days (None: all)."""
    first_day, last_day = days or (0, 0)
    parameters = {
        **_range(blocks),
        "before": _xid(before),
        "is_full": days is None,
        "first_day": first_day,
        "last_day": last_day,
    }
    columns = await _read_packed(connection, SQL["pack_prices"], parameters)
    return None if columns is None else PackedPriceRows(*columns)


async def _read_packed(
    connection: Connection, statement: bytes, parameters: dict[str, object]
) -> tuple[bytes, ...] | None:
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(statement, parameters)
        (columns,) = await cursor.fetchall()
        return None if columns[0] is None else columns


def _range(blocks: Blocks) -> dict[str, object]:
    return {"first": f"({blocks.first},0)", "until": f"({blocks.until},0)"}


def _xid(number: int) -> str:
    return str(number % XIDS)


async def find_verification(connection: Connection) -> Verification | None:
    """Return the last verification, or None."""
    async with connection.cursor(row_factory=args_row(Verification)) as cursor:
        await cursor.execute(SQL["find_verification"])
        return await cursor.fetchone()


async def list_verified_parts(connection: Connection) -> list[VerifiedPart]:
    """Return the parts that the last verification has found correct."""
    async with connection.cursor(row_factory=args_row(VerifiedPart)) as cursor:
        await cursor.execute(SQL["list_verified_parts"])
        return await cursor.fetchall()


async def lock_verifications(connection: Connection) -> None:
    """Lock out other commands that store a result until the transaction ends."""
    await connection.execute(SQL["lock_verifications"])


async def delete_verified_parts(connection: Connection) -> None:
    """Delete all checksums."""
    await connection.execute(SQL["delete_verified_parts"])


async def insert_verified_parts(connection: Connection, parts: Iterable[VerifiedPart]) -> None:
    """Record checksums."""
    names = ("subjects", "periods", "first_origins", "row_counts", "checksums", "last_days")
    columns = [list(column) for column in zip(*parts, strict=True)] or [[] for _ in names]
    await connection.execute(SQL["insert_verified_parts"], dict(zip(names, columns, strict=True)))


async def upsert_verification(
    connection: Connection,
    *,
    storage: str,
    settled_xid: int,
    last_location: int,
    tree_sha256: bytes,
    month_count: int,
    failed: Sequence[date],
    files: Sequence[Sequence[int]],
) -> None:
    """Record a verification in place of the last one."""
    parameters = {
        "storage": storage,
        "settled_xid": settled_xid,
        "month_count": month_count,
        "last_location": last_location,
        "tree_sha256": tree_sha256,
        "failed": list(failed),
        "files": Jsonb([list(file) for file in files]),
    }
    await connection.execute(SQL["upsert_verification"], parameters)
