"""Distribution of the tables over the nodes of a Citus cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
from psycopg.rows import args_row

from db.connection import Connection
from db.errors import DatabaseUnusable
from db.sql import load_sections

SQL = load_sections("citus")


class Cluster(NamedTuple):
    """Cluster as this server knows it; `shard_nodes` is the number of nodes that take shards."""

    is_coordinator: bool
    knows_coordinator: bool
    shard_nodes: int


@contextmanager
def _citus_errors() -> Iterator[None]:
    """Raise DatabaseUnusable for a statement that Citus refuses.

    The errors of Citus have no SQLSTATE of their own.
    """
    try:
        yield
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        raise DatabaseUnusable from error


async def find_citus(connection: Connection) -> str | None:
    """Return the version of Citus in this database, or None."""
    row = await (await connection.execute(SQL["find_citus"])).fetchone()
    return None if row is None else str(row[0])


async def describe_cluster(connection: Connection) -> Cluster:
    """Return the cluster to which this server belongs. Citus must be installed."""
    async with connection.cursor(row_factory=args_row(Cluster)) as cursor:
        await cursor.execute(SQL["describe_cluster"])
        return (await cursor.fetchall())[0]


async def list_distributed_tables(connection: Connection) -> dict[str, int]:
    """Return the number of shards of each distributed table, by name."""
    return dict(await (await connection.execute(SQL["list_distributed_tables"])).fetchall())


async def create_reference_table(connection: Connection) -> None:
    """Copy the tree to all nodes. Call `lock_tree_exclusive` first."""
    with _citus_errors():
        await connection.execute(SQL["create_reference_table"])


async def distribute_totals(connection: Connection, *, shards: int) -> None:
    """Distribute the totals by origin. Call `lock_tree_exclusive` first."""
    with _citus_errors():
        await connection.execute(SQL["distribute_totals"], {"shards": shards})


async def distribute_with_totals(connection: Connection, table: str) -> None:
    """Distribute the observations or the sketches as the totals are.

    Call `distribute_totals` first.
    """
    with _citus_errors():
        await connection.execute(SQL["distribute_with_totals"], {"table": table})


async def truncate_local_copy(connection: Connection, table: str) -> None:
    """Delete the rows of a distributed table that have stayed on the coordinator."""
    with _citus_errors():
        await connection.execute(SQL["truncate_local_copy"], {"table": table})


async def undistribute_table(connection: Connection, table: str) -> None:
    """Move the rows of a table back to the coordinator. Call `lock_tree_exclusive` first."""
    with _citus_errors():
        await connection.execute(SQL["undistribute_table"], {"table": table})


async def analyze_tables(connection: Connection) -> None:
    """Free the space of deleted rows and update planner statistics, outside any transaction."""
    await connection.execute(SQL["analyze_tables"])


async def recover_prepared_transactions(connection: Connection) -> int:
    """End the transactions that a lost node has left prepared, and return their number."""
    with _citus_errors():
        row = await (await connection.execute(SQL["recover_prepared_transactions"])).fetchone()
    return 0 if row is None else int(row[0])
