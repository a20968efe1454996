"""Connections: one pool per role, so that each kind of work has its own size and time limits.

The pool takes no `check=`: measured, it cost more than it saved. A connection that turns out to be lost has all of the pool
exchanged instead, once, as soon as the database answers (`db.outage`), and what was only read is read again.
"""

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from db import spans
from db.errors import ConnectionLost, DatabaseUnavailable, driver_errors
from db.outage import MAX_WAITING, Outage
from db.traced_cursor import TracedCursor

log = logging.getLogger("ratesgraph.db")

Connection = AsyncConnection[TupleRow]
Found = TypeVar("Found")

CONNECT_TIMEOUT_SECONDS = 2
POOL_TIMEOUT_SECONDS = 2.0
OPEN_SECONDS = 10.0
OPEN_PAUSE_SECONDS = 0.1
RECONNECT_SECONDS = 0.1
"""The pool itself soon gives a connection up: its attempts come ever less often, and would outlast the outage."""
OUTAGE_SECONDS = 10.0
READ_SECONDS = 16.0
MAX_TRIES = 5
"""How often something is tried at most: if it loses its connection each time, it may be the reason."""
SOCKET_OPTIONS: dict[str, Any] = {"tcp_user_timeout": 10_000, "keepalives_idle": 10, "keepalives_interval": 5}
"""A server that is gone without a word is noticed after ten seconds (milliseconds, seconds, seconds)."""


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

    def __init__(self, pool: AsyncConnectionPool[Connection], outage: Outage, read_seconds: float) -> None:
        self._pool = pool
        self._outage = outage
        self._read_seconds = read_seconds

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection. Raise DatabaseUnavailable when none can be had in time, ConnectionLost when it goes.

        What was lost on it may have been done all the same: only `read` and `write_keyed` try again.
        """
        if self._outage.is_on:
            await self._outage.outlast()
        try:
            with driver_errors():
                async with self._pool.connection() as connection:
                    yield connection
        except DatabaseUnavailable as error:
            if self._is_lost(error):
                self._outage.begin()
            raise

    def _is_lost(self, error: DatabaseUnavailable) -> bool:
        """Return whether a connection was lost, or none could be made; not whether all were merely taken."""
        is_empty = isinstance(error.__cause__, PoolTimeout) and self._pool.get_stats()["pool_size"] == 0
        return is_empty or isinstance(error, ConnectionLost)

    async def read(self, work: Callable[[Connection], Awaitable[Found]]) -> Found:
        """Return what the work finds on a connection; where that is lost, the work is done again on another.

        So it must change nothing that may not be changed twice. Raise DatabaseUnavailable when the database stays away. However
        silent it goes, no connection is waited for longer than `read_seconds`.
        """

        async def guarded(connection: Connection) -> Found:
            guard = asyncio.get_running_loop().call_later(self._read_seconds, self._give_up, connection)
            try:
                return await work(connection)
            finally:
                guard.cancel()

        return await self.write_keyed(guarded)

    async def write_keyed(self, work: Callable[[Connection], Awaitable[Found]]) -> Found:
        """Do the work in the same way, however long it takes. It writes in one transaction what it knows again by a key.

        For the answer to its COMMIT may be what was lost.
        """
        tries = 1
        while True:
            try:
                async with self.connection() as connection:
                    return await work(connection)
            except DatabaseUnavailable as error:
                if tries == MAX_TRIES or not self._is_lost(error):
                    raise
                tries += 1

    def _give_up(self, connection: Connection) -> None:
        """End a connection on which nothing more is to be expected: whoever waits learns that it is lost. Others may be too."""
        log.warning("a connection has been silent for too long and is given up")
        with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
        self._outage.begin()

    async def ping(self) -> None:
        """Raise a DatabaseError unless the database answers now."""
        if self._outage.is_on:
            raise DatabaseUnavailable
        async with self.connection() as connection:
            await connection.execute("SELECT 1")

    def measure(self) -> PoolState:
        """Return how the pool stands."""
        stats = self._pool.get_stats()
        return PoolState(
            stats["pool_max"], stats["pool_size"], stats["pool_available"], stats.get("requests_waiting", 0)
        )


@asynccontextmanager
async def open_pool(
    database_url: str,
    role: Role,
    *,
    max_size: int,
    outage_seconds: float = OUTAGE_SECONDS,
    read_seconds: float = READ_SECONDS,
) -> AsyncIterator[Pool]:
    """Open a pool, wait until it can serve, close it at the end. Raise DatabaseUnavailable when nothing answers.

    Whoever asks during an outage waits until it is over or has lasted for `outage_seconds`.
    """

    async def configure(connection: Connection) -> None:
        await _configure(connection, role)

    async def reach() -> None:
        with driver_errors():
            await (await _connect(database_url)).close()

    pool = AsyncConnectionPool(
        database_url,
        min_size=min(2, max_size),
        max_size=max_size,
        open=False,
        timeout=POOL_TIMEOUT_SECONDS,
        max_waiting=MAX_WAITING,
        reconnect_timeout=RECONNECT_SECONDS,
        configure=configure,
        kwargs={"connect_timeout": CONNECT_TIMEOUT_SECONDS, **SOCKET_OPTIONS},
    )
    outage = Outage(reach, pool.drain, outage_seconds)
    try:
        await _wait_for(reach, OPEN_SECONDS)
        with driver_errors():
            await pool.open(wait=True, timeout=OPEN_SECONDS)
        yield Pool(pool, outage, read_seconds)
    finally:
        await outage.close()
        await pool.close()


async def _wait_for(reach: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Return when the database answers. Raise ConnectionLost with the reason when it has not for so long."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await reach()
        except ConnectionLost:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(OPEN_PAUSE_SECONDS)


async def _connect(database_url: str) -> Connection:
    return await AsyncConnection.connect(database_url, connect_timeout=CONNECT_TIMEOUT_SECONDS, **SOCKET_OPTIONS)


@asynccontextmanager
async def connect(database_url: str, role: Role) -> AsyncIterator[Connection]:
    """Open one connection of its own, for a command that needs no pool."""
    with driver_errors():
        connection = await _connect(database_url)
        async with connection:
            await _configure(connection, role)
            yield connection
