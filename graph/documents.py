"""Parses and validates each document once: the texts that clients send are few, and the same ones all day.

A cache of the syntax tree by itself would have to hash the whole tree of every request; the text is hashed in C.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
    specified_rules,
)
from strawberry.schema.schema import validate_document

from graph.permissions import scopes_of
from graph.plans import Plan, make_plan
from resolvers.callers import Scope

SHARED_FIELDS = frozenset(
    {"averagePrices", "location", "locations", "port", "region", "__typename", "__schema", "__type"}
)
MAX_DOCUMENTS = 1_000
MAX_TEXT = 1_000_000
"""Characters of all documents kept; a syntax tree takes some fifty times as many bytes."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document that the schema can execute, with its operations by name (None: unnamed)."""

    tree: DocumentNode
    operations: dict[str | None, OperationDefinitionNode]
    shared: frozenset[str | None]
    """The names of the shared operations."""
    plans: dict[str | None, Plan | None]
    """How to answer an operation without the executor, where that is known."""
    needed: dict[str | None, frozenset[Scope]]
    """The scopes that a caller must have, by the operation's name."""

    def find_operation(self, name: str | None) -> OperationDefinitionNode | None:
        """Return the operation that a request means, or None when it means none or leaves it open."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        return self.operations.get(name) if name is not None else None

    def plan(self, operation: OperationDefinitionNode) -> Plan | None:
        """Return how to answer the operation without the executor, or None."""
        return self.plans[_name(operation)]

    def is_shared(self, operation: OperationDefinitionNode) -> bool:
        """Return whether the operation's answer is the same for everybody until prices or locations change."""
        return _name(operation) in self.shared

    def needed_for(self, operation: OperationDefinitionNode) -> frozenset[Scope]:
        """Return the scopes that a caller of the operation must have."""
        return self.needed[_name(operation)]


def _name(operation: OperationDefinitionNode) -> str | None:
    return None if operation.name is None else operation.name.value


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


class Documents:
    """The documents that were seen last, by their text."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._known: OrderedDict[str, Document] = OrderedDict()
        self._size = 0

    def find(self, text: str) -> Document | list[GraphQLError]:
        """Return the document, or what is wrong with it. Only a sound one is kept."""
        known = self._known.get(text)
        if known is not None:
            self._known.move_to_end(text)
            return known
        try:
            tree = parse(text)
            errors = validate_document(self._schema, tree, tuple(specified_rules))
        except GraphQLError as error:
            return [error]
        except RecursionError:
            return [GraphQLError("The document is nested too deeply.")]
        if errors:
            return errors
        operations = {_name(node): node for node in tree.definitions if isinstance(node, OperationDefinitionNode)}
        fragments = {node.name.value: node for node in tree.definitions if isinstance(node, FragmentDefinitionNode)}
        fields = {name: _root_fields(node.selection_set, fragments) for name, node in operations.items()}
        shared = {
            name
            for name, node in operations.items()
            if node.operation is OperationType.QUERY and fields[name] <= SHARED_FIELDS
        }
        plans = {name: make_plan(node, fragments) for name, node in operations.items()}
        needed = {name: scopes_of(self._schema, node, fields[name]) for name, node in operations.items()}
        return self._keep(text, Document(tree, operations, frozenset(shared), plans, needed))

    def _keep(self, text: str, document: Document) -> Document:
        self._known[text] = document
        self._size += len(text)
        while len(self._known) > MAX_DOCUMENTS or self._size > MAX_TEXT:
            oldest, _ = self._known.popitem(last=False)
            self._size -= len(oldest)
        return document
