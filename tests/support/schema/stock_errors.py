"""Errors of the stock executor, described as the product describes its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import GraphQLError, GraphQLSyntaxError, OperationDefinitionNode, parse

from graph.errors.argument_errors import ArgumentError, describe_invalid_arguments, describe_invalid_variables


def describe_stock_errors(
    query: str, variables: Mapping[str, Any], errors: Sequence[GraphQLError]
) -> list[GraphQLError]:
    """Return the errors of a query with one operation before the product formats them."""
    try:
        tree = parse(query)
    except GraphQLSyntaxError:
        return list(errors)
    (operation,) = (node for node in tree.definitions if isinstance(node, OperationDefinitionNode))
    return [
        error if error.path or isinstance(error, ArgumentError) else describe_invalid_arguments(tree, [error])[0]
        for error in describe_invalid_variables(tree, operation, variables, errors)
    ]
