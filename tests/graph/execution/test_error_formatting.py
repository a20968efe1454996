"""Error masking: secrets in exceptions never reach a client, client errors always do."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import psycopg
import pytest
import strawberry
from graphql import GraphQLError
from strawberry.types import ExecutionResult

from db.connection import Connection
from db.errors import DatabaseError, EmbeddedServerError, ServerBusy, driver_errors
from db.pool import Pool
from graph.execution.error_formatting import format_error
from graph.execution.executable_schema import Schema
from graph.schema import schema
from resolvers.errors import RequestError
from tests.support.contexts import ADMITTED, reading_context

pytestmark = pytest.mark.anyio

SECRET = "host=db7 password=hunter2"  # noqa: S105
LANE = 'dateFrom: "2016-01-01", dateTo: "2016-01-03", origin: "CNSGH", destination: "NLRTM"'
AVERAGES = f"{{ averagePrices({LANE}) {{ day }} }}"


class BrokenPool:
    """A pool that fails as a driver or a bug would, with a secret in the message."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        with driver_errors():
            raise self._error
        yield

    async def read(self, work: Callable[[Connection], Awaitable[object]]) -> object:
        async with self.connection() as connection:
            return await work(connection)

    def overload_error(self) -> DatabaseError:
        return ServerBusy()


async def ask(query: str, error: Exception, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the only error of a query whose database fails, as the response contains it."""
    pool = cast("Pool", BrokenPool(error))
    context = reading_context(pool)
    return only_error(await schema.execute(query, variables, context_value=context))


def only_error(result: object) -> dict[str, Any]:
    """Return the only error of a result, as the response contains it."""
    assert isinstance(result, ExecutionResult)
    assert result.errors is not None
    (shown,) = result.errors
    return dict(shown.formatted)


def assert_masked(error: dict[str, Any], log: pytest.LogCaptureFixture) -> None:
    """Check that the response reveals nothing and the log has the details under its error id."""
    assert SECRET not in repr(error)
    assert error["extensions"]["code"] == "INTERNAL_ERROR"
    (record,) = [record for record in log.records if error["extensions"]["errorId"] in record.getMessage()]
    assert record.levelno == logging.ERROR
    assert SECRET in logging.Formatter().format(record)


@pytest.mark.parametrize("kind", [RuntimeError, OSError, KeyError, psycopg.ProgrammingError, EmbeddedServerError])
async def test_error_formatting_masks_and_logs_an_exception_in_a_resolver(
    kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    error = await ask(AVERAGES, kind(SECRET))
    assert_masked(error, caplog)
    assert error["path"] == ["averagePrices"]


@pytest.mark.parametrize("kind", [RuntimeError, EmbeddedServerError])
def test_error_formatting_masks_and_logs_a_nested_exception(
    kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    inner = GraphQLError(SECRET, original_error=kind(SECRET), extensions={"detail": SECRET})
    shown = format_error(GraphQLError(SECRET, original_error=inner, path=["batch"]))
    assert_masked(dict(shown.formatted), caplog)


@pytest.mark.parametrize(
    "kind", [psycopg.OperationalError, psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege]
)
async def test_error_formatting_reports_an_unusable_database_without_the_driver_message(
    kind: type[psycopg.Error],
) -> None:
    error = await ask(AVERAGES, kind(SECRET))
    assert error["extensions"] == {"code": "DATABASE_UNAVAILABLE"}
    assert SECRET not in repr(error)


async def test_error_formatting_masks_and_logs_an_unserializable_value(caplog: pytest.LogCaptureFixture) -> None:
    @strawberry.type
    class Query:
        @strawberry.field
        def count(self) -> int:
            return cast("int", SECRET)

    result = await Schema(query=Query).execute("{ count }", context_value=ADMITTED)
    assert_masked(only_error(result), caplog)


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("{ averagePrices(", "GRAPHQL_PARSE_FAILED", "Syntax Error"),
        ("{ averagePrizes }", "GRAPHQL_VALIDATION_FAILED", "averagePrizes"),
        (AVERAGES.replace("2016-01-01", "20160101"), "INVALID_DATE", "20160101"),
        (AVERAGES.replace("2016-01-01", "2017-01-01"), "INVALID_DATE_RANGE", "2017-01-01"),
        ("{ batches(first: 0) { totalCount } }", "INVALID_PAGE_SIZE", "first must be between 1 and 500 (got 0)"),
    ],
)
async def test_error_formatting_shows_the_code_and_message_of_client_errors(query: str, code: str, words: str) -> None:
    error = await ask(query, RuntimeError(SECRET))
    assert error["extensions"]["code"] == code
    assert words in error["message"]


async def test_error_formatting_names_a_missing_variable() -> None:
    error = await ask("query ($first: Int!) { batches(first: $first) { totalCount } }", RuntimeError(SECRET), {})
    assert "$first" in error["message"]
    assert error["extensions"]["code"] in {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}


def test_error_formatting_preserves_message_code_and_details_of_a_request_error() -> None:
    cause = RequestError("UNKNOWN_LOCATION", "origin: no port is called 'X'.", argument="origin", suggestions=[])
    shown = format_error(GraphQLError(str(cause), original_error=cause, path=["averagePrices"]))
    assert shown.message == "origin: no port is called 'X'."
    assert shown.extensions == {"code": "UNKNOWN_LOCATION", "argument": "origin", "suggestions": []}
