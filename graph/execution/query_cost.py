"""Query cost analysis: estimates the number of returned entries before execution.

Most entries are days of lanes. A field that returns objects costs as many as it may return, and multiplies the cost of its
selection. The size of a list by days is its days, of a connection its page, of any other list a guess, of a single object one.
Scalar fields are free, except for those computed from individual prices. A document is analyzed once and reduced to a short
sum. Only the sizes that depend on variables are evaluated per request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    value_from_ast_untyped,
)

from graph.relay.connections import DEFAULT_PAGE_SIZE
from graph.types.averages import STATISTICS

LIST_SIZE = 10
"""Assumed length of a list without size arguments.

Examples are the ports of a region and the problems of an upload.
"""
STATISTIC_COST = 3
"""Additional cost per day of low, high or median.

Reading individual prices costs a multiple of adding partial sums.
"""
INTROSPECTION_COST = 500
"""Cost of `__schema` or `__type`.

A full introspection takes 11 ms, as long as 500 to 1,000 days of averages.
"""
LIST_ARGUMENTS = ("ids", "lanes")
"""Arguments with one value for each object that is looked up or watched."""
DATE_ARGUMENTS = (("dateFrom", "dateTo"), ("from", "to"))

Variables = Mapping[str, Any]
Size = Callable[[Variables], int]


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """Limits of the resolvers. Larger ranges and pages cost nothing because they are rejected."""

    max_days: int
    max_page_size: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost formula: a fixed cost, plus the size of each part times the cost per entry."""

    fixed: int
    parts: tuple[tuple[Size, "Cost"], ...] = ()

    def evaluate(self, variables: Variables) -> int:
        """Return the cost with these variables. Values of a wrong type cost nothing."""
        cost = self.fixed
        for size, child_cost in self.parts:
            cost += size(variables) * child_cost.evaluate(variables)
        return cost


class CostAnalyzer:
    """Cost analyzer for the operations of one document."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], limits: SizeLimits
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._limits = limits

    def analyze(self, operation: OperationDefinitionNode) -> Cost:
        """Return the cost of a valid operation.

        Fields with `@skip` or `@include` are counted even if the directive excludes them.
        """
        self._defaults = {
            node.variable.name.value: value_from_ast_untyped(node.default_value)
            for node in operation.variable_definitions or ()
            if node.default_value is not None
        }
        root = self._schema.get_root_type(operation.operation)
        return self._selection_cost(operation.selection_set, root, 0)

    def _selection_cost(self, selections: SelectionSetNode, parent: Any, fixed: int) -> Cost:  # noqa: ANN401
        """Return the sum of the costs of the selections and the fixed cost."""
        parts: list[tuple[Size, Cost]] = []
        for node in selections.selections:
            if isinstance(node, FieldNode):
                cost = self._field_cost(node, parent)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                kind = self._schema.get_type(fragment.type_condition.name.value)
                cost = self._selection_cost(fragment.selection_set, kind, 0)
            else:
                assert isinstance(node, InlineFragmentNode)  # noqa: S101
                condition = node.type_condition
                kind = parent if condition is None else self._schema.get_type(condition.name.value)
                cost = self._selection_cost(node.selection_set, kind, 0)
            fixed += cost.fixed
            parts.extend(cost.parts)
        return Cost(fixed, tuple(parts))

    def _field_cost(self, node: FieldNode, parent: GraphQLObjectType | GraphQLInterfaceType) -> Cost:
        name = node.name.value
        if name.startswith("__"):
            return Cost(0 if name == "__typename" else INTROSPECTION_COST)
        field = parent.fields[name]
        inner = get_named_type(field.type)
        if node.selection_set is None or is_leaf_type(inner):
            return Cost(STATISTIC_COST if name in STATISTICS else 0)
        if parent.name.endswith(("Connection", "Edge")):
            # The connection itself has already counted the page.
            return self._selection_cost(node.selection_set, inner, 0)
        child_cost = self._selection_cost(node.selection_set, inner, 1)
        size = self._find_size(node, field)
        if isinstance(size, int):
            if not child_cost.parts:
                return Cost(size * child_cost.fixed)
            constant = size
            return Cost(0, ((lambda _variables: constant, child_cost),))
        return Cost(0, ((size, child_cost),))

    def _find_size(self, node: FieldNode, field: GraphQLField) -> Size | int:
        arguments = {argument.name.value: argument.value for argument in node.arguments or ()}
        size = self._size_reader(field, arguments)
        if size is None:
            kind = field.type.of_type if is_non_null_type(field.type) else field.type
            return LIST_SIZE if is_list_type(kind) else 1
        return size if any(isinstance(value, VariableNode) for value in arguments.values()) else size({})

    def _size_reader(self, field: GraphQLField, arguments: Mapping[str, ValueNode]) -> Size | None:
        for first, last in DATE_ARGUMENTS:
            if first in field.args and last in field.args:
                read_first, read_last = self._reader(arguments.get(first)), self._reader(arguments.get(last))
                max_days = self._limits.max_days
                return lambda variables: _count_days(read_first(variables), read_last(variables), max_days)
        for name in LIST_ARGUMENTS:
            if name in field.args:
                read_list = self._reader(arguments.get(name))
                return lambda variables: _count_values(read_list(variables))
        if "first" in field.args:
            read_first, read_last = self._reader(arguments.get("first")), self._reader(arguments.get("last"))
            max_page_size = self._limits.max_page_size
            return lambda variables: _count_entries(read_first(variables), read_last(variables), max_page_size)
        return None

    def _reader(self, node: ValueNode | None) -> Callable[[Variables], Any]:
        """Return a function that reads the value of an argument from the variables."""
        if isinstance(node, VariableNode):
            name = node.name.value
            fallback = self._defaults.get(name)
            return lambda variables: variables.get(name, fallback)
        value = None if node is None else value_from_ast_untyped(node)
        return lambda _variables: value


def _count_days(first: object, last: object, max_days: int) -> int:
    if not isinstance(first, str) or not isinstance(last, str):
        return 0
    try:
        days = date.fromisoformat(last).toordinal() - date.fromisoformat(first).toordinal() + 1
    except ValueError:
        return 0
    return days if 0 < days <= max_days else 0


def _count_values(values: object) -> int:
    # GraphQL accepts a single value in place of a list, and a list argument may be omitted.
    return len(values) if isinstance(values, list) else 1


def _count_entries(first: object, last: object, max_page_size: int) -> int:
    if first is None and last is None:
        return min(DEFAULT_PAGE_SIZE, max_page_size)
    if first is not None and last is not None:
        return 0
    size = last if first is None else first
    return int(size) if isinstance(size, int | float) and 0 < size <= max_page_size else 0
