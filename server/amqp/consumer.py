"""Consumer of a queue: a new session follows whenever a connection is lost."""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress

from db.background import background_task
from db.connection import Role
from db.embedded.disk_space import DiskSpace
from db.errors import DatabaseError
from db.pool import Pool, open_pool
from db.repositories.payloads import delete_old_keys
from db.requirements import Work, check_database
from resolvers.uploads.messages import MessageSource
from server.amqp.broker import Endpoint, open_queue
from server.amqp.errors import BrokerError
from server.amqp.session import Figures, MergeRules, Session

log = logging.getLogger("ratesgraph.amqp")

CONSUME = Role("ratesgraph-consume", statement_timeout=30_000, lock_timeout=10_000, idle_in_transaction_timeout=30_000)
POOL_SIZE = 2
OUTAGE_SECONDS = 1.0
"""How long storing waits for the end of an outage of the database before the queue is no longer consumed."""
FIRST_PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 10.0
CAREFUL_MESSAGES = 100
"""Number of messages of a session that takes them one at a time."""
KEY_DELETION_SECONDS = 30.0


async def run_consumer(
    database_url: str,
    endpoint: Endpoint,
    rules: MergeRules,
    stop: asyncio.Event,
    *,
    on_ready: Callable[[], None],
    key_days: int,
    owner: str | None = None,
    disk_space: DiskSpace | None = None,
) -> Figures:
    """Store the messages of the queue as batches until `stop` is set, and return the figures.

    `owner` is the caller that owns the batches, by default the queue. `on_ready` is called after the first connection. Message
    IDs are stored until `key_days` after the end of their batch. A lost connection is opened again with backoff. Raise
    BrokerError if the first connection fails, or if a later one needs a change by the operator; raise DatabaseError likewise.
    """
    await check_database(database_url, Work.CHANGE)
    figures, source = Figures(), MessageSource(endpoint.queue, owner)
    async with (
        open_pool(database_url, CONSUME, max_size=POOL_SIZE, outage_seconds=OUTAGE_SECONDS) as pool,
        background_task(_delete_keys_forever(pool, key_days)),
    ):
        has_connected, is_careful, pause = False, False, FIRST_PAUSE_SECONDS
        while not stop.is_set():
            handled = 0
            try:
                prefetch = 1 if is_careful else endpoint.prefetch
                async with open_queue(endpoint, prefetch) as opened:
                    if has_connected:
                        log.warning("connected to the broker again")
                    else:
                        on_ready()
                    has_connected, pause = True, FIRST_PAUSE_SECONDS
                    session = Session(opened, source, pool, rules, prefetch, stop, figures, disk_space)
                    try:
                        await session.run(CAREFUL_MESSAGES if is_careful else None)
                    finally:
                        handled = session.handled
                is_careful = False
            except BrokerError as error:
                if not (has_connected and error.is_temporary):
                    raise
                # A message that the client library cannot read ends each connection that delivers it. Alone, it reaches the
                # delivery limit of the queue without the messages next to it.
                is_careful = handled == 0
                log.warning("%s; connecting again", error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause * random.uniform(0.5, 1))  # noqa: S311
                pause = min(2 * pause, MAX_PAUSE_SECONDS)
    return figures


async def _delete_keys_forever(pool: Pool, days: int) -> None:
    """Delete expired message IDs at intervals.

    An unavailable database is not an error: the next attempt follows.
    """
    while True:
        with suppress(DatabaseError):
            async with pool.connection() as connection:
                await delete_old_keys(connection, days=days)
        await asyncio.sleep(KEY_DELETION_SECONDS)
