"""Puts the schema together. `schema.graphql` holds what this makes; `ratesgraph schema --check` compares the two."""

from strawberry.schema.config import StrawberryConfig

from graph.locations import Port, Region
from graph.mutation import Mutation
from graph.query import Query
from graph.scalars import SCALARS
from graph.streams import StreamingSchema
from graph.subscription import Subscription

schema = StreamingSchema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[Port, Region],
    config=StrawberryConfig(scalar_map=SCALARS),
)
