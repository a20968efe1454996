"""Query cost analysis: computes the maximum entries and bytes of a response in advance.

Most entries are days of lanes. A field that returns objects costs as many as it may return, and multiplies the cost of its
selection. The size of a list by days is its days, of a connection its page, of any other list an estimate, of a single object
one. Five fields cost as much as an entry, unless their list is completed from columns. A document is analyzed once and
reduced to a short sum. Only the sizes that depend on variables are evaluated per request.

Bytes are an upper bound, not an estimate: response names, punctuation, and the longest value of each field. Lists of unknown
length add none before execution. `graph.execution.response_meter` counts them when they are read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_list_type,
    is_non_null_type,
    value_from_ast_untyped,
)

from graph.analysis_cost import (
    ANALYSIS_COSTS,
    CONNECTION_ENTRY_COSTS,
    SERIES_STATISTICS,
    AnalysisCost,
    count_days,
    statistic_cost,
)
from graph.cost_formula import Cost, CostEstimate, Size, Variables
from graph.relay.connections import DEFAULT_PAGE_SIZE
from graph.types.averages import STATISTICS
from graph.value_sizes import largest_typename, largest_value

LIST_SIZE = 10
"""Assumed length of a list without size arguments.

Examples are the ports of a region and the problems of an upload.
"""
UNKNOWN_FACTOR = 10
"""Operations with lists of unknown length are admitted at this multiple of their cost, up to the limit of the executor."""
DAY_STATISTIC_COST = 3
"""Additional cost of a day of `averagePrices` per selected statistic, which is always computed from single prices."""
COLUMNAR = "DailyAverage"
"""Name of the type whose lists are completed from columns, at a fraction of that time per field."""
INTROSPECTION_COST = 500
"""Cost of `__schema` or `__type`.

