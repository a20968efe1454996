"""The same schema without plans, for comparison with the fast path."""

from collections.abc import Sequence
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.types import ExecutionResult

from db.pool import API, INGEST, connect, open_pool
from graph.execution.column_completion import ColumnarExecutionContext
from graph.execution.document_cache import MAX_VALIDATION_ERRORS
from graph.execution.error_formatting import format_errors
from graph.query import Query
from graph.schema import schema
from graph.types.locations import Port, Region
from ingest.tree import change_tree
from tests.support.contexts import reading_context
from tests.support.schema.stock_errors import describe_stock_errors
from tests.support.worlds import Item, World, apply_frame, frame_of

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


async def fill(url: str, world: World, items: Sequence[Item]) -> None:
    """Replace the content of the database."""
    async with connect(url, INGEST) as connection:
        await connection.execute(
            "TRUNCATE locations, prices, price_totals, price_sketches, stale_sketches, price_batches CASCADE"
        )
        await change_tree(connection, world.entries())
        await apply_frame(connection, frame_of(items))


async def assert_same_answers(url: str, requests: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Send each document with its variables to both engines, and compare data and errors."""
    async with open_pool(url, API, max_size=2) as pool:
        for query, variables in requests:
            expected = await STOCK.execute(query, variables, reading_context(pool))
            got = await schema.execute(query, variables, reading_context(pool))
            assert got.data == expected.data, query
            assert sorted_errors(got) == sort_errors(query, variables, expected.errors), query
