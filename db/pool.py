"""Connection pools, one per role: each kind of work has its own size and time limits.

The pool does not use psycopg_pool's `check=`, which cost more than it saved when measured. Instead, a lost connection replaces
the whole pool once, as soon as the database answers again (`db.outage`). Reads that lost their connection are retried. A server
that has become read-only counts as lost: after a failover its connections would stay alive, and refuse every change.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeVar

from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from db.connection import (
    Connection,
    PooledConnection,
    Role,
    ServerCheck,
    abort,
    configure,
    connection_options,
    open_connection,
    ping,
    probe,
    wait_until_available,
)
from db.errors import (
    ConnectionLost,
    DatabaseError,
    DatabaseUnavailable,
    DatabaseUnusable,
    NodeUnavailable,
    ReadOnlyServer,
    ServerBusy,
    StaleReplica,
    TotalsDamaged,
    driver_errors,
)
from db.outage import MAX_WAITING, OutageMonitor, RefusalLog
from db.pool_policy import IDEMPOTENT_WRITE, MAX_ATTEMPTS, TRY_READ, TRY_READ_SECONDS, PoolStats, WorkPolicy

log = logging.getLogger("ratesgraph.db")

T = TypeVar("T")

POOL_TIMEOUT_SECONDS = 2.0
OPEN_SECONDS = 10.0
RECONNECT_SECONDS = 0.1
"""Retry period of psycopg_pool. Its backoff grows: a longer period would outlast the outage."""
DATABASE_WAIT_SECONDS = 8.0
READ_DEADLINE_SECONDS = 16.0
PING_TTL_SECONDS = 0.5
REFILL_SECONDS = 5.0
"""How long an outage waits for the first new connection. Each silent host of the URL costs a connect timeout of 2 s."""
CHECK_SECONDS = 1.0
"""Interval at which a reading connection is asked whether its server still accepts writes.

