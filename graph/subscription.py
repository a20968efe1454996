"""Root subscription type: streams over graphql-transport-ws or server-sent events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import date
from typing import Annotated

import strawberry

from domain.batches import PriceBatch as BatchModel
from domain.locations import Lane as LaneModel
from graph.authorization import requires
from graph.types.arguments import LOCATION_KEY, BatchId, Info
from graph.types.batches import PriceBatch, to_batch
from graph.types.enums import BatchStatus
from graph.types.lanes import LaneInput, SubscribedLane
from graph.types.locations import to_location
from resolvers import subscriptions
from resolvers.caller import AuthScope, Caller
from resolvers.relay.global_ids import parse_batch_id

LaneEnd = Annotated[str | None, strawberry.argument(description=f"{LOCATION_KEY} Required unless `lanes` is given.")]


@strawberry.type(
    description="A change of prices on subscribed lanes. The averages of its days need to be fetched again."
)
class PricesChanged:
    status: BatchStatus = strawberry.field(description="Whether prices were added (APPLIED) or reverted (REVERTED).")
    first_day: date | None = strawberry.field(description="The first day with changed prices on any lane of the batch.")
    last_day: date | None = strawberry.field(description="The last day with changed prices on any lane of the batch.")
    batch: PriceBatch | None = strawberry.field(
        description="The batch that was applied or reverted; null unless the caller uploaded it or is an admin."
    )
    changed_lanes: strawberry.Private[list[LaneModel]]

    @strawberry.field(description="The subscribed lanes with changed prices, in the order of the subscription.")
    async def lanes(self, info: Info) -> list[SubscribedLane] | None:
        ids = sorted({end for lane in self.changed_lanes for end in lane})
        found = await info.context.loaders.location_by_id.load_many(ids)
        # Locations are never deleted.
        ends = {model.id: to_location(model) for model in found if model is not None}
        return [
            SubscribedLane(origin=ends[lane.origin], destination=ends[lane.destination]) for lane in self.changed_lanes
        ]


@strawberry.type(description="Root subscription type: the progress of a batch and the price changes of lanes.")
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
            "Each batch that is applied or reverted from now on and has prices between ports of the two locations, or of the"
            " locations of one of the lanes. Changes of the region tree are not reported."
        ),
        metadata=requires(AuthScope.READ),
    )
    async def prices_changed(
        self,
        info: Info,
        origin: LaneEnd = None,
        destination: LaneEnd = None,
        lanes: Annotated[
            list[LaneInput] | None,
            strawberry.argument(description="1 to 100 lanes, in place of `origin` and `destination`."),
        ] = None,
    ) -> AsyncGenerator[PricesChanged, None]:
        keys = None if lanes is None else [(lane.origin, lane.destination) for lane in lanes]
        return _to_changes(
            await subscriptions.subscribe_to_prices(info.context, origin, destination, keys), info.context.caller
        )


async def _to_batches(models: AsyncGenerator[BatchModel, None]) -> AsyncGenerator[PriceBatch, None]:
    async with aclosing(models):
        async for model in models:
            yield to_batch(model)


async def _to_changes(
    changes: AsyncGenerator[subscriptions.LanesChanged, None], caller: Caller
) -> AsyncGenerator[PricesChanged, None]:
    async with aclosing(changes):
        async for change in changes:
            model = change.batch
            yield PricesChanged(
                status=model.status,
                first_day=model.first_day,
                last_day=model.last_day,
                batch=to_batch(model) if caller.can_see(model.uploader) else None,
                changed_lanes=change.lanes,
            )
