"""Puts the schema together. `schema.graphql` holds what this makes; `ratesgraph schema --check` compares the two."""

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from graph.decoding import DecodeItems
from graph.errors import PresentErrors
from graph.locations import Port, Region
from graph.mutation import Mutation
from graph.query import Query
from graph.scalars import SCALARS


class Schema(strawberry.Schema):
    """The schema, without strawberry's own log of every error: `graph.errors` logs those that are ours."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Leave errors to `PresentErrors`."""


schema = Schema(
    query=Query,
    mutation=Mutation,
    types=[Port, Region],
    extensions=[PresentErrors, DecodeItems],
    config=StrawberryConfig(scalar_map=SCALARS),
)
