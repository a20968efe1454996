"""Price batches: status, counts, rejections and lanes of an upload."""

from datetime import date, datetime

import strawberry

from domain.batches import PriceBatch as BatchModel
from domain.pages import Page
from graph.relay.connections import After, Before, Connection, First, Last, parse_page, to_connection
from graph.relay.nodes import Node
from graph.types.arguments import Info
from graph.types.enums import BatchStatus, OnError
from graph.types.lanes import Lane, to_lane_connection
from graph.types.rejections import RejectionType, to_rejection_connection
from resolvers.lanes import list_lanes
from resolvers.relay.global_ids import encode_batch_id
from resolvers.uploads.batches import list_rejections, rejections_url


@strawberry.type(description="A batch of uploaded prices: its content, its processing and its result.")
class PriceBatch(Node):
    number: int = strawberry.field(
        description="The number of the batch, for people; arguments accept it in place of the ID."
    )
    status: BatchStatus = strawberry.field(description="The processing status.")
    on_error: OnError = strawberry.field(description="The effect of an invalid item on the batch.")
    source: str = strawberry.field(description="The origin of the batch: a mutation or the name of a file.")
    idempotency_key: str | None = strawberry.field(
        description="The idempotency key of the upload; null if it had none."
    )
    uploader: str | None = strawberry.field(
        description="The uploader, identified by token; null if no token was required, as on the command line."
    )
    item_count: int = strawberry.field(description="Number of items in the batch.")
    accepted_count: int = strawberry.field(description="Number of items that were applied.")
    rejected_count: int = strawberry.field(description="Number of invalid items.")
    price_day_count: float = strawberry.field(
        description="Number of daily prices that the applied items expand to; a Float because it may exceed 32 bits."
    )
    lane_count: int = strawberry.field(description="Number of port-to-port lanes with prices of this batch.")
    first_day: date | None = strawberry.field(
        description="The first day with a price of this batch; null if it has none."
    )
    last_day: date | None = strawberry.field(
        description="The last day with a price of this batch; null if it has none."
    )
    progress: float = strawberry.field(
        description="Fraction of the items processed so far: 0 while the batch is queued, 1 once it has finished."
    )
    attempts: int = strawberry.field(description="Number of times a worker has tried to apply the batch.")
    failure: str | None = strawberry.field(description="The reason why the last attempt failed; null if none failed.")
    created_at: datetime = strawberry.field(description="When the batch was accepted.")
    started_at: datetime | None = strawberry.field(
        description="When a worker first started processing the batch; null before."
    )
    ended_at: datetime | None = strawberry.field(
        description="When the batch was applied, rejected or permanently failed; null before."
    )
    reverted_at: datetime | None = strawberry.field(description="When the batch was reverted; null if it was not.")

    @strawberry.field(description="The global ID. Pass it to `node` or `batch`.")
    def id(self) -> strawberry.ID:
        return strawberry.ID(encode_batch_id(self.number))

    @strawberry.field(description="All problems of the items, ordered by item.")
    async def rejections(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[RejectionType] | None:
        request = parse_page(info.context, "rejection", first=first, after=after, last=last, before=before)
        return to_rejection_connection(await list_rejections(info.context, self.number, request))

    @strawberry.field(description="The lanes with prices of this batch, even after it has been reverted.")
    async def lanes(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Lane] | None:
        request = parse_page(info.context, "lane", first=first, after=after, last=last, before=before)
        return to_lane_connection(await list_lanes(info.context, self.number, request, total_count=self.lane_count))

    @strawberry.field(
        description=(
            "The path of a CSV report on this server (`/batches/12/rejections.csv`), which lists each problem alongside"
            " its item as uploaded. Null until the batch has finished, and if it has no problems."
        )
    )
    async def rejections_url(self, info: Info) -> str | None:
        return await rejections_url(info.context, self.number)


def to_batch(model: BatchModel) -> PriceBatch:
    """Return the batch as its GraphQL type."""
    return PriceBatch(
        number=model.id,
        status=model.status,
        on_error=model.on_error,
        source=model.source,
        idempotency_key=model.idempotency_key,
        uploader=model.uploader or None,
        item_count=model.item_count,
        accepted_count=model.accepted_count,
        rejected_count=model.rejected_count,
        price_day_count=model.price_day_count,
        lane_count=model.lane_count,
        first_day=model.first_day,
        last_day=model.last_day,
        progress=model.progress,
        attempts=model.attempts,
        failure=model.failure,
        created_at=model.created_at,
        started_at=model.started_at,
        ended_at=model.ended_at,
        reverted_at=model.reverted_at,
    )


def to_batch_connection(page: Page[BatchModel]) -> Connection[PriceBatch]:
    """Return the page as a Relay connection."""
    return to_connection("batch", page, ((batch.id, to_batch(batch)) for batch in page.entries))
