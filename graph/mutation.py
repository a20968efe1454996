"""The fields that change something. Each declares its permission."""

from typing import Annotated

import strawberry

from graph.arguments import BatchId, Info
from graph.permissions import MayWrite
from graph.uploads import (
    RevertBatchPayload,
    UploadPricesInput,
    UploadPricesPayload,
    to_items,
    to_payload,
    to_revert_payload,
)
from resolvers import batches


@strawberry.type(description="Upload prices, and take them back.")
class Mutation:
    @strawberry.mutation(
        description=(
            "Upload a batch of prices. It is stored durably when this answers; a worker applies it, which the answer waits"
            " for up to `waitMs`. Every problem of an item is reported as data."
        ),
        permission_classes=[MayWrite],
    )
    async def upload_prices(
        self,
        info: Info,
        input: Annotated[UploadPricesInput, strawberry.argument(description="The batch.")],  # noqa: A002
    ) -> UploadPricesPayload:
        upload = await batches.upload_prices(
            info.context,
            to_items(input.prices),
            on_error=input.on_error,
            idempotency_key=input.idempotency_key,
            wait_ms=input.wait_ms,
        )
        return to_payload(upload)

    @strawberry.mutation(
        description="Take an applied batch back, exactly and once: averages are as if it had never been.",
        permission_classes=[MayWrite],
    )
    async def revert_batch(self, info: Info, id: BatchId) -> RevertBatchPayload:  # noqa: A002
        return to_revert_payload(await batches.revert_batch(info.context, batches.parse_batch_id(id)))
