"""Limits on the size of a document, checked before validation because later steps cost more.

The stock limiters expand fragments and therefore need exponential time: 753 bytes occupied them for 8 seconds. Here each
fragment is measured once, and its size is added wherever it is spread. The time is linear in the length of the document.
A document within the limits is small for every validation rule, even for one that expands fragments.
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
    Token,
    TokenKind,
    parse,
)

MAX_DIGITS = 400
"""Enough for any number; Python refuses to parse an integer of more than 4,300 digits."""
MAX_SHOWN = 1_000_000
LONG_NUMBER = re.compile(rf"[0-9]{{{MAX_DIGITS + 1},}}")


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """Limits on documents, query costs, responses and errors, set from the server settings."""

    max_length: int = 50_000
    """Maximum length in characters.

    The lexer also scans blanks and comments, at 0.1 to 0.2 microseconds per character.
    """
    max_tokens: int = 1_200
    """A query of fifty lanes with literal arguments has 1,100 tokens."""
    max_depth: int = 20
    max_fields: int = 400
    max_aliases: int = 60
    max_directives: int = 40
    max_cost: int = 50_000
    max_errors: int = 50
    max_name_length: int = 128
    """A response repeats its names once per entry, and errors quote the other names."""
    max_response_bytes: int = 32_000_000


class Size(NamedTuple):
    """Size of an operation or fragment, including the fragments that it spreads."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0

    def combine(self, other: "Size") -> "Size":
        """Return the size of both selections in one selection set."""
        return Size(
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.aliases + other.aliases,
            self.directives + other.directives,
        )


NOTHING = Size()


def parse_limited(text: str, limits: QueryLimits) -> DocumentNode:
    """Return the syntax tree.

    Raise GraphQLError for a syntax error, or with a specific code for an exceeded limit.
    """
    if len(text) > limits.max_length:
        message = f"Document too long: {len(text):,} characters, limit {limits.max_length:,}."
        raise _limit_error("DOCUMENT_TOO_LONG", message)
    if number := LONG_NUMBER.search(text):
        message = f"Number too long: {len(number[0]):,} digits, limit {MAX_DIGITS:,}."
        raise _limit_error("GRAPHQL_PARSE_FAILED", message)
    try:
        tree = parse(text, max_lexical_tokens=limits.max_tokens, max_comments=limits.max_tokens)
    except GraphQLError as error:
        if "contains more than" in error.message:
            # The parser stops at the limit, so the number of tokens is unknown.
            raise _limit_error("TOO_MANY_TOKENS", f"Too many tokens: limit {limits.max_tokens:,}.") from error
        if "nested too deeply" in error.message:
            raise _depth_error(limits) from error
        raise
    _check_names(tree, limits)
    return tree


def _check_names(tree: DocumentNode, limits: QueryLimits) -> None:
    """Raise GraphQLError for the first name that is too long.

    Aliases and all other names of the document are checked.
    """
    assert tree.loc is not None  # noqa: S101
    token: Token | None = tree.loc.start_token
    while token is not None:
        if token.kind is TokenKind.NAME and len(token.value or "") > limits.max_name_length:
            message = f"Name too long: {len(token.value or ''):,} characters, limit {limits.max_name_length:,}."
            raise GraphQLError(
                message, source=tree.loc.source, positions=[token.start], extensions={"code": "NAME_TOO_LONG"}
            )
        token = token.next


def check_limits(tree: DocumentNode, limits: QueryLimits) -> list[GraphQLError]:
    """Return an error for each limit that an operation of the document exceeds."""
    try:
        size = _measure(tree)
    except RecursionError:
        return [_depth_error(limits)]
    errors = []
    if size.depth > limits.max_depth:
        errors.append(_depth_error(limits, size.depth))
    for noun, found, limit, code in (
        ("fields and fragment spreads, fragments expanded", size.fields, limits.max_fields, "TOO_MANY_FIELDS"),
        ("aliases", size.aliases, limits.max_aliases, "TOO_MANY_ALIASES"),
        ("directives", size.directives, limits.max_directives, "TOO_MANY_DIRECTIVES"),
    ):
        if found > limit:
            # Nested fragments can multiply to numbers of hundreds of digits.
            shown = f"{found:,}" if found < MAX_SHOWN else f"over {MAX_SHOWN:,}"
            errors.append(_limit_error(code, f"Too many {noun}: {shown}, limit {limit:,}."))
    return errors


def _limit_error(code: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": code})


def _depth_error(limits: QueryLimits, depth: int | None = None) -> GraphQLError:
    """Return the error of a query that is too deep.

    The depth is unknown (None) if the parser or the Python stack reached its limit first.
    """
    found = "" if depth is None else f"{depth:,} levels, "
    return _limit_error("QUERY_TOO_DEEP", f"Query too deep: {found}limit {limits.max_depth:,}.")


def _measure(tree: DocumentNode) -> Size:
    """Return the largest size of any operation, separately for each measure."""
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
            # A fragment counts as a field: even an empty one costs work.
            yield inner._replace(fields=inner.fields + 1)
        yield Size(directives=len(node.directives or ()))


def _measure_fragment(name: str, fragments: Mapping[str, FragmentDefinitionNode], measured: dict[str, Size]) -> Size:
    if name not in measured and name in fragments:
        # A fragment that spreads itself counts as empty here; the standard validation rules reject it.
        measured[name] = NOTHING
        node = fragments[name]
        size = _measure_selections(node.selection_set, fragments, measured)
        measured[name] = size.combine(Size(directives=len(node.directives or ())))
    return measured.get(name, NOTHING)


def _count_directives(operation: OperationDefinitionNode) -> int:
    """Return the number of directives on the operation itself and on its variables."""
    variables = operation.variable_definitions or ()
    return len(operation.directives or ()) + sum(len(variable.directives or ()) for variable in variables)
