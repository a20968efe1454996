"""Temporary PostgreSQL of the benchmarks, and its databases with the synthetic world."""

import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from psycopg.conninfo import make_conninfo

from bench.data.world import tree_entries
from db.connection import Connection
from db.embedded.supervisor import embedded_server
from db.migrate import migrate
from db.pool import INGEST, connect
from db.repositories import locations
from domain.batch_size import BatchLimits
from domain.batches import FileFormat, OnError
from ingest.batches.load import load_file
from ingest.tree import change_tree
from server.auth.token_management import create_token

UNLIMITED = BatchLimits(max_price_days=10**12, max_lane_months=10**12)
"""A million items of 30 days exceed the default limits."""


@contextmanager
def bench_server(*, autovacuum: bool = False) -> Iterator[str]:
    """Run a temporary PostgreSQL server and yield its URL.

    Autovacuum is off, so that no round pays for another. With `autovacuum` the server has its default settings.
    """
    folder = TemporaryDirectory(prefix="ratesgraph-bench-", ignore_cleanup_errors=True)
    with folder as name, embedded_server(Path(name)) as url:
        if not autovacuum:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET autovacuum = off")
                connection.execute("SELECT pg_reload_conf()")
        yield url


@asynccontextmanager
async def open_world(server_url: str, name: str) -> AsyncIterator[Connection]:
    """Create a database with the tree and without prices, yield a connection, drop it on exit."""
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        try:
            url = make_conninfo(server_url, dbname=name)
            migrate(url)
            async with connect(url, INGEST) as connection:
                await change_tree(connection, tree_entries())
                yield connection
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


async def uploader_headers(connection: Connection) -> dict[str, str]:
    """Return the headers of a client with the `upload` scope."""
    _, token = await create_token(connection, "bench", ["upload"], None)
    return {"Authorization": f"Bearer {token}"}


async def find_ids(connection: Connection) -> dict[str, int]:
    """Return the IDs of all locations by code or slug."""
    return {location.key: location.id for location in await locations.list_locations(connection)}


async def apply_csv(connection: Connection, data: bytes) -> None:
    """Apply a complete batch, from its bytes to the commit."""
    await load_file(
        connection,
        io.BytesIO(data),
        FileFormat.CSV,
        source="bench",
        on_error=OnError.REJECT_BATCH,
        again=True,
        limits=UNLIMITED,
    )


async def clear_prices(connection: Connection) -> None:
    """Truncate all tables that a batch writes, and flush the disk with a checkpoint."""
    await connection.execute("TRUNCATE prices, price_totals, price_sketches, stale_sketches, price_batches CASCADE")
    await connection.execute("TRUNCATE archived_files, archived_lanes, archive_tombstones")
    await connection.execute("CHECKPOINT")


async def read_figure(connection: Connection, query: str) -> int:
    """Return the single integer of the query's result."""
    row = await (await connection.execute(query.encode())).fetchone()
    return int(row[0]) if row else 0
