"""How large a document may be. It is measured before anything else looks at it, since what follows costs more.

The stock limiters expand fragments, and so take exponential time: 753 bytes kept them busy for 8 seconds. Here every fragment
is measured once, and its size is added wherever it is spread. The time is linear in the document, and what passes is small
for every rule that comes after, however it walks.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)

MAX_DIGITS = 400
"""Enough for any number; Python refuses to read one of more than 4,300."""
LONG_NUMBER = re.compile(rf"[0-9]{{{MAX_DIGITS + 1}}}")


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """How large a document, the cost of an operation and the list of its errors may be. The server's settings fill it."""

    max_length: int = 50_000
    """Characters: the lexer walks over blanks and comments too, 0.1 to 0.2 microseconds each."""
    max_tokens: int = 1_200
    """Fifty lanes written out have 1,100."""
    max_depth: int = 20
    max_fields: int = 400
    max_aliases: int = 60
    max_directives: int = 40
    max_cost: int = 50_000
    max_errors: int = 50


class Size(NamedTuple):
    """What an operation or a fragment comes to, the fragments that it spreads included."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0

    def combine(self, other: "Size") -> "Size":
        """Return the size of both, one beside the other."""
        return Size(
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.aliases + other.aliases,
            self.directives + other.directives,
        )


NOTHING = Size()


def parse_limited(text: str, limits: QueryLimits) -> DocumentNode:
    """Return the syntax tree. Raise GraphQLError for a text that is too long (with a code) or wrong."""
    if len(text) > limits.max_length:
        raise _limit_error("DOCUMENT_TOO_LONG", f"A document has at most {limits.max_length:,} characters.")
    if LONG_NUMBER.search(text):
        raise _limit_error("GRAPHQL_PARSE_FAILED", f"A number has at most {MAX_DIGITS} digits.")
    try:
        return parse(text, max_lexical_tokens=limits.max_tokens, max_comments=limits.max_tokens)
    except GraphQLError as error:
        if "contains more than" in error.message:
            raise _limit_error("TOO_MANY_TOKENS", f"A document has at most {limits.max_tokens:,} tokens.") from error
        if "nested too deeply" in error.message:
            raise _depth_error(limits) from error
        raise


def check_limits(tree: DocumentNode, limits: QueryLimits) -> list[GraphQLError]:
    """Return an error for each limit that one of the document's operations passes."""
    try:
        size = _measure(tree)
    except RecursionError:
        return [_depth_error(limits)]
    excesses = []
    if size.depth > limits.max_depth:
        excesses.append(_depth_error(limits))
    if size.fields > limits.max_fields:
        message = (
            f"An operation has at most {limits.max_fields:,} fields and fragments, each as often as it is selected."
        )
        excesses.append(_limit_error("TOO_MANY_FIELDS", message))
    if size.aliases > limits.max_aliases:
        excesses.append(_limit_error("TOO_MANY_ALIASES", f"An operation has at most {limits.max_aliases:,} aliases."))
    if size.directives > limits.max_directives:
        message = f"An operation has at most {limits.max_directives:,} directives."
        excesses.append(_limit_error("TOO_MANY_DIRECTIVES", message))
    return excesses


def _limit_error(code: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": code})


def _depth_error(limits: QueryLimits) -> GraphQLError:
    return _limit_error("QUERY_TOO_DEEP", f"Fields are nested at most {limits.max_depth:,} deep.")


def _measure(tree: DocumentNode) -> Size:
    """Return the greatest size that an operation has, by each measure."""
    fragments = {node.name.value: node for node in tree.definitions if isinstance(node, FragmentDefinitionNode)}
    measured: dict[str, Size] = {}
    operations = [
        _measure_selections(node.selection_set, fragments, measured).combine(Size(directives=_count_directives(node)))
        for node in tree.definitions
        if isinstance(node, OperationDefinitionNode)
    ]
    return Size(*(max(sizes) for sizes in zip(NOTHING, *operations, strict=True)))


def _measure_selections(
    selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], measured: dict[str, Size]
) -> Size:
    size = NOTHING
    for part in _selection_sizes(selections, fragments, measured):
        size = size.combine(part)
    return size


def _selection_sizes(
    selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], measured: dict[str, Size]
) -> Iterator[Size]:
    for node in selections.selections:
        inner = NOTHING
        if isinstance(node, FieldNode):
            if node.selection_set:
                inner = _measure_selections(node.selection_set, fragments, measured)
            yield Size(inner.depth + 1, inner.fields + 1, inner.aliases + (node.alias is not None), inner.directives)
        else:
            if isinstance(node, InlineFragmentNode):
                inner = _measure_selections(node.selection_set, fragments, measured)
            elif isinstance(node, FragmentSpreadNode):
                inner = _measure_fragment(node.name.value, fragments, measured)
            # A fragment counts as a field does: it can be empty, and is work all the same.
            yield inner._replace(fields=inner.fields + 1)
        yield Size(directives=len(node.directives or ()))


def _measure_fragment(name: str, fragments: Mapping[str, FragmentDefinitionNode], measured: dict[str, Size]) -> Size:
    if name not in measured and name in fragments:
        # A fragment that spreads itself comes to nothing here: it is for the standard rules to refuse.
        measured[name] = NOTHING
        node = fragments[name]
        size = _measure_selections(node.selection_set, fragments, measured)
        measured[name] = size.combine(Size(directives=len(node.directives or ())))
    return measured.get(name, NOTHING)


def _count_directives(operation: OperationDefinitionNode) -> int:
    """Return how many directives the operation has, on itself and on its variables."""
    variables = operation.variable_definitions or ()
    return len(operation.directives or ()) + sum(len(variable.directives or ()) for variable in variables)
