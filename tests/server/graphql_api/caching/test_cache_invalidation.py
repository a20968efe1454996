"""Cache invalidation: a data version that is read during a lost connection is discarded."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from db.notifications import DATA, Notifications
from db.pool import Pool
from server.graphql_api.cache_invalidation import track_data_version

pytestmark = pytest.mark.anyio


class SlowPool:
    """Pool stub whose reads return when the test provides a result."""

    def __init__(self) -> None:
        self.results: asyncio.Queue[str] = asyncio.Queue()

    async def read(self, _work: Callable[..., Awaitable[str]]) -> str:
        return await self.results.get()


async def run_pending_callbacks() -> None:
    """Run the pending callbacks of the event loop."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_cache_version_read_before_a_disconnect_is_discarded() -> None:
    pool, notifications = SlowPool(), Notifications()
    async with track_data_version(cast("Pool", pool), notifications) as version:
        notifications.dispatch(DATA, "")
        await run_pending_callbacks()
        notifications.notify_disconnected()
        pool.results.put_nowait("before")
        await run_pending_callbacks()
        assert version.name == ""
        notifications.dispatch(DATA, "")
        pool.results.put_nowait("after")
        await run_pending_callbacks()
        assert version.name == "after"


async def test_cache_version_follows_a_change_notified_during_the_read() -> None:
    pool, notifications = SlowPool(), Notifications()
    async with track_data_version(cast("Pool", pool), notifications) as version:
        notifications.dispatch(DATA, "")
        await run_pending_callbacks()
        notifications.dispatch(DATA, "12 4 APPLIED")
        pool.results.put_nowait("digest")
        await run_pending_callbacks()
        assert version.name == "12"
