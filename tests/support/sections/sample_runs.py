"""One run of each SQL section of `samples`."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing

from db.administration import samples
from db.administration.samples import LaneDescription
from db.connection import Connection
from domain.locations import Lane
from tests.support.sections.world import APPLIED, CNAAA, USNYC, copy_nothing


async def _read(blocks: AsyncGenerator[bytes, None]) -> bytes:
    async with aclosing(blocks):
        return b"".join([block async for block in blocks])


async def _describe_lanes(connection: Connection) -> list[LaneDescription]:
    """Return the descriptions in order."""
    return sorted(await samples.describe_lanes(connection), key=lambda lane: (lane.origin, lane.destination))


async def _insert_batch_lanes(connection: Connection) -> None:
    await connection.execute(b"DELETE FROM batch_lanes")
    await samples.insert_batch_lanes(connection)


SAMPLE_RUNS: Mapping[str, Callable[[Connection], Awaitable[object]]] = {
    "samples.advance_ids": samples.advance_ids,
    "samples.complete_batches": samples.complete_batches,
    "samples.copy_in_archived": lambda c: samples.copy_in_archived(c, b""),
    "samples.copy_in_batches": lambda c: samples.copy_in_batches(c, copy_nothing()),
    "samples.copy_in_locations": lambda c: samples.copy_in_locations(c, copy_nothing()),
    "samples.copy_out_batches": lambda c: _read(samples.copy_out_batches(c, [APPLIED])),
    "samples.copy_out_lanes": lambda c: _read(samples.copy_out_lanes(c, [Lane(CNAAA, USNYC)])),
    "samples.copy_out_locations": lambda c: _read(samples.copy_out_locations(c)),
    "samples.copy_out_rates": lambda c: _read(samples.copy_out_rates(c)),
    "samples.describe_lanes": _describe_lanes,
    "samples.insert_batch_lanes": _insert_batch_lanes,
    "samples.is_empty": samples.is_empty,
    "samples.list_alias_rows": samples.list_alias_rows,
    "samples.list_batch_ids": samples.list_batch_ids,
    "samples.list_thin_lanes": samples.list_thin_lanes,
}
