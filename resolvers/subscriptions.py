"""Subscriptions to the progress of a batch and to the price changes of lanes.

A subscription holds no database connection between events. A notification only triggers a poll, so a lost one delays an event
and loses none. During a database outage the subscription polls until the database answers again.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from db.notifications import DATA
from domain.batches import BatchStatus, PriceBatch
from domain.locations import Lane
from resolvers.context import RequestContext
from resolvers.errors import TEMPORARY_ERRORS, RequestError
from resolvers.locations import resolve_lane, resolve_lanes
from resolvers.price_changes import ChangesSince, LaneSubscription
from resolvers.uploads.batches import find_batch, follow_batch

POLL_SECONDS = 5.0
"""Maximum delay of an event whose notification was lost."""
MAX_LANES = 100
"""Maximum number of lanes of a subscription: all lanes of a table or chart, and a bounded poll."""
LaneKeys = tuple[str, str]
"""Origin and destination of a lane, each a code or slug."""


@dataclass(frozen=True, slots=True)
class LanesChanged:
    """Event of a subscription to prices: the batch, and the subscribed lanes that it changed.

    The lanes are in the order of the subscription.
    """

    batch: PriceBatch
    lanes: list[Lane]


async def subscribe_to_batch(context: RequestContext, batch_id: int | None) -> AsyncGenerator[PriceBatch, None]:
    """Return a stream of the batch's current state and of each change until it has ended.

    Raise RequestError (UNKNOWN_BATCH).
    """
    if batch_id is None or await find_batch(context, batch_id) is None:
        raise RequestError("UNKNOWN_BATCH", "There is no batch with this id.", argument="id")
    return _follow_batch(context, batch_id)


async def subscribe_to_prices(
    context: RequestContext, origin: str | None, destination: str | None, lanes: Sequence[LaneKeys] | None
) -> AsyncGenerator[LanesChanged, None]:
    """Return a stream of the batches on the lanes that are applied or reverted from now on.

    Each change is one event, with the batch in its current state. A batch that was applied and reverted since the last poll is
    one event, as reverted. A region stands for the ports that are below it at the time of the event. Raise RequestError
    (INVALID_LANES, UNKNOWN_LOCATION), and TOO_FAR_BEHIND within the stream.
    """
    ordered = await _resolve_lanes(context, origin, destination, lanes)
    watched = frozenset(ordered)
    start = await context.app.price_changes.poll(LaneSubscription(watched, None))
    return _follow_prices(context, LaneSubscription(watched, start.cursor), ordered)


async def _resolve_lanes(
    context: RequestContext, origin: str | None, destination: str | None, lanes: Sequence[LaneKeys] | None
) -> list[Lane]:
    """Return the lanes of the arguments, each once, in their order."""
    if lanes is None and origin is not None and destination is not None:
        return [await resolve_lane(context, origin, destination)]
    if lanes is None or origin is not None or destination is not None or not 0 < len(lanes) <= MAX_LANES:
        message = f"Name either origin and destination, or 1 to {MAX_LANES} lanes."
        raise RequestError("INVALID_LANES", message, argument="lanes")
    resolved = await resolve_lanes(context, lanes)
    for position, lane in enumerate(resolved):
        if isinstance(lane, RequestError):
            raise lane.in_list("lanes", position)
        if isinstance(lane, Exception):
            raise lane
    return list(dict.fromkeys(lane for lane in resolved if isinstance(lane, Lane)))


async def _follow_batch(context: RequestContext, batch_id: int) -> AsyncGenerator[PriceBatch, None]:
    is_first = True
    async with aclosing(follow_batch(context, batch_id)) as states:
        async for batch in states:
            if not is_first:
                _refresh(context, batch)
            yield batch
            is_first = False


async def _follow_prices(
    context: RequestContext, subscription: LaneSubscription, ordered: Sequence[Lane]
) -> AsyncGenerator[LanesChanged, None]:
    with context.app.notifications.subscribe(DATA) as changed:
        while True:
            changed.clear()
            try:
                changes = await context.app.price_changes.poll(subscription)
            except TEMPORARY_ERRORS:
                changes = ChangesSince(subscription.cursor, [])
            subscription = replace(subscription, cursor=changes.cursor)
            for change in changes.changes:
                _refresh(context, change.batch)
                yield LanesChanged(change.batch, [lane for lane in ordered if lane in change.lanes])
            # A notification may be lost, hence the polling.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), POLL_SECONDS)


def _refresh(context: RequestContext, batch: PriceBatch) -> None:
    """Ensure that neither the event nor a query that follows it is answered with older data."""
    context.loaders.clear()
    if batch.status in {BatchStatus.APPLIED, BatchStatus.REVERTED}:
        context.app.version.expect_change(f"{batch.id} {batch.status}")
