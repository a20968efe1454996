"""Lines to the database before they belong to anybody: how one is made, probed, waited for and shut."""

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
"""Within which the database answers a probe, or is taken for away."""
PAUSE_SECONDS = 0.1
CONNECTION_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "connect_timeout": 2,  # seconds
    # A server that is gone without a word is noticed after ten seconds (milliseconds, seconds, seconds).
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
}
"""How every line is made, those of pools too."""


async def open_connection(database_url: str) -> Connection:
    """Return a new line."""
    return await AsyncConnection.connect(database_url, **CONNECTION_OPTIONS)


async def ping(line: Connection) -> None:
    """See whether the other end answers."""
    await line.execute("SELECT 1")


async def probe(database_url: str) -> None:
    """Raise a DatabaseError unless the database answers: that a line could be made may be a pooler's word alone."""
    with driver_errors():
        line = await open_connection(database_url)
        try:
            with closing_on_timeout(line):
                await ping(line)
        finally:
            await line.close()


@contextmanager
def closing_on_timeout(line: Connection) -> Iterator[None]:
    """Shut the line where the block has not ended after PROBE_SECONDS."""
    guard = asyncio.get_running_loop().call_later(PROBE_SECONDS, abort, line)
    try:
        yield
    finally:
        guard.cancel()


async def wait_until_available(database_url: str, seconds: float) -> None:
    """Return when the database answers. Raise ConnectionLost with the reason when it has not for so long."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await probe(database_url)
        except ConnectionLost:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(PAUSE_SECONDS)


def abort(line: Connection) -> None:
    """Shut a line: whoever waits on it learns that it is lost, however silent the other end is."""
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(line.fileno())) as sock:
        sock.shutdown(socket.SHUT_RDWR)
