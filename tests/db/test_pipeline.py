"""Pipelined statements: ordered rows, and a usable connection after every outcome."""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from psycopg import errors

from db import pipeline
from db.connection import Connection

pytestmark = pytest.mark.anyio

SERIES = b"SELECT number, ARRAY[number, 2 * number]::bigint[] FROM generate_series(1, $1::integer) AS number"
DIVIDE = b"SELECT 10 / $1::integer"
SLEEP = b"SELECT pg_sleep($1::float8)"


async def fetch_each(
    connection: Connection, statement: bytes, parameters: Sequence[Sequence[str]]
) -> list[list[tuple[Any, ...]]]:
    """Return the rows of each parameter set."""
    numbers: list[int] = []

    def read(number: int, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        numbers.append(number)
        return rows

    found = await pipeline.execute_pipelined(connection, statement, parameters, read)
    assert numbers == [*range(len(found))]
    return found


async def assert_usable(connection: Connection) -> None:
    """Check that the connection executes statements correctly."""
    assert await fetch_each(connection, SERIES, [["1"]]) == [[(1, [1, 2])]]
    assert await (await connection.execute("SELECT 1")).fetchone() == (1,)


@pytest.mark.parametrize("count", [1, 2, 2_000])
async def test_pipeline_returns_the_rows_of_each_parameter_set(connection: Connection, count: int) -> None:
    numbers_of_rows = [number % 4 for number in range(count)]
    for _ in range(2):
        found = await fetch_each(connection, SERIES, [[str(number)] for number in numbers_of_rows])
        assert found == [[(row, [row, 2 * row]) for row in range(1, number + 1)] for number in numbers_of_rows]
    await assert_usable(connection)


async def test_pipeline_survives_that_psycopg_deallocates_its_statement(connection: Connection) -> None:
    await assert_usable(connection)
    for _ in range(2):
        # psycopg prepares a statement after some executions, and deallocates all after a ROLLBACK.
        for _ in range(10):
            await connection.execute("SELECT %s::integer", [1])
        async with connection.transaction(force_rollback=True):
            await connection.execute("SELECT 1")
        await assert_usable(connection)


async def test_pipeline_without_parameters_returns_no_rows(connection: Connection) -> None:
    assert await fetch_each(connection, SERIES, []) == []
    await assert_usable(connection)


async def test_whole_pipeline_raises_the_first_error_and_returns_no_partial_results(connection: Connection) -> None:
    def read(_number: int, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return rows

    for _ in range(2):
        with pytest.raises(errors.DivisionByZero):
            await pipeline.execute_whole_pipeline(connection, DIVIDE, [["5"], ["0"], ["2"]], read)
        assert await pipeline.execute_whole_pipeline(connection, DIVIDE, [["5"], ["2"]], read) == [[(2,)], [(5,)]]
    await assert_usable(connection)


async def test_pipeline_returns_results_before_an_error_and_raises_a_first_error(connection: Connection) -> None:
    for _ in range(2):
        assert await fetch_each(connection, DIVIDE, [["5"], ["1"], ["0"], ["2"]]) == [[(2,)], [(10,)]]
        with pytest.raises(errors.DivisionByZero):
            await fetch_each(connection, DIVIDE, [["0"], ["2"]])
    assert await fetch_each(connection, DIVIDE, [["5"]]) == [[(2,)]]
    await assert_usable(connection)


async def test_pipeline_raises_a_prepare_error_each_time(connection: Connection) -> None:
    for _ in range(2):
        with pytest.raises(errors.UndefinedTable):
            await fetch_each(connection, b"SELECT * FROM nowhere WHERE id = $1", [["1"], ["2"]])
    await assert_usable(connection)


async def test_pipeline_ends_a_statement_at_the_statement_timeout(connection: Connection) -> None:
    await connection.execute("SET statement_timeout = 50")
    assert await fetch_each(connection, SLEEP, [["0"], ["5"], ["0"]]) == [[(b"",)]]
    with pytest.raises(errors.QueryCanceled):
        await fetch_each(connection, SLEEP, [["5"], ["0"]])
    await assert_usable(connection)


async def test_pipeline_cancellation_leaves_a_usable_connection(connection: Connection) -> None:
    task = asyncio.create_task(fetch_each(connection, SLEEP, [["0"], ["30"]]))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await fetch_each(connection, SLEEP, [["0"]]) == [[(b"",)]]
    await assert_usable(connection)


async def test_pipeline_raises_an_operational_error_for_a_lost_connection(
    connection: Connection, database_url: str
) -> None:
    task = asyncio.create_task(fetch_each(connection, SLEEP, [["0"], ["30"]]))
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = %s"
    with psycopg.connect(database_url, autocommit=True) as other:
        while not other.execute(end, [SLEEP.decode()]).fetchall():  # noqa: ASYNC110
            await asyncio.sleep(0)
    with pytest.raises(psycopg.OperationalError):
        await task
    assert connection.closed


async def test_pipeline_ends_before_rows_that_cannot_be_decoded(connection: Connection) -> None:
    def read(_number: int, rows: list[tuple[Any, ...]]) -> int:
        return [10, 20][len(rows)]

    parameters = [["1"], ["0"], ["2"], ["1"]]
    assert await pipeline.execute_pipelined(connection, SERIES, parameters, read) == [20, 10]
    for broken in (parameters[2:], parameters):
        with pytest.raises(pipeline.RowDecodingError) as caught:
            await pipeline.execute_whole_pipeline(connection, SERIES, broken, read)
        assert caught.value.number == broken.index(["2"])
        assert isinstance(caught.value.__cause__, IndexError)
    await assert_usable(connection)
