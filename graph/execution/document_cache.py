"""LRU cache of parsed and validated documents.

Clients send few different texts and repeat them all day. The key is the text, which is hashed in C. A cache keyed by the syntax
tree would have to hash the whole tree of every request.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    specified_rules,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule
from strawberry.types.graphql import OperationType

from graph.authorization import required_scopes
from graph.errors.argument_errors import describe_invalid_arguments
from graph.execution.document_limits import QueryLimits, check_limits, parse_limited
from graph.execution.query_cost import CostAnalyzer, OperationCost, SizeLimits
from graph.plans.average_prices import FIELD
from graph.plans.plan import Plan, create_plan
from graph.types.averages import STATISTICS
from resolvers.caller import AuthScope

RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
MAX_VALIDATION_ERRORS = 5
"""Maximum number of errors reported for a document.

Each error may search for similar names. Developers rarely fix more errors than this before the next attempt.
"""
SHARED_FIELDS = frozenset(
    {
        "averagePrices",
        "benchmark",
        "coverage",
        "dataPeriod",
        "laneMatrix",
        "lanes",
        "location",
        "locations",
        "port",
        "priceSeries",
        "region",
        "__typename",
    }
)
INTROSPECTION = frozenset({"__schema", "__type"})
"""Never shared: the permission to read the schema depends on the caller."""
MAX_NAME_LENGTH = 100
MAX_DOCUMENTS = 1_000
MAX_TOTAL_CHARS = 1_000_000
"""Total length of the cached documents.

