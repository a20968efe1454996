"""Operations generated from the schema: random valid ones, and one for each string input."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    Undefined,
    get_named_type,
    is_leaf_type,
)
from hypothesis import strategies as st

from graph.schema import schema
from tests.support.fixtures.server import Json

CORE = schema._schema
MAX_DEPTH = 4
TEXTS = {"String", "ID", "Date", "PriceAmount"}
USUAL: dict[str, object] = {
    "String": "CNSGH",
    "ID": "1",
    "Date": "2024-01-01",
    "PriceAmount": "100",
    "Int": 0,
    "Float": 0.5,
    "Boolean": False,
    "Upload": None,
}
USUAL_BY_NAME: dict[str, object] = {
    "slug": "china",
    "parentSlug": "china",
    "currency": "USD",
    "from": "2024-01-01",
    "minimumSample": 1,
    "maxLevels": 1,
}
Leaf = Callable[[str, tuple[str, ...]], object]
"""Function from the scalar's name and the path of an input to its value."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Document with its variables."""

    query: str
    variables: Json


def build_value(kind: GraphQLInputType, path: tuple[str, ...], leaf: Leaf) -> object:
    """Return a value of the type with every field of its input objects."""
    if isinstance(kind, GraphQLNonNull):
        return build_value(kind.of_type, path, leaf)
    if isinstance(kind, GraphQLList):
        return [build_value(kind.of_type, path, leaf)]
    if isinstance(kind, GraphQLInputObjectType):
        return {name: build_value(field.type, (*path, name), leaf) for name, field in kind.fields.items()}
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    return leaf(kind.name, path)


def usual(name: str, path: tuple[str, ...]) -> object:
    """Return a harmless value."""
    return USUAL_BY_NAME.get(path[-1], USUAL[name])


def select_any(kind: GraphQLOutputType) -> str:
    """Return the minimal selection of the type."""
    return "" if is_leaf_type(get_named_type(kind)) else " { __typename }"


def operations_with_texts(text: str) -> Iterator[tuple[str, Operation]]:
    """Yield the name of each string input of the schema and an operation with the text there."""
    roots = [("query", CORE.query_type), ("mutation", CORE.mutation_type), ("subscription", CORE.subscription_type)]
    for kind, root in roots:
        assert root is not None
        for name, field in root.fields.items():
            yield from _with_texts(kind, "", name, field, "", text)
    batch = CORE.get_type("PriceBatch")
    assert isinstance(batch, GraphQLObjectType)
    for name, field in batch.fields.items():
        yield from _with_texts("query", 'batch(id: "1") { ', name, field, " }", text)


def _with_texts(
    kind: str, before: str, name: str, field: GraphQLField, after: str, text: str
) -> Iterator[tuple[str, Operation]]:
    paths: list[tuple[str, ...]] = []

    def record_path(scalar: str, path: tuple[str, ...]) -> object:
        if scalar in TEXTS:
            paths.append(path)
        return usual(scalar, path)

    for argument, definition in field.args.items():
        build_value(definition.type, (argument,), record_path)
    definitions = ", ".join(f"${argument}: {definition.type}" for argument, definition in field.args.items())
    given = ", ".join(f"{argument}: ${argument}" for argument in field.args)
    for wanted in paths:

        def leaf(scalar: str, path: tuple[str, ...], wanted: tuple[str, ...] = wanted) -> object:
            return text if path == wanted else usual(scalar, path)

        variables = {
            argument: build_value(definition.type, (argument,), leaf) for argument, definition in field.args.items()
        }
        variables |= {"first": 1, "last": None} if "first" in variables else {}
        query = f"{kind} ({definitions}) {{ {before}{name}({given}){select_any(field.type)}{after} }}"
        yield f"{name}.{'.'.join(wanted)}", Operation(query, variables)


@dataclass(frozen=True, slots=True)
class WrongOperation:
    """Operation with a wrong value, with its argument, input field and path of the field."""

    query: str
    variables: Json
    argument: str
    field: str
    path: list[str]


WRONG: dict[str, object] = {"Boolean": "x", "Float": "x", "Int": "x", "String": {"a": None}, "ID": True, "Upload": "x"}
"""Value of the wrong type for each scalar; an object by default."""


def operations_with_wrong_values(*, as_variable: bool) -> Iterator[WrongOperation]:
    """Yield operations with one wrong value each.

    They cover every argument and input field of the schema.
    """
    for kind, root in (
        ("query", CORE.query_type),
        ("mutation", CORE.mutation_type),
        ("subscription", CORE.subscription_type),
    ):
        assert root is not None
        for name, field in root.fields.items():
            yield from _with_wrong_values(kind, "", [], name, field, as_variable=as_variable)
    batch = CORE.get_type("PriceBatch")
    assert isinstance(batch, GraphQLObjectType)
    for name, field in batch.fields.items():
        yield from _with_wrong_values(
            "query", 'mine: batch(id: "1") { ', ["mine"], name, field, as_variable=as_variable
        )


def _with_wrong_values(
    kind: str, before: str, outer: list[str], name: str, field: GraphQLField, *, as_variable: bool
) -> Iterator[WrongOperation]:
    usual_values = {
        argument: (definition.type, _usual(definition.type, argument)) for argument, definition in field.args.items()
    }
    for argument, definition in field.args.items():
        for below, value in _wrong_values(definition.type, argument):
            values = {**usual_values, argument: (definition.type, value)}
            if as_variable:
                types = ", ".join(f"${each}: {each_type}" for each, (each_type, _) in values.items())
                given = ", ".join(f"{each}: ${each}" for each in values)
                head, variables = f"{kind} ({types})", {each: each_value for each, (_, each_value) in values.items()}
            else:
                given = ", ".join(f"{each}: {print_literal(*value)}" for each, value in values.items())
                head, variables = kind, {}
            query = f"{head} {{ {before}x: {name}({given}){select_any(field.type)}{' }' if before else ''} }}"
            yield WrongOperation(query, variables, argument, below, [*outer, "x"])


