"""Response size: no response exceeds the limit.

The maximum is known before the response is read, or while it is read.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_introspection_query,
    get_named_type,
    graphql_sync,
    is_introspection_type,
)
from hypothesis import HealthCheck, given, settings

from db.pool import API, INGEST, Pool, connect, open_pool
from domain.locations import LocationKind, TreeEntry
from graph.execution.document_limits import QueryLimits
from graph.execution.executable_schema import OperationResult, Schema
from graph.schema import schema
from graph.value_sizes import SCALAR_BYTES, SCHEMA_TEXT_BYTES, TEXT_BYTES
from ingest.tree import change_tree
from resolvers.context import Limits
from tests.support.batches.uploads import INVALID_ITEMS, VALID_ITEM, create_locations, upload
from tests.support.contexts import reading_context
from tests.support.fixtures.server import running_server, running_worker
from tests.support.operations import Operation, operations

LIMITS = QueryLimits()
LONG_NAME = "\U0001f6a2" * 199 + '"'
FIVE_YEARS = 'dateFrom: "2020-01-01", dateTo: "2024-12-31"'
EXCEEDED = "RESPONSE_TOO_LARGE"


@pytest.fixture(scope="module")
def filled_database_url(module_database_url: str) -> str:
    """A database with the longest names and keys, and a batch of rejected items."""
    create_locations(module_database_url)

    async def rename() -> None:
        entries = [
            TreeEntry(LocationKind.REGION, "china", LONG_NAME, "world", "test"),
            TreeEntry(LocationKind.REGION, "world", LONG_NAME, None, "test"),
            TreeEntry(LocationKind.PORT, "CNSGH", LONG_NAME, "china", "test"),
        ]
        async with connect(module_database_url, INGEST) as connection:
            await change_tree(connection, entries)

    asyncio.run(rename())
    hostile = [{**VALID_ITEM, **change} for change, *_ in INVALID_ITEMS]
    hostile += [{**VALID_ITEM, "currency": "\x01" * 300}, {**VALID_ITEM, "price": "\x01" * 300}]
    with running_worker(module_database_url), running_server(module_database_url) as client:
        upload(client, *hostile, idempotencyKey=LONG_NAME)
        upload(client, *hostile, VALID_ITEM, onError="SKIP_INVALID", idempotencyKey="\U0001f6a2" * 200)
    return module_database_url


def limited(limits: QueryLimits) -> Schema:
    """Return the schema with these limits."""
    return schema.with_limits(limits, Limits(), suggest=True)


async def run(pool: Pool, operation: Operation, limits: QueryLimits, *, only_cost: bool = False) -> OperationResult:
    """Execute a query with the limits."""
    return await limited(limits).execute_operation(
        operation.query, operation.variables, None, reading_context(pool), only_queries=True, only_cost=only_cost
    )


def encode(result: OperationResult) -> bytes:
    """Return the response without its errors."""
    return orjson.dumps({"data": result.data})


def with_pool(database_url: str, work: Callable[[Pool], Awaitable[None]]) -> None:
    """Run the work with a pool of connections."""

    async def connected() -> None:
        async with open_pool(database_url, API, max_size=2) as pool:
            await work(pool)

    asyncio.run(connected())


def codes(result: OperationResult) -> set[object]:
    """Return the codes of the errors."""
    return {error["extensions"]["code"] for error in result.errors}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(operation=operations().filter(lambda drawn: drawn.query.startswith("query")))
def test_response_of_a_random_operation_is_refused_by_any_smaller_limit(
    filled_database_url: str, operation: Operation
) -> None:
    async def compare(pool: Pool) -> None:
        body = encode(await run(pool, operation, LIMITS))
        smaller = await run(pool, operation, replace(LIMITS, max_response_bytes=len(body) - 1))
        assert len(encode(smaller)) < len(body) or body == b'{"data":null}', operation

    with_pool(filled_database_url, compare)


EVERY_FIELD = {
    "averages": f"""{{ __typename averagePrices({FIVE_YEARS}, origin: "china", destination: "europe") {{
        __typename day averagePrice priceCount lowPrice highPrice medianPrice }} }}""",
    "rates": f'{{ exchangeRates(currency: "USD", {FIVE_YEARS.replace("dateFrom", "from").replace("dateTo", "to")}) {{'
    " day usdPerUnit publishedDay } }",
    "locations": """{ locations { totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } ...Edges
        again: edges { cursor } } } fragment Edges on LocationConnection { edges { cursor node { __typename key name
        parent { name } ancestors { name slug } ... on Port { code } ...Below } } }
        fragment Below on Region { children { key name ancestors { name } } ports { code name } }""",
    "batches": """{ batches { edges { node { id status onError source idempotencyKey uploader itemCount acceptedCount
        rejectedCount priceDayCount laneCount firstDay lastDay progress attempts failure createdAt startedAt endedAt
        revertedAt rejectionsUrl rejections { totalCount edges { node { item field code severity message value } } }
        lanes { edges { cursor node { origin { name } destination { name } } } } } } } }""",
    "the schema": get_introspection_query(),
}


@pytest.mark.parametrize("name", EVERY_FIELD)
def test_response_with_every_field_is_accepted_by_default_and_never_exceeds_a_limit(
    filled_database_url: str, name: str
) -> None:
    operation = Operation(EVERY_FIELD[name], {})

    async def compare(pool: Pool) -> None:
        whole = await run(pool, operation, LIMITS)
        assert whole.errors == []
        length = len(encode(whole))
        for limit in (length - 1, length // 2, length // 10):
            result = await run(pool, operation, replace(LIMITS, max_response_bytes=limit))
            assert codes(result) == {EXCEEDED}
            assert len(encode(result)) <= limit

    with_pool(filled_database_url, compare)


def test_response_limit_is_inclusive(filled_database_url: str) -> None:
    operation = Operation(EVERY_FIELD["averages"], {})

    async def compare(pool: Pool) -> None:
        estimate = (await run(pool, operation, LIMITS, only_cost=True)).estimate
        assert estimate is not None
        at_limit = await run(pool, operation, replace(LIMITS, max_response_bytes=estimate.bytes))
        assert (at_limit.errors, len(encode(at_limit)) <= estimate.bytes) == ([], True)
        above = await run(pool, operation, replace(LIMITS, max_response_bytes=estimate.bytes - 1))
        (error,) = above.errors
        assert error["extensions"] == {"code": EXCEEDED, "bytes": estimate.bytes, "maxBytes": estimate.bytes - 1}
        assert above.data is None
        assert not above.was_executed

    with_pool(filled_database_url, compare)


def test_response_of_27_lanes_of_five_years_is_far_below_the_default_limit(filled_database_url: str) -> None:
    lane = f'averagePrices({FIVE_YEARS}, origin: "CNSGH", destination: "NLRTM") {{ day averagePrice priceCount }}'
    operation = Operation("{" + " ".join(f"CNSGH_NLRTM_{number}: {lane}" for number in range(27)) + "}", {})

    async def check_estimate(pool: Pool) -> None:
        found = (await run(pool, operation, LIMITS, only_cost=True)).estimate
        assert found is not None
        assert found.entries == 27 * 1_827
        assert found.bytes < LIMITS.max_response_bytes // 5

    with_pool(filled_database_url, check_estimate)


def test_entries_of_lists_of_unknown_length_are_limited_by_the_cost_too(filled_database_url: str) -> None:
    types = "types { fields { args { name } } }"
    once, thrice = (
        Operation(f"{{ __schema {{ {' '.join(f't{number}: {types}' for number in range(count))} }} }}", {})
        for count in (1, 3)
    )

    async def compare(pool: Pool) -> None:
        # Both cost 500 before execution. The types have about 400 fields and 100 arguments.
        limits = replace(LIMITS, max_cost=1_000)
        assert (await run(pool, once, limits)).errors == []
        assert codes(await run(pool, thrice, limits)) == {"QUERY_TOO_COSTLY"}

    with_pool(filled_database_url, compare)


def test_fields_of_lists_of_unknown_length_are_limited_by_the_cost_and_refused_once(filled_database_url: str) -> None:
    names = " ".join(f"a{number}: __typename" for number in range(48))
    types = f"types {{ fields {{ {names} }} }}"
    operation = Operation(f"{{ __schema {{ {types} }} }}", {})

    async def run_twice(pool: Pool) -> None:
        # The types have some 200 fields, each with 48 names here.
        (error,) = (await run(pool, operation, replace(LIMITS, max_cost=5_000))).errors
        assert error["extensions"]["code"] == "QUERY_TOO_COSTLY"
        assert (await run(pool, operation, LIMITS)).errors == []

    with_pool(filled_database_url, run_twice)


def test_long_lists_are_completed_in_turns_and_equal_those_of_the_stock_executor(filled_database_url: str) -> None:
    operation = Operation(get_introspection_query(), {})

    async def compare(pool: Pool) -> None:
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        await run(pool, operation, LIMITS, only_cost=True)
        counter = asyncio.create_task(count_turns())
        result = await run(pool, operation, LIMITS)
        counter.cancel()
        assert result.data == graphql_sync(schema._schema, operation.query).data
        # Nothing is read from the database: each turn is one of the executor.
        assert turns > 5

    with_pool(filled_database_url, compare)


def test_errors_above_the_limit_of_a_response_are_counted_and_not_built(filled_database_url: str) -> None:
    fields = " ".join(f'a{number}: nodes(ids: ["x", "y", "z"]) {{ id }}' for number in range(10))
    counting = limited(replace(LIMITS, max_errors=4))

    async def count(pool: Pool) -> None:
        result = await counting.execute_operation(f"{{ {fields} }}", {}, None, reading_context(pool), only_queries=True)
        assert [error["extensions"]["code"] for error in result.errors] == ["INVALID_ID"] * 4 + ["TOO_MANY_ERRORS"]
        assert result.errors[-1]["message"] == "26 more errors omitted."
        built: list[Any] = []
        counting.format_errors = built.extend  # type: ignore[method-assign, assignment]
        await counting.execute_operation(f"{{ {fields} }}", {}, None, reading_context(pool), only_queries=True)
        assert (len(built), len(set(map(id, built)))) == (30, 4)

    with_pool(filled_database_url, count)


def test_every_text_of_the_schema_has_a_bound() -> None:
    core: Any = schema._schema
    texts = set()
    for kind in core.type_map.values():
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) and not is_introspection_type(kind):
            for name, field in kind.fields.items():
                inner = get_named_type(field.type).name
                if inner in {"String", "ID"}:
                    texts.add(name)
                elif inner in core.type_map and core.type_map[inner].__class__.__name__ == "GraphQLScalarType":
                    assert inner in SCALAR_BYTES, f"{kind.name}.{name}"
    assert texts <= TEXT_BYTES.keys()
    described = [*core.type_map.values(), *core.directives]
    described += [field for kind in core.type_map.values() for field in getattr(kind, "fields", {}).values()]
    described += [argument for each in described for argument in getattr(each, "args", {}).values()]
    assert max(len(orjson.dumps(each.description or "")) for each in described) <= SCHEMA_TEXT_BYTES
