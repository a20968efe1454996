"""Arguments shared by several fields."""

from typing import Annotated

import strawberry

from resolvers.context import RequestContext

Info = strawberry.Info[RequestContext, None]

LOCATION_KEY = (
    "The code of a port (`CNSGH`), the slug of a region (`north_europe_main`), or an alias or name of only one location"
    " (`CNSHA`), whose key is then in `extensions.locationAliases`."
)
LocationKey = Annotated[str, strawberry.argument(description=LOCATION_KEY)]
BatchId = Annotated[strawberry.ID, strawberry.argument(description="The global ID or the number of the batch.")]
