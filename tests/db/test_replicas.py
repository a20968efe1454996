"""Read replicas as pools: which servers are used, and what is repeated at the primary."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from db.connection import Connection
from db.errors import ReplicaRefused
from db.pool import API, open_pool
from db.replicas.gated_server import GateState
from db.replicas.replica import check_replica
from db.replicas.router import ReadRouter, open_read_router
from db.repositories import versions
from db.repositories.versions import Position, ReplicaServer
from tests.support.faults.replication import Pair

pytestmark = pytest.mark.anyio

SECONDS = 60
PRIMARY = Position("0/5000000", 1, "1", "5/16384")
STANDBY = ReplicaServer(
    is_standby=True, started_at="", system="1", tables="5/16384", timeline=1, has_feedback=True, has_citus=False
)
WORKER = STANDBY._replace(is_standby=False, system="2", tables="5/", has_citus=True)


async def is_at_standby(connection: Connection) -> bool:
    """Return whether the connection leads to a standby."""
    row = await (await connection.execute("SELECT pg_is_in_recovery()")).fetchone()
    return row is not None and bool(row[0])


@asynccontextmanager
async def routed(primary_url: str, *replica_urls: str, version: str = "1") -> AsyncIterator[ReadRouter]:
    """Open a router of a process that knows the version of the data."""
    async with (
        open_pool(primary_url, API, max_size=2) as pool,
        open_read_router(pool, primary_url, replica_urls, max_size=2, read_seconds=10, lag_seconds=1) as router,
    ):
        router.on_version(version)
        yield router


async def wait_for(router: ReadRouter, *states: GateState) -> None:
    """Wait until the replicas are in these states."""
    async with asyncio.timeout(SECONDS):
        while [replica.state for replica in router.replicas] != list(states):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_open_replica_answers_all_reads(module_pair: Pair) -> None:
    async with routed(module_pair.primary.url, module_pair.standby.url) as router:
        assert not await router.read(is_at_standby)
        await wait_for(router, GateState.OPEN)
        assert [await router.read(is_at_standby) for _ in range(10)] == [True] * 10
        assert router.take_counts() == (1, 10, 0)
        assert router.take_counts() == (0, 0, 0)


async def test_reads_go_to_the_primary_from_a_new_version_until_its_data_is_replayed(module_pair: Pair) -> None:
    async with routed(module_pair.primary.url, module_pair.standby.url) as router:
        await wait_for(router, GateState.OPEN)
        router.on_version("2")
        assert not await router.read(is_at_standby)
        await wait_for(router, GateState.OPEN)
        assert await router.read(is_at_standby)


async def test_replica_stays_closed_while_the_version_is_unknown(module_pair: Pair) -> None:
    async with routed(module_pair.primary.url, module_pair.standby.url, version="") as router:
        await wait_for(router, GateState.BEHIND)
        await asyncio.sleep(0.2)
        assert not await router.read(is_at_standby)
        router.on_version("1")
        await wait_for(router, GateState.OPEN)
        router.on_version("")
        assert not await router.read(is_at_standby)


async def test_idle_primary_at_the_end_of_a_page_keeps_no_replica_closed(module_pair: Pair) -> None:
    async with routed(module_pair.primary.url, module_pair.standby.url) as router:
        await wait_for(router, GateState.OPEN)
        # The next record is behind the header of a page: a standby never reports that position while the primary is idle.
        module_pair.primary.fetch_value("SELECT pg_switch_wal()")
        async with open_pool(module_pair.primary.url, API, max_size=1) as pool:
            end, position = await pool.read(versions.locate_end), await pool.read(versions.locate_position)
        assert end.endswith("000028")
        assert position.replayed.endswith("000000")
        router.on_version("2")
        await wait_for(router, GateState.OPEN)


async def test_read_that_conflicts_with_the_replay_is_repeated_at_the_primary(module_pair: Pair) -> None:
    reading = asyncio.Event()

    async def read_slowly(connection: Connection) -> bool:
        is_standby = await is_at_standby(connection)
        reading.set()
        if is_standby:
            await connection.execute("SELECT pg_sleep(60), count(*) FROM locations")
        return is_standby

    url = module_pair.primary.url
    module_pair.standby.set_parameter("max_standby_streaming_delay", "0")
    async with routed(url, module_pair.standby.url) as router:
        await wait_for(router, GateState.OPEN)
        router.take_counts()
        result = asyncio.create_task(router.read(read_slowly))
        await reading.wait()
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            while not result.done():
                async with connection.transaction():
                    await connection.execute("LOCK TABLE locations IN ACCESS EXCLUSIVE MODE")
                await asyncio.sleep(0.05)
        assert not await result
        assert router.take_counts() == (1, 0, 1)
        # The connection and the replica are well.
        assert await router.read(is_at_standby)


async def test_replica_that_is_away_delays_neither_start_nor_reads(module_pair: Pair) -> None:
    url = make_conninfo(module_pair.standby.url, port=1)
    async with routed(module_pair.primary.url, url, module_pair.standby.url) as router:
        await wait_for(router, GateState.AWAY, GateState.OPEN)
        assert [await router.read(is_at_standby) for _ in range(4)] == [True] * 4


async def test_primary_as_its_own_replica_needs_no_replay(module_pair: Pair) -> None:
    async with routed(module_pair.primary.url, module_pair.primary.url) as router:
        await wait_for(router, GateState.OPEN)
        router.take_counts()
        assert not await router.read(is_at_standby)
        assert router.take_counts() == (0, 1, 0)


async def test_server_of_another_cluster_is_refused(module_pair: Pair, database_url: str) -> None:
    async with routed(module_pair.primary.url, database_url) as router:
        await wait_for(router, GateState.REFUSED)
        assert await router.read(is_at_standby) is False
        assert router.take_counts() == (1, 0, 0)


async def test_another_database_of_the_standby_is_refused(module_pair: Pair) -> None:
    async with routed(module_pair.primary.url, make_conninfo(module_pair.standby.url, dbname="template1")) as router:
        await wait_for(router, GateState.REFUSED)


@pytest.mark.parametrize("has_feedback", [False, True])
async def test_replica_without_hot_standby_feedback_is_logged_once(
    module_pair: Pair, caplog: pytest.LogCaptureFixture, *, has_feedback: bool
) -> None:
    module_pair.standby.set_parameter("hot_standby_feedback", str(has_feedback))
    async with routed(module_pair.primary.url, module_pair.standby.url) as router:
        await wait_for(router, GateState.OPEN)
        router.on_version("2")
        await wait_for(router, GateState.OPEN)
    assert caplog.text.count("hot_standby_feedback is off") == (0 if has_feedback else 1)


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (STANDBY, None),
        (STANDBY._replace(is_standby=False), None),
        (WORKER, None),
        (WORKER._replace(is_standby=True), "neither a standby of the primary nor a Citus worker"),
        (WORKER._replace(has_citus=False), "neither a standby of the primary nor a Citus worker"),
        (STANDBY._replace(tables="5/"), "another database or schema"),
        (STANDBY._replace(is_standby=False, timeline=2), "has been promoted"),
    ],
)
def test_replica_must_belong_to_the_primary(server: ReplicaServer, reason: str | None) -> None:
    if reason is None:
        check_replica(server, PRIMARY)
    else:
        with pytest.raises(ReplicaRefused, match=reason):
            check_replica(server, PRIMARY)


async def test_connection_to_a_standby_that_has_restarted_is_replaced(module_pair: Pair) -> None:
    async with routed(module_pair.primary.url, module_pair.standby.url) as router:
        await wait_for(router, GateState.OPEN)
        module_pair.standby.stop()
        await wait_for(router, GateState.AWAY)
        assert not await router.read(is_at_standby)
        module_pair.standby.start()
        await wait_for(router, GateState.OPEN)
        assert await router.read(is_at_standby)