A full introspection takes 11 ms, as long as 500 to 1,000 days of averages.
"""
ENVELOPE_BYTES = len('{"data":{}}')
NAME_BYTES = len('"":,')
"""Punctuation of a field, in addition to the characters of its response name."""
VALUE_BYTES = len("null")
"""Bytes of a list or an object apart from its content: brackets, or null in its place."""
ENTRY_BYTES = len("{},")
PAGED = ("Connection", "Edge")
DATE_ARGUMENTS = (("dateFrom", "dateTo"), ("from", "to"))


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """Limits of the resolvers. Larger ranges and pages cost nothing because they are rejected."""

    max_days: int
    max_page_size: int


@dataclass(frozen=True, slots=True)
class OperationCost:
    """Cost of an operation, and by `id()` of their nodes of its lists.

    `list_entries` has the cost per entry of lists of unknown length, `list_fields` the fields per entry of lists of objects.
    """

    total: Cost
    list_entries: Mapping[int, Cost]
    list_fields: Mapping[int, int]

    def bound_entries(self, estimate: CostEstimate, maximum: int) -> int:
        """Return the entries to admit: more than the estimate if lists are unsized."""
        return min(UNKNOWN_FACTOR * estimate.entries, maximum) if self.list_entries else estimate.entries


class CostAnalyzer:
    """Cost analyzer for the operations of one document."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], limits: SizeLimits
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._limits = limits

    def analyze(self, operation: OperationDefinitionNode) -> OperationCost:
        """Return the cost of a valid operation.

        Fields with `@skip` or `@include` are counted even if the directive excludes them.
        """
        self._defaults = {
            node.variable.name.value: value_from_ast_untyped(node.default_value)
            for node in operation.variable_definitions or ()
            if node.default_value is not None
        }
        self._list_entries: dict[int, Cost] = {}
        self._list_fields: dict[int, int] = {}
        self._analysis: AnalysisCost | None = None
        root = self._schema.get_root_type(operation.operation)
        total = self._selection_cost(operation.selection_set, root).plus(Cost(0, ENVELOPE_BYTES))
        return OperationCost(total, self._list_entries, self._list_fields)

    def _selection_cost(self, selections: SelectionSetNode, parent: Any, page: Size | int = 1) -> Cost:  # noqa: ANN401
        """Return the sum of the costs of the selections.

        `page` is the size of the parent if it is a connection.
        """
        return Cost().plus(*(self._node_cost(node, parent, page) for node in selections.selections))

    def _node_cost(self, node: SelectionNode, parent: Any, page: Size | int) -> Cost:  # noqa: ANN401
        if isinstance(node, FieldNode):
            return self._field_cost(node, parent, page)
        if isinstance(node, FragmentSpreadNode):
            fragment = self._fragments[node.name.value]
            kind = self._schema.get_type(fragment.type_condition.name.value)
            return self._selection_cost(fragment.selection_set, kind, page)
        assert isinstance(node, InlineFragmentNode)  # noqa: S101
        condition = node.type_condition
        kind = parent if condition is None else self._schema.get_type(condition.name.value)
        return self._selection_cost(node.selection_set, kind, page)

    def _field_cost(self, node: FieldNode, parent: Any, page: Size | int) -> Cost:  # noqa: ANN401
        """Return the cost of a field with its response name."""
        name = node.name.value
        response_name = name if node.alias is None else node.alias.value
        own_bytes = len(response_name) + NAME_BYTES
        if name == "__typename":
            return Cost(bytes=own_bytes + largest_typename(self._schema, parent), fields=1)
        field = self._schema.get_field(parent, name)
        assert field is not None  # noqa: S101
        if node.selection_set is not None:
            content = partial(self._object_cost, node, parent, field, page)
            is_analysis = get_named_type(field.type).name in ANALYSIS_COSTS
            cost = self._analysis_cost(node, field, content) if is_analysis else content()
            return cost.plus(Cost(0, own_bytes + VALUE_BYTES, fields=1))
        value = Cost(DAY_STATISTIC_COST if name in STATISTICS else 0, largest_value(name, get_named_type(field.type)))
        size = self._analysis_list_size(parent, name) if _is_list(field) else None
        computed = Cost() if self._analysis is None else statistic_cost(name, size)
        if _is_list(field):
            entry = value.plus(Cost(0, len(",")))
            value = self._unsized_list(node, entry) if size is None else entry.times(size)
            value = value.plus(Cost(0, VALUE_BYTES))
        return value.plus(computed, Cost(0, own_bytes, fields=1))

    def _object_cost(self, node: FieldNode, parent: Any, field: GraphQLField, page: Size | int) -> Cost:  # noqa: ANN401
        """Return the cost of the objects of a field."""
        inner: Any = get_named_type(field.type)
        assert node.selection_set is not None  # noqa: S101
        if parent.name.endswith(PAGED):
            # The connection itself has already counted the entries of the page.
            content = self._selection_cost(node.selection_set, inner)
            self._list_fields[id(node)] = content.fields
            return content.with_fields().plus(Cost(0, ENTRY_BYTES)).times(page) if _is_list(field) else content
        size = self._analysis_list_size(parent, node.name.value) or self._find_size(node, field)
        if inner.name.endswith("Connection"):
            page = 1 if size is None else size
            return self._selection_cost(node.selection_set, inner, page).plus(
                Cost(CONNECTION_ENTRY_COSTS.get(inner.name, 1)).times(page)
            )
        content = self._selection_cost(node.selection_set, inner)
        if node.name.value.startswith("__"):
            return Cost(INTROSPECTION_COST, content.bytes, fields=content.fields)
        if not _is_list(field):
            return content.plus(Cost(1))
        self._list_fields[id(node)] = content.fields
        content = (content if inner.name == COLUMNAR else content.with_fields()).plus(Cost(1, ENTRY_BYTES))
        return self._unsized_list(node, content) if size is None else content.times(size)

    def _analysis_cost(self, node: FieldNode, field: GraphQLField, content: Callable[[], Cost]) -> Cost:
        """Return the cost of an analysis field, whose arguments size the lists of its content."""
        assert node.selection_set is not None  # noqa: S101
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        readers = {name: self._reader(given.get(name)) for name in field.args}
        with_statistics = self._selects(node.selection_set, SERIES_STATISTICS)
        outer = self._analysis
        create_cost = ANALYSIS_COSTS[get_named_type(field.type).name]
        self._analysis = create_cost(readers, self._limits.max_days, with_statistics=with_statistics)
        cost = content().plus(Cost(1).times(self._analysis.work))
        self._analysis = outer
        return cost

    def _analysis_list_size(self, parent: Any, name: str) -> Size | None:  # noqa: ANN401
        """Return the size of a list of the analysis, or None for any other list."""
        return None if self._analysis is None else self._analysis.list_size(parent.name, name)

    def _selects(self, selections: SelectionSetNode, names: frozenset[str]) -> bool:
        """Return whether a selection contains one of the fields at any depth."""
        for node in selections.selections:
            if isinstance(node, FragmentSpreadNode):
                inner: SelectionSetNode | None = self._fragments[node.name.value].selection_set
            else:
                inner = node.selection_set  # type: ignore[attr-defined]
                if isinstance(node, FieldNode) and node.name.value in names:
                    return True
            if inner is not None and self._selects(inner, names):
                return True
        return False

    def _unsized_list(self, node: FieldNode, entry: Cost) -> Cost:
        """Return the cost of a list of unknown length. Its bytes are counted when it is read."""
        self._list_entries[id(node)] = entry
        return entry.without_bytes().times(LIST_SIZE)

    def _find_size(self, node: FieldNode, field: GraphQLField) -> Size | int | None:
        """Return the size that the arguments determine, or None without such arguments."""
        arguments = {argument.name.value: argument.value for argument in node.arguments or ()}
        size = self._size_reader(field, arguments)
        if size is None or any(isinstance(value, VariableNode) for value in arguments.values()):
            return size
        return size({})

    def _size_reader(self, field: GraphQLField, arguments: Mapping[str, ValueNode]) -> Size | None:
        for first, last in DATE_ARGUMENTS:
            if first in field.args and last in field.args:
                read_first, read_last = self._reader(arguments.get(first)), self._reader(arguments.get(last))
                max_days = self._limits.max_days
                return lambda variables: count_days(read_first(variables), read_last(variables), max_days)
        if "ids" in field.args:
            read_ids = self._reader(arguments.get("ids"))
            return lambda variables: _count_values(read_ids(variables))
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


def _is_list(field: GraphQLField) -> bool:
    return is_list_type(field.type.of_type if is_non_null_type(field.type) else field.type)


def _count_values(values: object) -> int:
    # GraphQL accepts a single value in place of a list.
    return len(values) if isinstance(values, list) else 1


def _count_entries(first: object, last: object, max_page_size: int) -> int:
    if first is None and last is None:
        return min(DEFAULT_PAGE_SIZE, max_page_size)
    if first is not None and last is not None:
        return 0
    size = last if first is None else first
    return int(size) if isinstance(size, int | float) and 0 < size <= max_page_size else 0
