"""Consumer of a queue: it opens a new session after each lost connection."""

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
from server.amqp.session import MergeRules, MessageCounts, Session

log = logging.getLogger("ratesgraph.amqp")

CONSUME = Role("ratesgraph-consume", statement_timeout=30_000, lock_timeout=10_000, idle_in_transaction_timeout=30_000)
POOL_SIZE = 2
OUTAGE_SECONDS = 1.0
"""Time for which storing waits out an outage of the database, before the session cancels its consumer (basic.cancel)."""
FIRST_PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 10.0
ONE_BY_ONE_MESSAGES = 100
"""Number of messages after which a session with a prefetch count of 1 ends."""
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
) -> MessageCounts:
    """Store the messages of the queue as batches until `stop` is set, and return the counts.

    `owner` is the caller that owns the batches, by default the queue. `on_ready` is called after the first connection. Message
    IDs are stored until `key_days` after the end of their batch. A lost connection is opened again with backoff. Raise
    BrokerError if the first connection fails, or if a later one needs a change by the operator; raise DatabaseError likewise.
    """
    await check_database(database_url, Work.CHANGE)
    counts, source = MessageCounts(), MessageSource(endpoint.queue, owner)
    async with (
        open_pool(database_url, CONSUME, max_size=POOL_SIZE, outage_seconds=OUTAGE_SECONDS) as pool,
        background_task(_delete_keys_forever(pool, key_days)),
    ):
        has_connected, is_one_by_one, pause = False, False, FIRST_PAUSE_SECONDS
        while not stop.is_set():
            acknowledged = 0
            try:
                prefetch = 1 if is_one_by_one else endpoint.prefetch
                async with open_queue(endpoint, prefetch) as opened:
                    if has_connected:
                        log.warning("connected to the broker again")
                    else:
                        on_ready()
                    has_connected, pause = True, FIRST_PAUSE_SECONDS
                    session = Session(opened, source, pool, rules, prefetch, stop, counts, disk_space)
                    try:
                        await session.run(ONE_BY_ONE_MESSAGES if is_one_by_one else None)
                    finally:
                        acknowledged = session.acknowledged
                is_one_by_one = False
            except BrokerError as error:
                if not (has_connected and error.is_temporary):
                    raise
                # A message that the client library cannot decode closes each connection that delivers it. With a prefetch count
                # of 1, only this message reaches the delivery limit, and not those next to it.
                is_one_by_one = acknowledged == 0
                log.warning("%s; connecting again", error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause * random.uniform(0.5, 1))  # noqa: S311
                pause = min(2 * pause, MAX_PAUSE_SECONDS)
    return counts


async def _delete_keys_forever(pool: Pool, days: int) -> None:
    """Delete expired message IDs at intervals.

    An unavailable database is not an error: the next attempt follows.
    """
    while True:
        with suppress(DatabaseError):
            async with pool.connection() as connection:
                await delete_old_keys(connection, days=days)
        await asyncio.sleep(KEY_DELETION_SECONDS)
