"""Data loaders of one request: the keys of its fields share one round trip per kind of data."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from functools import cached_property, partial

from strawberry.dataloader import DataLoader

from db.connection import Connection
from db.pool import Pool
from db.replicas.router import Reads
from db.repositories import batches, locations, sketches
from domain.batches import PriceBatch
from domain.locations import Location
from domain.prices import PackedPrices
from resolvers.loading.day_totals import LaneDays
from resolvers.loading.lane_prices import ReadArchive, load_lane_prices
from telemetry.spans import traced

LaneSketches = Sequence[tuple[date, bytes]]
"""First day of the month and bytes of each sketch."""


class Loaders:
    """Data loaders of one request. Its fields share the loaded values.

    Prices and locations come from `reads`. The state of batches changes without a new version of the data: it comes from the
    primary.
    """

    def __init__(self, reads: Reads, primary: Pool, read_archive: ReadArchive) -> None:
        self._reads = reads
        self._primary = primary
        self._read_archive = read_archive

    # Created at first use: few requests need more than one. None refers back to this object: the reference cycle would need
    # the garbage collector, and a thousand cycles per second are a load on it.

    @cached_property
    def location_by_key(self) -> DataLoader[str, Location | None]:
        """Ports and regions by code or slug in lower case."""
        return DataLoader(partial(_load_by_key, self._reads))

    @cached_property
    def locations_by_alias(self) -> DataLoader[str, list[Location]]:
        """Ports and regions by another name, in a form of `alias_forms`."""
        return DataLoader(partial(_load_by_alias, self._reads))

    @cached_property
    def location_by_id(self) -> DataLoader[int, Location | None]:
        """Ports and regions by ID."""
        return DataLoader(partial(_load_by_id, self._reads))

    @cached_property
    def children(self) -> DataLoader[int, list[Location]]:
        """Locations directly below a region."""
        return DataLoader(partial(_load_children, self._reads))

    @cached_property
    def ancestors(self) -> DataLoader[int, list[Location]]:
        """The regions above a location, the nearest first."""
        return DataLoader(partial(_load_ancestors, self._reads))

    @cached_property
    def ports_below(self) -> DataLoader[int, list[Location]]:
        """The ports below a region at any depth."""
        return DataLoader(partial(_load_ports_below, self._reads))

    @cached_property
    def port_count(self) -> DataLoader[int, int]:
        """Numbers of ports below a location at any depth."""
        return DataLoader(partial(_load_port_counts, self._reads))

    @cached_property
    def lane_prices(self) -> DataLoader[LaneDays, PackedPrices]:
        """Observations of a lane that are valid within a range of days."""
        return DataLoader(partial(load_lane_prices, self._reads, self._primary, self._read_archive))

    @cached_property
    def lane_sketches(self) -> DataLoader[LaneDays, LaneSketches]:
        """Sketches of a lane by month; none for a port, or if a month is stale."""
        return DataLoader(partial(_load_sketches, self._reads))

    @cached_property
    def batch_by_id(self) -> DataLoader[int, PriceBatch | None]:
        """Batches by number, of all uploaders: the caller checks the ownership."""
        return DataLoader(partial(_load_batches, self._primary))

    @cached_property
    def has_rejections(self) -> DataLoader[int, bool]:
        """True for a batch with rejections."""
        return DataLoader(partial(_load_has_rejections, self._primary))

    def clear(self) -> None:
        """Drop all loaded values. Called after the request itself has changed them."""
        for name, loader in list(vars(self).items()):
            if isinstance(loader, DataLoader):
                delattr(self, name)


@traced
async def _load_by_key(reads: Reads, keys: list[str]) -> Sequence[Location | None]:
    locations_found = await reads.read(lambda connection: locations.find_locations(connection, keys))
    found = {location.key.lower(): location for location in locations_found}
    return [found.get(key.lower()) for key in keys]


@traced
async def _load_by_alias(reads: Reads, aliases: list[str]) -> Sequence[list[Location]]:
    pairs = await reads.read(lambda connection: locations.find_named_locations(connection, aliases))
    found: dict[str, list[Location]] = {}
    for alias, location in pairs:
        found.setdefault(alias, []).append(location)
    return [found.get(alias, []) for alias in aliases]


@traced
async def _load_by_id(reads: Reads, ids: list[int]) -> Sequence[Location | None]:
    locations_found = await reads.read(lambda connection: locations.get_locations(connection, ids))
    found = {location.id: location for location in locations_found}
    return [found.get(id_) for id_ in ids]


@traced
async def _load_children(reads: Reads, ids: list[int]) -> Sequence[list[Location]]:
    children = await reads.read(lambda connection: locations.list_children(connection, ids))
    by_parent: dict[int | None, list[Location]] = {}
    for child in children:
        by_parent.setdefault(child.parent_id, []).append(child)
    return [by_parent.get(id_, []) for id_ in ids]


@traced
async def _load_ancestors(reads: Reads, ids: list[int]) -> Sequence[list[Location]]:
    return await _load_related(reads, ids, locations.list_ancestors)


@traced
async def _load_ports_below(reads: Reads, ids: list[int]) -> Sequence[list[Location]]:
    return await _load_related(reads, ids, locations.list_ports_below)


@traced
async def _load_port_counts(reads: Reads, ids: list[int]) -> Sequence[int]:
    counts = await reads.read(lambda connection: locations.count_ports_below(connection, ids))
    return [counts.get(id_, 0) for id_ in ids]


async def _load_related(
    reads: Reads, ids: list[int], list_related: Callable[[Connection, list[int]], Awaitable[list[tuple[int, Location]]]]
) -> Sequence[list[Location]]:
    pairs = await reads.read(lambda connection: list_related(connection, ids))
    related: dict[int, list[Location]] = {}
    for of_id, location in pairs:
        related.setdefault(of_id, []).append(location)
    return [related.get(id_, []) for id_ in ids]


@traced
async def _load_sketches(reads: Reads, keys: list[LaneDays]) -> Sequence[LaneSketches]:
    return await reads.read(lambda connection: sketches.select_sketches(connection, keys))


@traced
async def _load_batches(pool: Pool, batch_ids: list[int]) -> Sequence[PriceBatch | None]:
    batches_found = await pool.read(lambda connection: batches.get_batches(connection, batch_ids))
    found = {batch.id: batch for batch in batches_found}
    return [found.get(batch_id) for batch_id in batch_ids]


@traced
async def _load_has_rejections(pool: Pool, batch_ids: list[int]) -> Sequence[bool]:
    found = await pool.read(lambda connection: batches.select_batches_with_rejections(connection, batch_ids))
    return [batch_id in found for batch_id in batch_ids]