A syntax tree occupies some fifty times as many bytes.
"""
MAX_INVALID_DOCUMENTS = 100
MAX_INVALID_CHARS = 100_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Operation:
    """Operation of a valid document, with everything that can be derived before execution.

    Attributes:
        is_shared: the result is the same for every caller with the `read` scope until prices or locations change.
        is_introspective: the operation queries the schema.
        scopes: the scopes that its caller must have.
        plan: how to execute it without the executor; None if the executor is needed.
        statistics_fields: `id()` of each root `averagePrices` node that selects price statistics. A directive may still
            exclude them at execution.

    """

    node: OperationDefinitionNode
    kind: OperationType
    name: str | None
    is_shared: bool
    is_introspective: bool
    scopes: frozenset[AuthScope]
    cost: OperationCost
    plan: Plan | None
    statistics_fields: frozenset[int]

    @property
    def span_attributes(self) -> dict[str, str]:
        """The attributes of its tracing span."""
        attributes = {"graphql.operation.type": self.kind.value}
        return (
            attributes if self.name is None else {**attributes, "graphql.operation.name": self.name[:MAX_NAME_LENGTH]}
        )


@dataclass(frozen=True, slots=True)
class Document:
    """Valid document with its operations by name (None: unnamed)."""

    tree: DocumentNode
    operations: dict[str | None, Operation]

    def find_operation(self, name: str | None) -> Operation | None:
        """Return the requested operation, or None if the name is unknown or ambiguous.

        An empty name counts as none. Some clients send it for an unnamed operation.
        """
        if not name and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        return self.operations.get(name) if name else None


def _collect_fields(
    selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], seen: set[str] | None = None
) -> list[FieldNode]:
    """Return the fields of a selection and of its fragments, each visited once."""
    fields, seen = list[FieldNode](), set() if seen is None else seen
    for node in selections.selections:
        if isinstance(node, FieldNode):
            fields.append(node)
        elif isinstance(node, InlineFragmentNode):
            fields += _collect_fields(node.selection_set, fragments, seen)
        elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
            seen.add(node.name.value)
            fields += _collect_fields(fragments[node.name.value].selection_set, fragments, seen)
    return fields


def _selects_statistics(node: FieldNode, fragments: Mapping[str, FragmentDefinitionNode]) -> bool:
    """Return whether the field is an `averagePrices` that selects price statistics."""
    if node.name.value != FIELD or node.selection_set is None:
        return False
    return any(field.name.value in STATISTICS for field in _collect_fields(node.selection_set, fragments))


class TextCache(LRUCache[str, T]):
    """LRU cache keyed by text, bounded in entries and in the total length of the texts."""

    def __init__(self, max_entries: int, max_chars: int) -> None:
        super().__init__(max_entries)
        self._max_chars, self._chars = max_chars, 0

    def __setitem__(self, text: str, value: T) -> None:
        """Store the value, unless its text alone would fill half of the cache."""
        if len(text) > self._max_chars // 2:
            return
        self._chars += len(text) if text not in self else 0
        super().__setitem__(text, value)
        while self._chars > self._max_chars:
            self.popitem()

    def __delitem__(self, text: str) -> None:
        """Remove an entry; evictions pass through here too."""
        super().__delitem__(text)
        self._chars -= len(text)


class DocumentCache:
    """LRU cache of documents by text.

    Invalid documents are cached with their errors, so that a repeated one is parsed once. They have a cache of their
    own, which prevents them from evicting valid documents.
    """

    def __init__(self, schema: GraphQLSchema, limits: QueryLimits, sizes: SizeLimits, *, suggest: bool = True) -> None:
        self._schema = schema
        self._limits = limits
        self._sizes = sizes
        self._suggest = suggest
        self._valid = TextCache[Document](MAX_DOCUMENTS, MAX_TOTAL_CHARS)
        self._invalid = TextCache[list[GraphQLError]](MAX_INVALID_DOCUMENTS, MAX_INVALID_CHARS)

    @property
    def max_length(self) -> int:
        """Maximum characters of a document. Longer ones are refused without being parsed."""
        return self._limits.max_length

    def find(self, text: str) -> Document | list[GraphQLError] | None:
        """Return the document or its errors if they are cached."""
        try:
            return self._valid[text]
        except KeyError:
            return self._invalid.get(text)

    def get(self, text: str) -> Document | list[GraphQLError]:
        """Return the document, or its errors."""
        cached = self.find(text)
        return self.store(text, self.parse(text)) if cached is None else cached

    def store(self, text: str, parsed: Document | list[GraphQLError]) -> Document | list[GraphQLError]:
        """Cache and return a parsed document or its errors."""
        if isinstance(parsed, Document):
            self._valid[text] = parsed
        else:
            self._invalid[text] = parsed
        return parsed

    def parse(self, text: str) -> Document | list[GraphQLError]:
        """Parse and validate the text past the cache. This may run in a thread."""
        try:
            tree = parse_limited(text, self._limits)
        except GraphQLError as error:
            return [error.with_traceback(None)]
        errors = check_limits(tree, self._limits) or validate(
            self._schema, tree, RULES, max_errors=MAX_VALIDATION_ERRORS, hide_suggestions=not self._suggest
        )
        if errors:
            return describe_invalid_arguments(tree, errors, self._schema if self._suggest else None)
        nodes = [node for node in tree.definitions if isinstance(node, OperationDefinitionNode)]
        fragments = {node.name.value: node for node in tree.definitions if isinstance(node, FragmentDefinitionNode)}
        cost_analyzer = CostAnalyzer(self._schema, fragments, self._sizes)
        operations = [self._analyze_operation(node, fragments, cost_analyzer) for node in nodes]
        return Document(tree, {operation.name: operation for operation in operations})

    def _analyze_operation(
        self,
        node: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        cost_analyzer: CostAnalyzer,
    ) -> Operation:
        kind = OperationType(node.operation.value)
        fields = _collect_fields(node.selection_set, fragments)
        names = {field.name.value for field in fields}
        return Operation(
            node,
            kind,
            None if node.name is None else node.name.value,
            is_shared=kind is OperationType.QUERY and names <= SHARED_FIELDS,
            is_introspective=not names.isdisjoint(INTROSPECTION),
            scopes=required_scopes(self._schema, node, names),
            cost=cost_analyzer.analyze(node),
            plan=create_plan(node, fragments),
            statistics_fields=frozenset(id(field) for field in fields if _selects_statistics(field, fragments)),
        )
