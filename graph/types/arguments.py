"""Arguments shared by several fields."""

from typing import Annotated

import strawberry

from resolvers.context import RequestContext

Info = strawberry.Info[RequestContext, None]

LOCATION_KEY = "The code of a port (`CNSGH`) or the slug of a region (`north_europe_main`)."
LocationKey = Annotated[str, strawberry.argument(description=LOCATION_KEY)]
BatchId = Annotated[strawberry.ID, strawberry.argument(description="The global ID or the number of the batch.")]
