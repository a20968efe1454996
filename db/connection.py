"""Low-level connection helpers: open, configure, probe, wait for availability, abort, COPY.

Only servers that accept writes count as available. A standby, or an old primary that a failover left behind, would refuse
uploads, and its answers may be out of date.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from db.diagnosis.conninfo import choose_session_target, connection_error, describe_unusable, quote_names
from db.diagnosis.requirement_faults import read_only_fault
from db.errors import LOST_STATEMENTS, ConnectionLost, ReadOnlyServer, driver_errors
from db.traced_cursor import TracedCursor
from telemetry import spans

Connection = AsyncConnection[TupleRow]
ServerCheck = Callable[[Connection], Awaitable[None]]
"""Raises a ConnectionLost unless the server of the connection may be used."""

PROBE_SECONDS = 2.0
"""Time limit of a probe; without an answer the database counts as unavailable."""
PAUSE_SECONDS = 0.1
OWN_STATEMENTS = "_pg3_"
"""Beginning of the names that psycopg gives to prepared statements."""
FIRST_TRANSACTION_TIMEOUT = 170_000
"""First version of PostgreSQL that knows `transaction_timeout`."""
CONNECTION_OPTIONS: dict[str, Any] = {
    "connect_timeout": 2,  # seconds
    # A server that vanishes without closing its connections is detected after ten seconds (milliseconds, seconds, seconds).
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
}
"""Options of every connection, including pooled ones, unless the URL or the environment contains another value."""


def connection_options(database_url: str) -> dict[str, Any]:
    """Return the options with which to connect to the URL."""
    given = {name for name, value in conninfo_to_dict(database_url).items() if value is not None}
    if os.environ.get("PGCONNECT_TIMEOUT"):
        given.add("connect_timeout")
    options = {name: value for name, value in CONNECTION_OPTIONS.items() if name not in given}
    # Statements and pipelines are encoded in UTF-8, whatever the role or PGCLIENTENCODING prefers.
    return {**options, "client_encoding": "UTF8", "autocommit": True, **choose_session_target(database_url)}


def session_settings(server_version: int) -> dict[str, str]:
    """Return the settings of every session, by name, in place of those of role and database.

    psycopg reads timestamps in ISO style only. A session of a pool is idle as long as no request needs it, and a batch is
    applied in one transaction. Limits of idle sessions and of transactions, made for other applications, would end both.
    """
    settings = {
        "DateStyle": "ISO",
        "TimeZone": "UTC",
        "extra_float_digits": "1",
        "default_transaction_isolation": "read committed",
        "idle_session_timeout": "0",
    }
    return settings if server_version < FIRST_TRANSACTION_TIMEOUT else settings | {"transaction_timeout": "0"}


class PooledConnection(AsyncConnection[TupleRow]):
    """Connection of a pool, which logs the text of the error if it cannot be opened."""

    @classmethod
    async def connect(  # type: ignore[override]
        cls,
        conninfo: str = "",
        *,
        report: Callable[[ConnectionLost], object],
        **options: Any,  # noqa: ANN401
    ) -> Self:
        """Open a connection.

        Report a failure, and raise OperationalError with the sentence for the operator.
        """
        try:
            return await super().connect(conninfo, **options)
        except psycopg.OperationalError as error:
            failure = connection_error(conninfo, error)
            report(failure)
            raise psycopg.OperationalError(str(failure.summary)) from error


@dataclass(frozen=True, slots=True)
class Role:
    """Time limits of one kind of connection, in milliseconds; 0 means no limit."""

    name: str
    statement_timeout: int
    lock_timeout: int
    idle_in_transaction_timeout: int


async def open_connection(database_url: str) -> Connection:
    """Open a new connection. The names of hosts are resolved at every call.

    Raise ConnectionLost, with the reason, if this fails.
    """
    try:
        return await AsyncConnection.connect(database_url, **connection_options(database_url))
    except psycopg.OperationalError as error:
        raise connection_error(database_url, error) from error


def is_in_transaction(connection: Connection) -> bool:
    """Return whether a transaction has begun on the connection and has not ended."""
    return connection.info.transaction_status is not TransactionStatus.IDLE


async def ping(connection: Connection) -> None:
    """Ask the server whether it accepts writes. Raise ReadOnlyServer if not.

    A standby reports its transactions as read-only too. libpq sends the same statement for `target_session_attrs`.
    """
    await _require_writable(connection, await (await connection.execute(b"SHOW transaction_read_only")).fetchone())


async def configure(connection: Connection, role: Role, check: ServerCheck = ping) -> None:
    """Set the limits of the role.

    Also set what a role or a database of PostgreSQL may have set otherwise. Close the connection and raise the error of the
    check if the server must not be used.
    """
    if spans.tracer is not None:
        connection.cursor_factory = TracedCursor
    try:
        # A connection that hangs here would also block the worker tasks of psycopg_pool.
        with closing_on_timeout(connection):
            settings = {
                "application_name": role.name,
                "statement_timeout": str(role.statement_timeout),
                "lock_timeout": str(role.lock_timeout),
                "idle_in_transaction_session_timeout": str(role.idle_in_transaction_timeout),
                **session_settings(connection.info.server_version),
            }
            cursor = await connection.execute(
                "SELECT current_setting('transaction_read_only'), pg_backend_pid()"
                + ", set_config(%s, %s, false)" * len(settings),
                list(chain.from_iterable(settings.items())),
            )
            row = await cursor.fetchone()
            if check is ping:
                await _require_writable(connection, row)
            else:
                await check(connection)
            # A pooler invents the process ID that it announces.
            if row is not None and row[1] != connection.info.backend_pid and not await _can_prepare(connection):
                connection.prepare_threshold = None
    except BaseException:
        # psycopg_pool does not close a connection that it cannot use.
        await connection.close()
        raise


async def _can_prepare(connection: Connection) -> bool:
    """Return whether the connection pooler keeps prepared statements apart.

    PgBouncer does since 1.22, with names of its own. Others lend a session with the statements of the last client. Then a name
    may be known already, unknown, or that of another statement, whose rows would be returned.
    """
    try:
        # No transaction, which a pooler in statement mode refuses. Its check follows, with a better message.
        cursor = await connection.execute(b"SELECT name FROM pg_prepared_statements", prepare=True)
        own = [name for (name,) in await cursor.fetchall() if name.startswith(OWN_STATEMENTS)]
        for name in own:
            await connection.execute(sql.SQL("DEALLOCATE {}").format(sql.Identifier(name)))
    except LOST_STATEMENTS:
        return False
    return not own


async def _require_writable(connection: Connection, row: TupleRow | None) -> None:
    """Raise ReadOnlyServer, with the reason, unless the connection may write."""
    if row is not None and row[0] == "off":
        return
    cursor = await connection.execute(
        b"SELECT pg_is_in_recovery(), source FROM pg_settings WHERE name = 'default_transaction_read_only'"
    )
    is_standby, source = await cursor.fetchone() or (True, "")
    fault, info = read_only_fault(is_standby=is_standby, source=source), connection.info
    fields = quote_names(role=info.user, database=info.dbname)
    raise ReadOnlyServer(summary=describe_unusable(info.dsn, connection.pgconn, fault, fields))


async def probe(database_url: str, check: ServerCheck = ping) -> None:
    """Raise a DatabaseError unless the database answers a new connection and passes the check.

    A successful connect proves nothing, because a pooler may have accepted it.
    """
    with driver_errors():
        connection = await open_connection(database_url)
        try:
            with closing_on_timeout(connection):
                await check(connection)
        finally:
            await connection.close()


@contextmanager
def closing_on_timeout(connection: Connection) -> Iterator[None]:
    """Abort the connection if the block runs longer than PROBE_SECONDS."""
    watchdog = asyncio.get_running_loop().call_later(PROBE_SECONDS, abort, connection)
    try:
        yield
    finally:
        watchdog.cancel()


async def wait_until_available(database_url: str, seconds: float, check: ServerCheck = ping) -> None:
    """Wait until the database answers and passes the check.

    Raise ConnectionLost with the reason after `seconds`, or at once if waiting cannot help. A wrong password, for one, would be
    sent a hundred times otherwise, and the server might lock the user.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await probe(database_url, check)
        except ConnectionLost as error:
            if time.monotonic() > deadline or not error.is_temporary:
                raise
            await asyncio.sleep(PAUSE_SECONDS)


def abort(connection: Connection) -> None:
    """Shut down the connection's socket.

    A task that waits on the connection gets an error at once, even if the server never reacts.
    """
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as sock:
        sock.shutdown(socket.SHUT_RDWR)


async def copy_in(connection: Connection, statement: bytes, chunks: AsyncIterable[bytes] | Iterable[bytes]) -> None:
    """Send the chunks to a statement `COPY … FROM STDIN`."""
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        if isinstance(chunks, AsyncIterable):
            async for chunk in chunks:
                await copy.write(chunk)
        else:
            for chunk in chunks:
                await copy.write(chunk)


async def copy_out(
    connection: Connection, statement: bytes, parameters: Mapping[str, object] | None = None
) -> AsyncGenerator[bytes]:
    """Yield the chunks of a statement `COPY … TO STDOUT`.

    Close the generator with `aclosing`: until then the connection is busy. psycopg writes the parameters into the statement,
    because COPY has none.
    """
    async with connection.cursor() as cursor, cursor.copy(statement, parameters) as copy:
        async for chunk in copy:
            yield bytes(chunk)
