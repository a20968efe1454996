"""The executable schema, assembled from the root types.

`schema.graphql` is its printed form; `ratesgraph schema --check` compares the two.
"""

from functools import lru_cache

from strawberry.schema.config import StrawberryConfig
from strawberry.schema.name_converter import NameConverter
from strawberry.utils.str_converters import to_camel_case

from graph.execution.streaming import StreamingSchema
from graph.mutation import Mutation
from graph.query import Query
from graph.subscription import Subscription
from graph.types.enums import ENUMS
from graph.types.locations import Port, Region
from graph.types.scalars import SCALARS

CAMEL_CASE = lru_cache(maxsize=10_000)(to_camel_case)


class CachedNameConverter(NameConverter):
    """Name converter with a cache: strawberry converts argument names on every field call."""

    def apply_naming_config(self, name: str) -> str:
        """Return the name in camel case."""
        return CAMEL_CASE(name)


schema = StreamingSchema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[Port, Region, *ENUMS],
    config=StrawberryConfig(scalar_map=SCALARS, name_converter=CachedNameConverter()),
)
