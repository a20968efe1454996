"""Lanes at the workers of a cluster: which server answers, and when none of them may."""

import asyncio
from contextlib import ExitStack

import pytest

from db.connection import Connection
from db.errors import StatementTimeout
from db.replicas.gated_server import GateState
from resolvers.data_version import DataVersion
from tests.support.faults.shard_router import (
    COORDINATOR,
    EVEN,
    FIRST,
    ODD,
    SECOND,
    SECONDS,
    get_group,
    read_both,
    routed,
    wait_for,
    wait_for_answers,
)
from tests.support.faults.shards import ShardedCluster, prepared_change

pytestmark = pytest.mark.anyio


async def test_lane_is_read_at_the_worker_of_its_shard(tree_cluster: ShardedCluster) -> None:
    async with routed(tree_cluster) as router:
        await wait_for(router, GateState.OPEN, GateState.OPEN)
        router.take_counts()
        assert await read_both(router) == [FIRST, SECOND]
        assert router.group_by_owner([EVEN, ODD, 1, EVEN], int) == [[EVEN, EVEN], [ODD, 1]]
        # A location that was created after the router last read the layout.
        assert await router.read_at_owner(999, get_group) == COORDINATOR
        assert router.take_counts() == (1, 2, 0)
        assert router.take_counts() == (0, 0, 0)


async def test_new_version_is_read_at_the_coordinator_until_the_workers_have_committed_it(
    tree_cluster: ShardedCluster,
) -> None:
    async with routed(tree_cluster, renew_seconds=SECONDS) as router:
        await wait_for(router, GateState.OPEN, GateState.OPEN)
        with prepared_change(tree_cluster.workers[0], "0_1_1"):
            # Lanes of the version before may be read.
            assert await read_both(router) == [FIRST, SECOND]
            router.on_version("2")
            assert await read_both(router) == [COORDINATOR, COORDINATOR]
            await wait_for(router, GateState.LAGGING, GateState.OPEN)
            assert await read_both(router) == [COORDINATOR, SECOND]
            assert router.group_by_owner([EVEN, ODD], int) == [[EVEN], [ODD]]
        await wait_for(router, GateState.OPEN, GateState.OPEN)
        assert await read_both(router) == [FIRST, SECOND]


async def test_version_is_confirmed_when_all_workers_have_committed_it(tree_cluster: ShardedCluster) -> None:
    version = DataVersion()
    version.needs_confirmation = True
    async with routed(tree_cluster, on_all_committed=version.confirm, renew_seconds=SECONDS) as router:
        version.listeners.append(router.on_version)
        with prepared_change(tree_cluster.workers[1], "0_1_4"):
            version.on_change("7", "1 APPLIED")
            await wait_for(router, GateState.OPEN, GateState.LAGGING)
            assert version.name.startswith("7+")
        await wait_for(router, GateState.OPEN, GateState.OPEN)
        assert version.name == "7"


async def test_version_is_confirmed_without_a_worker_that_is_away(tree_cluster: ShardedCluster) -> None:
    version = DataVersion()
    version.needs_confirmation = True
    async with routed(tree_cluster, on_all_committed=version.confirm, on_return=version.invalidate) as router:
        version.listeners.append(router.on_version)
        version.on_change("7", "1 APPLIED")
        await wait_for(router, GateState.OPEN, GateState.OPEN)
        tree_cluster.workers[0].crash()
        try:
            await wait_for(router, GateState.AWAY, GateState.OPEN)
            version.on_change("8", "2 APPLIED")
            await wait_for_name(version, "8")
        finally:
            tree_cluster.workers[0].start()
        await wait_for(router, GateState.OPEN, GateState.OPEN)
        # It may have committed a change that it had prepared before, while the coordinator already asked it.
        assert version.name.startswith("8+")


async def wait_for_name(version: DataVersion, name: str) -> None:
    """Wait until the version has this name."""
    async with asyncio.timeout(SECONDS):
        while version.name != name:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_transaction_that_is_prepared_later_keeps_no_gate_closed(tree_cluster: ShardedCluster) -> None:
    async with routed(tree_cluster, renew_seconds=SECONDS) as router:
        await wait_for(router, GateState.OPEN, GateState.OPEN)
        with ExitStack() as stack:
            with prepared_change(tree_cluster.workers[0], "0_1_2"):
                router.on_version("2")
                await wait_for(router, GateState.LAGGING, GateState.OPEN)
                stack.enter_context(prepared_change(tree_cluster.workers[0], "0_1_3"))
            await wait_for(router, GateState.OPEN, GateState.OPEN)


async def test_lanes_are_read_at_the_coordinator_while_the_version_is_unknown(tree_cluster: ShardedCluster) -> None:
    async with routed(tree_cluster) as router:
        await wait_for(router, GateState.OPEN, GateState.OPEN)
        router.on_version("")
        await asyncio.sleep(0.3)
        assert await read_both(router) == [COORDINATOR, COORDINATOR]
        router.on_version("2")
        await wait_for_answers(router, FIRST, SECOND)


async def test_lost_worker_fails_no_read_and_answers_again_after_its_return(tree_cluster: ShardedCluster) -> None:
    async with routed(tree_cluster) as router:
        await wait_for_answers(router, FIRST, SECOND)
        router.take_counts()
        tree_cluster.workers[0].crash()
        try:
            assert await read_both(router) == [COORDINATOR, SECOND]
            assert router.take_counts()[2] <= 1
            await wait_for(router, GateState.AWAY, GateState.OPEN)
            router.on_version("2")
            await wait_for_answers(router, COORDINATOR, SECOND)
        finally:
            tree_cluster.workers[0].start()
        await wait_for_answers(router, FIRST, SECOND)


async def test_failed_read_at_a_worker_is_repeated_at_the_coordinator(tree_cluster: ShardedCluster) -> None:
    async def fail_at_worker(connection: Connection) -> int:
        if (group := await get_group(connection)) != COORDINATOR:
            raise StatementTimeout
        return group

    async with routed(tree_cluster) as router:
        await wait_for_answers(router, FIRST, SECOND)
        router.take_counts()
        assert await router.read_at_owner(EVEN, fail_at_worker) == COORDINATOR
        assert router.take_counts() == (1, 0, 1)
        assert await read_both(router) == [FIRST, SECOND]
