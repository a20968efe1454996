"""Archived months at replicas: a file that was deleted in order is no missing file."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import pytest

from db.pool import API, INGEST, connect, open_pool
from db.replicas.gated_server import GateState
from db.replicas.router import ReadRouter, open_read_router
from domain.prices import DailyAverages
from ingest.archive.files import checked_files
from ingest.archive.write import archive_prices
from ingest.retention import delete_expired
from resolvers.averages import AveragePricesQuery, average_prices
from tests.support.contexts import reading_context
from tests.support.faults.replication import Pair

pytestmark = pytest.mark.anyio

SECONDS = 60
CUT = date(2024, 2, 1)
QUERY = AveragePricesQuery(date(2024, 1, 1), date(2024, 3, 31), "asia", "europe", with_statistics=True)


@asynccontextmanager
async def opened_router(pair: Pair) -> AsyncIterator[ReadRouter]:
    """Open a router whose replica answers reads, and which hears of no change."""
    async with (
        open_pool(pair.primary.url, API, max_size=2) as pool,
        open_read_router(
            pool, pair.primary.url, [pair.standby.url], max_size=2, read_seconds=10, lag_seconds=1
        ) as router,
    ):
        router.on_version("1")
        async with asyncio.timeout(SECONDS):
            while router.replicas[0].state is not GateState.OPEN:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        yield router


async def test_month_deleted_before_a_replica_knows_is_no_missing_file(pair: Pair, tmp_path: Path) -> None:
    async with (
        connect(pair.primary.url, INGEST) as connection,
        open_pool(pair.primary.url, API, max_size=2) as pool,
        opened_router(pair) as router,
    ):
        assert [month async for month in archive_prices(connection, CUT, tmp_path.as_uri())]
        pair.wait_until_replayed()
        pair.pause_replay()
        assert [file async for file in delete_expired(connection, CUT)]
        checked_files.clear()
        [expected] = await average_prices(reading_context(pool), [QUERY])
        context = reading_context(pool)
        context.app.reads = router
        [found] = await average_prices(context, [QUERY])
        pair.resume_replay()
    assert isinstance(expected, DailyAverages), expected
    assert isinstance(found, DailyAverages), found
    assert (found.lows, found.medians) == (expected.lows, expected.medians)
