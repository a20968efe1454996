"""Number of SQL statements of the main queries: a guard against N+1 queries."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from strawberry.types import ExecutionResult

from db.connection import Connection
from db.pipeline import execute_pipelined
from db.pool import API, Pool, open_pool
from db.repositories import totals
from graph.schema import schema
from ingest.tree import change_tree
from resolvers.context import MAX_NAMES_WITH_SUGGESTIONS
from resolvers.relay.global_ids import encode_batch_id, encode_global_id
from tests.support.contexts import reading_context
from tests.support.databases.background_statements import is_background
from tests.support.worlds import Item, World, apply_frame, frame_of

pytestmark = pytest.mark.anyio

DAY = date(2016, 1, 1)
PORTS = [f"CNA{letter}{letter}" for letter in "ABCDEFGHIJK"]
WORLD = World(
    {"world": None, "few": "world", "many": "world", "USNYC": "few", "USLAX": "few"}, {"USNYC", "USLAX", *PORTS}
)
WORLD.parents.update(dict.fromkeys(PORTS, "many"))


@pytest.fixture
async def pool(database_url: str, connection: Connection) -> AsyncIterator[Pool]:
    """A pool of fixed size over a small world with prices on every lane from the many ports."""
    await change_tree(connection, WORLD.entries())
    items = [Item(port, "USNYC", DAY, DAY, Decimal(100 + number)) for port in PORTS for number in range(3)]
    await apply_frame(connection, frame_of(items))
    async with open_pool(database_url, API, max_size=2) as pool:
        yield pool


@pytest.fixture
def statements(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> list[str]:  # noqa: ARG001
    """The statements of requests that were sent since the pool was opened, in order."""
    sent: list[str] = []
    execute = psycopg.AsyncCursor.execute

    async def counting(self: psycopg.AsyncCursor[Any], query: bytes, *args: Any, **kwargs: Any) -> object:  # noqa: ANN401
        if not is_background(query):
            sent.append(query.decode())
        return await execute(self, query, *args, **kwargs)

    async def counting_each(
        connection: Connection,
        statement: bytes,
        parameters: Sequence[Sequence[str]],
        *args: Any,  # noqa: ANN401
    ) -> object:
        sent.extend([statement.decode()] * len(parameters))
        return await execute_pipelined(connection, statement, parameters, *args)

    monkeypatch.setattr(psycopg.AsyncCursor, "execute", counting)
    monkeypatch.setattr(totals, "execute_pipelined", counting_each)
    return sent


async def ask(pool: Pool, query: str) -> dict[str, Any]:
    """Execute the query as a separate request and return its data."""
    context = reading_context(pool)
    result = await schema.execute(query, context_value=context)
    assert isinstance(result, ExecutionResult)
    assert not result.errors
    assert result.data is not None
    return result.data


def lane(origin: str) -> str:
    """Return a field that selects one day of a lane."""
    return (
        f'averagePrices(dateFrom: "{DAY}", dateTo: "{DAY}", origin: "{origin}", destination: "few") {{ averagePrice }}'
    )


async def test_average_prices_of_one_lane_execute_two_statements(pool: Pool, statements: list[str]) -> None:
    data = await ask(pool, f"{{ {lane('many')} }}")
    assert data == {"averagePrices": [{"averagePrice": 101.0}]}
    assert len(statements) == 2


async def test_average_prices_of_aliases_execute_one_more_statement(pool: Pool, statements: list[str]) -> None:
    # A location's name is an alias of it.
    fields = [lane(f"Name of {port}") for port in PORTS[:10]]
    data = await ask(pool, "{" + " ".join(f"{port}: {field}" for port, field in zip(PORTS, fields, strict=False)) + "}")
    assert list(data.values()) == [[{"averagePrice": 101.0}]] * 10
    assert sum("FROM location_aliases" in statement for statement in statements) == 1
    assert len(statements) == 12


async def test_average_prices_of_ten_lanes_share_one_location_statement(pool: Pool, statements: list[str]) -> None:
    data = await ask(pool, "{" + " ".join(f"{port}: {lane(port)}" for port in PORTS[:10]) + "}")
    assert list(data.values()) == [[{"averagePrice": 101.0}]] * 10
    assert sum("FROM locations" in statement for statement in statements) == 1
    assert sum("FROM price_totals" in statement for statement in statements) == 10
    assert len(statements) == 11


async def test_average_prices_of_a_repeated_lane_are_read_once(pool: Pool, statements: list[str]) -> None:
    await ask(pool, f"{{ a: {lane('many')} b: {lane('many')} }}")
    assert len(statements) == 2


async def test_exchange_rates_query_executes_two_statements(
    pool: Pool, connection: Connection, statements: list[str]
) -> None:
    await connection.execute(f"INSERT INTO exchange_rates VALUES ('EUR', '{DAY}', 1.09)".encode())
    statements.clear()
    data = await ask(pool, f'{{ exchangeRates(currency: "EUR", from: "{DAY}", to: "2016-12-31") {{ usdPerUnit }} }}')
    assert data["exchangeRates"] == [{"usdPerUnit": 1.09}] * 366
    assert len(statements) == 2


@pytest.mark.parametrize(
    "fields",
    ["children { key parent { key } ancestors { key } }", "ports { code parent { key ports { code } } }"],
)
async def test_region_query_statement_count_is_independent_of_its_descendants(
    pool: Pool, statements: list[str], fields: str
) -> None:
    await ask(pool, f'{{ region(slug: "few") {{ {fields} }} }}')
    few = len(statements)
    data = await ask(pool, f'{{ region(slug: "many") {{ {fields} }} }}')
    assert [len(places) for places in data["region"].values()] == [len(PORTS)]
    assert len(statements) - few == few
    assert few <= 5


async def test_location_page_executes_two_statements_and_one_per_kind_of_relative(
    pool: Pool, statements: list[str]
) -> None:
    relatives = "parent { key } ancestors { key } ... on Region { children { key } }"
    data = await ask(pool, f"{{ locations {{ totalCount edges {{ node {{ key {relatives} }} }} }} }}")
    assert len(data["locations"]["edges"]) == len(WORLD.parents)
    assert len(statements) == 2 + 3


async def test_batch_lanes_query_executes_three_statements(pool: Pool, statements: list[str]) -> None:
    query = '{ batch(id: "1") { lanes { edges { node { origin { code } destination { code } } } } } }'
    data = await ask(pool, query)
    assert len(data["batch"]["lanes"]["edges"]) == len(PORTS)
    assert len(statements) == 3


async def test_nodes_query_executes_one_statement_per_kind_of_object(pool: Pool, statements: list[str]) -> None:
    ports = [encode_global_id("Port", port) for port in PORTS]
    ids = ", ".join(
        f'"{id_}"' for id_ in [*ports, encode_global_id("Region", "few"), encode_batch_id(1), encode_batch_id(2)]
    )
    single = " ".join(f'a{number}: node(id: "{id_}") {{ id }}' for number, id_ in enumerate(ports))
    data = await ask(pool, f"{{ nodes(ids: [{ids}]) {{ id }} {single} }}")
    assert [None if node is None else node["id"] for node in data["nodes"]][:-3] == ports
    assert len(statements) == 2


async def test_unknown_names_share_one_index_of_all_locations(pool: Pool, statements: list[str]) -> None:
    names = [f"CNA{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    context = reading_context(pool)
    context.app.version.initialize("1")
    lanes = ", ".join(f'{{origin: "{name}", destination: "USNYC"}}' for name in names)
    query = f'{{ priceSeries(lanes: [{lanes}], dateFrom: "{DAY}", dateTo: "{DAY}") {{ lanes {{ counts }} }} }}'
    result = await schema.execute(query, context_value=context)
    assert isinstance(result, ExecutionResult)
    suggestions = [error.extensions["suggestions"] for error in result.errors or () if error.extensions]
    assert len(suggestions) == len(names)
    assert all(suggestions[:MAX_NAMES_WITH_SUGGESTIONS])
    assert not any(suggestions[MAX_NAMES_WITH_SUGGESTIONS:])
    assert sum("array_agg(name" in statement for statement in statements) == 1
