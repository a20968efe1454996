"""Fast path: operations that only select `averagePrices` bypass the GraphQL executor.

For a month of prices, the executor and its argument conversion need more time than reading and writing the response. A plan
is created once per document and bound to the variables of each request. Any unusual document or variable is left to the
executor, which also reports its errors. `tests/graph/execution/test_average_prices_plan.py` compares the two.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
    VariableNode,
    located_error,
)

from graph.types.averages import STATISTICS, DailyAverage, to_columns
from graph.types.scalars import parse_date
from resolvers.averages import AveragePricesQuery, average_prices
from resolvers.context import RequestContext

FIELD = "averagePrices"
Values = Mapping[str, Any]
Fragments = Mapping[str, FragmentDefinitionNode]


class NotPlannable(Exception):
    """Signal that the document or its variables need the executor."""


def _parse_text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise NotPlannable


PARSERS: dict[str, Callable[[object], Any]] = {"Date": parse_date, "String": _parse_text}
TYPES = {"dateFrom": "Date", "dateTo": "Date", "origin": "String", "destination": "String"}
"""The arguments of `averagePrices` and their types."""


@dataclass(frozen=True, slots=True)
class _PlannedField:
    """An `averagePrices` field of a document.

    Each argument is a function of the variables. Each column is a pair of response name and field name.
    """

    response_name: str
    node: FieldNode
    date_from: Callable[[Values], date]
    date_to: Callable[[Values], date]
    origin: Callable[[Values], str]
    destination: Callable[[Values], str]
    columns: tuple[tuple[str, str], ...]
    with_statistics: bool

    def to_query(self, values: Values) -> AveragePricesQuery:
        return AveragePricesQuery(
            self.date_from(values),
            self.date_to(values),
            self.origin(values),
            self.destination(values),
            self.with_statistics,
        )


@dataclass(frozen=True, slots=True)
class AveragePricesPlan:
    """Execution plan of an operation: its fields, and the parser of each variable."""

    variables: tuple[tuple[str, Callable[[object], Any]], ...]
    fields: tuple[_PlannedField, ...]

    def bind(self, variables: Values) -> list[AveragePricesQuery] | None:
        """Return the queries with these variables, or None for variables that need the executor."""
        try:
            values = {name: parse(variables[name]) for name, parse in self.variables}
        except (KeyError, GraphQLError, NotPlannable):
            return None
        return [field.to_query(values) for field in self.fields]

    async def execute(
        self, queries: list[AveragePricesQuery], context: RequestContext
    ) -> tuple[dict[str, Any], list[GraphQLError]]:
        """Return the same data and errors as the executor."""
        data: dict[str, list[dict[str, object]] | None] = {}
        errors: list[GraphQLError] = []
        try:
            results = await average_prices(context, queries)
        except Exception as error:
            results = [error] * len(queries)
        for field, result in zip(self.fields, results, strict=True):
            if isinstance(result, Exception):
                data[field.response_name] = None
                errors.append(located_error(result, [field.node], [field.response_name]))
            else:
                data[field.response_name] = to_columns(result).to_objects(DailyAverage.__name__, field.columns)
        return data, errors


def create_plan(operation: OperationDefinitionNode, fragments: Fragments) -> AveragePricesPlan | None:
    """Return the plan of a valid operation, or None if it selects anything but average prices."""
    if operation.operation is not OperationType.QUERY or operation.directives:
        return None
    try:
        variables = tuple(
            (definition.variable.name.value, _parser(definition.type, definition.default_value))
            for definition in operation.variable_definitions or ()
        )
        fields = tuple(
            _plan_field(node, fragments) for node in _collect_fields(operation.selection_set, fragments, set())
        )
    except (NotPlannable, GraphQLError):
        return None
    names = {each.response_name for each in fields}
    # The executor merges fields with the same response name.
    return AveragePricesPlan(variables, fields) if len(names) == len(fields) else None


def _parser(node: object, default: object) -> Callable[[object], Any]:
    match node:
        case NonNullTypeNode(type=NamedTypeNode(name=NameNode(value=name))) if name in PARSERS and default is None:
            return PARSERS[name]
    raise NotPlannable


def _plan_field(node: FieldNode, fragments: Fragments) -> _PlannedField:
    if node.name.value != FIELD or node.selection_set is None:
        raise NotPlannable
    arguments = {argument.name.value: argument.value for argument in node.arguments or ()}
    date_from, date_to, origin, destination = (_argument_getter(arguments[name], TYPES[name]) for name in TYPES)
    fields = list(_collect_fields(node.selection_set, fragments, set()))
    columns = {_response_name(field): field.name.value for field in fields}
    with_statistics = not STATISTICS.isdisjoint(columns.values())
    return _PlannedField(
        _response_name(node), node, date_from, date_to, origin, destination, tuple(columns.items()), with_statistics
    )


def _argument_getter(node: object, kind: str) -> Callable[[Values], Any]:
    """Return a function that gets the value of an argument from the variables."""
    match node:
        case VariableNode(name=NameNode(value=name)):
            return itemgetter(name)
        case StringValueNode(value=text):
            value = PARSERS[kind](text)
            return lambda _values: value
    raise NotPlannable


def _response_name(field: FieldNode) -> str:
    return field.name.value if field.alias is None else field.alias.value


def _collect_fields(selections: SelectionSetNode, fragments: Fragments, seen: set[str]) -> Iterator[FieldNode]:
    """Yield the fields, including those in fragments.

    Raise NotPlannable for a fragment that is spread twice: nested repetition grows exponentially.
    """
    for node in selections.selections:
        if node.directives:
            raise NotPlannable
        match node:
            case FieldNode():
                yield node
            case InlineFragmentNode():
                yield from _collect_fields(node.selection_set, fragments, seen)
            case FragmentSpreadNode(name=NameNode(value=name)):
                if name in seen or fragments[name].directives:
                    raise NotPlannable
                seen.add(name)
                yield from _collect_fields(fragments[name].selection_set, fragments, seen)
