"""Snapshot of the database that two connections read at the same time."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from db.administration import verifications
from db.administration.verifications import StorageState
from db.connection import Connection
from db.repositories import prices

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Data at one moment, as both connections see it. They may be one and the same connection."""

    connection: Connection
    second_connection: Connection
    state: StorageState


@asynccontextmanager
async def open_snapshot(connection: Connection, second_connection: Connection | None) -> AsyncIterator[Snapshot]:
    """Yield a snapshot; without a second connection, the first one does all the work.

    A connection may wait for the other one, or for archived files, for any time.
    """
    async with connection.transaction():
        await prices.set_snapshot_isolation(connection)
        await prices.disable_idle_timeout(connection)
        state = await verifications.describe_storage(connection)
        if second_connection is None:
            yield Snapshot(connection, connection, state)
            return
        name = await verifications.export_snapshot(connection)
        async with second_connection.transaction():
            await prices.set_snapshot_isolation(second_connection)
            await verifications.import_snapshot(second_connection, name)
            await prices.disable_idle_timeout(second_connection)
            yield Snapshot(connection, second_connection, state)


async def run_both(one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """Run two coroutines concurrently and return both results.

    If one fails, cancel the other and wait for its end before the error is raised.
    """
    first, second = asyncio.ensure_future(one), asyncio.ensure_future(other)
    try:
        return await first, await second
    finally:
        for task in (first, second):
            task.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
