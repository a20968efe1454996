"""Property test of the averages against an oracle, after compactions and moves.

Trees and batches are random.
"""

import asyncio
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.connection import Connection
from db.pool import INGEST, Pool, connect, open_pool
from db.repositories import locations, sketches, totals
from domain.locations import Lane, LocationKind, TreeEntry
from domain.prices import DailyAverages, DateRange
from ingest.compact import compact
from ingest.tree import change_tree
from ingest.verify import verify
from resolvers.averages import AveragePricesQuery, average_prices
from tests.support.batches.forms import allow_changes, refuse_changes
from tests.support.batches.sketches import expect_cells, read_cells
from tests.support.batches.strategies import PORTS, REGIONS, amounts, clear, worlds
from tests.support.contexts import reading_context
from tests.support.worlds import Item, World, apply_frame, by_day, by_key, days_between, frame_of

FIRST, LAST = date(2024, 1, 25), date(2024, 3, 5)


@st.composite
def items(draw: st.DrawFn) -> Item:
    """Draw a price on any lane, including lanes within one port, for one or more days."""
    first = draw(st.dates(FIRST, LAST))
    length = draw(st.sampled_from([0, 0, 1, 6, 40]))
    return Item(
        draw(st.sampled_from(PORTS)), draw(st.sampled_from(PORTS)), first, first + timedelta(days=length), draw(amounts)
    )


async def check(connection: Connection, pool: Pool, world: World) -> None:
    """Compare all pairs of locations with the oracle.

    The recursive SQL must agree as well, and the totals must match the observations.
    """
    known = by_key(await locations.list_locations(connection))
    days = days_between(FIRST - timedelta(days=2), LAST + timedelta(days=3))
    context = reading_context(pool)
    for origin in ("AAAAA", "BBBBB", REGIONS[0], REGIONS[1], REGIONS[3]):
        for destination in ("AAAAA", "CCCCC", REGIONS[0], REGIONS[2]):
            expected = [world.expect(origin, destination, day) for day in days]
            for with_statistics in (False, True):
                question = AveragePricesQuery(days[0], days[-1], origin, destination, with_statistics)
                [answer] = await average_prices(context, [question])
                assert isinstance(answer, DailyAverages)
                assert answer.days.days() == days
                assert answer.counts == [day.count for day in expected]
                assert answer.averages == [_number(day.average) for day in expected]
                if with_statistics:
                    assert answer.lows == [_number(day.low) for day in expected]
                    assert answer.highs == [_number(day.high) for day in expected]
                    assert answer.medians == [_number(day.middle) for day in expected]
            lane = Lane(known[origin].id, known[destination].id)
            span = DateRange(days[0], days[-1])
            [sums] = await totals.select_day_totals(connection, [(lane, span)])
            observed = {day: world.prices_on(origin, destination, day) for day in days}
            assert by_day(sums, span) == {
                day: (len(found), int(100 * sum(found))) for day, found in observed.items() if found
            }
    assert [difference async for _, found in verify(connection) for difference in found] == []
    assert await read_cells(connection) == expect_cells(world)
    assert await sketches.list_stale_months(connection) == []


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _possible_parents(world: World, region: str) -> list[str | None]:
    """Return the parents to which a region can be moved without a cycle."""
    return [None, *(other for other in REGIONS if not world.is_within(region, other))]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_average_prices_match_the_oracle_after_batches_compaction_and_moves(
    module_database_url: str, data: st.DataObject
) -> None:
    world = data.draw(worlds(), label="world")
    uploads = data.draw(st.lists(st.lists(items(), min_size=1, max_size=12), min_size=1, max_size=3), label="batches")
    all_by_day = data.draw(st.integers(0, len(uploads)), label="batches before totals may have changes")
    port = data.draw(st.sampled_from(PORTS), label="moved port")
    to_region = data.draw(st.sampled_from(REGIONS), label="its new region")
    region = data.draw(st.sampled_from(REGIONS), label="moved region")

    async def live() -> None:
        async with (
            connect(module_database_url, INGEST) as connection,
            open_pool(module_database_url, INGEST, max_size=2) as pool,
        ):
            await clear(connection)
            await refuse_changes(connection)
            await change_tree(connection, world.entries())
            for number, upload in enumerate(uploads):
                if number == all_by_day:
                    await allow_changes(connection)
                await apply_frame(connection, frame_of(upload))
                world.items += upload
            await check(connection, pool, world)
            await compact(connection, max_rows=1)
            await check(connection, pool, world)
            world.parents[port] = to_region
            await change_tree(connection, [TreeEntry(LocationKind.PORT, port, port, to_region, "test:1")])
            await check(connection, pool, world)
            parent = data.draw(st.sampled_from(_possible_parents(world, region)), label="its new parent")
            world.parents[region] = parent
            await change_tree(connection, [TreeEntry(LocationKind.REGION, region, region, parent, "test:1")])
            await check(connection, pool, world)

    asyncio.run(live())


@pytest.mark.anyio
async def test_batches_applied_concurrently_produce_correct_totals(database_url: str) -> None:
    world = World({"top": None, "AAAAA": "top", "BBBBB": "top"}, {"AAAAA", "BBBBB"})
    item = Item("AAAAA", "BBBBB", date(2024, 1, 1), date(2024, 1, 3), Decimal("10.01"))

    async def upload(price: int) -> None:
        async with connect(database_url, INGEST) as connection:
            offer = Item(item.origin, item.destination, item.first, item.last, Decimal(price))
            await apply_frame(connection, frame_of([offer] * 50))
            world.items += [offer] * 50

    async with connect(database_url, INGEST) as connection:
        await change_tree(connection, world.entries())
        await asyncio.gather(*(upload(price) for price in range(8)), compact(connection, max_rows=1))
        known = by_key(await locations.list_locations(connection))
        lane = Lane(known["top"].id, known["top"].id)
        [days] = await totals.select_day_totals(connection, [(lane, DateRange(item.first, item.last))])
    assert (days.counts, days.sums) == ([400] * 3, [50 * 100 * sum(range(8))] * 3)
