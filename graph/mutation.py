"""The fields that change something. Each declares its permission."""

from typing import Annotated

import strawberry

from graph.batches import UploadPricesInput, UploadPricesPayload, to_payload
from graph.locations import Info
from graph.permissions import MayWrite
from resolvers import batches


@strawberry.type(description="Upload prices.")
class Mutation:
    @strawberry.mutation(
        description=(
            "Upload a batch of prices. It is stored durably and applied at once; every problem of an item is reported"
            " as data in `userErrors`."
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
            [price.as_item() for price in input.prices],
            on_error=input.on_error,
            idempotency_key=input.idempotency_key,
        )
        return to_payload(upload)
