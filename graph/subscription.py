"""The fields to watch. Each gives a stream: over WebSocket (`graphql-transport-ws`) or as server-sent events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import strawberry

from db.model import PriceBatch as BatchModel
from graph.arguments import BatchId, Info, Place
from graph.batches import PriceBatch, to_batch
from resolvers import subscriptions
from resolvers.batches import parse_batch_id


@strawberry.type(description="That the prices of a lane have changed.")
class PricesChanged:
    batch: PriceBatch = strawberry.field(
        description="The batch that did it: applied, or taken back. Its days say which averages to ask for again."
    )


@strawberry.type(description="Watch a batch until it has ended, or the prices of a lane.")
class Subscription:
    @strawberry.subscription(
        description=(
            "The batch as it stands, at once, then whenever it has changed; the stream is complete when the batch has ended."
        )
    )
    async def batch_progress(self, info: Info, id: BatchId) -> AsyncGenerator[PriceBatch, None]:  # noqa: A002
        return _to_batches(await subscriptions.watch_batch(info.context, parse_batch_id(id)))

    @strawberry.subscription(
        description=(
            "Every batch that is applied or taken back from now on and has prices between ports under the two locations."
            " Changes of the region tree are not told."
        )
    )
    async def prices_changed(
        self, info: Info, origin: Place, destination: Place
    ) -> AsyncGenerator[PricesChanged, None]:
        return _to_changes(await subscriptions.watch_prices(info.context, origin, destination))


async def _to_batches(models: AsyncGenerator[BatchModel, None]) -> AsyncGenerator[PriceBatch, None]:
    async with aclosing(models):
        async for model in models:
            yield to_batch(model)


async def _to_changes(models: AsyncGenerator[BatchModel, None]) -> AsyncGenerator[PricesChanged, None]:
    async with aclosing(_to_batches(models)) as batches:
        async for batch in batches:
            yield PricesChanged(batch=batch)
