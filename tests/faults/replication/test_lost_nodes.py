"""A server that cannot reach another node fails only the questions that need the node."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import psycopg
import pytest

from db.connection import Connection
from db.errors import NodeUnavailable
from db.pool import API, INGEST, connect, open_pool
from ingest.tree import change_tree
from tests.support.fixtures.server import Json, running_server
from tests.support.worlds import Item, World, apply_frame, frame_of

WORLD = World({"china": None, "europe": None, "CNSGH": "china", "NLRTM": "europe"}, {"CNSGH", "NLRTM"})
ITEMS = [
    Item(origin, destination, date(2024, 1, 1), date(2024, 1, 1), Decimal(price))
    for origin, destination in (("CNSGH", "NLRTM"), ("NLRTM", "CNSGH"))
    for price in (100, 101, 102)
]
NODE = "connection to the remote node db2:5432 failed"
LOST = "NLRTM"
"""Origin whose rows are on the lost node."""
LOSE_NODE = f"""
CREATE FUNCTION lose_node(origin integer) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF origin = (SELECT id FROM locations WHERE key = '{LOST}') THEN
        RAISE '{NODE}' USING ERRCODE = '08006';
    END IF;
    RETURN true;
END $$;
ALTER TABLE price_totals RENAME TO stored_totals;
ALTER TABLE prices RENAME TO stored_prices;
CREATE VIEW price_totals AS SELECT * FROM stored_totals WHERE lose_node(origin);
CREATE VIEW prices AS SELECT * FROM stored_prices WHERE lose_node(origin);
"""
"""A real server raises the error that the coordinator of Citus reports: the connection of the client stays open."""
DAYS = 'dateFrom: "2024-01-01", dateTo: "2024-01-01"'
PIDS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'ratesgraph-api' AND query NOT LIKE 'LISTEN%'
"""


@pytest.fixture
def lost_node_url(database_url: str) -> str:
    """A database whose rows of one origin are on a node that is lost."""

    async def fill() -> None:
        async with connect(database_url, INGEST) as connection:
            await change_tree(connection, WORLD.entries())
            await apply_frame(connection, frame_of(ITEMS))
            await connection.execute(LOSE_NODE.encode())

    asyncio.run(fill())
    return database_url


def averages(origin: str, destination: str, fields: str = "priceCount averagePrice") -> str:
    """Return a field that selects a day of a lane."""
    return f'averagePrices(origin: "{origin}", destination: "{destination}", {DAYS}) {{ {fields} }}'


def reading_pids(database_url: str) -> set[int]:
    """Return the process IDs of the server's connections."""
    with psycopg.connect(database_url) as connection:
        return {pid for (pid,) in connection.execute(PIDS.encode()).fetchall()}


def code_of(answer: Json) -> str:
    """Return the code of the only error."""
    (error,) = answer["errors"]
    return str(error["extensions"]["code"])


def test_lost_node_fails_only_the_questions_that_need_it(lost_node_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "ratesgraph.db")
    whole, lost = averages("CNSGH", "NLRTM"), averages(LOST, "CNSGH")
    with running_server(lost_node_url, cache_bytes=0, pool_size=2) as client:
        day = {"priceCount": 3, "averagePrice": 101.0}
        assert client.ask(f"{{ {whole} }}") == {"averagePrices": [day]}
        # Two connections: the pool opens no other.
        with ThreadPoolExecutor(8) as executor:
            list(executor.map(lambda _: client.ask(f"{{ {whole} }}"), range(20)))
        before = reading_pids(lost_node_url)
        with ThreadPoolExecutor(8) as executor:
            queries = [f"{{ {lost if number % 2 else whole} }}" for number in range(80)]
            answers = list(executor.map(client.post, queries))
        assert [answer["data"] for answer in answers[::2]] == [{"averagePrices": [day]}] * 40
        assert {code_of(answer) for answer in answers[1::2]} == {"DATABASE_UNAVAILABLE"}
        assert client.http.get("/readyz").status_code == 200
        # An outage would have replaced all connections.
        assert reading_pids(lost_node_url) == before
    # The operator learns which node is lost, once a minute; clients do not.
    (logged,) = [record.getMessage() for record in caplog.records if record.name == "ratesgraph.db"]
    assert logged == f"database refuses a statement: {NODE} (SQLSTATE 08006)"
    assert NODE not in str(answers)


@pytest.mark.parametrize(
    "query",
    [
        f"{{ {averages(LOST, 'CNSGH', 'medianPrice')} }}",
        f"{{ {averages('CNSGH', 'NLRTM', 'medianPrice')} b: {averages(LOST, 'CNSGH', 'medianPrice')} }}",
        '{ lanes(origin: "NLRTM") { totalCount } }',
        "{ lanes { totalCount } }",
        f"{{ a: {averages('CNSGH', 'NLRTM')} b: {averages(LOST, 'CNSGH')} }}",
        f'{{ priceSeries(lanes: [{{origin: "{LOST}", destination: "CNSGH"}}], {DAYS}) {{ lanes {{ counts }} }} }}',
    ],
)
def test_lost_node_is_an_unavailable_database_in_every_question(lost_node_url: str, query: str) -> None:
    with running_server(lost_node_url) as client:
        answer = client.post(query)
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"DATABASE_UNAVAILABLE"}
        assert client.ask(f"{{ {averages('CNSGH', 'NLRTM', 'medianPrice')} }}") == {
            "averagePrices": [{"medianPrice": 101.0}]
        }


@pytest.mark.parametrize(
    ("code", "message"),
    [
        *((code, "no node") for code in ("08006", "08001", "57P01", "57P03", "53300")),
        # A worker of Citus 14 was killed while a batch was applied.
        ("XX000", "failure on connection marked as essential: db2:5432"),
        ("XX000", "terminating connection due to unexpected postmaster exit"),
    ],
)
def test_connection_survives_an_error_about_another_node(database_url: str, code: str, message: str) -> None:
    async def ask() -> None:
        raising = f"DO $$ BEGIN RAISE '{message}' USING ERRCODE = '{code}'; END $$"
        async with open_pool(database_url, API, max_size=1) as pool:
            before = await pool.read(_read_pid)
            with pytest.raises(NodeUnavailable):
                await pool.read(lambda connection: connection.execute(raising.encode()))
            assert await pool.read(_read_pid) == before

    asyncio.run(ask())


async def _read_pid(connection: Connection) -> int:
    return connection.info.backend_pid
