"""Follows the changes of the data, so that a process knows whether an answer that it keeps still holds."""

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
    """Yield the version of the data, and keep it right until the end of the block."""
    version, begun = DataVersion(), asyncio.Event()

    def on_notification(payload: str | None) -> None:
        if payload:
            version.on_change(*payload.split(" ", 1))
        else:
            # What was announced while nobody listened is unknown, and so is the version until the state was looked at.
            version.reset()
            if payload is not None:
                begun.set()

    notifications.set_listener(DATA, on_notification)
    async with background_task(_resync_version(pool, version, begun)):
        yield version


async def _resync_version(pool: Pool, version: DataVersion, listening: asyncio.Event) -> None:
    """Name the state of the data whenever listening has begun."""
    while True:
        await listening.wait()
        listening.clear()
        losses = version.epoch
        try:
            found = await pool.read(state_fingerprint)
        except DatabaseError:
            listening.set()
            await asyncio.sleep(RETRY_SECONDS)
        else:
            # A change that was announced meanwhile has the better name; one that nobody could hear meanwhile has none.
            if version.epoch == losses:
                version.initialize(found)
