"""Uploads and batch reverts: inputs and payloads."""

import strawberry

from domain.batches import Rejection
from graph.decoded_items import DecodedItems
from graph.types.batches import PriceBatch, to_batch
from graph.types.enums import FileFormat, OnError, ProblemCode
from graph.types.previews import UploadPreview, to_preview
from graph.types.scalars import PriceAmount
from graph.value_sizes import MAX_MESSAGE_LENGTH
from resolvers.uploads.batches import RevertResult, UploadResult
from resolvers.uploads.dry_runs import DryRun
from resolvers.uploads.items import PriceItem

# The two upload inputs share these descriptions. A common base class would change the published order of their fields.
ON_ERROR = "The effect of an invalid item on the batch."
WAIT_MS = (
    "Time to wait for the batch to finish, in milliseconds, at most 30,000; after that, the batch is returned as QUEUED or"
    " RUNNING."
)
REQUIRED = "Required: an item without it is reported in `userErrors` with the code `MISSING_VALUE`."
DRY_RUN = (
    "Validate only: return the problems and a `preview` without changing anything. The idempotency key remains unused."
)


@strawberry.input(description="A price of one port-to-port lane for each day of a period.")
class PriceInput:
    """Unparsed values: they are validated with the batch, and problems are reported per item.

    Every field is nullable: a null in one item, as tools write it for NaN, must not refuse the thousands of others.
    """

    date_from: str | None = strawberry.field(
        default=None, description=f"The first day of the period, `YYYY-MM-DD`. {REQUIRED}"
    )
    date_to: str | None = strawberry.field(
        default=None, description="The last day of the period, inclusive, `YYYY-MM-DD`; omit it for a single day."
    )
    origin: str | None = strawberry.field(
        default=None, description=f"The UN/LOCODE of the port of departure, or an alias of only one port. {REQUIRED}"
    )
    destination: str | None = strawberry.field(
        default=None, description=f"The UN/LOCODE of the port of arrival, or an alias of only one port. {REQUIRED}"
    )
    price: PriceAmount | None = strawberry.field(
        default=None, description=f"The price. Zero and negative prices are valid. {REQUIRED}"
    )
    currency: str | None = strawberry.field(
        default="USD", description="The ISO 4217 code of the currency; each day is converted at the rate of that day."
    )

    def as_item(self) -> PriceItem:
        """Return the item in the form that is stored and that the ingest engine reads."""
        return PriceItem(self.date_from, self.origin, self.destination, self.price, self.date_to, self.currency)


@strawberry.input(description="A batch of prices to upload.")
class UploadPricesInput:
    prices: list[PriceInput] = strawberry.field(description="The items, in any order.")
    on_error: OnError = strawberry.field(default=OnError.REJECT_BATCH, description=ON_ERROR)
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="Idempotency key of the client: a repeated upload with the same key and items returns the first batch.",
    )
    wait_ms: int = strawberry.field(
        default=2_000,
        description=WAIT_MS,
    )
    dry_run: bool = strawberry.field(
        default=False,
        description=DRY_RUN,
    )


@strawberry.input(description="Options for the upload of a price file.")
class UploadPriceFileInput:
    format: FileFormat | None = strawberry.field(
        default=None,
        description="The format of the file, where its content could be of several; the content decides otherwise.",
    )
    on_error: OnError = strawberry.field(default=OnError.REJECT_BATCH, description=ON_ERROR)
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="Idempotency key of the client: a repeated upload with the same key and file returns the first batch.",
    )
    wait_ms: int = strawberry.field(
        default=2_000,
        description=WAIT_MS,
    )
    dry_run: bool = strawberry.field(
        default=False,
        description=DRY_RUN,
    )


def to_items(prices: list[PriceInput]) -> list[PriceItem]:
    """Return the items of an upload, decoded either by msgspec before execution or by GraphQL."""
    items: list[PriceItem] = []
    for price in prices:
        carried: object = price.price
        items += carried.items if isinstance(carried, DecodedItems) else (price.as_item(),)
    return items


@strawberry.type(description="A problem of a request that the client can correct, reported as data.")
class UserError:
    item: int | None = strawberry.field(
        description="Number of the item, counting from 1; null if the problem concerns the whole request."
    )
    field: str | None = strawberry.field(description="The field of the input.")
    code: ProblemCode = strawberry.field(description="Machine-readable kind of problem.")
    message: str = strawberry.field(description="Human-readable description of the problem.")
    value: str | None = strawberry.field(description="The value that was sent.")


@strawberry.type(description="The result of an upload.")
class UploadPricesPayload:
    batch: PriceBatch | None = strawberry.field(
        description="The batch; null if the whole upload was refused, and after a dry run."
    )
    replayed: bool = strawberry.field(
        description="Whether the batch was created by an earlier upload with the same idempotency key."
    )
    user_errors: list[UserError] = strawberry.field(description="The problems of the upload, at most the first 1,000.")
    warnings: list[UserError] = strawberry.field(
        description="Warnings about items that were accepted, and about how the file was read."
    )
    preview: UploadPreview | None = strawberry.field(
        default=None, description="The expected result of the upload; null unless it is a dry run."
    )


@strawberry.type(description="The result of a batch revert.")
class RevertBatchPayload:
    batch: PriceBatch | None = strawberry.field(description="The batch; null if no batch has the ID.")
    user_errors: list[UserError] = strawberry.field(
        description="The problems that prevented the revert; empty on success."
    )


def to_user_error(rejection: Rejection) -> UserError:
    """Return the problem as its GraphQL type."""
    return UserError(
        item=rejection.item,
        field=rejection.field,
        code=ProblemCode.of(rejection.code),
        message=rejection.message[:MAX_MESSAGE_LENGTH],
        value=rejection.value,
    )


def to_payload(upload: UploadResult) -> UploadPricesPayload:
    """Return the result of an upload as the payload of the mutation."""
    return UploadPricesPayload(
        batch=None if upload.batch is None else to_batch(upload.batch),
        replayed=upload.replayed,
        user_errors=[to_user_error(rejection) for rejection in upload.user_errors],
        warnings=[to_user_error(rejection) for rejection in upload.warnings],
    )


def to_dry_run_payload(dry_run: DryRun) -> UploadPricesPayload:
    """Return the result of a dry run as the payload of the upload mutations."""
    return UploadPricesPayload(
        batch=None,
        replayed=False,
        user_errors=[to_user_error(rejection) for rejection in dry_run.user_errors],
        warnings=[to_user_error(rejection) for rejection in dry_run.warnings],
        preview=None if dry_run.preview is None else to_preview(dry_run.preview),
    )


def to_revert_payload(revert: RevertResult) -> RevertBatchPayload:
    """Return the result of a batch revert as the payload of the mutation."""
    return RevertBatchPayload(
        batch=None if revert.batch is None else to_batch(revert.batch),
        user_errors=[to_user_error(rejection) for rejection in revert.user_errors],
    )
