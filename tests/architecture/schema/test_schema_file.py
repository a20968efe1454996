"""Guard of `schema.graphql`: equal to the code, with a description for every element.

So every change of the API is visible in a diff.
"""

from collections.abc import Iterator

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType

from graph.schema import schema
from tests.support.code.source import ROOT

LIBRARY_TYPES = {"PageInfo"}


def described() -> Iterator[tuple[str, str | None]]:
    """Yield (name, description) of everything in the product's schema.

    That is every type, field, argument, input field and enum value.
    """
    for name, kind in schema._schema.type_map.items():
        if name.startswith("__") or name in LIBRARY_TYPES:
            continue
        yield name, kind.description
        if isinstance(kind, GraphQLInputObjectType):
            yield from ((f"{name}.{field}", value.description) for field, value in kind.fields.items())
        if isinstance(kind, GraphQLEnumType):
            yield from ((f"{name}.{value}", definition.description) for value, definition in kind.values.items())
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for field, value in kind.fields.items():
                yield f"{name}.{field}", value.description
                yield from ((f"{name}.{field}({arg})", value.description) for arg, value in value.args.items())


def test_schema_file_matches_the_code() -> None:
    assert (ROOT / "schema.graphql").read_text(encoding="utf-8") == f"{schema.as_str()}\n", "run `make schema`"


def test_schema_describes_every_type_field_argument_and_enum_value() -> None:
    places = dict(described())
    assert {"Query.averagePrices(dateFrom)", "PortInput.code", "BatchStatus.QUEUED"} <= set(places)
    assert not [place for place, description in places.items() if not (description or "").strip()]