A server that a failover left behind goes on answering reads, from data that no longer change.
"""


API = Role("ratesgraph-api", statement_timeout=5_000, lock_timeout=2_000, idle_in_transaction_timeout=10_000)
# A batch of a million items computes between two statements for seconds: hence the long idle limit.
INGEST = Role("ratesgraph-ingest", statement_timeout=0, lock_timeout=60_000, idle_in_transaction_timeout=600_000)


class Pool:
    """Connection pool of one role, in autocommit mode: a read needs no BEGIN and COMMIT."""

    def __init__(
        self, pool: AsyncConnectionPool[Connection], outage: OutageMonitor, read_seconds: float, check: ServerCheck
    ) -> None:
        self._pool = pool
        self._outage = outage
        self._check = check
        self._read_policy = WorkPolicy(deadline=read_seconds, max_attempts=MAX_ATTEMPTS, wait_for_outage=True)
        self._single_policy = WorkPolicy(deadline=read_seconds, max_attempts=1, wait_for_outage=False)
        self._refusals = RefusalLog()
        self._lent = 0
        self._try_reads: set[asyncio.Task[Any]] = set()
        self._ping: asyncio.Task[None] | None = None
        self._pinged_at = 0.0
        self._check_due = asyncio.get_running_loop().time() + CHECK_SECONDS

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection for the block, after waiting for the end of an outage.

        Raise DatabaseUnavailable when none can be opened in time, and ConnectionLost when it breaks. Raise ReadOnlyServer when
        the server refuses a change, and NodeUnavailable when it needs another server that is down. Raise ServerBusy when all
        connections are in use for POOL_TIMEOUT_SECONDS, or too many callers wait for one. The server may still have done the
        work of a lost connection: only `read` and `write_idempotent` retry.
        """
        if self._outage.is_open:
            await self._outage.wait_until_over()
        generation = self._outage.generation
        try:
            with driver_errors():
                async with self._pool.connection() as connection:
                    generation = self._outage.generation
                    self._lent += 1
                    try:
                        yield connection
                    finally:
                        self._lent -= 1
        except (DatabaseUnusable, NodeUnavailable, TotalsDamaged) as error:
            self._refusals.report(error)
            raise
        except DatabaseUnavailable as error:
            if self._is_lost(error):
                self._outage.trip(generation)
            elif self._lent and isinstance(error.__cause__, PoolTimeout | TooManyRequests):
                raise self.overload_error() from error.__cause__
            raise

    def overload_error(self) -> DatabaseError:
        """Return the error for work that is refused because too much is waiting.

        During an outage the database is the reason: DatabaseUnavailable. Otherwise it is the load on this process: ServerBusy.
        """
        return self._outage.error() if self._outage.is_open else ServerBusy()

    def _is_lost(self, error: DatabaseUnavailable) -> bool:
        """Return whether a connection broke or none could be opened, not merely all were in use.

        `_lent` decides this because psycopg_pool also counts connections that it is still opening, for instance while a
        pooler delays them.
        """
        is_empty = isinstance(error.__cause__, PoolTimeout) and self._lent == 0
        return is_empty or isinstance(error, ConnectionLost)

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return the result of read-only work, retried on another connection when its own is lost.

        The work may run several times, so it must not change data, unless a repeated change is harmless. A connection that
        hangs for `read_seconds` is aborted. Raise DatabaseUnavailable when the outage lasts too long.
        """
        return await self._run(work, self._read_policy)

    async def read_once(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return the result of read-only work that the caller repeats elsewhere when it fails.

        It neither retries nor waits for the end of an outage.
        """
        return await self._run(work, self._single_policy)

    async def write_idempotent(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run an idempotent transaction, retried like a read but without a deadline.

        The work must write in one transaction and recognise its own earlier writes by an idempotency key: the reply to a
        successful COMMIT may be lost.
        """
        return await self._run(work, IDEMPOTENT_WRITE)

    async def _run(self, work: Callable[[Connection], Awaitable[T]], policy: WorkPolicy) -> T:
        """Run the work on a pooled connection under the policy."""
        attempt = 1
        while True:
            if self._outage.is_open and not policy.wait_for_outage:
                raise self._outage.error()
            try:
                async with self.connection() as connection:
                    if policy.deadline is None:
                        return await work(connection)
                    loop = asyncio.get_running_loop()
                    watchdog = loop.call_later(policy.deadline, self._abort, connection, self._outage.generation)
                    try:
                        if loop.time() >= self._check_due:
                            self._check_due = loop.time() + CHECK_SECONDS
                            await self._check(connection)
                        return await work(connection)
                    finally:
                        watchdog.cancel()
            except DatabaseUnavailable as error:
                if attempt == policy.max_attempts or not self._is_lost(error):
                    raise
                attempt += 1

    def _abort(self, connection: Connection, generation: int) -> None:
        """Abort a connection that hangs. Others may hang too, so this trips the outage monitor."""
        log.warning("database connection timed out; closing it")
        abort(connection)
        self._outage.trip(generation)

    async def try_read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return the result of read-only work within TRY_READ_SECONDS, or raise a DatabaseError.

        It neither retries nor waits for the end of an outage. Unfinished work is cancelled in the background, because psycopg's
        cancellation waits for the server. If the server does not react, the watchdog aborts the connection a second later.
        """
        task = asyncio.create_task(self._run(work, TRY_READ))
        self._try_reads.add(task)
        task.add_done_callback(self._end_try_read)
        await asyncio.wait([task], timeout=TRY_READ_SECONDS)
        if not task.done():
            task.cancel()
            raise DatabaseUnavailable
        return task.result()

    def _end_try_read(self, task: asyncio.Task[Any]) -> None:
        self._try_reads.discard(task)
        if not task.cancelled():
            # Mark the exception as retrieved: the caller may be gone.
            task.exception()

    async def ping(self) -> None:
        """Raise a DatabaseError unless the database accepts writes, or did within PING_TTL_SECONDS.

        Concurrent callers share one ping.
        """
        if self._outage.is_open:
            raise self._outage.error()
        now = asyncio.get_running_loop().time()
        if self._ping is None or (self._ping.done() and now > self._pinged_at + PING_TTL_SECONDS):
            self._ping, self._pinged_at = asyncio.create_task(self.try_read(self._check)), now
        await asyncio.wait([self._ping])
        self._ping.result()

    def stats(self) -> PoolStats:
        """Return the pool's current usage."""
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
    check: ServerCheck = ping,
) -> AsyncIterator[Pool]:
    """Open a pool, wait until it can serve, and close it on exit.

    Every connection must lead to a server that passes the check: by default to one that accepts writes.

    During an outage, callers wait until it ends or has lasted for `outage_seconds`. Raise DatabaseUnavailable when the
    database does not answer at the start.
    """
    failures: deque[ConnectionLost] = deque(maxlen=1)

    async def configure_pooled(connection: Connection) -> None:
        try:
            await configure(connection, role, check)
        except (ReadOnlyServer, StaleReplica):
            # The pool would try again, while its older connections still lead to a server of the past.
            outage.trip()
            raise

    async def replace_connections() -> None:
        await pool.drain()
        # Connecting past silent hosts of the URL lasts longer than a caller waits, and would start another outage.
        with suppress(PoolTimeout, TooManyRequests):
            async with pool.connection(REFILL_SECONDS):
                pass

    pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
        database_url,
        connection_class=PooledConnection,
        min_size=min(2, max_size),
        max_size=max_size,
        open=False,
        timeout=POOL_TIMEOUT_SECONDS,
        max_waiting=MAX_WAITING,
        reconnect_timeout=RECONNECT_SECONDS,
        configure=configure_pooled,
        kwargs={**connection_options(database_url), "report": failures.append},
    )
    outage = OutageMonitor(partial(probe, database_url, check), replace_connections, outage_seconds)
    try:
        await wait_until_available(database_url, OPEN_SECONDS, check)
        try:
            with driver_errors():
                await pool.open(wait=True, timeout=OPEN_SECONDS)
        except DatabaseUnavailable as error:
            # One connection could be opened, and not as many as the pool needs.
            raise failures[-1] if failures else error from error.__cause__
        yield Pool(pool, outage, read_seconds, check)
    finally:
        await outage.close()
        await pool.close()


@asynccontextmanager
async def connect(database_url: str, role: Role, check: ServerCheck = ping) -> AsyncIterator[Connection]:
    """Open a dedicated connection to a server that passes the check. It needs no pool."""
    with driver_errors():
        connection = await open_connection(database_url)
        async with connection:
            await configure(connection, role, check)
            yield connection
