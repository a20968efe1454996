"""Errors of arguments, in GraphQL notation.

For each argument of the schema they contain its name, the locations and the path.
"""

import asyncio
import re
from collections.abc import Iterator
from typing import cast

import pytest
from strawberry.types import ExecutionResult

from db.pool import API, INGEST, connect, open_pool
from graph.schema import schema
from ingest.tree import change_tree
from tests.support.contexts import reading_context
from tests.support.fixtures.server import Json, running_server
from tests.support.operations import WrongOperation, operations_with_wrong_values
from tests.support.worlds import World

PYTHON = re.compile(r"\bNone\b|\bTrue\b|\bFalse\b|\{'|\b(?:dict|str|NoneType|bool|tuple|object at|datetime)\b")
"""Words and notations of Python."""
WORLD = World({"top": None, "AAAAA": "top", "BBBBB": "top"}, {"AAAAA", "BBBBB"})
DAYS = 'dateFrom: "2024-01-01", dateTo: "2024-01-03"'
LANE = 'origin: "AAAAA", destination: "BBBBB"'


@pytest.fixture(scope="module")
def database(module_database_url: str) -> str:
    """A database with two ports in a region."""

    async def fill() -> None:
        async with connect(module_database_url, INGEST) as connection:
            await change_tree(connection, WORLD.entries())

    asyncio.run(fill())
    return module_database_url


def execute_all(database_url: str, operations: Iterator[WrongOperation]) -> Iterator[tuple[WrongOperation, list[Json]]]:
    """Yield each operation with the errors of its response."""

    async def execute() -> list[tuple[WrongOperation, list[Json]]]:
        answers = []
        async with open_pool(database_url, API, max_size=1) as pool:
            for operation in operations:
                results = await schema.stream(operation.query, operation.variables, reading_context(pool))
                result = cast("ExecutionResult", await anext(aiter(results)))
                answers.append((operation, [dict(error.formatted) for error in result.errors or ()]))
        return answers

    yield from asyncio.run(execute())


@pytest.mark.parametrize("as_variable", [True, False])
def test_argument_errors_name_every_argument_of_the_schema(database: str, *, as_variable: bool) -> None:
    count = 0
    for operation, errors in execute_all(database, operations_with_wrong_values(as_variable=as_variable)):
        count += 1
        # JSON cannot represent a file, so its argument is wrong too in all operations that have one.
        (error,) = (error for error in errors if error["extensions"]["argument"] == operation.argument)
        extensions = error["extensions"]
        assert extensions.get("field", "").startswith(operation.field), (operation, error)
        assert extensions.get("variable") == (operation.argument if as_variable else None), (operation, error)
        assert error["locations"], (operation, error)
        assert error["path"] == operation.path, (operation, error)
        assert not PYTHON.search(error["message"]), (operation, error)
    assert count > 90


