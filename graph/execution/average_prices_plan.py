"""Answers what nearly everybody asks, nothing but average prices, without the executor.

For a month of prices the executor and its conversion of arguments take more time than reading and writing the answer do. An
operation whose fields are all `averagePrices` needs neither: what it asks for is worked out once for its document, and filled
in with the variables of each request. Whatever is unusual in the document or in the variables is left to the executor, with its
errors. `tests/graph/execution/test_average_prices_plan.py` compares the two.
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
    """The document or its variables hold what is left to the executor."""


def _parse_text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise NotPlannable


PARSERS: dict[str, Callable[[object], Any]] = {"Date": parse_date, "String": _parse_text}
TYPES = {"dateFrom": "Date", "dateTo": "Date", "origin": "String", "destination": "String"}
"""The arguments of the field."""


@dataclass(frozen=True, slots=True)
class _PlannedField:
    """A field `averagePrices` of a document: its arguments are functions of the variables, its columns pairs of names."""

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
    """How to answer an operation; `variables` says how the value of each is read."""

    variables: tuple[tuple[str, Callable[[object], Any]], ...]
    series: tuple[_PlannedField, ...]

    def bind(self, variables: Values) -> list[AveragePricesQuery] | None:
        """Return what is asked for with the variables, or None when it is for the executor to say what is wrong with them."""
        try:
            values = {name: parse(variables[name]) for name, parse in self.variables}
        except (KeyError, GraphQLError, NotPlannable):
            return None
        return [series.to_query(values) for series in self.series]

    async def execute(
        self, questions: list[AveragePricesQuery], context: RequestContext
    ) -> tuple[dict[str, Any], list[GraphQLError]]:
        """Return the data and the errors that the executor would."""
        data: dict[str, list[dict[str, object]] | None] = {}
        errors: list[GraphQLError] = []
        try:
            answers = await average_prices(context, questions)
        except Exception as error:
            answers = [error] * len(questions)
        for series, answer in zip(self.series, answers, strict=True):
            if isinstance(answer, Exception):
                data[series.response_name] = None
                errors.append(located_error(answer, [series.node], [series.response_name]))
            else:
                data[series.response_name] = to_columns(answer).to_objects(DailyAverage.__name__, series.columns)
        return data, errors


def create_plan(operation: OperationDefinitionNode, fragments: Fragments) -> AveragePricesPlan | None:
    """Return the plan of a valid operation, or None when there is anything in it but average prices."""
    if operation.operation is not OperationType.QUERY or operation.directives:
        return None
    try:
        variables = tuple(
            (definition.variable.name.value, _parser(definition.type, definition.default_value))
            for definition in operation.variable_definitions or ()
        )
        series = tuple(
            _plan_field(node, fragments) for node in _collect_fields(operation.selection_set, fragments, set())
        )
    except (NotPlannable, GraphQLError):
        return None
    names = {each.response_name for each in series}
    # Two fields of the same name are one, with the selections of both.
    return AveragePricesPlan(variables, series) if len(names) == len(series) else None


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
    """Return the function that takes an argument's value from those of the variables."""
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
    """Yield the fields, also those in fragments; but a fragment twice is unusual, as each may hold others twice."""
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
