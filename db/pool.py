"""Connections: one pool per role, so that each kind of work has its own size and time limits.

The pool takes no `check=`: measured, it cost more than it saved. A connection that turns out to be lost has all of the pool
exchanged instead, once, as soon as the database answers (`db.outage`), and what was only read is read again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from db.connection import (
    CONNECTION_OPTIONS,
    Connection,
    abort,
    closing_on_timeout,
    open_connection,
    ping,
    probe,
    wait_until_available,
)
from db.errors import ConnectionLost, DatabaseError, DatabaseUnavailable, ServerBusy, driver_errors
from db.outage import MAX_WAITING, OutageMonitor
from db.traced_cursor import TracedCursor
from telemetry import spans

log = logging.getLogger("ratesgraph.db")

T = TypeVar("T")

POOL_TIMEOUT_SECONDS = 2.0
OPEN_SECONDS = 10.0
RECONNECT_SECONDS = 0.1
"""The pool itself soon gives a connection up: its attempts come ever less often, and would outlast the outage."""
DATABASE_WAIT_SECONDS = 8.0
READ_DEADLINE_SECONDS = 16.0
TRY_READ_SECONDS = 2.5
"""For who asks whether the database is there at all. Longer than the pool's own timeout, which notices that it is not."""
PING_TTL_SECONDS = 0.5
MAX_TRIES = 5
"""How often something is tried at most: if it loses its connection each time, it may be the reason."""


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
class PoolStats:
    """How many connections a pool may have and has, how many of them are idle, and how many wait for one."""

    limit: int
    size: int
    idle: int
    waiting: int


