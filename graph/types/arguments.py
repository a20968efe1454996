"""Arguments that several fields share."""

from typing import Annotated

import strawberry

from resolvers.context import RequestContext

Info = strawberry.Info[RequestContext, None]

LocationKey = Annotated[
    str, strawberry.argument(description="The code of a port (`CNSGH`) or the slug of a region (`north_europe_main`).")
]
First = Annotated[int, strawberry.argument(description="How many entries a page has at most.")]
After = Annotated[str | None, strawberry.argument(description="The cursor behind which the page begins.")]
BatchId = Annotated[strawberry.ID, strawberry.argument(description="The batch's id.")]
