"""Uploads and their undoing: what is sent, and what is answered."""

import strawberry

from domain.batches import FileFormat, OnError, Rejection
from graph.decoded_items import DecodedItems
from graph.types.batches import PriceBatch, to_batch
from graph.types.previews import UploadPreview, to_preview
from graph.types.scalars import PriceAmount
from resolvers.uploads.batches import RevertResult, UploadResult
from resolvers.uploads.dry_runs import DryRun
from resolvers.uploads.items import PriceItem

strawberry.enum(FileFormat, description="What the bytes of a file of prices are.")


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

    def as_item(self) -> PriceItem:
        """Return the item as it is stored and read by the engine."""
        return PriceItem(self.date_from, self.origin, self.destination, self.price, self.date_to, self.currency)


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
    wait_ms: int = strawberry.field(
        default=2_000,
        description="How long to wait for the end of the batch, in milliseconds, at most 30,000; then it is QUEUED or RUNNING.",
    )
    dry_run: bool = strawberry.field(
        default=False,
        description="Only try: answer with the problems and a `preview`, and change nothing. The key is not taken by it.",
    )


@strawberry.input(description="How a file of prices is to be taken.")
class UploadPriceFileInput:
    format: FileFormat | None = strawberry.field(
        default=None, description="What the bytes are; left out: what the file's name ends in, such as `.csv.gz`."
    )
    on_error: OnError = strawberry.field(
        default=OnError.REJECT_BATCH, description="What one invalid item does to the batch."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="Any text of yours that names this upload: sent again with the same file it returns the first batch.",
    )
    wait_ms: int = strawberry.field(
        default=2_000,
        description="How long to wait for the end of the batch, in milliseconds, at most 30,000; then it is QUEUED or RUNNING.",
    )
    dry_run: bool = strawberry.field(
        default=False,
        description="Only try: answer with the problems and a `preview`, and change nothing. The key is not taken by it.",
    )


def to_items(prices: list[PriceInput]) -> list[PriceItem]:
    """Return the items of an upload, whichever way they were decoded."""
    if len(prices) == 1 and isinstance(carried := prices[0].price, DecodedItems):
        return carried.items
    return [price.as_item() for price in prices]


@strawberry.type(description="A problem of an upload, as data.")
class UserError:
    item: int | None = strawberry.field(description="Which item, counting from 1; null when it is the whole upload.")
    field: str | None = strawberry.field(description="Which field of the input.")
    code: str = strawberry.field(description="The kind of problem, for programs.")
    message: str = strawberry.field(description="The problem in words.")
    value: str | None = strawberry.field(description="The value that was given.")


@strawberry.type(description="What became of an upload.")
class UploadPricesPayload:
    batch: PriceBatch | None = strawberry.field(
        description="The batch; null when the upload was refused as a whole, and after a dry run."
    )
    replayed: bool = strawberry.field(description="Whether this is the answer to an upload that came before.")
    user_errors: list[UserError] = strawberry.field(description="What is wrong, at most the first 1,000 problems.")
    warnings: list[UserError] = strawberry.field(description="What looks odd but was accepted.")
    preview: UploadPreview | None = strawberry.field(
        default=None, description="What the upload would come to; null for an upload that is no dry run."
    )


@strawberry.type(description="What became of taking a batch back.")
class RevertBatchPayload:
    batch: PriceBatch | None = strawberry.field(description="The batch; null when there is none with the id.")
    user_errors: list[UserError] = strawberry.field(description="Why it was not taken back.")


def to_user_error(rejection: Rejection) -> UserError:
    """Return the problem as its GraphQL type."""
    return UserError(
        item=rejection.item,
        field=rejection.field,
        code=rejection.code,
        message=rejection.message,
        value=rejection.value,
    )


def to_payload(upload: UploadResult) -> UploadPricesPayload:
    """Return the outcome of an upload as the mutation's payload."""
    return UploadPricesPayload(
        batch=None if upload.batch is None else to_batch(upload.batch),
        replayed=upload.replayed,
        user_errors=[to_user_error(rejection) for rejection in upload.user_errors],
        warnings=[to_user_error(rejection) for rejection in upload.warnings],
    )


def to_dry_run_payload(dry_run: DryRun) -> UploadPricesPayload:
    """Return the outcome of a dry run as the payload of the mutation that it was a trial of."""
    return UploadPricesPayload(
        batch=None,
        replayed=False,
        user_errors=[to_user_error(rejection) for rejection in dry_run.user_errors],
        warnings=[to_user_error(rejection) for rejection in dry_run.warnings],
        preview=None if dry_run.preview is None else to_preview(dry_run.preview),
    )


def to_revert_payload(reversal: RevertResult) -> RevertBatchPayload:
    """Return the outcome of taking a batch back as the mutation's payload."""
    return RevertBatchPayload(
        batch=None if reversal.batch is None else to_batch(reversal.batch),
        user_errors=[to_user_error(rejection) for rejection in reversal.user_errors],
    )
