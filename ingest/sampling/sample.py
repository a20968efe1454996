"""Copies the chosen lanes of a database into an empty one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from db.administration import samples
from db.connection import Connection
from db.repositories import locations, prices, rates
from domain.locations import Lane
from ingest.errors import SampleRejected
from ingest.sampling.archived import describe_file_lanes, merge_descriptions, read_lanes
from ingest.sampling.lanes import choose_lanes, describe_candidates
from ingest.sketches.rebuild import rebuild_stale
from ingest.verify import verify


@dataclass(frozen=True, slots=True)
class Sample:
    """Choice of lanes for a sample.

    Attributes:
        lanes: Lanes to copy.
        source_lanes: Number of lanes in the source.
        traits: Edge cases that the lanes have.
    """

    lanes: list[Lane]
    source_lanes: int
    traits: list[str]


async def choose_sample(source: Connection, *, lanes: int, seed: int, report: Callable[[str], None]) -> Sample:
    """Choose lanes of the source.

    Prices of archived months are read from their files: raise ArchiveError if one cannot be read. `report` receives a
    description of each step. Raise SampleRejected (NO_PRICES, TOO_FEW_LANES).
    """
    async with _snapshot(source):
        report("Looking at the lanes")
        described = await samples.describe_lanes(source)
        for file in await prices.list_archived_files(source):
            report(f"Looking at the lanes of {file.month:%Y-%m}")
            described = merge_descriptions([*described, *await asyncio.to_thread(describe_file_lanes, file)])
        if not described:
            raise SampleRejected("NO_PRICES", "the source has no prices to choose from; name a database with prices")
        tree = {location.id: location for location in await locations.list_locations(source)}
        candidates = describe_candidates(described, await samples.list_thin_lanes(source), tree, seed)
    chosen = choose_lanes(candidates, lanes)
    traits = frozenset().union(*(candidate.traits for candidate in chosen))
    return Sample([candidate.lane for candidate in chosen], len(candidates), sorted(traits))


async def require_empty(target: Connection) -> None:
    """Raise SampleRejected (TARGET_NOT_EMPTY) if the target has locations or batches."""
    if not await samples.is_empty(target):
        raise SampleRejected(
            "TARGET_NOT_EMPTY", "the target has locations or batches; name a new folder or an empty database"
        )


async def copy_sample(
    source: Connection, target: Connection, lanes: Sequence[Lane], report: Callable[[str], None]
) -> None:
    """Copy the region tree, the exchange rates and the lanes with all their prices.

    Tokens, audit entries, payloads, rejections, uploaders and idempotency keys stay behind. `source` is read in one snapshot.
    Prices of archived months become rows of the table. `target` must have the current schema and no locations. Raise
    SampleRejected (TARGET_NOT_EMPTY) or ArchiveError, and change nothing, if that is impossible.
    """
    await require_empty(target)
    async with _snapshot(source), target.transaction():
        report("Copying")
        await _copy_base(source, target)
        await _copy_lanes(source, target, lanes)
    # The totals and sketches of regions are those of the chosen lanes alone.
    async for month, _ in verify(target, repair=True):
        report(f"Summing the prices of {month:%Y-%m}")
    async for month in rebuild_stale(target):
        report(f"Counting the prices of {month:%Y-%m}")


@asynccontextmanager
async def _snapshot(source: Connection) -> AsyncIterator[None]:
    """Read one state of the source within the block, and change nothing."""
    async with source.transaction():
        await source.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # It is idle while archived files are read.
        await prices.disable_idle_timeout(source)
        yield


async def _copy_base(source: Connection, target: Connection) -> None:
    """Copy all locations with their IDs, all aliases and all exchange rates."""
    async with aclosing(samples.copy_out_locations(source)) as blocks:
        await samples.copy_in_locations(target, blocks)
    await locations.delete_aliases(target, [alias for alias, _, _ in await samples.list_alias_rows(target)])
    await locations.insert_aliases(target, await samples.list_alias_rows(source))
    await rates.create_incoming_rates(target)
    async with aclosing(samples.copy_out_rates(source)) as blocks:
        await rates.copy_rates(target, [block async for block in blocks])
    await rates.merge_rates(target)


async def _copy_lanes(source: Connection, target: Connection, lanes: Sequence[Lane]) -> None:
    """Copy the observations of the lanes and their batches."""
    for file in await prices.list_archived_files(source):
        parts = read_lanes(file, lanes)
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            await samples.copy_in_archived(target, part)
    async with aclosing(samples.copy_out_lanes(source, lanes)) as blocks:
        await prices.copy_prices(target, blocks)
    async with aclosing(samples.copy_out_batches(source, await samples.list_batch_ids(target))) as blocks:
        await samples.copy_in_batches(target, blocks)
    await samples.complete_batches(target)
    await samples.insert_batch_lanes(target)
    await samples.advance_ids(target)
