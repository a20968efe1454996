"""Low-level connection helpers: open, probe, wait for availability, abort."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from db.errors import ConnectionLost, driver_errors

Connection = AsyncConnection[TupleRow]

PROBE_SECONDS = 2.0
"""Time limit of a probe; without an answer the database counts as unavailable."""
PAUSE_SECONDS = 0.1
CONNECTION_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "connect_timeout": 2,  # seconds
    # A server that vanishes without closing its connections is detected after ten seconds (milliseconds, seconds, seconds).
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
}
"""Options of every connection, including pooled ones."""


async def open_connection(database_url: str) -> Connection:
    """Open a new connection."""
    return await AsyncConnection.connect(database_url, **CONNECTION_OPTIONS)


async def ping(connection: Connection) -> None:
    """Run `SELECT 1`."""
    await connection.execute("SELECT 1")


async def probe(database_url: str) -> None:
    """Raise a DatabaseError unless the database answers a query on a new connection.

    A successful connect proves nothing, because a pooler may have accepted it.
    """
    with driver_errors():
        connection = await open_connection(database_url)
        try:
            with closing_on_timeout(connection):
                await ping(connection)
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


async def wait_until_available(database_url: str, seconds: float) -> None:
    """Wait until the database answers. After `seconds`, raise ConnectionLost with the reason."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await probe(database_url)
        except ConnectionLost:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(PAUSE_SECONDS)


def abort(connection: Connection) -> None:
    """Shut down the connection's socket.

    A task that waits on the connection gets an error at once, even if the server never reacts.
    """
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as sock:
        sock.shutdown(socket.SHUT_RDWR)
