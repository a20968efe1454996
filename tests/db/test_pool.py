"""Errors of a pool: overload, an outage, and a pooler that loses prepared statements."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from db import pool as pool_module
from db.connection import Connection, ping
from db.errors import DatabaseUnavailable, DatabaseUnusable, ServerBusy
from db.pool import API, Pool, open_pool

pytestmark = pytest.mark.anyio

OpenPool = Callable[[], AbstractAsyncContextManager[Pool]]


@pytest.fixture
def open_small_pool(database_url: str, monkeypatch: pytest.MonkeyPatch) -> OpenPool:
    """Return a function that opens a pool with one connection and one short waiting slot."""
    monkeypatch.setattr(pool_module, "POOL_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(pool_module, "MAX_WAITING", 1)

    @asynccontextmanager
    async def open_it() -> AsyncIterator[Pool]:
        async with open_pool(database_url, API, max_size=1) as pool:
            yield pool

    return open_it


async def test_connection_pool_is_busy_after_the_timeout_if_all_connections_are_in_use(
    open_small_pool: OpenPool,
) -> None:
    async with open_small_pool() as pool:
        async with pool.connection():
            with pytest.raises(ServerBusy):
                await pool.read(ping)
        # The database was available throughout, so the next caller gets a connection at once.
        await pool.read(ping)


async def test_connection_pool_is_busy_above_the_limit_of_waiting_callers(open_small_pool: OpenPool) -> None:
    async with open_small_pool() as pool:
        async with pool.connection():
            waiting = asyncio.create_task(pool.read(ping))
            await asyncio.sleep(0)
            with pytest.raises(ServerBusy):
                await asyncio.wait_for(pool.read(ping), 0.1)
        await waiting


async def test_connection_pool_overload_during_an_outage_is_database_unavailable(open_small_pool: OpenPool) -> None:
    async with open_small_pool() as pool:
        assert isinstance(pool.overload_error(), ServerBusy)
        pool._outage.trip()
        assert isinstance(pool.overload_error(), DatabaseUnavailable)


async def test_connection_pool_explains_a_pooler_that_loses_prepared_statements(
    open_small_pool: OpenPool, caplog: pytest.LogCaptureFixture
) -> None:
    async def lose_statement(connection: Connection) -> None:
        await connection.execute("SELECT 1", prepare=True)
        connection.pgconn.exec_(b"DEALLOCATE ALL")  # As a session that the pooler has lent to others.
        await connection.execute("SELECT 1", prepare=True)

    async with open_small_pool() as pool:
        with pytest.raises(DatabaseUnusable):
            await pool.read(lose_statement)
    assert "(SQLSTATE 26000). Name PostgreSQL itself in the URL, or update the pooler (PgBouncer: 1.22" in caplog.text
