"""Index of the arguments of a document, by node and by variable.

It leads from a node or variable to its argument and to the path of the field.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListValueNode,
    Node,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    print_ast,
)

Path = tuple[str, ...]
"""Response names from the operation to a field. Lists of the response have no index here, as nothing was executed yet."""


@dataclass(frozen=True, slots=True)
class ArgumentUse:
    """Place of a value in a document: argument, input field, variable and path of the field.

    `argument` is None for the field as a whole. `field` is empty for the argument as a whole.
    """

    argument: str | None
    field: str
    variable: str | None
    path: Path


@dataclass(frozen=True, slots=True)
class ArgumentUses:
    """Uses by the position of a node in the text, and by the name of a variable (its first use)."""

    by_position: dict[int, ArgumentUse] = field(default_factory=dict)
    by_variable: dict[str, ArgumentUse] = field(default_factory=dict)
    _composites: list[ListValueNode | ObjectValueNode] = field(default_factory=list)

    def find(self, node: Node) -> ArgumentUse | None:
        """Return the use of a node, or None if it is no field and no part of an argument."""
        return None if node.loc is None else self.by_position.get(node.loc.start)

    def take_original(self, copy: Node) -> Node:
        """Return the node of the document that a copy without location was made from.

        graphql-core copies lists and objects before it validates a scalar. The original is the first node with the same
        text. It is removed from the index, so that another copy with this text leads to the next such node.
        """
        text = print_ast(copy)
        for node in sorted(self._composites, key=_start):
            if print_ast(node) == text:
                self._composites.remove(node)
                return node
        return copy

    def add(self, node: Node, use: ArgumentUse) -> None:
        """Record the first use of a node."""
        if node.loc is not None:
            self.by_position.setdefault(node.loc.start, use)
        if isinstance(node, ListValueNode | ObjectValueNode):
            self._composites.append(node)
        if use.variable is not None:
            self.by_variable.setdefault(use.variable, use)


def _start(node: Node) -> int:
    return -1 if node.loc is None else node.loc.start


def index_arguments(tree: DocumentNode, operation: OperationDefinitionNode | None = None) -> ArgumentUses:
    """Return the uses of the arguments in the operation, or in all operations without one.

    The document need not be valid.
    """
    fragments = {node.name.value: node for node in tree.definitions if isinstance(node, FragmentDefinitionNode)}
    uses = ArgumentUses()
    for definition in tree.definitions if operation is None else (operation,):
        if isinstance(definition, OperationDefinitionNode):
            _index_selections(definition.selection_set, (), fragments, set(), uses)
            _index_variables(definition, uses)
    return uses


def _index_selections(
    selections: SelectionSetNode,
    path: Path,
    fragments: Mapping[str, FragmentDefinitionNode],
    seen: set[str],
    uses: ArgumentUses,
) -> None:
    """Index the fields below a path.

    Each fragment is visited once, because nested repetition grows exponentially.
    """
    for node in selections.selections:
        here = path
        inner: SelectionSetNode | None = None
        match node:
            case FieldNode():
                here = (*path, node.name.value if node.alias is None else node.alias.value)
                uses.add(node, ArgumentUse(None, "", None, here))
                _index_arguments(node, here, uses)
                inner = node.selection_set
            case InlineFragmentNode():
                inner = node.selection_set
            case FragmentSpreadNode() if node.name.value not in seen and node.name.value in fragments:
                seen.add(node.name.value)
                inner = fragments[node.name.value].selection_set
        for directive in node.directives or ():
            uses.add(directive, ArgumentUse(None, "", None, here))
            _index_arguments(directive, here, uses)
        if inner is not None:
            _index_selections(inner, here, fragments, seen, uses)


def _index_arguments(node: FieldNode | DirectiveNode, path: Path, uses: ArgumentUses) -> None:
    for argument in node.arguments or ():
        for part, below, variable in _parts(argument):
            uses.add(part, ArgumentUse(argument.name.value, below, variable, path))


def _parts(argument: ArgumentNode) -> Iterator[tuple[Node, str, str | None]]:
    """Yield the argument and each value in it, with the input field and the variable."""
    yield argument, "", _variable(argument.value)
    waiting: list[tuple[ValueNode, str]] = [(argument.value, "")]
    while waiting:
        node, below = waiting.pop()
        yield node, below, _variable(node)
        match node:
            case ListValueNode():
                waiting += [(item, f"{below}[{index}]") for index, item in enumerate(node.values)]
            case ObjectValueNode():
                for entry in node.fields:
                    name = join_fields(below, entry.name.value)
                    yield entry, name, _variable(entry.value)
                    waiting.append((entry.value, name))


def join_fields(outer: str, inner: str) -> str:
    """Return the path of an input field below another, such as `prices[0].price`."""
    return f"{outer}{inner}" if not outer or not inner or inner.startswith("[") else f"{outer}.{inner}"


def _variable(node: ValueNode) -> str | None:
    return node.name.value if isinstance(node, VariableNode) else None


def _index_variables(operation: OperationDefinitionNode, uses: ArgumentUses) -> None:
    """Index the variable definitions and default values as the first use of each variable."""
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        use = uses.by_variable.get(name) or ArgumentUse(None, "", name, ())
        uses.add(definition, use)
        if definition.default_value is not None:
            uses.add(definition.default_value, replace(use, variable=name))