def _usual(kind: GraphQLInputType, name: str) -> object:
    return build_value(kind, (name,), usual)


def _wrong_values(kind: GraphQLInputType, name: str, below: str = "") -> Iterator[tuple[str, object]]:
    """Yield wrong values of a type, with the path of the input field that is wrong."""
    if isinstance(kind, GraphQLNonNull):
        yield below, None
        yield from _wrong_values(kind.of_type, name, below)
    elif isinstance(kind, GraphQLList):
        for path, value in _wrong_values(kind.of_type, name, f"{below}[0]"):
            yield path, [value]
    elif isinstance(kind, GraphQLInputObjectType):
        yield below, 5
        yield below, {**cast("Json", _usual(kind, name)), "unknown": 1}
        for each, field in kind.fields.items():
            for path, value in _wrong_values(field.type, each, f"{below}.{each}" if below else each):
                yield path, {**cast("Json", _usual(kind, name)), each: value}
    else:
        yield below, WRONG.get(kind.name, {"a": None})


def print_literal(kind: GraphQLInputType, value: object) -> str:
    """Return a JSON value as a GraphQL literal."""
    named = get_named_type(kind)
    if isinstance(value, list):
        return f"[{', '.join(print_literal(kind, each) for each in value)}]"
    if isinstance(value, dict):
        fields = named.fields if isinstance(named, GraphQLInputObjectType) else {}
        entries = (
            f"{name}: {print_literal(fields[name].type if name in fields else GraphQLString, each)}"
            for name, each in value.items()
        )
        return f"{{ {', '.join(entries)} }}"
    return value if isinstance(value, str) and isinstance(named, GraphQLEnumType) else json.dumps(value)


days = st.dates().map(str) | st.sampled_from(["2024-01-01", "2024-01-31", "2016-W01-1", "20240101", ""])
texts = st.text(max_size=20) | st.sampled_from(["CNSGH", "NLRTM", "china", "europe", "EUR", "1", "x"])
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "String": texts,
    "ID": texts | st.integers(-(2**70), 2**62),
    "Date": days,
    "PriceAmount": texts | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63),
    "Int": st.integers(-5, 600) | st.just(2**31 - 1),
    "Float": st.floats(-5, 200),
    "Boolean": st.booleans(),
    "Upload": st.none(),
}


@st.composite
def inputs(draw: st.DrawFn, kind: GraphQLInputType) -> object:
    """Draw a value that the type allows."""
    if isinstance(kind, GraphQLNonNull):
        return draw(inputs(kind.of_type))
    if isinstance(kind, GraphQLList):
        return draw(st.lists(inputs(kind.of_type), max_size=3))
    if isinstance(kind, GraphQLEnumType):
        return draw(st.sampled_from(list(kind.values)))
    if isinstance(kind, GraphQLInputObjectType):
        return {
            name: 0 if name == "waitMs" else draw(inputs(field.type))
            for name, field in kind.fields.items()
            if (isinstance(field.type, GraphQLNonNull) and field.default_value is Undefined) or draw(st.booleans())
        }
    return draw(SCALARS[kind.name])


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    """Draw an operation that the schema can execute, with variables of the right types."""
    numbers = itertools.count()
    variables: Json = {}
    definitions: list[str] = []

    def draw_field(name: str, field: GraphQLField, depth: int) -> str:
        given = []
        for argument, definition in field.args.items():
            variable = f"v{next(numbers)}"
            definitions.append(f"${variable}: {definition.type}")
            is_omitted = not isinstance(definition.type, GraphQLNonNull) and draw(st.booleans())
            variables[variable] = None if is_omitted else draw(inputs(definition.type))
            given.append(f"{argument}: ${variable}")
        arguments = f"({', '.join(given)})" if given else ""
        directive = draw(st.sampled_from(["", "", "", " @include(if: true)", " @skip(if: true)"]))
        inner = get_named_type(field.type)
        selected = "" if is_leaf_type(inner) else draw_selection(inner, depth + 1)
        return f"a{next(numbers)}: {name}{arguments}{directive}{selected}"

    def draw_selection(kind: Any, depth: int) -> str:  # noqa: ANN401
        assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        names = [
            name for name, field in kind.fields.items() if depth < MAX_DEPTH or is_leaf_type(get_named_type(field.type))
        ]
        chosen = draw(st.lists(st.sampled_from(names), max_size=3, unique=True)) if names else []
        fields = [draw_field(name, kind.fields[name], depth) for name in chosen]
        if isinstance(kind, GraphQLInterfaceType) and draw(st.booleans()):
            fields.append("... on Region { __typename }")
        return f" {{ __typename {' '.join(fields)} }}"

    root = draw(st.sampled_from([CORE.query_type, CORE.query_type, CORE.mutation_type]))
    assert root is not None
    body = draw_selection(root, 0)
    kind = "query" if root is CORE.query_type else "mutation"
    declared = f"({', '.join(definitions)})" if definitions else ""
    return Operation(f"{kind} {declared}{body}", variables)
