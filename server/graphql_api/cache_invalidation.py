"""Cache invalidation: tracks the data version, so that no stale response is sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from db.background import background_task
from db.errors import DatabaseError
from db.notifications import DATA, Notifications
from db.pool import Pool
from db.repositories.versions import state_fingerprint
from resolvers.data_version import DataVersion

RETRY_SECONDS = 1.0


@asynccontextmanager
async def track_data_version(pool: Pool, notifications: Notifications) -> AsyncIterator[DataVersion]:
    """Yield the data version, updated by notifications for the duration of the block."""
    version, listening = DataVersion(), asyncio.Event()

    def on_notification(payload: str | None) -> None:
        if payload:
            version.on_change(*payload.split(" ", 1))
        else:
            # Notifications sent without a listener are lost. So the version is unknown until the state has been queried.
            version.reset()
            if payload is not None:
                listening.set()

    notifications.set_listener(DATA, on_notification)
    async with background_task(_resync_version(pool, version, listening)):
        yield version


async def _resync_version(pool: Pool, version: DataVersion, listening: asyncio.Event) -> None:
    """Query the state of the data each time that listening has started, and retry on failure."""
    while True:
        await listening.wait()
        listening.clear()
        epoch = version.epoch
        try:
            fingerprint = await pool.read(state_fingerprint)
        except DatabaseError:
            listening.set()
            await asyncio.sleep(RETRY_SECONDS)
        else:
            # A change announced during the query has set a newer name. A changed epoch means that notifications were lost.
            if version.epoch == epoch:
                version.initialize(fingerprint)
