"""Price batches: what is uploaded, what is answered, what can be looked up."""

from datetime import datetime

import strawberry
from strawberry.relay import PageInfo

from db.model import BatchPage, BatchStatus, OnError, Rejection
from db.model import PriceBatch as BatchModel
from graph.connections import encode_cursor, to_page_info
from graph.scalars import PriceAmount
from resolvers.batches import Upload

strawberry.enum(BatchStatus, description="Where a price batch is in its life.")
strawberry.enum(OnError, description="What one invalid item does to its batch.")


@strawberry.input(description="One price on one lane, for each day of a period.")
class PriceInput:
    """Texts on purpose: what a value means is judged with the batch, and reported with the item."""

    date_from: str = strawberry.field(description="The first day on which the price holds, `YYYY-MM-DD`.")
    date_to: str | None = strawberry.field(
        default=None, description="The last day on which the price holds, `YYYY-MM-DD`; left out: one day."
    )
    origin: str = strawberry.field(description="The UN/LOCODE of the port of departure.")
    destination: str = strawberry.field(description="The UN/LOCODE of the port of arrival.")
    price: PriceAmount = strawberry.field(description="The price. Zero and negative prices are legal.")
    currency: str | None = strawberry.field(
        default="USD", description="The ISO 4217 code of the currency; each day is converted at its own rate."
    )

    def as_item(self) -> dict[str, str | None]:
        """Return the item as it is stored and read by the engine."""
        return {
            "origin": self.origin,
            "destination": self.destination,
            "date_from": self.date_from,
            "date_to": self.date_to,
            "price": self.price,
            "currency": self.currency,
        }


@strawberry.input(description="A batch of prices to upload.")
class UploadPricesInput:
    prices: list[PriceInput] = strawberry.field(description="The items, in any order.")
    on_error: OnError = strawberry.field(
        default=OnError.REJECT_BATCH, description="What one invalid item does to the batch."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="Any text of yours that names this upload: sent again with the same items it returns the first batch.",
    )


@strawberry.type(description="A problem of an upload, as data.")
class UserError:
    item: int | None = strawberry.field(description="Which item, counting from 1; null when it is the whole upload.")
    field: str | None = strawberry.field(description="Which field of the input.")
    code: str = strawberry.field(description="The kind of problem, for programs.")
    message: str = strawberry.field(description="The problem in words.")
    value: str | None = strawberry.field(description="The value that was given.")


@strawberry.type(description="A batch of uploaded prices: what came, what became of it, when.")
class PriceBatch:
    id: strawberry.ID = strawberry.field(description="The batch's id.")
    status: BatchStatus = strawberry.field(description="Where the batch is in its life.")
    on_error: OnError = strawberry.field(description="What one invalid item does to the batch.")
    source: str = strawberry.field(description="How the batch came: a mutation or a file's name.")
    idempotency_key: str | None = strawberry.field(description="The key that it was uploaded with.")
    item_count: int = strawberry.field(description="How many items it lists.")
    accepted_count: int = strawberry.field(description="How many items were applied.")
    rejected_count: int = strawberry.field(description="How many items are invalid.")
    price_day_count: float = strawberry.field(description="How many daily prices its applied items stand for.")
    created_at: datetime = strawberry.field(description="When it was accepted.")
    ended_at: datetime | None = strawberry.field(description="When it was applied or rejected; null until then.")


@strawberry.type(description="A batch within a list, with its place in it.")
class PriceBatchEdge:
    cursor: str = strawberry.field(description="Give this as `after` to go on behind the entry.")
    node: PriceBatch = strawberry.field(description="The batch.")


@strawberry.type(description="A page of batches, newest first.")
class PriceBatchConnection:
    edges: list[PriceBatchEdge] = strawberry.field(description="The entries of the page.")
    page_info: PageInfo = strawberry.field(description="Whether and where the list goes on.")
    total_count: int = strawberry.field(description="How many batches match in all.")


@strawberry.type(description="What became of an upload.")
class UploadPricesPayload:
    batch: PriceBatch | None = strawberry.field(description="The batch; null when the upload was refused as a whole.")
    replayed: bool = strawberry.field(description="Whether this is the answer to an upload that came before.")
    user_errors: list[UserError] = strawberry.field(description="What is wrong, at most the first 1,000 problems.")
    warnings: list[UserError] = strawberry.field(description="What looks odd but was accepted.")


def to_batch(model: BatchModel) -> PriceBatch:
    """Return the batch as its GraphQL type."""
    return PriceBatch(
        id=strawberry.ID(str(model.id)),
        status=model.status,
        on_error=model.on_error,
        source=model.source,
        idempotency_key=model.idempotency_key,
        item_count=model.item_count,
        accepted_count=model.accepted_count,
        rejected_count=model.rejected_count,
        price_day_count=model.price_day_count,
        created_at=model.created_at,
        ended_at=model.ended_at,
    )


def to_batch_connection(page: BatchPage, *, after: str | None) -> PriceBatchConnection:
    """Return the page as a Relay connection."""
    edges = [PriceBatchEdge(cursor=encode_cursor("batch", batch.id), node=to_batch(batch)) for batch in page.batches]
    page_info = to_page_info([edge.cursor for edge in edges], has_next_page=page.has_next_page, after=after)
    return PriceBatchConnection(edges=edges, page_info=page_info, total_count=page.total_count)


def _to_user_error(rejection: Rejection) -> UserError:
    return UserError(
        item=rejection.item,
        field=rejection.field,
        code=rejection.code,
        message=rejection.message,
        value=rejection.value,
    )


def to_payload(upload: Upload) -> UploadPricesPayload:
    """Return the outcome of an upload as the mutation's payload."""
    return UploadPricesPayload(
        batch=None if upload.batch is None else to_batch(upload.batch),
        replayed=upload.replayed,
        user_errors=[_to_user_error(rejection) for rejection in upload.user_errors],
        warnings=[_to_user_error(rejection) for rejection in upload.warnings],
    )
