"""Distribution over a Citus cluster: refusals without one, and unchanged answers with one."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from db.administration import access, citus
from db.connection import Connection, open_connection
from db.pool import INGEST, connect
from db.repositories import totals
from domain.locations import Lane
from domain.prices import DayTotals
from ingest.batches.revert import revert_batch
from ingest.compact import compact
from ingest.distribution import distribute, recover_transactions, undistribute
from ingest.errors import ClusterUnusable
from ingest.tree import change_tree
from ingest.verify import verify
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.databases.citus import SHARDS, citus_schema, cluster_url, lonely_coordinator
from tests.support.sections.runs import read_state
from tests.support.sections.world import APPLIED, CNAAA, DAYS, RIGHT, TOP, WORLD, fill

pytestmark = pytest.mark.anyio


def ignore(_step: str, _part: float) -> None:
    """Report nothing."""


@pytest.fixture
def citus_url() -> Iterator[str]:
    """A migrated, empty schema of a cluster, whose tables are not distributed."""
    with citus_schema() as url:
        yield url


async def read_totals(connection: Connection) -> list[DayTotals]:
    """Return the totals of some lanes."""
    lanes = [Lane(TOP, TOP), Lane(CNAAA, RIGHT), Lane(TOP, RIGHT)]
    return await totals.select_day_totals(connection, [(lane, DAYS) for lane in lanes])


async def find_differences(connection: Connection) -> list[object]:
    """Return the differences between totals and observations."""
    return [difference async for _, found in verify(connection) for difference in found]


async def test_distribution_without_citus_is_refused_and_changes_nothing(connection: Connection) -> None:
    await fill(connection)
    before = await read_state(connection)
    for work in (distribute(connection, shards=SHARDS, report=ignore), undistribute(connection, report=ignore)):
        with pytest.raises(ClusterUnusable) as caught:
            await work
        assert caught.value.code == "NO_CITUS"
    assert await read_state(connection) == before


def test_distribute_command_without_citus_fails_with_one_line(database_url: str) -> None:
    done = ratesgraph_in_process(database_url, "distribute", exit_code=1)
    assert done.stdout == ""
    assert done.stderr.startswith("NO_CITUS: the database has no extension Citus; install it on every node")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["--shards", "0"], ["--shards", "1025"], ["--shards", "many"], ["--undo", "--shards", "8"]]
)
def test_distribute_command_refuses_an_invalid_number_of_shards(database_url: str, arguments: list[str]) -> None:
    ratesgraph_in_process(database_url, "distribute", *arguments, exit_code=2)


def test_distribution_without_workers_is_refused() -> None:
    with lonely_coordinator() as url:
        ratesgraph_in_process(url, "migrate")
        done = ratesgraph_in_process(url, "distribute", exit_code=1)
    assert done.stderr.startswith("NO_WORKERS: the cluster has no active worker")


def test_distribute_command_is_idempotent_and_undone(citus_url: str) -> None:
    def run(*arguments: str, exit_code: int = 0) -> str:
        done = ratesgraph_in_process(citus_url, "distribute", *arguments, exit_code=exit_code)
        return done.stderr if exit_code else done.stdout

    shards = ["--shards", str(SHARDS)]
    assert run("--undo") == "No prices are distributed.\n"
    assert run(*shards) == "Distributed over the nodes: locations, price_totals, price_sketches, prices.\n"
    assert run(*shards) == run() == "All tables are distributed already.\n"
    assert run("--shards", "2", exit_code=1).startswith("OTHER_SHARDS: the tables are distributed in 4 shards already")
    assert run("--undo") == "Moved to the coordinator: prices, price_sketches, price_totals.\n"
    assert run("--undo") == "No prices are distributed.\n"
    assert run("--shards", "2") == "Distributed over the nodes: price_totals, price_sketches, prices.\n"


async def test_distribution_changes_no_answer_and_no_later_change(citus_url: str) -> None:
    async with connect(citus_url, INGEST) as connection:
        await fill(connection)
        state, answers = await read_state(connection), await read_totals(connection)
        steps: list[tuple[str, float]] = []
        tables = await distribute(connection, shards=SHARDS, report=lambda *step: steps.append(step))
        assert tables == ["locations", "price_totals", "price_sketches", "prices"]
        assert [part for _, part in steps] == sorted(part for _, part in steps)
        assert await citus.list_distributed_tables(connection) == {
            "locations": 1,
            "price_totals": SHARDS,
            "price_sketches": SHARDS,
            "prices": SHARDS,
        }
        assert (await read_state(connection), await read_totals(connection)) == (state, answers)
        assert await find_differences(connection) == []
        # No row stays behind on the coordinator, where the parent tables are read without the shards.
        rows = await (
            await connection.execute("SELECT pg_relation_size('prices'), pg_relation_size('price_totals')")
        ).fetchone()
        assert rows == (0, 0)

        WORLD.parents["CNAAA"] = "right"
        try:
            await change_tree(connection, WORLD.entries())
        finally:
            WORLD.parents["CNAAA"] = "left"
        assert await find_differences(connection) == []
        assert await compact(connection, max_rows=1) > 0
        assert await find_differences(connection) == []
        await revert_batch(connection, APPLIED)
        assert await find_differences(connection) == []
        assert [sum(days.counts) for days in await read_totals(connection)] == [0, 0, 0]

        assert await undistribute(connection, report=ignore) == ["prices", "price_sketches", "price_totals"]
        assert await find_differences(connection) == []


async def test_recovery_without_citus_finds_nothing(connection: Connection) -> None:
    assert await recover_transactions(connection) == 0


async def test_recovery_commits_what_a_lost_worker_has_prepared_and_invalidates_caches(citus_url: str) -> None:
    name = f"citus_0_{uuid.uuid4().int % 10**9}_1_1"
    async with connect(citus_url, INGEST) as connection, await open_connection(citus_url) as listener:
        schema = await access.get_schema(connection)
        await listener.execute(f"LISTEN ratesgraph_data_{schema}".encode())
        cursor = await connection.execute(
            "SELECT groupid, nodename, nodeport FROM pg_dist_node WHERE groupid > 0 LIMIT 1"
        )
        [(group, host, port)] = await cursor.fetchall()
        # The state after a worker was killed between PREPARE TRANSACTION and COMMIT PREPARED.
        with psycopg.connect(make_conninfo(cluster_url(), host=host, port=port), autocommit=True) as worker:
            worker.execute(f"BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION '{name}'".encode())
            await connection.execute("INSERT INTO pg_dist_transaction (groupid, gid) VALUES (%s, %s)", [group, name])
            assert await recover_transactions(connection) > 0
            prepared = worker.execute("SELECT FROM pg_prepared_xacts WHERE gid = %s", [name]).fetchall()
        assert prepared == []
        async for notification in listener.notifies(timeout=30, stop_after=1):
            assert notification.payload.endswith(" recovery")
            break
        else:
            pytest.fail("no change was announced")
