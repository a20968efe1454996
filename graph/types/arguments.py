"""Arguments shared by several fields."""

from typing import Annotated

import strawberry

from resolvers.context import RequestContext

Info = strawberry.Info[RequestContext, None]

LocationKey = Annotated[
    str, strawberry.argument(description="The code of a port (`CNSGH`) or the slug of a region (`north_europe_main`).")
]
BatchId = Annotated[strawberry.ID, strawberry.argument(description="The global ID or the number of the batch.")]
