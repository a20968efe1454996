"""What callers watch: a batch until it has ended, and the prices of a lane.

Whoever watches holds no connection while nothing happens. A notification only says that it is time to look, so one that is
lost delays an event and loses none. Between two events the database may be away: then one looks again until it is back.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from db.notifications import DATA
from domain.batches import BatchStatus, PriceBatch
from resolvers.context import RequestContext
from resolvers.errors import TEMPORARY_ERRORS, RequestError
from resolvers.locations import resolve_lane
from resolvers.price_changes import ChangesSince, LaneSubscription
from resolvers.uploads.batches import find_batch, follow_batch

POLL_SECONDS = 5.0
"""How long a change of prices may go unnoticed when its notification was lost."""


async def subscribe_to_batch(context: RequestContext, batch_id: int | None) -> AsyncGenerator[PriceBatch, None]:
    """Return a stream of the batch as it stands, then at every change until it has ended.

    Raise RequestError (UNKNOWN_BATCH).
    """
    if batch_id is None or await find_batch(context, batch_id) is None:
        raise RequestError("UNKNOWN_BATCH", "There is no batch with this id.", argument="id")
    return _follow_batch(context, batch_id)


async def subscribe_to_prices(
    context: RequestContext, origin: str, destination: str
) -> AsyncGenerator[PriceBatch, None]:
    """Return a stream of the batches that are applied or taken back from now on and touch the lane.

    Each is told exactly once, as it stands when it is told: one that was applied and taken back since the last look is told
    once, as reverted. The lane's regions stand for the ports that are below them when a batch is told. Raise RequestError
    (UNKNOWN_LOCATION), and TOO_FAR_BEHIND within the stream.
    """
    lane = await resolve_lane(context, origin, destination)
    start = await context.app.price_changes.poll(LaneSubscription(lane, None))
    return _follow_prices(context, LaneSubscription(lane, start.cursor))


async def _follow_batch(context: RequestContext, batch_id: int) -> AsyncGenerator[PriceBatch, None]:
    is_news = False
    async with aclosing(follow_batch(context, batch_id)) as states:
        async for batch in states:
            if is_news:
                _refresh(context, batch)
            yield batch
            is_news = True


async def _follow_prices(context: RequestContext, watch: LaneSubscription) -> AsyncGenerator[PriceBatch, None]:
    with context.app.notifications.subscribe(DATA) as changed:
        while True:
            changed.clear()
            try:
                found = await context.app.price_changes.poll(watch)
            except TEMPORARY_ERRORS:
                found = ChangesSince(watch.cursor, [])
            watch = replace(watch, cursor=found.cursor)
            for batch in found.batches:
                _refresh(context, batch)
                yield batch
            # A notification may be lost, so look every now and then.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), POLL_SECONDS)


def _refresh(context: RequestContext, batch: PriceBatch) -> None:
    """Make sure that neither the event nor a question that it leads to is answered from before it."""
    context.loaders.clear()
    if batch.status in {BatchStatus.APPLIED, BatchStatus.REVERTED}:
        context.app.version.expect_change(f"{batch.id} {batch.status}")
