"""Listens to what PostgreSQL announces: one connection of its own, which comes back by itself.

A notification is a hint to look, never the news itself: one may be lost while the connection is, so whoever waits also
looks every now and then. PgBouncer passes no notifications on; listening needs a direct connection.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from db.background import background_task
from db.errors import DatabaseError
from db.pool import API, connect

log = logging.getLogger("ratesgraph.db")

QUEUE = "ratesgraph_queue"
"""A batch was accepted."""
BATCHES = "ratesgraph_batches"
"""The batch whose id is the payload has come on, has ended or was reverted."""
DATA = "ratesgraph_data"
"""Prices or locations have changed; the payload is the transaction and what changed (`db.repositories.versions`)."""
RECONNECT_SECONDS = 1.0
Listener = Callable[[str | None], None]
"""Is called with every payload of a channel in the order of the commits, with None while nothing can be heard, and with an
empty text when listening begins (again)."""


class Notifications:
    """Wakes those who wait for a channel, or for one payload of it."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str | None], set[asyncio.Event]] = {}
        self._listeners: dict[str, Listener] = {}

    def set_listener(self, channel: str, listener: Listener) -> None:
        """Have the listener called from now on; a channel has one."""
        self._listeners[channel] = listener

    def notify_disconnected(self) -> None:
        """Tell the listeners that nothing can be heard."""
        for listener in self._listeners.values():
            listener(None)

    @contextmanager
    def subscribe(self, channel: str, payload: str | None = None) -> Iterator[asyncio.Event]:
        """Yield an event that is set by every notification of the channel, or by those with the payload."""
        event = asyncio.Event()
        events = self._waiting.setdefault((channel, payload), set())
        events.add(event)
        try:
            yield event
        finally:
            events.discard(event)
            if not events:
                self._waiting.pop((channel, payload), None)

    def dispatch(self, channel: str, payload: str) -> None:
        """Set the events of those who wait for the channel or for this payload of it, and call its listener."""
        if channel in self._listeners:
            self._listeners[channel](payload)
        for key in ((channel, payload), (channel, None)):
            for event in self._waiting.get(key, ()):
                event.set()


async def _listen(database_url: str, channels: tuple[str, ...], notifications: Notifications) -> None:
    while True:
        try:
            async with connect(database_url, API) as connection:
                for channel in channels:
                    await connection.execute(f"LISTEN {channel}".encode())
                # What was announced while nobody listened is gone: everybody looks once.
                for channel in channels:
                    notifications.dispatch(channel, "")
                async for notify in connection.notifies():
                    notifications.dispatch(notify.channel, notify.payload)
        except DatabaseError:
            log.warning("the connection for notifications was lost; trying again")
            notifications.notify_disconnected()
            await asyncio.sleep(RECONNECT_SECONDS)


@asynccontextmanager
async def open_notifications(database_url: str, *channels: str) -> AsyncIterator[Notifications]:
    """Listen to the channels until the end of the block."""
    notifications = Notifications()
    async with background_task(_listen(database_url, channels, notifications)):
        yield notifications