@pytest.mark.parametrize(
    ("query", "variables", "expected"),
    [
        (
            f'query ($day: Date! = "x") {{ averagePrices(dateFrom: $day, dateTo: "2024-01-01", {LANE}) {{ day }} }}',
            {},
            {"code": "INVALID_DATE", "argument": "dateFrom", "variable": "day"},
        ),
        (
            f'query ($day: Date = "2024-01-01") {{ averagePrices(dateFrom: $day, dateTo: "2024-01-01", {LANE}) {{ day }} }}',
            {"day": None},
            {"code": "BAD_USER_INPUT", "argument": "dateFrom", "variable": "day"},
        ),
        (
            f'query ($end: Date!) {{ averagePrices(dateFrom: "2024-01-02", dateTo: $end, {LANE}) {{ day }} }}',
            {"end": "2024-01-01"},
            {"code": "INVALID_DATE_RANGE", "argument": "dateFrom"},
        ),
        (
            f'query ($a: Date!) {{ averagePrices(dateFrom: $a, dateTo: "2024-01-01", {LANE}) {{ day }} __typename }}',
            {"a": "2024-01-02"},
            {"code": "INVALID_DATE_RANGE", "argument": "dateFrom", "variable": "a"},
        ),
        (
            f'query ($a: String!) {{ averagePrices({DAYS}, origin: "top", destination: $a) {{ day }} }}',
            {"a": "nowhere"},
            {"code": "UNKNOWN_LOCATION", "argument": "destination", "variable": "a", "suggestions": []},
        ),
        (
            "query ($size: Int!) { locations(first: $size) { totalCount } }",
            {"size": 0},
            {"code": "INVALID_PAGE_SIZE", "argument": "first", "variable": "size"},
        ),
        (
            "query ($cursor: String) { batches(after: $cursor) { totalCount } }",
            {"cursor": "x"},
            {"code": "INVALID_CURSOR", "argument": "after", "variable": "cursor"},
        ),
        (
            "mutation ($wait: Int!) { uploadPrices(input: { prices: [], waitMs: $wait }) { replayed } }",
            {"wait": -1},
            {"code": "INVALID_WAIT", "argument": "input", "field": "waitMs", "variable": "wait"},
        ),
        (
            "mutation ($item: PriceInput!) { uploadPrices(input: { prices: [{}, $item] }) { replayed } }",
            {"item": {"origin": 5}},
            {"code": "BAD_USER_INPUT", "argument": "input", "field": "prices[1].origin", "variable": "item"},
        ),
        (
            "subscription ($lane: String!) { pricesChanged(origin: $lane, destination: $lane) { status } }",
            {"lane": "nowhere"},
            {"code": "UNKNOWN_LOCATION", "argument": "origin", "variable": "lane", "suggestions": []},
        ),
        (
            "{ port { code } }",
            {},
            {"code": "GRAPHQL_VALIDATION_FAILED", "argument": "code"},
        ),
        (
            "query ($a: Int) { ...Part } fragment Part on Query { found: locations(frist: $a) { totalCount } }",
            {},
            {"code": "GRAPHQL_VALIDATION_FAILED", "argument": "frist", "variable": "a"},
        ),
    ],
)
def test_argument_error_names_argument_and_variable(database: str, query: str, variables: Json, expected: Json) -> None:
    operation = WrongOperation(query, variables, "", "", [])
    [(_, [error])] = execute_all(database, iter([operation]))
    assert error["extensions"] == expected
    assert error["locations"]
    assert len(error["path"]) == 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "null"), (True, "true"), ({"a": None}, "{…}"), ([None], "[…]"), (1.5, "1.5"), ('a"\n' * 50, '"a\\"\\na')],
)
def test_argument_error_prints_values_as_graphql(database: str, value: object, shown: str) -> None:
    for query in (
        "query ($value: String!) { port(code: $value) { code } }",
        "query ($value: [PriceInput!]!) { __typename @skip(if: true) }",
        f'query ($value: Date!) {{ averagePrices(dateFrom: $value, dateTo: "2024-01-01", {LANE}) {{ day }} }}',
    ):
        if isinstance(value, str) and "Date" not in query:
            continue
        operation = WrongOperation(query, {"value": value}, "", "", [])
        [(_, errors)] = execute_all(database, iter([operation]))
        messages = [error["message"] for error in errors]
        assert not any(PYTHON.search(message) for message in messages)
        assert all(len(message) < 200 for message in messages)
        if "PriceInput" not in query:
            assert shown in messages[0]


def test_argument_error_is_a_request_error_over_http(database: str) -> None:
    headers = {"Accept": "application/graphql-response+json"}
    query = f'query ($day: Date!) {{ averagePrices(dateFrom: $day, dateTo: "2024-01-01", {LANE}) {{ day }} }}'
    with running_server(database) as client:
        for document, variables in ((query, {"day": "2024-1-1"}), (query.replace("$day,", '"2024-1-1",'), {})):
            response = client.http.post("/graphql", json={"query": document, "variables": variables}, headers=headers)
            assert response.status_code == 400
            assert "data" not in response.json()
