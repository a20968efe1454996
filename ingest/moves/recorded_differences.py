"""Last part of a tree change: appends the recorded differences to totals and sketches."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import date
from typing import NamedTuple

import numpy as np

from db.administration import moves
from db.administration.moves import RecordKind
from db.connection import Connection
from db.repositories import totals
from db.sketches.arrays import Int64
from domain.intervals import month_number
from ingest.batches.aggregation import MonthTotals, sum_totals
from ingest.batches.copy_encoding import encode_totals
from ingest.batches.move_records.encoding import SignedSketch, decode_sketches, decode_totals
from ingest.observations.copy_stream import copy_stream
from ingest.sketches.copy_encoding import append_sketches
from ingest.sketches.move import sum_by_pair

MAX_SUMMED_CHANGES = 2_000_000
"""Changes of totals that are summed at once: 80 MB. Further ones become separate rows of the same keys."""
MAX_SUMMED_BYTES = 64 << 20
"""Bytes of sketches that are summed at once."""
RECORDS_PER_READ = 20
"""Records of one round trip; each has up to 50,000 changes of totals, or some megabytes of sketches."""


class SnapshotPart(NamedTuple):
    """Part of the records: those whose transactions are visible in a snapshot, or all others."""

    snapshot: str
    is_visible: bool


async def append_differences(
    connection: Connection,
    new_ids: Mapping[int, int],
    part: SnapshotPart,
    report: Callable[[float], None] = lambda _fraction: None,
) -> None:
    """Append a part of the recorded differences to the totals and sketches.

    `new_ids` maps the negative IDs of new locations to their stored IDs. `report` receives the fraction after the totals and
    after the sketches of each month.
    """
    months = await moves.list_recorded_months(connection)
    for number, month in enumerate(months):
        await _append_totals(connection, month, new_ids, part)
        report((number + 0.5) / len(months))
        await _append_sketches(connection, month, new_ids, part)
        report((number + 1) / len(months))


async def _append_totals(connection: Connection, month: date, new_ids: Mapping[int, int], part: SnapshotPart) -> None:
    parts, as_changes = list[MonthTotals](), await totals.can_store_changes(connection)

    async def append() -> None:
        total = await asyncio.to_thread(sum_totals, parts)
        parts.clear()
        await totals.copy_totals(connection, copy_stream(encode_totals([total], as_changes=as_changes)))

    async with aclosing(_read_records(connection, RecordKind.TOTALS, month, part)) as contents:
        async for content in contents:
            parts.append(await asyncio.to_thread(_decode_totals, month, content, new_ids))
            if sum(map(len, parts)) > MAX_SUMMED_CHANGES:
                await append()
    if parts:
        await append()


async def _append_sketches(connection: Connection, month: date, new_ids: Mapping[int, int], part: SnapshotPart) -> None:
    rows, size = list[SignedSketch](), 0

    async def append() -> None:
        await append_sketches(connection, sum_by_pair(month_number(month), rows))
        rows.clear()

    async with aclosing(_read_records(connection, RecordKind.SKETCHES, month, part)) as contents:
        async for content in contents:
            for origin, destination, sign, sketch in await asyncio.to_thread(decode_sketches, content):
                rows.append((new_ids.get(origin, origin), new_ids.get(destination, destination), sign, sketch))
                size += len(sketch)
            if size > MAX_SUMMED_BYTES:
                await append()
                size = 0
    if rows:
        await append()


async def _read_records(
    connection: Connection, kind: RecordKind, month: date, part: SnapshotPart
) -> AsyncGenerator[bytes]:
    """Yield the contents of the records of a month and kind that belong to the part, in order."""
    after = 0
    while recorded := await moves.list_moved_records(
        connection, kind, month, snapshot=part.snapshot, is_visible=part.is_visible, after=after, limit=RECORDS_PER_READ
    ):
        for each in recorded:
            yield each.content
        after = recorded[-1].number


def _decode_totals(month: date, content: bytes, new_ids: Mapping[int, int]) -> MonthTotals:
    found = decode_totals(month_number(month), content)
    if not new_ids:
        return found
    ids = np.zeros(len(new_ids) + 1, dtype=np.int64)
    for temporary, final in new_ids.items():
        ids[-temporary] = final

    def resolve(column: Int64) -> Int64:
        return np.where(column < 0, ids[np.maximum(-column, 0)], column)

    return replace(found, origin=resolve(found.origin), destination=resolve(found.destination))
