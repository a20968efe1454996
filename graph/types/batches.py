"""Price batches: what can be looked up of them."""

from datetime import date, datetime

import strawberry
from strawberry.relay import PageInfo

from domain.batches import BatchPage, BatchStatus, OnError
from domain.batches import PriceBatch as BatchModel
from graph.types.arguments import After, First, Info
from graph.types.lanes import LaneConnection, to_lane_connection
from graph.types.pagination import decode_cursor, encode_cursor, to_page_info
from graph.types.rejections import RejectionConnection, to_rejection_connection
from resolvers.lanes import list_lanes
from resolvers.uploads.batches import check_page_size, list_rejections, rejections_url

strawberry.enum(BatchStatus, description="Where a price batch is in its life.")
strawberry.enum(OnError, description="What one invalid item does to its batch.")


@strawberry.type(description="A batch of uploaded prices: what came, what became of it, when.")
class PriceBatch:
    id: strawberry.ID = strawberry.field(description="The batch's id.")
    status: BatchStatus = strawberry.field(description="Where the batch is in its life.")
    on_error: OnError = strawberry.field(description="What one invalid item does to the batch.")
    source: str = strawberry.field(description="How the batch came: a mutation or a file's name.")
    idempotency_key: str | None = strawberry.field(description="The key that it was uploaded with.")
    uploader: str | None = strawberry.field(
        description="Who uploaded it, by token; null where nobody had to say, as on the command line."
    )
    item_count: int = strawberry.field(description="How many items it lists.")
    accepted_count: int = strawberry.field(description="How many items were applied.")
    rejected_count: int = strawberry.field(description="How many items are invalid.")
    price_day_count: float = strawberry.field(description="How many daily prices its applied items stand for.")
    lane_count: int = strawberry.field(description="How many lanes, port to port, its prices are on.")
    first_day: date | None = strawberry.field(
        description="The first day that it has prices for; null while it has none."
    )
    last_day: date | None = strawberry.field(description="The last day that it has prices for; null while it has none.")
    progress: float = strawberry.field(
        description="The part of its items that has been worked on: 0 while it waits, 1 once it has ended."
    )
    attempts: int = strawberry.field(description="How often a worker has tried to apply it.")
    failure: str | None = strawberry.field(description="Why the last attempt failed; null when none did.")
    created_at: datetime = strawberry.field(description="When it was accepted.")
    started_at: datetime | None = strawberry.field(description="When a worker first took it; null until then.")
    ended_at: datetime | None = strawberry.field(
        description="When it was applied or rejected, or failed for good; null until then."
    )
    reverted_at: datetime | None = strawberry.field(description="When it was taken back; null if it was not.")

    @strawberry.field(description="Every problem of its items, by item.")
    async def rejections(self, info: Info, first: First = 50, after: After = None) -> RejectionConnection:
        page = await list_rejections(
            info.context,
            int(self.id),
            first=check_page_size(first, info.context.app.limits.max_page_size),
            after=decode_cursor("rejection", after),
        )
        return to_rejection_connection(page, after=after)

    @strawberry.field(description="The lanes that its prices are on; those of a reverted batch too.")
    async def lanes(self, info: Info, first: First = 50, after: After = None) -> LaneConnection:
        page = await list_lanes(
            info.context,
            int(self.id),
            first=check_page_size(first, info.context.app.limits.max_page_size),
            after=decode_cursor("lane", after),
        )
        return to_lane_connection(page, after=after, total_count=self.lane_count)

    @strawberry.field(
        description="Where all of its problems can be downloaded as CSV, each beside its item as it was uploaded: a path on "
        "this server (`/batches/12/rejections.csv`). Null when it has none, and until it has ended."
    )
    async def rejections_url(self, info: Info) -> str | None:
        return await rejections_url(info.context, int(self.id))


@strawberry.type(description="A batch within a list, with its place in it.")
class PriceBatchEdge:
    cursor: str = strawberry.field(description="Give this as `after` to go on behind the entry.")
    node: PriceBatch = strawberry.field(description="The batch.")


@strawberry.type(description="A page of batches, newest first.")
class PriceBatchConnection:
    edges: list[PriceBatchEdge] = strawberry.field(description="The entries of the page.")
    page_info: PageInfo = strawberry.field(description="Whether and where the list goes on.")
    total_count: int = strawberry.field(description="How many batches match in all.")


def to_batch(model: BatchModel) -> PriceBatch:
    """Return the batch as its GraphQL type."""
    return PriceBatch(
        id=strawberry.ID(str(model.id)),
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


def to_batch_connection(page: BatchPage, *, after: str | None) -> PriceBatchConnection:
    """Return the page as a Relay connection."""
    edges = [PriceBatchEdge(cursor=encode_cursor("batch", batch.id), node=to_batch(batch)) for batch in page.batches]
    page_info = to_page_info([edge.cursor for edge in edges], has_next_page=page.has_next_page, after=after)
    return PriceBatchConnection(edges=edges, page_info=page_info, total_count=page.total_count)
