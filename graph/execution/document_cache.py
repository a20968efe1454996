"""Parses and validates each document once: the texts that clients send are few, and the same ones all day.

A cache of the syntax tree by itself would have to hash the whole tree of every request; the text is hashed in C.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

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

from graph.execution.authorization import required_scopes
from graph.execution.average_prices_plan import AveragePricesPlan, create_plan
from graph.execution.document_limits import QueryLimits, check_limits, parse_limited
from graph.execution.query_cost import Cost, CostAnalyzer, SizeLimits
from resolvers.caller import AuthScope

RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
MAX_VALIDATION_ERRORS = 5
"""Each may bring a search for similar names; nobody mends more than these before trying again."""
SHARED_FIELDS = frozenset({"averagePrices", "location", "locations", "port", "region", "__typename"})
INTROSPECTION = frozenset({"__schema", "__type"})
"""Never shared: whether they are answered depends on the caller."""
MAX_NAME = 100
MAX_DOCUMENTS = 1_000
MAX_TOTAL_CHARS = 1_000_000
"""Characters of all documents kept; a syntax tree takes some fifty times as many bytes."""
MAX_INVALID_DOCUMENTS = 100
MAX_INVALID_CHARS = 100_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of a sound document, and what is known of it before it is executed.

    `is_shared`: its answer is the same for everybody who may read until prices or locations change. `is_introspective`: it asks
    for the schema. `scopes`: what its caller must have. `plan`: how to answer it without the executor, where that is known.
    """

    node: OperationDefinitionNode
    kind: OperationType
    name: str | None
    is_shared: bool
    is_introspective: bool
    scopes: frozenset[AuthScope]
    cost: Cost
    plan: AveragePricesPlan | None

    @property
    def span_attributes(self) -> dict[str, str]:
        """What may be told of it."""
        facts = {"graphql.operation.type": self.kind.value}
        return facts if self.name is None else {**facts, "graphql.operation.name": self.name[:MAX_NAME]}


@dataclass(frozen=True, slots=True)
class Document:
    """A document that the schema can execute, with its operations by name (None: unnamed)."""

    tree: DocumentNode
    operations: dict[str | None, Operation]

    def find_operation(self, name: str | None) -> Operation | None:
        """Return the operation that a request means, or None when it means none or leaves it open."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        return self.operations.get(name) if name is not None else None


def _root_fields(
    selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], seen: set[str] | None = None
) -> set[str]:
    """Return the names of the fields of a root type, looking into each fragment once, however often it is spread."""
    names, seen = set[str](), set() if seen is None else seen
    for node in selections.selections:
        if isinstance(node, FieldNode):
            names.add(node.name.value)
        elif isinstance(node, InlineFragmentNode):
            names |= _root_fields(node.selection_set, fragments, seen)
        elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
            seen.add(node.name.value)
            names |= _root_fields(fragments[node.name.value].selection_set, fragments, seen)
    return names


class _Kept(Generic[T]):
    """What was found out about texts, bounded in number and characters; the oldest used go first."""

    def __init__(self, max_count: int, max_text: int) -> None:
        self._max_count, self._max_text = max_count, max_text
        self._found: OrderedDict[str, T] = OrderedDict()
        self._size = 0

    def find(self, text: str) -> T | None:
        found = self._found.get(text)
        if found is not None:
            self._found.move_to_end(text)
        return found

    def keep(self, text: str, found: T) -> None:
        if len(text) > self._max_text // 2:
            return
        self._found[text] = found
        self._size += len(text)
        while len(self._found) > self._max_count or self._size > self._max_text:
            oldest, _ = self._found.popitem(last=False)
            self._size -= len(oldest)


class DocumentCache:
    """The documents that were seen last, by their text.

    Wrong ones are kept too, with what is wrong with them: one that is sent again and again is read once. They have a place of
    their own, so that they do not push out sound ones.
    """

    def __init__(self, schema: GraphQLSchema, limits: QueryLimits, sizes: SizeLimits, *, suggest: bool = True) -> None:
        self._schema = schema
        self._limits = limits
        self._sizes = sizes
        self._suggest = suggest
        self._valid = _Kept[Document](MAX_DOCUMENTS, MAX_TOTAL_CHARS)
        self._invalid = _Kept[list[GraphQLError]](MAX_INVALID_DOCUMENTS, MAX_INVALID_CHARS)

    def get(self, text: str) -> Document | list[GraphQLError]:
        """Return the document, or what is wrong with it."""
        known = self._valid.find(text)
        if known is not None:
            return known
        errors = self._invalid.find(text)
        if errors is not None:
            return errors
        found = self._parse_and_validate(text)
        if isinstance(found, Document):
            self._valid.keep(text, found)
        else:
            self._invalid.keep(text, found)
        return found

    def _parse_and_validate(self, text: str) -> Document | list[GraphQLError]:
        try:
            tree = parse_limited(text, self._limits)
        except GraphQLError as error:
            return [error.with_traceback(None)]
        errors = check_limits(tree, self._limits) or validate(
            self._schema, tree, RULES, max_errors=MAX_VALIDATION_ERRORS, hide_suggestions=not self._suggest
        )
        if errors:
            return errors
        nodes = [node for node in tree.definitions if isinstance(node, OperationDefinitionNode)]
        fragments = {node.name.value: node for node in tree.definitions if isinstance(node, FragmentDefinitionNode)}
        pricer = CostAnalyzer(self._schema, fragments, self._sizes)
        operations = [self._analyze_operation(node, fragments, pricer) for node in nodes]
        return Document(tree, {operation.name: operation for operation in operations})

    def _analyze_operation(
        self, node: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode], pricer: CostAnalyzer
    ) -> Operation:
        kind = OperationType(node.operation.value)
        fields = _root_fields(node.selection_set, fragments)
        return Operation(
            node,
            kind,
            None if node.name is None else node.name.value,
            is_shared=kind is OperationType.QUERY and fields <= SHARED_FIELDS,
            is_introspective=not fields.isdisjoint(INTROSPECTION),
            scopes=required_scopes(self._schema, node, fields),
            cost=pricer.analyze(node),
            plan=create_plan(node, fragments),
        )
