"""Root subscription type: streams over graphql-transport-ws or server-sent events."""

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
from resolvers.relay.global_ids import parse_batch_id


@strawberry.type(description="A change of prices on a lane. The averages of its days need to be fetched again.")
class PricesChanged:
    status: BatchStatus = strawberry.field(description="Whether prices were added (APPLIED) or reverted (REVERTED).")
    first_day: date | None = strawberry.field(description="The first day with changed prices on any lane of the batch.")
    last_day: date | None = strawberry.field(description="The last day with changed prices on any lane of the batch.")
    batch: PriceBatch | None = strawberry.field(
        description="The batch that was applied or reverted; null unless the caller uploaded it or is an admin."
    )


@strawberry.type(description="Root subscription type: the progress of a batch and the price changes of a lane.")
class Subscription:
    @strawberry.subscription(
        description=(
            "The current state of the batch, then each change of it. The stream completes when the batch has finished."
        ),
        metadata=requires(AuthScope.UPLOAD),
    )
    async def batch_progress(self, info: Info, id: BatchId) -> AsyncGenerator[PriceBatch, None]:  # noqa: A002
        return _to_batches(await subscriptions.subscribe_to_batch(info.context, parse_batch_id(id)))

    @strawberry.subscription(
        description=(
            "Each batch that is applied or reverted from now on and has prices between ports of the two locations."
            " Changes of the region tree are not reported."
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
