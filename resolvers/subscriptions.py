"""Subscriptions to the progress of a batch and to the price changes of a lane.

A subscription holds no database connection between events. A notification only triggers a poll, so a lost one delays an event
and loses none. During a database outage the subscription polls until the database answers again.
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
"""Maximum delay of an event whose notification was lost."""


async def subscribe_to_batch(context: RequestContext, batch_id: int | None) -> AsyncGenerator[PriceBatch, None]:
    """Return a stream of the batch's current state and of each change until it has ended.

    Raise RequestError (UNKNOWN_BATCH).
    """
    if batch_id is None or await find_batch(context, batch_id) is None:
        raise RequestError("UNKNOWN_BATCH", "There is no batch with this id.", argument="id")
    return _follow_batch(context, batch_id)


async def subscribe_to_prices(
    context: RequestContext, origin: str, destination: str
) -> AsyncGenerator[PriceBatch, None]:
    """Return a stream of the batches on the lane that are applied or reverted from now on.

    Each change is one event, with the batch in its current state. A batch that was applied and reverted since the last poll is
    one event, as reverted. A region stands for the ports that are below it at the time of the event. Raise RequestError
    (UNKNOWN_LOCATION), and TOO_FAR_BEHIND within the stream.
    """
    lane = await resolve_lane(context, origin, destination)
    start = await context.app.price_changes.poll(LaneSubscription(lane, None))
    return _follow_prices(context, LaneSubscription(lane, start.cursor))


async def _follow_batch(context: RequestContext, batch_id: int) -> AsyncGenerator[PriceBatch, None]:
    is_first = True
    async with aclosing(follow_batch(context, batch_id)) as states:
        async for batch in states:
            if not is_first:
                _refresh(context, batch)
            yield batch
            is_first = False


async def _follow_prices(context: RequestContext, subscription: LaneSubscription) -> AsyncGenerator[PriceBatch, None]:
    with context.app.notifications.subscribe(DATA) as changed:
        while True:
            changed.clear()
            try:
                changes = await context.app.price_changes.poll(subscription)
            except TEMPORARY_ERRORS:
                changes = ChangesSince(subscription.cursor, [])
            subscription = replace(subscription, cursor=changes.cursor)
            for batch in changes.batches:
                _refresh(context, batch)
                yield batch
            # A notification may be lost, hence the polling.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), POLL_SECONDS)


def _refresh(context: RequestContext, batch: PriceBatch) -> None:
    """Ensure that neither the event nor a query that follows it is answered with older data."""
    context.loaders.clear()
    if batch.status in {BatchStatus.APPLIED, BatchStatus.REVERTED}:
        context.app.version.expect_change(f"{batch.id} {batch.status}")
