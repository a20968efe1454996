"""Follows the changes of the data, so that a process knows whether an answer that it keeps still holds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from db.background import beside
from db.errors import DatabaseError
from db.notifications import DATA, Notifications
from db.pool import Pool
from db.repositories.versions import name_state
from resolvers.data_version import DataVersion

RETRY_SECONDS = 1.0


@asynccontextmanager
async def follow_data(pool: Pool, notifications: Notifications) -> AsyncIterator[DataVersion]:
    """Yield the version of the data, and keep it right until the end of the block."""
    version, begun = DataVersion(), asyncio.Event()

    def hear(payload: str | None) -> None:
        if payload:
            version.announce(*payload.split(" ", 1))
        else:
            # What was announced while nobody listened is unknown, and so is the version until the state was looked at.
            version.lose()
            if payload is not None:
                begun.set()

    notifications.listen(DATA, hear)
    async with beside(_look_again(pool, version, begun)):
        yield version


async def _look_again(pool: Pool, version: DataVersion, begun: asyncio.Event) -> None:
    """Name the state of the data whenever listening has begun."""
    while True:
        await begun.wait()
        begun.clear()
        losses = version.losses
        try:
            found = await pool.read(name_state)
        except DatabaseError:
            begun.set()
            await asyncio.sleep(RETRY_SECONDS)
        else:
            # A change that was announced meanwhile has the better name; one that nobody could hear meanwhile has none.
            if version.losses == losses:
                version.name = version.name or found
