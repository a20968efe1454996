"""Property test: archiving changes no answer, whatever else happens."""

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.connection import Connection
from db.pool import INGEST, Pool, connect, open_pool
from domain.locations import LocationKind, TreeEntry
from domain.pages import PageRequest
from domain.prices import DailyAverages
from ingest.archive.write import archive_prices
from ingest.batches.revert import revert_batch
from ingest.compact import compact
from ingest.retention import delete_expired
from ingest.tree import change_tree
from ingest.verify import verify
from resolvers.analysis.lane_listing import list_priced_lanes
from resolvers.averages import AveragePricesQuery, average_prices
from tests.support.batches.strategies import PORTS, REGIONS, amounts, clear, worlds
from tests.support.contexts import reading_context
from tests.support.worlds import Item, World, apply_frame, days_between, frame_of

FIRST, LAST = date(2024, 1, 25), date(2024, 3, 5)
CUTS = [date(2024, 2, 1), date(2024, 3, 1), date(2024, 4, 1)]


@st.composite
def items(draw: st.DrawFn) -> Item:
    """Draw a price on any lane for one or more days; some are valid in several months."""
    first = draw(st.dates(FIRST, LAST))
    length = draw(st.sampled_from([0, 0, 1, 6, 40]))
    return Item(
        draw(st.sampled_from(PORTS)), draw(st.sampled_from(PORTS)), first, first + timedelta(days=length), draw(amounts)
    )


uploads = st.tuples(st.just("upload"), st.lists(items(), min_size=1, max_size=8))
archives = st.tuples(st.just("archive"), st.sampled_from(CUTS))
steps = st.one_of(
    uploads,
    archives,
    st.tuples(st.just("revert"), st.integers(0, 3)),
    st.tuples(st.just("move"), st.sampled_from(PORTS), st.sampled_from(REGIONS)),
    st.tuples(st.just("compact")),
    st.tuples(st.just("delete"), st.sampled_from(CUTS)),
)


class History:
    """Database under test, with the items that it must contain by batch."""

    def __init__(self, connection: Connection, pool: Pool, world: World, folder: Path) -> None:
        self.connection, self.pool, self.world, self.folder = connection, pool, world, folder
        self.batches: list[tuple[int, list[Item]]] = []
        self.archived_to = date.min
        """Items of each batch that ended before this day are in files, if they were stored before the archive."""
        self.in_files: set[int] = set()
        """`id()` of the items in files."""

    async def run(self, step: tuple[object, ...]) -> None:
        """Take one step of the history."""
        match step:
            case "upload", list() as added:
                batch_id, _ = await apply_frame(self.connection, frame_of(added))
                # Equal items are kept apart by their identity.
                self.batches.append(
                    (batch_id, [Item(i.origin, i.destination, i.first, i.last, i.price) for i in added])
                )
            case "archive", date() as cut:
                async for _ in archive_prices(self.connection, cut, f"file://{self.folder}"):
                    pass
                self.in_files |= {id(item) for _, stored in self.batches for item in stored if item.last < cut}
            case "revert", int() as at if self.batches:
                batch_id, _ = self.batches.pop(at % len(self.batches))
                await revert_batch(self.connection, batch_id)
            case "move", str() as port, str() as region:
                self.world.parents[port] = region
                await change_tree(self.connection, [TreeEntry(LocationKind.PORT, port, port, region, "test:1")])
            case "compact", *_:
                await compact(self.connection, max_rows=1)
            case "delete", date() as cut:
                async for _ in delete_expired(self.connection, cut):
                    pass
                for _, stored in self.batches:
                    stored[:] = [i for i in stored if id(i) not in self.in_files or i.last >= cut]

    async def check(self) -> None:
        """Compare figures, lanes and verification with the items."""
        self.world.items = [item for _, stored in self.batches for item in stored]
        context, days = reading_context(self.pool), days_between(FIRST - timedelta(days=2), LAST + timedelta(days=45))
        for origin, destination in ((PORTS[0], PORTS[1]), (REGIONS[0], REGIONS[1]), (REGIONS[0], REGIONS[0])):
            expected = [self.world.expect(origin, destination, day) for day in days]
            query = AveragePricesQuery(days[0], days[-1], origin, destination, True)
            plain = query._replace(with_statistics=False)
            found, averages = await average_prices(context, [query, plain])
            assert isinstance(found, DailyAverages), found
            assert isinstance(averages, DailyAverages)
            assert found.counts == averages.counts == [day.count for day in expected]
            figures = (found.averages, found.lows, found.highs, found.medians)
            wanted = zip(*((day.average, day.low, day.high, day.middle) for day in expected), strict=True)
            for column, values in zip(figures, wanted, strict=True):
                assert column == [None if value is None else float(value) for value in values]
            assert averages.averages == found.averages
        ids = {lane_id: key for key, lane_id in (await self._ids()).items()}
        page = await list_priced_lanes(context, None, None, PageRequest(100))
        assert {(ids[entry.lane.origin], ids[entry.lane.destination]) for entry in page.entries} == {
            (item.origin, item.destination) for item in self.world.items
        }
        assert [difference async for _, different in verify(self.connection) for difference in different] == []

    async def _ids(self) -> dict[str, int]:
        cursor = await self.connection.execute("SELECT key, id FROM locations")
        return dict(await cursor.fetchall())


@pytest.fixture(scope="module")
def archive_folder() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    world=worlds(),
    first=uploads,
    history=st.lists(steps, min_size=1, max_size=6),
    last=st.lists(st.one_of(archives, st.tuples(st.just("revert"), st.integers(0, 3))), max_size=3),
)
def test_answers_of_any_history_are_those_without_archives(
    module_database_url: str,
    archive_folder: Path,
    world: World,
    first: tuple[object, ...],
    history: list[tuple[object, ...]],
    last: list[tuple[object, ...]],
) -> None:
    async def live() -> None:
        async with (
            connect(module_database_url, INGEST) as connection,
            open_pool(module_database_url, INGEST, max_size=2) as pool,
        ):
            await clear(connection)
            await change_tree(connection, world.entries())
            lived = History(connection, pool, world, archive_folder)
            for step in (first, *history, *last):
                await lived.run(step)
            await lived.check()

    asyncio.run(live())
