"""Samples of a database: prices of the chosen lanes, averages that fit, no secrets."""

from collections.abc import AsyncIterator, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from db.connection import Connection
from db.pool import INGEST, connect
from db.repositories import locations, sketches, totals
from domain.locations import Lane
from domain.prices import DateRange
from ingest.archive.write import archive_prices
from ingest.batches.revert import revert_batch
from ingest.errors import SampleRejected
from ingest.sampling.sample import Sample, choose_sample, copy_sample
from ingest.tree import change_tree
from ingest.verify import verify
from tests.support.batches.queue import accept, get_batch
from tests.support.fixtures.database import fresh_database
from tests.support.fixtures.demo import load_demo_data
from tests.support.worlds import Item, World, apply_frame, by_key, frame_of

pytestmark = pytest.mark.anyio

DAY = date(2026, 6, 1)
ODD = [
    Item("CNSGH", "NLRTM", DAY, DAY, Decimal(-5)),
    Item("CNSGH", "NLRTM", DAY, DAY, Decimal(-5)),
    Item("CNSGH", "DEHAM", DAY, DAY, Decimal(0)),
]
LONG = [Item("CNSGH", "DEHAM", DAY, date(2026, 8, 1), Decimal(1000))]


@pytest.fixture(scope="module")
def source_url(postgres: str, template: str) -> Iterator[str]:
    """Yield a database with the demo data of two months."""
    with fresh_database(postgres, template) as url:
        load_demo_data(url, 2)
        yield url


@pytest.fixture
async def source(source_url: str) -> AsyncIterator[Connection]:
    """Yield a connection to the demo data."""
    async with connect(source_url, INGEST) as connection:
        yield connection


async def make(source: Connection, target: Connection, lanes: int = 60, seed: int = 1) -> Sample:
    """Make a sample."""
    sample = await choose_sample(source, lanes=lanes, seed=seed, report=lambda _: None)
    await copy_sample(source, target, sample.lanes, report=lambda _: None)
    return sample


async def read_prices(connection: Connection) -> list[tuple[object, ...]]:
    """Return the observations in order."""
    rows = await connection.execute("SELECT * FROM prices ORDER BY 1, 3, 4, 5, 6, 7")
    return await rows.fetchall()


async def test_sample_holds_all_prices_of_the_chosen_lanes_and_their_averages(
    source: Connection, connection: Connection
) -> None:
    await apply_frame(source, frame_of(ODD, "EUR"))
    await apply_frame(source, frame_of(LONG))
    sample = await make(source, connection)
    assert len(sample.lanes) == 60 < sample.source_lanes
    assert {"currency EUR", "duplicates", "zero or negative prices", "valid for more than 31 days"} <= {*sample.traits}
    assert [found async for _, found in verify(connection) if found] == []
    assert await sketches.list_stale_months(connection) == []
    prices = await read_prices(connection)
    lanes = {(row[3], row[4]) for row in prices}
    assert len(lanes) == 60
    assert prices == [row for row in await read_prices(source) if (row[3], row[4]) in lanes]
    assert await locations.list_locations(connection) == await locations.list_locations(source)


async def test_sample_has_an_average_near_that_of_its_source(source: Connection, connection: Connection) -> None:
    await make(source, connection, lanes=200)
    means = []
    for database in (source, connection):
        root = by_key(await locations.list_locations(database))["world"].id
        days = DateRange(date(2026, 6, 1), date(2026, 6, 30))
        (found,) = await totals.select_day_totals(database, [(Lane(root, root), days)])
        means.append(sum(found.sums) / sum(found.counts))
    assert means[1] == pytest.approx(means[0], rel=0.1)


async def test_sample_is_the_same_for_a_seed(source: Connection, postgres: str, template: str) -> None:
    found = []
    for seed in (1, 1, 2):
        with fresh_database(postgres, template) as url:
            async with connect(url, INGEST) as target:
                await make(source, target, seed=seed)
                found.append(await read_prices(target))
    assert found[0] == found[1] != found[2]


async def test_sample_leaves_uploaders_keys_and_payloads_behind(source: Connection, connection: Connection) -> None:
    await source.execute("UPDATE price_batches SET uploader = 'secret', idempotency_key = 'secret ' || id")
    await make(source, connection)
    for table in ("price_batches", "batch_payloads", "audit_entries", "api_tokens", "batch_rejections"):
        rows = await (await connection.execute(f"SELECT t::text FROM {table} t".encode())).fetchall()
        assert "secret" not in str(rows)
        assert not rows or table == "price_batches"
    batch_ids = {row[0] for row in await read_prices(connection)}
    for batch_id in batch_ids:
        batch = await get_batch(connection, int(str(batch_id)))
        assert (batch.uploader, batch.idempotency_key, batch.status) == ("", None, "APPLIED")
        assert batch.item_count == batch.accepted_count > 0
        assert 0 < batch.lane_count <= 60


async def test_sample_goes_on_with_new_batches(source: Connection, connection: Connection) -> None:
    await make(source, connection)
    newest = max(int(str(row[0])) for row in await read_prices(connection))
    assert await accept(connection) > newest


async def test_sample_refuses_a_target_with_locations(source: Connection, connection: Connection) -> None:
    world = World({"top": None, "CNSGH": "top"}, {"CNSGH"})
    await change_tree(connection, world.entries())
    with pytest.raises(SampleRejected) as refusal:
        await make(source, connection)
    assert refusal.value.code == "TARGET_NOT_EMPTY"


async def test_sample_refuses_a_source_without_prices(connection: Connection, postgres: str, template: str) -> None:
    with fresh_database(postgres, template) as url:
        async with connect(url, INGEST) as target:
            with pytest.raises(SampleRejected) as refusal:
                await make(connection, target)
            assert refusal.value.code == "NO_PRICES"
            assert (await (await target.execute("SELECT count(*) FROM exchange_rates")).fetchone()) == (0,)


async def test_sample_is_the_same_with_archived_months(
    source: Connection, postgres: str, template: str, tmp_path: Path
) -> None:
    await apply_frame(source, frame_of(ODD, "EUR"))
    await apply_frame(source, frame_of(LONG))
    found, made = [], []
    for is_archived in (False, True):
        if is_archived:
            reverted, _ = await apply_frame(source, frame_of(ODD, "JPY"))
            assert [month async for month in archive_prices(source, date(2026, 7, 1), tmp_path.as_uri())]
            await revert_batch(source, reverted)
        with fresh_database(postgres, template) as url:
            async with connect(url, INGEST) as target:
                made.append(await make(source, target))
                found.append(await read_prices(target))
                assert [different async for _, different in verify(target) if different] == []
    assert made[0] == made[1]
    assert found[0] == found[1]
