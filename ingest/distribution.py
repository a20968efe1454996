"""Distribution over a Citus cluster: the data by origin, the tree on every node.

All other tables stay on the coordinator: the queue, exchange rates, tokens and the audit trail.
"""

from collections.abc import Callable

from db.administration import citus, moves
from db.connection import Connection
from db.repositories import locations, versions
from ingest.errors import ClusterUnusable

DEFAULT_SHARDS = 32
TABLES = ("locations", "price_totals", "price_sketches", "prices")
"""Distributed tables, in the order in which they are distributed."""
MOVED_BACK = ("prices", "price_sketches", "price_totals")
Report = Callable[[str, float], None]
"""Receives the current stage and the fraction that is done (0 to 1)."""


async def check_cluster(connection: Connection) -> None:
    """Raise ClusterUnusable unless the server is the coordinator of a cluster with workers."""
    if await citus.find_citus(connection) is None:
        raise ClusterUnusable(
            "NO_CITUS",
            "the database has no extension Citus; install it on every node, and run CREATE EXTENSION citus in this"
            " database of every node",
        )
    cluster = await citus.describe_cluster(connection)
    if not cluster.is_coordinator:
        raise ClusterUnusable("NOT_COORDINATOR", "this server is a worker; name the coordinator in DATABASE_URL")
    if not cluster.shard_nodes:
        raise ClusterUnusable(
            "NO_WORKERS", "the cluster has no active worker; add each by SELECT citus_add_node('host', 5432)"
        )
    if not cluster.knows_coordinator:
        raise ClusterUnusable(
            "NO_COORDINATOR",
            "the workers do not know the coordinator; run SELECT citus_set_coordinator_host('host', 5432) with its own"
            " address",
        )


async def distribute(connection: Connection, *, shards: int | None, report: Report) -> list[str]:
    """Distribute the tables that are not distributed yet, and return their names.

    None stands for DEFAULT_SHARDS, or the present number. Changes of prices and of the tree wait meanwhile. Raise
    ClusterUnusable, and change nothing, if the cluster is unfit, or has the tables in another number of shards.
    """
    await check_cluster(connection)
    steps = {
        "locations": lambda: citus.create_reference_table(connection),
        "price_totals": lambda: citus.distribute_totals(connection, shards=shards or DEFAULT_SHARDS),
        "price_sketches": lambda: citus.distribute_with_totals(connection, "price_sketches"),
        "prices": lambda: citus.distribute_with_totals(connection, "prices"),
    }
    report("waiting for running batches", 0.0)
    async with connection.transaction():
        await moves.lock_tree_change(connection)
        await locations.lock_tree_exclusive(connection)
        present = await citus.list_distributed_tables(connection)
        if shards is not None and present.get("price_totals", shards) != shards:
            raise ClusterUnusable(
                "OTHER_SHARDS",
                f"the tables are distributed in {present['price_totals']} shards already; run"
                " `ratesgraph distribute --undo` first to change their number",
            )
        missing = [table for table in TABLES if table not in present]
        for number, table in enumerate(missing):
            report(f"distributing {table}", number / (2 * len(TABLES)))
            await steps[table]()
    for table in missing:
        report(f"freeing the local copy of {table}", 0.5)
        await citus.truncate_local_copy(connection, table)
    if missing:
        report("analyzing", 0.75)
        await citus.analyze_tables(connection)
    return missing


async def undistribute(connection: Connection, *, report: Report) -> list[str]:
    """Move the data back to the coordinator, and return the names of the tables.

    The tree stays on every node: Citus moves no table with an identity column back. Raise ClusterUnusable, and change nothing,
    if the server is no coordinator.
    """
    await check_cluster(connection)
    report("waiting for running batches", 0.0)
    async with connection.transaction():
        await moves.lock_tree_change(connection)
        await locations.lock_tree_exclusive(connection)
        present = await citus.list_distributed_tables(connection)
        distributed = [table for table in MOVED_BACK if table in present]
        for number, table in enumerate(distributed):
            report(f"moving {table} to the coordinator", number / (2 * len(TABLES)))
            await citus.undistribute_table(connection, table)
    if distributed:
        report("analyzing", 0.75)
        await citus.analyze_tables(connection)
    return distributed


async def recover_transactions(connection: Connection) -> int:
    """End the transactions that a lost node has left prepared, and return their number.

    Until then the node answers without these changes, and such responses may be cached as current. So this announces a change,
    which invalidates the caches.
    """
    if await citus.find_citus(connection) is None:
        return 0
    count = await citus.recover_prepared_transactions(connection)
    if count:
        await versions.announce_change(connection, "recovery")
    return count