class Pool:
    """A pool of connections of one role. Connections are in autocommit: a read costs no BEGIN and COMMIT."""

    def __init__(self, pool: AsyncConnectionPool[Connection], outage: OutageMonitor, read_seconds: float) -> None:
        self._pool = pool
        self._outage = outage
        self._read_seconds = read_seconds
        self._lent = 0
        self._try_reads: set[asyncio.Task[Any]] = set()
        self._ping: asyncio.Task[None] | None = None
        self._pinged_at = 0.0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection. Raise DatabaseUnavailable when none can be opened in time, ConnectionLost when it is lost.

        Raise ServerBusy when all connections remain in use for POOL_TIMEOUT_SECONDS, or too many callers wait for one. Work on
        a lost connection may have been done all the same: only `read` and `write_idempotent` try again.
        """
        if self._outage.is_open:
            await self._outage.wait_until_over()
        try:
            with driver_errors():
                async with self._pool.connection() as connection:
                    self._lent += 1
                    try:
                        yield connection
                    finally:
                        self._lent -= 1
        except DatabaseUnavailable as error:
            if self._is_lost(error):
                self._outage.trip()
            elif self._lent and isinstance(error.__cause__, PoolTimeout | TooManyRequests):
                raise self.overload_error() from error.__cause__
            raise

    def overload_error(self) -> DatabaseError:
        """Return the error for work that is refused because too much is waiting.

        During an outage the database is the reason: DatabaseUnavailable. Otherwise it is the load on this process: ServerBusy.
        """
        return DatabaseUnavailable() if self._outage.is_open else ServerBusy()

    def _is_lost(self, error: DatabaseUnavailable) -> bool:
        """Return whether a connection was lost, or none could be made; not whether all were merely taken.

        The pool counts those too that it is still trying to make, for as long as a pooler holds them up.
        """
        is_empty = isinstance(error.__cause__, PoolTimeout) and self._lent == 0
        return is_empty or isinstance(error, ConnectionLost)

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return what the work finds on a connection; where that is lost, the work is done again on another.

        So it must change nothing that may not be changed twice. Raise DatabaseUnavailable when the database stays away. However
        silent it goes, no connection is waited for longer than `read_seconds`.
        """
        return await self.write_idempotent(self._with_watchdog(work, self._read_seconds))

    async def write_idempotent(self, work: Callable[[Connection], Awaitable[T]]) -> T:
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

    def _with_watchdog(
        self, work: Callable[[Connection], Awaitable[T]], seconds: float
    ) -> Callable[[Connection], Awaitable[T]]:
        """Return the same work, which gives its connection up when it has not ended after so long."""

        async def guarded(connection: Connection) -> T:
            guard = asyncio.get_running_loop().call_later(seconds, self._abort, connection)
            try:
                return await work(connection)
            finally:
                guard.cancel()

        return guarded

    def _abort(self, connection: Connection) -> None:
        """End a connection on which nothing more is to be expected. Others may be lost too."""
        log.warning("a connection has been silent for too long and is given up")
        abort(connection)
        self._outage.trip()

    async def try_read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return what the work finds, soon or not at all: no outage is sat out, and nothing is tried again.

        Raise a DatabaseError after GLANCE_SECONDS at the latest. What is still under way then is cancelled, for which a silent
        database is not waited for: its connection is given up a second later.
        """
        if self._outage.is_open:
            raise DatabaseUnavailable
        guarded = self._with_watchdog(work, TRY_READ_SECONDS + 1)

        async def look() -> T:
            async with self.connection() as connection:
                return await guarded(connection)

        looking = asyncio.create_task(look())
        self._try_reads.add(looking)
        looking.add_done_callback(self._end_try_read)
        await asyncio.wait([looking], timeout=TRY_READ_SECONDS)
        if not looking.done():
            looking.cancel()
            raise DatabaseUnavailable
        return looking.result()

    def _end_try_read(self, looking: asyncio.Task[Any]) -> None:
        self._try_reads.discard(looking)
        if not looking.cancelled():
            # Whoever wanted to know may have gone.
            looking.exception()

    async def ping(self) -> None:
        """Raise a DatabaseError unless the database answers, or has just answered. However many ask, it is asked once."""
        if self._outage.is_open:
            raise DatabaseUnavailable
        now = asyncio.get_running_loop().time()
        if self._ping is None or (self._ping.done() and now > self._pinged_at + PING_TTL_SECONDS):
            self._ping, self._pinged_at = asyncio.create_task(self.try_read(ping)), now
        await asyncio.wait([self._ping])
        self._ping.result()

    def stats(self) -> PoolStats:
        """Return how the pool stands."""
        stats = self._pool.get_stats()
        return PoolStats(
            stats["pool_max"], stats["pool_size"], stats["pool_available"], stats.get("requests_waiting", 0)
        )


@asynccontextmanager
async def open_pool(
    database_url: str,
    role: Role,
    *,
    max_size: int,
    outage_seconds: float = DATABASE_WAIT_SECONDS,
    read_seconds: float = READ_DEADLINE_SECONDS,
) -> AsyncIterator[Pool]:
    """Open a pool, wait until it can serve, close it at the end. Raise DatabaseUnavailable when nothing answers.

    Whoever asks during an outage waits until it is over or has lasted for `outage_seconds`.
    """

    async def configure(connection: Connection) -> None:
        # One that is held up, or silent, would hold the pool's own workers up with it.
        with closing_on_timeout(connection):
            await _configure(connection, role)

    pool = AsyncConnectionPool(
        database_url,
        min_size=min(2, max_size),
        max_size=max_size,
        open=False,
        timeout=POOL_TIMEOUT_SECONDS,
        max_waiting=MAX_WAITING,
        reconnect_timeout=RECONNECT_SECONDS,
        configure=configure,
        kwargs=CONNECTION_OPTIONS,
    )
    outage = OutageMonitor(partial(probe, database_url), pool.drain, outage_seconds)
    try:
        await wait_until_available(database_url, OPEN_SECONDS)
        with driver_errors():
            await pool.open(wait=True, timeout=OPEN_SECONDS)
        yield Pool(pool, outage, read_seconds)
    finally:
        await outage.close()
        await pool.close()


@asynccontextmanager
async def connect(database_url: str, role: Role) -> AsyncIterator[Connection]:
    """Open one connection of its own, for a command that needs no pool."""
    with driver_errors():
        connection = await open_connection(database_url)
        async with connection:
            await _configure(connection, role)
            yield connection
