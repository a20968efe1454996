"""Shared parts of the plans: fields of a document, values of arguments and variables.

Any unusual document or variable is left to the executor, which also reports its errors.
"""

from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from typing import Any

from graphql import (
    EnumValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    ListTypeNode,
    ListValueNode,
    NamedTypeNode,
    NameNode,
    NonNullTypeNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    VariableNode,
    value_from_ast_untyped,
)

from domain.intervals import Interval
from graph.types.scalars import parse_date

Values = Mapping[str, Any]
Fragments = Mapping[str, FragmentDefinitionNode]
Getter = Callable[[Values], Any]
"""Gets the value of an argument from the variables."""
MAX_INT = 2**31 - 1
MAX_TEXT_LENGTH = 1_000
MAX_LIST_LENGTH = 1_000
"""Longer texts and lists are left to the executor, which limits the values of all variables."""
LANES = "[LaneInput!]!"
_MISSING = object()


class NotPlannable(Exception):
    """Signal that the document or its variables need the executor."""


def _parse_text(value: object) -> str:
    if isinstance(value, str) and len(value) <= MAX_TEXT_LENGTH:
        return value
    raise NotPlannable


def _parse_int(value: object) -> int:
    if type(value) is int and -MAX_INT - 1 <= value <= MAX_INT:
        return value
    raise NotPlannable


def _parse_interval(value: object) -> Interval:
    if isinstance(value, str) and value in Interval.__members__:
        return Interval[value]
    raise NotPlannable


def _parse_lanes(value: object) -> list[tuple[str, str]]:
    if not isinstance(value, list) or len(value) > MAX_LIST_LENGTH:
        raise NotPlannable
    lanes = []
    for lane in value:
        match lane:
            case {"origin": str(origin), "destination": str(destination)} if len(lane) == 2:
                lanes.append((_parse_text(origin), _parse_text(destination)))
            case _:
                raise NotPlannable
    return lanes


PARSERS: dict[str, Callable[[object], Any]] = {
    "Date!": parse_date,
    "String!": _parse_text,
    "Int!": _parse_int,
    "Interval!": _parse_interval,
    LANES: _parse_lanes,
}
"""Parsers of JSON values by type."""


class Variables:
    """Parsers of the variables of an operation."""

    def __init__(self, operation: OperationDefinitionNode) -> None:
        """Raise NotPlannable for a variable of any other type."""
        self._parsers = []
        for definition in operation.variable_definitions or ():
            kind, default = _notation(definition.type), definition.default_value
            if kind not in PARSERS:
                raise NotPlannable
            value = _MISSING if default is None else value_from_ast_untyped(default)
            self._parsers.append((definition.variable.name.value, PARSERS[kind], value))

    def parse(self, variables: Values) -> Values | None:
        """Return the values of the variables, or None for variables that need the executor."""
        try:
            return {name: parse(variables.get(name, default)) for name, parse, default in self._parsers}
        except (GraphQLError, NotPlannable):
            return None


def _notation(node: object) -> str:
    """Return a type as GraphQL writes it, or the empty text for one that no plan knows."""
    match node:
        case NonNullTypeNode(type=NamedTypeNode(name=NameNode(value=name))):
            return f"{name}!"
        case NonNullTypeNode(type=ListTypeNode(type=inner)):
            return f"[{_notation(inner)}]!"
    return ""


def argument_getter(node: object, kind: str) -> Getter:
    """Return a function that gets the value of an argument of this type.

    Raise NotPlannable or GraphQLError.
    """
    match node:
        case VariableNode(name=NameNode(value=name)):
            return itemgetter(name)
        case ListValueNode(values=values) if kind == LANES:
            lanes = [_lane_getter(value) for value in values]
            return lambda variables: [(origin(variables), destination(variables)) for origin, destination in lanes]
        case StringValueNode() | EnumValueNode() | IntValueNode():
            found = PARSERS[kind](value_from_ast_untyped(node))
            return lambda _variables: found
    raise NotPlannable


def _lane_getter(node: object) -> tuple[Getter, Getter]:
    if not isinstance(node, ObjectValueNode):
        raise NotPlannable
    ends = {field.name.value: argument_getter(field.value, "String!") for field in node.fields}
    return ends["origin"], ends["destination"]


def arguments_of(node: FieldNode) -> dict[str, object]:
    """Return the syntax nodes of the arguments by name."""
    return {argument.name.value: argument.value for argument in node.arguments or ()}


def response_name(field: FieldNode) -> str:
    """Return the key of the field in the response."""
    return field.name.value if field.alias is None else field.alias.value


def collect_fields(
    selections: SelectionSetNode, fragments: Fragments, seen: set[str] | None = None
) -> Iterator[FieldNode]:
    """Yield the fields, including those in fragments.

    Raise NotPlannable for a fragment that is spread twice: nested repetition grows exponentially.
    """
    seen = set() if seen is None else seen
    for node in selections.selections:
        if node.directives:
            raise NotPlannable
        match node:
            case FieldNode():
                yield node
            case InlineFragmentNode():
                yield from collect_fields(node.selection_set, fragments, seen)
            case FragmentSpreadNode(name=NameNode(value=name)):
                if name in seen or fragments[name].directives:
                    raise NotPlannable
                seen.add(name)
                yield from collect_fields(fragments[name].selection_set, fragments, seen)
