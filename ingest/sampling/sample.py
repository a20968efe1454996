"""Copies the chosen lanes of a database into an empty one."""

from collections.abc import Callable
from dataclasses import dataclass

from db.connection import Connection
from db.repositories import locations, samples
from ingest.errors import SampleRejected
from ingest.sampling.lanes import choose_lanes, describe_candidates
from ingest.verify import verify


@dataclass(frozen=True, slots=True)
class Sample:
    """Result: the number of lanes, of those in the source, and the edge cases that the lanes have."""

    lanes: int
    source_lanes: int
    traits: list[str]


async def copy_sample(
    source: Connection, target: Connection, *, lanes: int, seed: int, report: Callable[[str], None]
) -> Sample:
    """Copy the region tree, the exchange rates and some lanes with all their prices.

    Tokens, audit entries, payloads, rejections, uploaders and idempotency keys stay behind. `source` is read in one snapshot.
    `target` must have the current schema and no locations (TARGET_NOT_EMPTY). `report` receives what is being done. Raise
    SampleRejected, and change nothing, if that is impossible.
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
        await samples.copy_base(source, target)
        await samples.copy_prices(source, target, [candidate.lane for candidate in chosen])
    # The totals of regions are those of the chosen lanes alone.
    async for month, _ in verify(target, repair=True):
        report(f"Adding up {month:%Y-%m}")
    traits = frozenset().union(*(candidate.traits for candidate in chosen))
    return Sample(len(chosen), len(candidates), sorted(traits))
