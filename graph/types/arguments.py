"""Arguments shared by several fields."""

from typing import Annotated

import strawberry

from resolvers.context import RequestContext

Info = strawberry.Info[RequestContext, None]

LocationKey = Annotated[
    str, strawberry.argument(description="The code of a port (`CNSGH`) or the slug of a region (`north_europe_main`).")
]
First = Annotated[int, strawberry.argument(description="Maximum number of entries to return.")]
After = Annotated[str | None, strawberry.argument(description="The cursor of the entry after which the page starts.")]
BatchId = Annotated[strawberry.ID, strawberry.argument(description="The ID of the batch.")]
