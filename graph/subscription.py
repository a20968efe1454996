"""The fields to watch. Each gives a stream: over WebSocket (`graphql-transport-ws`) or as server-sent events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import date

import strawberry

from domain.batches import BatchStatus
from domain.batches import PriceBatch as BatchModel
from graph.execution.authorization import requires
from graph.types.arguments import BatchId, Info, LocationKey
from graph.types.batches import PriceBatch, to_batch
from resolvers import subscriptions
from resolvers.caller import AuthScope, Caller
from resolvers.uploads.batches import parse_batch_id


@strawberry.type(description="That the prices of a lane have changed. Its days say which averages to ask for again.")
class PricesChanged:
    status: BatchStatus = strawberry.field(description="Whether prices came (APPLIED) or were taken back (REVERTED).")
    first_day: date | None = strawberry.field(description="The first day whose prices, on any lane, have changed.")
    last_day: date | None = strawberry.field(description="The last day whose prices, on any lane, have changed.")
    batch: PriceBatch | None = strawberry.field(
        description="The batch that did it: applied, or taken back. Null unless it is the caller's own, or the caller an admin."
    )


@strawberry.type(description="Watch a batch until it has ended, or the prices of a lane.")
class Subscription:
    @strawberry.subscription(
        description=(
            "The batch as it stands, at once, then whenever it has changed; the stream is complete when the batch has ended."
        ),
        metadata=requires(AuthScope.UPLOAD),
    )
    async def batch_progress(self, info: Info, id: BatchId) -> AsyncGenerator[PriceBatch, None]:  # noqa: A002
        return _to_batches(await subscriptions.subscribe_to_batch(info.context, parse_batch_id(id)))

    @strawberry.subscription(
        description=(
            "Every batch that is applied or taken back from now on and has prices between ports under the two locations."
            " Changes of the region tree are not told."
        ),
        metadata=requires(AuthScope.READ),
    )
    async def prices_changed(
        self, info: Info, origin: LocationKey, destination: LocationKey
    ) -> AsyncGenerator[PricesChanged, None]:
        return _to_changes(
            await subscriptions.subscribe_to_prices(info.context, origin, destination), info.context.caller
        )


async def _to_batches(models: AsyncGenerator[BatchModel, None]) -> AsyncGenerator[PriceBatch, None]:
    async with aclosing(models):
        async for model in models:
            yield to_batch(model)


async def _to_changes(models: AsyncGenerator[BatchModel, None], caller: Caller) -> AsyncGenerator[PricesChanged, None]:
    async with aclosing(models):
        async for model in models:
            batch = to_batch(model) if caller.can_see(model.uploader) else None
            yield PricesChanged(status=model.status, first_day=model.first_day, last_day=model.last_day, batch=batch)
