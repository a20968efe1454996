"""Guard of nullability: the error of a field leaves the data of its neighbours.

So a field that can fail is nullable. A null in a non-null field makes its parent null, up to the whole response. A resolver
that awaits something reads from the database, and may fail. Values of an object that was loaded as a whole may be non-null.
"""

import inspect
from collections.abc import Iterator

from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType, is_non_null_type
from strawberry.schema.schema_converter import GraphQLCoreConverter

from graph.schema import schema

ROOTS = {"Query", "Mutation"}
"""Root types whose operations have several fields. A subscription has a single one."""


def fields() -> Iterator[tuple[str, str, GraphQLField]]:
    """Yield (type, name, field) of every object and interface type except Subscription."""
    for name, kind in schema._schema.type_map.items():
        is_product = not name.startswith("__") and name != "Subscription"
        if is_product and isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            yield from ((name, field_name, field) for field_name, field in kind.fields.items())


ANSWERED_WITHOUT_READ = {"PriceSeries.statisticsError"}
"""Fields that answer even if their read fails: the error of statistics is then its bound."""


def is_async(field: GraphQLField) -> bool:
    """Return whether the resolver of the field is a coroutine function."""
    resolver = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].base_resolver
    return resolver is not None and inspect.iscoroutinefunction(resolver.wrapped_func)


def test_nullability_of_root_fields_isolates_their_errors() -> None:
    roots = [(kind, name, field) for kind, name, field in fields() if kind in ROOTS]
    assert len(roots) > len(ROOTS)
    assert not [f"{kind}.{name}" for kind, name, field in roots if is_non_null_type(field.type)]


def test_nullability_of_fields_with_their_own_reads_isolates_their_errors() -> None:
    reading = {f"{kind}.{name}": field for kind, name, field in fields() if is_async(field)}
    assert {"PriceBatch.lanes", "Region.ports"} <= set(reading)
    assert {name for name, field in reading.items() if is_non_null_type(field.type)} == ANSWERED_WITHOUT_READ
