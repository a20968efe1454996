"""What callers watch: a batch until it has ended, and the prices of a lane.

Whoever watches holds no connection while nothing happens. A notification only says that it is time to look, so one that is
lost delays an event and loses none. Between two events the database may be away: then one looks again until it is back.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from db.errors import DatabaseUnavailable, StatementTimeout
from db.notifications import DATA
from domain.batches import BatchStatus, PriceBatch
from resolvers.context import RequestContext
from resolvers.errors import RequestError
from resolvers.locations import find_lane
from resolvers.price_changes import Found, Watch
from resolvers.uploads.batches import find_batch, follow_batch

LOOK_SECONDS = 5.0
"""How long a change of prices may go unnoticed when its notification was lost."""


async def watch_batch(context: RequestContext, batch_id: int | None) -> AsyncGenerator[PriceBatch, None]:
    """Return a stream of the batch as it stands, then at every change until it has ended.

    Raise RequestError (UNKNOWN_BATCH).
    """
    if batch_id is None or await find_batch(context, batch_id) is None:
        raise RequestError("UNKNOWN_BATCH", "There is no batch with this id.", argument="id")
    return _follow_batch(context, batch_id)


async def watch_prices(context: RequestContext, origin: str, destination: str) -> AsyncGenerator[PriceBatch, None]:
    """Return a stream of the batches that are applied or taken back from now on and touch the lane.

    Each is told exactly once, as it stands when it is told: one that was applied and taken back since the last look is told
    once, as reverted. The lane's regions stand for the ports that are below them when a batch is told. Raise RequestError
    (UNKNOWN_LOCATION), and TOO_FAR_BEHIND within the stream.
    """
    lane = await find_lane(context, origin, destination)
    start = await context.shared.price_changes.look(Watch(lane, None))
    return _follow_prices(context, Watch(lane, start.seen))


async def _follow_batch(context: RequestContext, batch_id: int) -> AsyncGenerator[PriceBatch, None]:
    is_news = False
    async with aclosing(follow_batch(context, batch_id)) as states:
        async for batch in states:
            if is_news:
                _refresh(context, batch)
            yield batch
            is_news = True


async def _follow_prices(context: RequestContext, watch: Watch) -> AsyncGenerator[PriceBatch, None]:
    with context.shared.notifications.expect(DATA) as changed:
        while True:
            changed.clear()
            try:
                found = await context.shared.price_changes.look(watch)
            except (DatabaseUnavailable, StatementTimeout):
                found = Found(watch.seen, [])
            watch = replace(watch, seen=found.seen)
            for batch in found.batches:
                _refresh(context, batch)
                yield batch
            # A notification may be lost, so look every now and then.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), LOOK_SECONDS)


def _refresh(context: RequestContext, batch: PriceBatch) -> None:
    """Make sure that neither the event nor a question that it leads to is answered from before it."""
    context.loaders.forget()
    if batch.status in {BatchStatus.APPLIED, BatchStatus.REVERTED}:
        context.shared.version.require(f"{batch.id} {batch.status}")
