"""Connections: one pool per role, so that each kind of work has its own size and time limits.

The pool takes no `check=`: measured, it cost more than it saved. Opening waits until the database answers.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from db import spans
from db.errors import driver_errors
from db.traced_cursor import TracedCursor

Connection = AsyncConnection[TupleRow]

CONNECT_TIMEOUT_SECONDS = 3
POOL_TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Role:
    """How long a kind of connection may work. All times are milliseconds; 0 means no limit."""

    name: str
    statement_timeout: int
    lock_timeout: int
    idle_in_transaction_timeout: int


API = Role("ratesgraph-api", statement_timeout=5_000, lock_timeout=2_000, idle_in_transaction_timeout=10_000)
# A batch of a million items computes between two statements for seconds: hence the long idle limit.
INGEST = Role("ratesgraph-ingest", statement_timeout=0, lock_timeout=60_000, idle_in_transaction_timeout=600_000)


async def _configure(connection: Connection, role: Role) -> None:
    if spans.tracer is not None:
        connection.cursor_factory = TracedCursor
    await connection.set_autocommit(True)
    await connection.execute(
        "SELECT set_config('application_name', %s, false), set_config('statement_timeout', %s, false),"
        " set_config('lock_timeout', %s, false), set_config('idle_in_transaction_session_timeout', %s, false),"
        " set_config('TimeZone', 'UTC', false)",
        (
            role.name,
            str(role.statement_timeout),
            str(role.lock_timeout),
            str(role.idle_in_transaction_timeout),
        ),
    )


@dataclass(frozen=True, slots=True)
class PoolState:
    """How many connections a pool may have and has, how many of them are idle, and how many wait for one."""

    limit: int
    size: int
    idle: int
    waiting: int


class Pool:
    """A pool of connections of one role. Connections are in autocommit: a read costs no BEGIN and COMMIT."""

    def __init__(self, pool: AsyncConnectionPool[Connection]) -> None:
        self._pool = pool

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection. Raise DatabaseUnavailable when none can be had in time."""
        with driver_errors():
            async with self._pool.connection() as connection:
                yield connection

    def measure(self) -> PoolState:
        """Return how the pool stands."""
        stats = self._pool.get_stats()
        return PoolState(
            stats["pool_max"], stats["pool_size"], stats["pool_available"], stats.get("requests_waiting", 0)
        )


@asynccontextmanager
async def open_pool(database_url: str, role: Role, *, max_size: int) -> AsyncIterator[Pool]:
    """Open a pool, wait until it can serve, close it at the end. Raise DatabaseUnavailable when nothing answers."""

    async def configure(connection: Connection) -> None:
        await _configure(connection, role)

    pool = AsyncConnectionPool(
        database_url,
        min_size=min(2, max_size),
        max_size=max_size,
        open=False,
        timeout=POOL_TIMEOUT_SECONDS,
        configure=configure,
        kwargs={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
    )
    try:
        with driver_errors():
            await pool.open(wait=True, timeout=10)
        yield Pool(pool)
    finally:
        await pool.close()


@asynccontextmanager
async def connect(database_url: str, role: Role) -> AsyncIterator[Connection]:
    """Open one connection of its own, for a command that needs no pool."""
    with driver_errors():
        connection = await psycopg.AsyncConnection.connect(database_url, connect_timeout=CONNECT_TIMEOUT_SECONDS)
        async with connection:
            await _configure(connection, role)
            yield connection
