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
from datetime import date
from typing import Any, NamedTuple

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

from graph.relay.connections import DEFAULT_PAGE_SIZE
from graph.types.averages import STATISTICS
from graph.value_sizes import largest_typename, largest_value

LIST_SIZE = 10
"""Assumed length of a list without size arguments.

Examples are the ports of a region and the problems of an upload.
"""
UNKNOWN_FACTOR = 10
"""Operations with lists of unknown length are admitted at this multiple of their cost, up to the limit of the executor."""
STATISTIC_COST = 3
"""Additional cost per day of low, high or median.

Reading individual prices costs a multiple of adding partial sums.
"""
FIELDS_PER_ENTRY = 5
"""Number of fields that cost as much as an entry: the executor needs 4 microseconds for a field, and 20 for an entry."""
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

Variables = Mapping[str, Any]
Size = Callable[[Variables], int]


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """Limits of the resolvers. Larger ranges and pages cost nothing because they are rejected."""

    max_days: int
    max_page_size: int


class CostEstimate(NamedTuple):
    """Maximum entries and bytes of a response; an unsized list has some entries and no bytes."""

    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost formula: entries and bytes, plus the size of each part times its cost per entry.

    `fields` counts the fields of one object, with those of single objects below it and without those of lists.
    """

    entries: int = 0
    bytes: int = 0
    parts: tuple[tuple[Size, "Cost"], ...] = ()
    fields: int = 0

    def evaluate(self, variables: Variables) -> CostEstimate:
        """Return the estimate with these variables. Values of a wrong type cost nothing."""
        entries, size = self.entries, self.bytes
        for count_entries, cost in self.parts:
            count = count_entries(variables)
            # An estimate is only created for nested parts: most queries have none, and it takes as long as the rest.
            entry = cost.evaluate(variables) if cost.parts else cost
            entries += count * entry.entries
            size += count * entry.bytes
        return CostEstimate(entries, size)

    def plus(self, *others: "Cost") -> "Cost":
        """Return the sum of the costs."""
        costs = (self, *others)
        parts = tuple(part for cost in costs for part in cost.parts)
        entries, size = sum(cost.entries for cost in costs), sum(cost.bytes for cost in costs)
        return Cost(entries, size, parts, sum(cost.fields for cost in costs))

    def times(self, size: Size | int) -> "Cost":
        """Return the cost of `size` entries."""
        if not isinstance(size, int):
            return Cost(parts=((size, self),))
        if not self.parts:
            return Cost(size * self.entries, size * self.bytes)
        return Cost(parts=((lambda _variables: size, self),))

    def without_bytes(self) -> "Cost":
        """Return the cost with entries only."""
        return Cost(self.entries, 0, tuple((size, cost.without_bytes()) for size, cost in self.parts), self.fields)

    def with_fields(self) -> "Cost":
        """Return the cost of an entry with its fields."""
        return self.plus(Cost(self.fields // FIELDS_PER_ENTRY))


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
            return self._object_cost(node, parent, field, page).plus(Cost(0, own_bytes + VALUE_BYTES, fields=1))
        value = Cost(STATISTIC_COST if name in STATISTICS else 0, largest_value(name, get_named_type(field.type)))
        if _is_list(field):
            value = self._unsized_list(node, value.plus(Cost(0, len(",")))).plus(Cost(0, VALUE_BYTES))
        return value.plus(Cost(0, own_bytes, fields=1))

    def _object_cost(self, node: FieldNode, parent: Any, field: GraphQLField, page: Size | int) -> Cost:  # noqa: ANN401
        """Return the cost of the objects of a field."""
        inner: Any = get_named_type(field.type)
        assert node.selection_set is not None  # noqa: S101
        if parent.name.endswith(PAGED):
            # The connection itself has already counted the entries of the page.
            content = self._selection_cost(node.selection_set, inner)
            self._list_fields[id(node)] = content.fields
            return content.with_fields().plus(Cost(0, ENTRY_BYTES)).times(page) if _is_list(field) else content
        size = self._find_size(node, field)
        if inner.name.endswith("Connection"):
            page = 1 if size is None else size
            return self._selection_cost(node.selection_set, inner, page).plus(Cost(1).times(page))
        content = self._selection_cost(node.selection_set, inner)
        if node.name.value.startswith("__"):
            return Cost(INTROSPECTION_COST, content.bytes, fields=content.fields)
        if not _is_list(field):
            return content.plus(Cost(1))
        self._list_fields[id(node)] = content.fields
        content = (content if inner.name == COLUMNAR else content.with_fields()).plus(Cost(1, ENTRY_BYTES))
        return self._unsized_list(node, content) if size is None else content.times(size)

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
                return lambda variables: _count_days(read_first(variables), read_last(variables), max_days)
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


def _count_days(first: object, last: object, max_days: int) -> int:
    if not isinstance(first, str) or not isinstance(last, str):
        return 0
    try:
        days = date.fromisoformat(last).toordinal() - date.fromisoformat(first).toordinal() + 1
    except ValueError:
        return 0
    return days if 0 < days <= max_days else 0


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
