"""LISTEN/NOTIFY over a dedicated connection that reconnects by itself.

A notification is a hint to query, never the data itself. It may be lost while the connection is down, so waiting code also
polls at intervals. PgBouncer does not forward notifications: listening needs a direct connection.

PostgreSQL delivers notifications to a whole database, which may hold several installations, each in a schema of its own. The
name of a channel in PostgreSQL therefore ends with the OID of the schema.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from db.administration.access import get_schema, measure_database
from db.background import background_task
from db.connection import Connection, closing_on_timeout
from db.errors import DatabaseError, ReadOnlyServer, describe_for_operator
from db.pool import API, connect

log = logging.getLogger("ratesgraph.db")

QUEUE = "ratesgraph_queue"
"""A batch was accepted."""
BATCHES = "ratesgraph_batches"
"""Channel of batches that made progress, ended or were reverted. The payload is the ID."""
DATA = "ratesgraph_data"
"""Channel of changes of prices or locations.

The payload is the transaction and what changed (`db.repositories.versions`).
"""
POSITIONS = "ratesgraph_positions"
"""Channel by which a process finds out which changes it has received. The payload is a token of its own."""
RECONNECT_SECONDS = 1.0
CHECK_SECONDS = 1.0
"""Interval at which the connection is checked.

A server that a failover left behind stays connected and sends no notification. Cached responses would be out of date.
"""
Listener = Callable[[str | None], None]
"""Callback for every payload of a channel, in commit order.

It receives None when the connection is lost, and an empty text whenever listening begins."""


class Notifications:
    """Publish/subscribe hub that wakes the subscribers of a channel, or of one payload of it."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str | None], set[asyncio.Event]] = {}
        self._listeners: dict[str, Listener] = {}

    def set_listener(self, channel: str, listener: Listener) -> None:
        """Set the channel's listener; a channel has at most one."""
        self._listeners[channel] = listener

    def notify_disconnected(self) -> None:
        """Notify the listeners that the connection is lost."""
        for listener in self._listeners.values():
            listener(None)

    @contextmanager
    def subscribe(self, channel: str, payload: str | None = None) -> Iterator[asyncio.Event]:
        """Yield an event that each notification of the channel sets, or each with this payload."""
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
        """Call the channel's listener and set the events of the channel and of this payload."""
        if channel in self._listeners:
            self._listeners[channel](payload)
        for key in ((channel, payload), (channel, None)):
            for event in self._waiting.get(key, ()):
                event.set()


def _listen_statement(name: str) -> bytes:
    return f"LISTEN {name}".encode()


async def measure_listeners(connection: Connection, channel: str) -> tuple[int, int]:
    """Return the size of the database in bytes and the number of processes that listen.

    A process repeats LISTEN for its first channel every second (`_check`), so this is the last statement of its session.
    """
    schema = await get_schema(connection)
    return await measure_database(connection, _listen_statement(f"{channel}_{schema}").decode())


async def _listen(database_url: str, channels: tuple[str, ...], notifications: Notifications) -> None:
    is_reported = False
    while True:
        try:
            async with connect(database_url, API) as connection:
                schema = await get_schema(connection)
                names = {f"{channel}_{schema}": channel for channel in channels}
                for name in names:
                    await connection.execute(_listen_statement(name))
                # Notifications sent in the meantime are lost, so all subscribers query once.
                for channel in channels:
                    notifications.dispatch(channel, "")
                is_reported = False
                while True:
                    async for notify in connection.notifies(timeout=CHECK_SECONDS):
                        notifications.dispatch(names[notify.channel], notify.payload)
                    await _check(connection, next(iter(names)))
        except DatabaseError as error:
            if not is_reported:
                log.warning("notification connection lost; reconnecting: %s", describe_for_operator(error))
            is_reported = True
        except Exception:
            # The task must not end here: responses would be cached for ever.
            log.exception("listening for notifications failed; reconnecting")
        notifications.notify_disconnected()
        await asyncio.sleep(RECONNECT_SECONDS)


async def _check(connection: Connection, channel: str) -> None:
    """Raise ReadOnlyServer if the server accepts no writes any more.

    A standby refuses LISTEN, and otherwise repeating it changes nothing. With the reply, PostgreSQL reports a changed default.
    """
    with closing_on_timeout(connection):
        await connection.execute(_listen_statement(channel))
    if connection.info.parameter_status("default_transaction_read_only") == "on":
        raise ReadOnlyServer


@asynccontextmanager
async def open_notifications(database_url: str, *channels: str) -> AsyncIterator[Notifications]:
    """Listen on the channels for the duration of the block."""
    notifications = Notifications()
    async with background_task(_listen(database_url, channels, notifications)):
        yield notifications
