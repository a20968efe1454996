"""Copies the chosen lanes of a database into an empty one."""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from db.administration import samples
from db.connection import Connection
from db.repositories import locations, prices, rates
from domain.locations import Lane
from ingest.errors import SampleRejected
from ingest.sampling.lanes import choose_lanes, describe_candidates
from ingest.verify import verify


@dataclass(frozen=True, slots=True)
class Sample:
    """Result of copying a sample.

    Attributes:
        lanes: Number of copied lanes.
        source_lanes: Number of lanes in the source.
        traits: Edge cases that the copied lanes have.
    """

    lanes: int
    source_lanes: int
    traits: list[str]


async def copy_sample(
    source: Connection, target: Connection, *, lanes: int, seed: int, report: Callable[[str], None]
) -> Sample:
    """Copy the region tree, the exchange rates and some lanes with all their prices.

    Tokens, audit entries, payloads, rejections, uploaders and idempotency keys stay behind. `source` is read in one snapshot.
    `target` must have the current schema and no locations (TARGET_NOT_EMPTY). `report` receives a description of each step.
    Raise SampleRejected, and change nothing, if that is impossible.
    """
    if not await samples.is_empty(target):
        raise SampleRejected(
            "TARGET_NOT_EMPTY", "the target has locations or batches; name a new folder or an empty database"
        )
    async with source.transaction(), target.transaction():
        await source.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        report("Looking at the lanes")
        described = await samples.describe_lanes(source)
        if not described:
            raise SampleRejected("NO_PRICES", "the source has no prices to choose from")
        tree = {location.id: location for location in await locations.list_locations(source)}
        candidates = describe_candidates(described, await samples.list_thin_lanes(source), tree, seed)
        chosen = choose_lanes(candidates, lanes)
        report("Copying")
        await _copy_base(source, target)
        await _copy_lanes(source, target, [candidate.lane for candidate in chosen])
    # The totals of regions are those of the chosen lanes alone.
    async for month, _ in verify(target, repair=True):
        report(f"Adding up {month:%Y-%m}")
    traits = frozenset().union(*(candidate.traits for candidate in chosen))
    return Sample(len(chosen), len(candidates), sorted(traits))


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
    async with aclosing(samples.copy_out_lanes(source, lanes)) as blocks:
        await prices.copy_prices(target, blocks)
    async with aclosing(samples.copy_out_batches(source, await samples.list_batch_ids(target))) as blocks:
        await samples.copy_in_batches(target, blocks)
    await samples.complete_batches(target)
    await samples.insert_batch_lanes(target)
    await samples.advance_ids(target)
