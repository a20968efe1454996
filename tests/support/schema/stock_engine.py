"""The same schema without plans, for comparison with the fast path."""

from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.types import ExecutionResult

from graph.execution.column_completion import ColumnarExecutionContext
from graph.execution.document_cache import MAX_VALIDATION_ERRORS
from graph.execution.error_formatting import format_errors
from graph.query import Query
from graph.schema import schema
from graph.types.locations import Port, Region
from tests.support.schema.stock_errors import describe_stock_errors

STOCK = strawberry.Schema(
    query=Query, types=[Port, Region], config=schema.config, execution_context_class=ColumnarExecutionContext
)


def sort_errors(query: str, variables: dict[str, Any], errors: list[GraphQLError] | None) -> list[dict[str, Any]]:
    """Return the errors as the response contains them, sorted because their order is random."""
    described = describe_stock_errors(query, variables, errors or [])
    found = [dict(error.formatted) for error in format_errors(described, 100) or ()]
    # Of the validation errors of a document, the first ones are enough.
    return sorted(found if any("path" in error for error in found) else found[:MAX_VALIDATION_ERRORS], key=str)


def sorted_errors(result: ExecutionResult) -> list[dict[str, Any]]:
    """Return the sorted errors of a result whose errors are already formatted."""
    return sorted((dict(error.formatted) for error in result.errors or ()), key=str)
