"""Layout of a cluster: shards that move, workers that come and go."""

import asyncio

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from db.administration.shards import Node
from db.pool import API, open_pool
from db.replicas.gated_server import GateState
from db.repositories.locations import list_locations
from db.shards.router import open_shard_router
from db.shards.worker import create_node_url
from tests.support.faults.shard_router import (
    COORDINATOR,
    EVEN,
    FIRST,
    ODD,
    SECOND,
    SECONDS,
    get_group,
    ignore,
    read_both,
    routed,
    wait_for,
    wait_for_answers,
)
from tests.support.faults.shards import ShardedCluster

pytestmark = pytest.mark.anyio


async def test_moved_shard_is_read_at_its_new_worker(tree_cluster: ShardedCluster) -> None:
    async with routed(tree_cluster) as router:
        await wait_for_answers(router, FIRST, SECOND)
        try:
            tree_cluster.place(2, 1)
            await wait_for_answers(router, SECOND, FIRST)
        finally:
            tree_cluster.place(1, 2)
        await wait_for_answers(router, FIRST, SECOND)


async def test_worker_that_does_not_know_of_a_move_yet_is_not_read(tree_cluster: ShardedCluster) -> None:
    async with routed(tree_cluster) as router:
        await wait_for_answers(router, FIRST, SECOND)
        try:
            # The coordinator has committed the move of the first shard, and the second worker has not.
            for server in (tree_cluster.coordinator, tree_cluster.workers[0]):
                tree_cluster.place_at(server, 2, 2)
            await wait_for(router, GateState.OPEN, GateState.LAGGING)
            assert await read_both(router) == [COORDINATOR, COORDINATOR]
            tree_cluster.place_at(tree_cluster.workers[1], 2, 2)
            await wait_for_answers(router, SECOND, SECOND)
        finally:
            tree_cluster.place(1, 2)


async def test_new_location_gets_an_owner(tree_cluster: ShardedCluster) -> None:
    async with routed(tree_cluster) as router:
        await wait_for_answers(router, FIRST, SECOND)
        tree_cluster.run(
            tree_cluster.coordinator,
            statement="INSERT INTO locations (key, name, kind, search_text) VALUES ('new', 'New', 'REGION', 'new')",
        )
        created = int(str(tree_cluster.coordinator.fetch_value("SELECT max(id) FROM locations")))
        async with asyncio.timeout(SECONDS):
            while await router.read_at_owner(created, get_group) != FIRST + created % 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_address_that_leads_to_another_server_is_refused(tree_cluster: ShardedCluster) -> None:
    try:
        tree_cluster.run(tree_cluster.coordinator, statement="UPDATE reached_systems SET result = '1'")
        async with routed(tree_cluster) as router:
            await wait_for(router, GateState.REFUSED, GateState.REFUSED)
            assert await read_both(router) == [COORDINATOR, COORDINATOR]
            tree_cluster.run(tree_cluster.coordinator, statement="UPDATE reached_systems SET success = false")
            await wait_for(router, GateState.AWAY, GateState.AWAY)
            tree_cluster.register()
            await wait_for_answers(router, FIRST, SECOND)
    finally:
        tree_cluster.register()


async def test_removed_worker_is_left_and_an_added_one_is_used(tree_cluster: ShardedCluster) -> None:
    try:
        async with routed(tree_cluster) as router:
            await wait_for_answers(router, FIRST, SECOND)
            tree_cluster.run(tree_cluster.coordinator, statement="DELETE FROM pg_dist_node WHERE groupid = 2")
            # The coordinator answers as soon as the gates close, before the router has read the new workers.
            await wait_for(router, GateState.OPEN)
            assert [worker.node.group for worker in router.workers] == [FIRST]
            await wait_for_answers(router, FIRST, COORDINATOR)
            tree_cluster.register()
            await wait_for_answers(router, FIRST, SECOND)
    finally:
        tree_cluster.register()


async def test_table_is_read_at_the_coordinator_until_it_is_distributed(tree_cluster: ShardedCluster) -> None:
    try:
        tree_cluster.run(*tree_cluster.servers, statement="UPDATE pg_dist_shard SET logicalrelid = 'prices'")
        async with routed(tree_cluster) as router:
            await wait_for(router, GateState.OPEN, GateState.OPEN)
            assert await read_both(router) == [COORDINATOR, COORDINATOR]
            tree_cluster.run(*tree_cluster.servers, statement="UPDATE pg_dist_shard SET logicalrelid = 'price_totals'")
            await wait_for_answers(router, FIRST, SECOND)
    finally:
        tree_cluster.run(*tree_cluster.servers, statement="UPDATE pg_dist_shard SET logicalrelid = 'price_totals'")


async def test_database_without_citus_is_logged_once(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    committed = asyncio.Event()
    async with (
        open_pool(database_url, API, max_size=1) as pool,
        open_shard_router(
            pool,
            database_url,
            max_size=1,
            read_seconds=10,
            lag_seconds=1,
            on_all_committed=committed.set,
            on_return=ignore,
            renew_seconds=0.01,
        ) as router,
    ):
        for version in range(3):
            committed.clear()
            router.on_version(str(version))
            async with asyncio.timeout(SECONDS):
                await committed.wait()
        assert router.group_by_owner([EVEN, ODD], int) == [[EVEN, ODD]]
        assert await router.read_at_owner(EVEN, list_locations) == []
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "the database has no tables of Citus" in record.getMessage()


@pytest.mark.parametrize(
    "options", [{}, {"hostaddr": "127.0.0.1"}, {"options": "-csearch_path=prices", "sslmode": "verify-full"}]
)
def test_worker_is_reached_with_the_credentials_of_the_coordinator(options: dict[str, str]) -> None:
    url = make_conninfo("postgresql://me:secret@coordinator:5433/prices", **options)
    node_url = create_node_url(url, Node(group=1, host="db1.example.com", port=6432))
    expected = {"user": "me", "password": "secret", "dbname": "prices", "host": "db1.example.com", "port": "6432"}
    options.pop("hostaddr", None)
    assert conninfo_to_dict(node_url) == expected | options
