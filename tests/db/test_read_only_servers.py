"""Servers that have become read-only: each refusal is recognised, and all connections leave."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import args_row

from db import pool as pool_module
from db.connection import Connection, connection_options
from db.errors import (
    DatabaseError,
    DatabaseUnavailable,
    NodeUnavailable,
    ReadOnlyServer,
    StatementTimeout,
    driver_errors,
)
from db.pool import API, Pool, connect, open_pool
from tests.support.faults.database_proxy import running_database_proxy
from tests.support.waiting import DEADLINE_SECONDS, eventually

pytestmark = pytest.mark.anyio

SIZE = 6
WAIT_SECONDS = 0.3


@pytest.fixture(params=[DEADLINE_SECONDS])
async def pool(
    database_url: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Pool]:
    """A pool that asks each reading connection whether its server accepts writes.

    The parameter is the time in seconds that requests wait for the end of an outage.
    """
    monkeypatch.setattr(pool_module, "CHECK_SECONDS", 0.0)
    async with open_pool(database_url, API, max_size=SIZE, outage_seconds=request.param) as pool:
        yield pool


async def make_read_only(pool: Pool) -> None:
    """Make each connection of the pool read-only, as if its server had been demoted.

    New connections lead to its successor.
    """
    async with AsyncExitStack() as stack:
        for _ in range(SIZE):
            connection = await stack.enter_async_context(pool.connection())
            await connection.execute("SET default_transaction_read_only = on")


@contextmanager
def read_only_database(database_url: str) -> Iterator[None]:
    """Let new connections to the database be read-only for the block."""
    name = conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())


async def write(connection: Connection, seconds: float = 0.0) -> int:
    """Change data after a pause; return the number of the server process."""
    await connection.execute("SELECT pg_sleep(%s)", [seconds])
    await connection.execute("DELETE FROM price_batches")
    return await read_pid(connection)


async def read_pid(connection: Connection) -> int:
    """Return the number of the server process."""
    async with connection.cursor(row_factory=args_row(int)) as cursor:
        await cursor.execute("SELECT pg_backend_pid()")
        return (await cursor.fetchall())[0]


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("25006", "cannot execute INSERT in a read-only transaction", ReadOnlyServer),
        ("25006", "INSERT kann nicht in einer Read-Only-Transaktion ausgeführt werden", ReadOnlyServer),
        ("55000", "recovery is in progress", ReadOnlyServer),
        ("55000", "cannot acquire lock mode X on database objects while recovery is in progress", ReadOnlyServer),
        ("0A000", "cannot use serializable mode in a hot standby", ReadOnlyServer),
        ("XX000", "cannot assign TransactionIds during recovery", ReadOnlyServer),
        ("55000", "cannot delete from table x because it does not have a replica identity", DatabaseUnavailable),
        ("23514", "value violates a check during recovery", psycopg.errors.CheckViolation),
        ("57P01", "terminating connection due to administrator command", NodeUnavailable),
        ("57P02", "terminating connection because of crash of another server process", NodeUnavailable),
        ("57P03", "the database system is starting up", NodeUnavailable),
        ("08006", "connection failure", NodeUnavailable),
        ("25P04", "terminating connection due to transaction timeout", StatementTimeout),
    ],
)
def test_driver_errors_recognise_read_only_servers_and_lost_nodes(
    database_url: str, code: str, message: str, expected: type[Exception]
) -> None:
    statement = f"DO $$ BEGIN RAISE '{message}' USING ERRCODE = '{code}'; END $$"
    with psycopg.connect(database_url) as connection, pytest.raises(Exception) as raised, driver_errors():  # noqa: PT011
        connection.execute(statement.encode())
    assert type(raised.value) is expected


async def test_read_only_connections_are_replaced_once_however_many_writes_fail(pool: Pool) -> None:
    await make_read_only(pool)

    async def change(number: int) -> None:
        # Some fail while the first failure has already led to new connections.
        async with pool.connection() as connection:
            await write(connection, 0.05 * number)

    failed = await asyncio.gather(*(change(number) for number in range(SIZE)), return_exceptions=True)
    assert [type(error) for error in failed] == [ReadOnlyServer] * SIZE
    async with pool.connection() as connection:
        await write(connection)
    assert pool._outage.generation == 1


async def test_connections_that_hang_are_replaced_once_however_many_are_aborted(database_url: str) -> None:
    async with open_pool(database_url, API, max_size=SIZE, read_seconds=1) as pool:

        async def hang(number: int) -> int:
            # All begin before the first is aborted, and some are aborted after it has led to new connections.
            await asyncio.sleep(0.1 * number)
            has_hung = False

            async def hang_once(connection: Connection) -> int:
                nonlocal has_hung
                if not has_hung:
                    has_hung = True
                    await connection.execute("SELECT pg_sleep(4)")
                return await read_pid(connection)

            return await pool.read(hang_once)

        await asyncio.gather(*(hang(number) for number in range(SIZE)))
        assert pool._outage.generation == 1


async def test_idempotent_write_on_a_read_only_connection_is_retried_on_a_new_one(pool: Pool) -> None:
    await make_read_only(pool)
    async with pool.connection() as connection:
        old = connection.info.backend_pid
    assert await pool.write_idempotent(write) != old
    assert pool._outage.generation == 1


async def test_read_is_not_answered_by_a_server_that_has_become_read_only(pool: Pool) -> None:
    await make_read_only(pool)
    old = {await pool.read(read_pid) for _ in range(2)}
    assert pool._outage.generation == 1
    await make_read_only(pool)
    assert await pool.read(read_pid) not in old
    assert pool._outage.generation == 2


@pytest.mark.parametrize("pool", [WAIT_SECONDS], indirect=True)
async def test_read_only_database_is_unavailable_until_it_accepts_writes(pool: Pool, database_url: str) -> None:
    await make_read_only(pool)
    with read_only_database(database_url):
        with pytest.raises(ReadOnlyServer):
            await pool.ping()
        for work in (pool.read(read_pid), pool.write_idempotent(write), pool.try_read(read_pid), pool.ping()):
            with pytest.raises(DatabaseUnavailable, match="standby or read-only"):
                await work
        with pytest.raises(DatabaseError, match="standby or read-only"):
            async with pool.connection():
                pass
        assert str(pool.overload_error()) == str(ReadOnlyServer())
    await asyncio.to_thread(eventually, lambda: not pool._outage.is_open, "the outage does not end")
    await pool.write_idempotent(write)


async def test_connection_to_a_read_only_database_is_refused(database_url: str) -> None:
    with read_only_database(database_url):
        with pytest.raises(ReadOnlyServer):
            async with connect(database_url, API):
                pass
        # libpq refuses it too, if the URL asks for a server that accepts writes.
        with pytest.raises(ReadOnlyServer):
            async with connect(make_conninfo(database_url, target_session_attrs="read-write"), API):
                pass


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("postgresql://one/name", None),
        ("postgresql://one,two/name", "read-write"),
        ("postgresql:///name?hostaddr=192.0.2.1,192.0.2.2", "read-write"),
        ("host=one,two dbname=name", "read-write"),
        ("postgresql://one,two/name?target_session_attrs=any", None),
        ("postgresql://one,two/name?target_session_attrs=primary", None),
    ],
)
def test_connection_to_one_of_several_hosts_accepts_writes_unless_the_url_chooses(url: str, target: str | None) -> None:
    assert connection_options(url).get("target_session_attrs") == target


async def test_connections_are_replaced_once_if_the_first_host_is_silent(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Less than the connect timeout of two seconds, which passes before the second host is tried.
    monkeypatch.setattr(pool_module, "POOL_TIMEOUT_SECONDS", 1.0)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        running_database_proxy(database_url) as (proxy, url),
    ):
        hosts = {"host": "127.0.0.1,127.0.0.1", "port": f"{silent.getsockname()[1]},{proxy.port}"}
        async with open_pool(make_conninfo(url, **hosts), API, max_size=2) as pool:
            pool._outage.trip()
            assert await pool.read(read_pid)
            assert pool._outage.generation == 1
