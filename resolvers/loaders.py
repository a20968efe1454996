"""Gather what the fields of one request ask for, so that each kind of question costs one round trip."""

from collections.abc import Awaitable, Callable, Sequence

from strawberry.dataloader import DataLoader

from db import batches, locations, prices, totals
from db.model import DateRange, DayStatistics, DayTotal, Lane, Location
from db.pool import Connection, Pool

Question = tuple[Lane, DateRange]


class Loaders:
    """The loaders of one request: what one field has loaded, the others of the same request share."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.location_by_key: DataLoader[str, Location | None] = DataLoader(self._load_by_key)
        self.location_by_id: DataLoader[int, Location | None] = DataLoader(self._load_by_id)
        self.children: DataLoader[int, list[Location]] = DataLoader(self._load_children)
        self.ancestors: DataLoader[int, list[Location]] = DataLoader(self._load_ancestors)
        self.ports_below: DataLoader[int, list[Location]] = DataLoader(self._load_ports_below)
        self.day_totals: DataLoader[Question, list[DayTotal]] = DataLoader(self._load_day_totals)
        self.day_statistics: DataLoader[Question, list[DayStatistics]] = DataLoader(self._load_day_statistics)
        self.has_rejections: DataLoader[int, bool] = DataLoader(self._load_has_rejections)

    def forget(self) -> None:
        """Drop what was loaded, after the request itself has changed it."""
        for loader in vars(self).values():
            if isinstance(loader, DataLoader):
                loader.clear_all()

    async def _load_by_key(self, keys: list[str]) -> Sequence[Location | None]:
        async with self._pool.connection() as connection:
            found = {location.key.lower(): location for location in await locations.find_locations(connection, keys)}
        return [found.get(key.lower()) for key in keys]

    async def _load_by_id(self, ids: list[int]) -> Sequence[Location | None]:
        async with self._pool.connection() as connection:
            found = {location.id: location for location in await locations.get_locations(connection, ids)}
        return [found.get(id_) for id_ in ids]

    async def _load_children(self, ids: list[int]) -> Sequence[list[Location]]:
        async with self._pool.connection() as connection:
            children = await locations.list_children(connection, ids)
        by_parent: dict[int | None, list[Location]] = {}
        for child in children:
            by_parent.setdefault(child.parent_id, []).append(child)
        return [by_parent.get(id_, []) for id_ in ids]

    async def _load_ancestors(self, ids: list[int]) -> Sequence[list[Location]]:
        return await self._load_related(ids, locations.list_ancestors)

    async def _load_ports_below(self, ids: list[int]) -> Sequence[list[Location]]:
        return await self._load_related(ids, locations.list_ports_below)

    async def _load_related(
        self, ids: list[int], list_related: Callable[[Connection, list[int]], Awaitable[list[tuple[int, Location]]]]
    ) -> Sequence[list[Location]]:
        async with self._pool.connection() as connection:
            pairs = await list_related(connection, ids)
        related: dict[int, list[Location]] = {}
        for of_id, location in pairs:
            related.setdefault(of_id, []).append(location)
        return [related.get(id_, []) for id_ in ids]

    async def _load_day_totals(self, questions: list[Question]) -> Sequence[list[DayTotal]]:
        async with self._pool.connection() as connection:
            return await totals.select_day_totals(connection, questions)

    async def _load_day_statistics(self, questions: list[Question]) -> Sequence[list[DayStatistics]]:
        async with self._pool.connection() as connection:
            return [await prices.select_day_statistics(connection, lane, days) for lane, days in questions]

    async def _load_has_rejections(self, batch_ids: list[int]) -> Sequence[bool]:
        async with self._pool.connection() as connection:
            found = await batches.select_batches_with_rejections(connection, batch_ids)
        return [batch_id in found for batch_id in batch_ids]
