"""Router of lanes over a cluster of three servers, and waits for its workers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from db.connection import Connection
from db.pool import API, open_pool
from db.replicas.gated_server import GateState
from db.shards.router import ShardRouter, open_shard_router
from ingest.tree import change_tree
from tests.support.faults.shards import ShardedCluster
from tests.support.worlds import World

SECONDS = 60
COORDINATOR, FIRST, SECOND = range(3)
"""Groups of the servers."""
EVEN, ODD = 2, 3
"""IDs of locations: their totals are in the first and in the second shard."""
WORLD = World({"top": None, "CNAAA": "top", "USNYC": "top"}, {"CNAAA", "USNYC"})


def ignore() -> None:
    """Do nothing."""


async def get_group(connection: Connection) -> int:
    """Return the group of the server of the connection."""
    row = await (await connection.execute("SELECT groupid FROM pg_dist_local_group")).fetchone()
    assert row is not None
    return int(row[0])


@asynccontextmanager
async def routed(
    cluster: ShardedCluster,
    *,
    on_all_committed: Callable[[], None] = ignore,
    on_return: Callable[[], None] = ignore,
    renew_seconds: float = 0.1,
) -> AsyncIterator[ShardRouter]:
    """Open a router of a process that knows the version of the data."""
    url = cluster.coordinator.url
    async with (
        open_pool(url, API, max_size=2) as pool,
        open_shard_router(
            pool,
            url,
            max_size=2,
            read_seconds=10,
            lag_seconds=1,
            on_all_committed=on_all_committed,
            on_return=on_return,
            renew_seconds=renew_seconds,
        ) as router,
    ):
        router.on_version("1")
        yield router


async def wait_for(router: ShardRouter, *states: GateState) -> None:
    """Wait until the workers are in these states."""
    async with asyncio.timeout(SECONDS):
        while [worker.state for worker in router.workers] != list(states):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def wait_for_answers(router: ShardRouter, *groups: int) -> None:
    """Wait until these servers answer the lanes of both shards."""
    async with asyncio.timeout(SECONDS):
        while await read_both(router) != list(groups):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def read_both(router: ShardRouter) -> list[int]:
    """Return the groups of the servers that answer the lanes of both shards."""
    return [await router.read_at_owner(origin, get_group) for origin in (EVEN, ODD)]


@pytest.fixture(scope="module")
async def tree_cluster(module_cluster: ShardedCluster) -> ShardedCluster:
    """The cluster with three locations."""
    async with open_pool(module_cluster.coordinator.url, API, max_size=1) as pool, pool.connection() as connection:
        await change_tree(connection, WORLD.entries())
    return module_cluster
