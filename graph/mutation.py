"""Root mutation type. Each field declares the scope that it requires.

Every field is nullable: if a later mutation of a request fails, the client still learns the results of the earlier ones.
"""

from typing import Annotated

import strawberry

from graph.authorization import check_dry_run, requires
from graph.types.arguments import BatchId, Info
from graph.types.enums import LocationKind
from graph.types.tree import ChangeTreePayload, PortInput, RegionInput, to_entries, to_tree_payload
from graph.types.uploads import (
    RevertBatchPayload,
    UploadPriceFileInput,
    UploadPricesInput,
    UploadPricesPayload,
    to_dry_run_payload,
    to_items,
    to_payload,
    to_revert_payload,
)
from resolvers import tree
from resolvers.caller import AuthScope
from resolvers.relay.global_ids import parse_batch_id
from resolvers.uploads import batches, dry_runs, price_files
from resolvers.uploads.price_files import UploadedFile


@strawberry.type(description="Root mutation type: uploads, batch reverts and changes of the region tree.")
class Mutation:
    @strawberry.mutation(
        description=(
            "Upload a batch of prices. The response confirms that the batch is stored durably. A worker then applies the batch."
            " The response waits up to `waitMs` for the result. Invalid items are reported in `userErrors`."
            " Items valid for more than one day are limited in price days and lane-months (`BATCH_TOO_LARGE`)."
        ),
        metadata=requires(AuthScope.UPLOAD),
    )
    async def upload_prices(
        self,
        info: Info,
        input: Annotated[UploadPricesInput, strawberry.argument(description="The batch.")],  # noqa: A002
    ) -> UploadPricesPayload | None:
        if input.dry_run:
            check_dry_run(info.context.caller)
            dry_run = await dry_runs.dry_run_prices(
                info.context,
                to_items(input.prices),
                on_error=input.on_error,
                idempotency_key=input.idempotency_key,
            )
            return to_dry_run_payload(dry_run)
        upload = await batches.upload_prices(
            info.context,
            to_items(input.prices),
            on_error=input.on_error,
            idempotency_key=input.idempotency_key,
            wait_ms=input.wait_ms,
        )
        return to_payload(upload)

    @strawberry.mutation(
        description=(
            "Upload a price file (CSV, NDJSON, Parquet or Excel) as a GraphQL multipart request. The response confirms that"
            " the file is stored durably. It is applied like a batch of `uploadPrices`."
        ),
        metadata=requires(AuthScope.UPLOAD),
    )
    async def upload_price_file(
        self,
        info: Info,
        file: Annotated[UploadedFile, strawberry.argument(description="The file, which becomes one batch.")],
        input: Annotated[  # noqa: A002
            UploadPriceFileInput | None, strawberry.argument(description="Options for the upload.")
        ] = None,
    ) -> UploadPricesPayload | None:
        options = input or UploadPriceFileInput()
        if options.dry_run:
            check_dry_run(info.context.caller)
            dry_run = await dry_runs.dry_run_price_file(
                info.context,
                file,
                file_format=options.format,
                on_error=options.on_error,
                idempotency_key=options.idempotency_key,
            )
            return to_dry_run_payload(dry_run)
        upload = await price_files.upload_price_file(
            info.context,
            file,
            file_format=options.format,
            on_error=options.on_error,
            idempotency_key=options.idempotency_key,
            wait_ms=options.wait_ms,
        )
        return to_payload(upload)

    @strawberry.mutation(
        description=(
            "Revert an applied batch. This is possible once. Averages are then exactly as if it had never been uploaded."
        ),
        metadata=requires(AuthScope.UPLOAD),
    )
    async def revert_batch(self, info: Info, id: BatchId) -> RevertBatchPayload | None:  # noqa: A002
        return to_revert_payload(await batches.revert_batch(info.context, parse_batch_id(id)))

    @strawberry.mutation(
        description="Create regions, or update those with an existing slug. If a region moves, averages are updated exactly.",
        metadata=requires(AuthScope.ADMIN),
    )
    async def upsert_regions(
        self,
        info: Info,
        regions: Annotated[list[RegionInput], strawberry.argument(description="The regions, in any order.")],
    ) -> ChangeTreePayload | None:
        return to_tree_payload(await tree.upsert_locations(info.context, LocationKind.REGION, to_entries(regions)))

    @strawberry.mutation(
        description="Create ports, or update those with an existing code. If a port moves, averages are updated exactly.",
        metadata=requires(AuthScope.ADMIN),
    )
    async def upsert_ports(
        self, info: Info, ports: Annotated[list[PortInput], strawberry.argument(description="The ports, in any order.")]
    ) -> ChangeTreePayload | None:
        return to_tree_payload(await tree.upsert_locations(info.context, LocationKind.PORT, to_entries(ports)))

    @strawberry.mutation(
        description=(
            "Move a port or region to another parent region. Averages of all affected regions are updated exactly. The number"
            " of lane-months that a change moves is limited (`TREE_CHANGE_TOO_LARGE`)."
        ),
        metadata=requires(AuthScope.ADMIN),
    )
    async def move_location(
        self,
        info: Info,
        key: Annotated[
            str,
            strawberry.argument(
                description="The code of a port (`CNSGH`) or the slug of a region (`north_europe_main`)."
            ),
        ],
        parent_slug: Annotated[
            str | None,
            strawberry.argument(description="The slug of the new parent; omit it to make the region a root."),
        ] = None,
    ) -> ChangeTreePayload | None:
        return to_tree_payload(await tree.move_location(info.context, key, parent_slug))
