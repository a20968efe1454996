"""Every SQL section runs on each kind of server, with the same result as on a single one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from db.administration import citus
from db.connection import Connection, open_connection
from db.errors import DatabaseUnusable, ReadOnlyServer, driver_errors
from db.migrate import migrate
from db.pool import INGEST, connect
from db.sql import FOLDER, load_sections
from ingest.distribution import distribute
from tests.support.databases.citus import SHARDS, citus_schema
from tests.support.databases.memory import temporary_folder
from tests.support.faults.replication import Pair, replicated_pair
from tests.support.sections.runs import RUN_BEFORE, RUNS, read_state, run_section
from tests.support.sections.world import fill

pytestmark = pytest.mark.anyio

SAME_EVERYWHERE = ("lanes.", "locations.", "previews.", "prices.", "sketches.", "totals.")
"""Subjects whose results depend on the world alone, not on times and other properties of a server."""
READING = (
    "can_",
    "copy_out_",
    "count_",
    "declare_",
    "describe_",
    "disable_",
    "export_",
    "find_",
    "get_",
    "has_",
    "is_",
    "list_",
    "lock_archive_",
    "lock_id_range",
    "lock_migrations",
    "lock_tree_",
    "lock_verifications",
    "measure_",
    "pack_lane_",
    "pack_prices",
    "pack_sketches",
    "pack_totals",
    "search_",
    "select_",
    "set_snapshot_",
    "state_",
    "try_lock_",
    "unlock_archive_",
    "unlock_tree_",
)
"""Beginnings of the names of sections that read only. A standby refuses changes, notifications and temporary tables."""
SINGLE_SERVER = tuple(
    f"verifications.{name}"
    for name in (
        "list_prices_checksums",
        "list_sketches_checksums",
        "list_totals_checksums",
        "pack_prices",
        "pack_sketches",
        "pack_totals",
    )
)
"""Sections that read blocks and transaction IDs of one server. A cluster is verified without them."""


@pytest.fixture(scope="module")
def primary_url(module_database_url: str) -> str:
    """A single server with the world of the sections."""
    asyncio.run(_fill(module_database_url))
    return module_database_url


@pytest.fixture(scope="module")
def citus_url() -> Iterator[str]:
    """A cluster of Citus with the same world, whose tables are distributed."""
    with citus_schema() as url:
        asyncio.run(_distribute(url))
        asyncio.run(_fill(url))
        yield url


async def _distribute(database_url: str) -> None:
    async with connect(database_url, INGEST) as connection:
        await distribute(connection, shards=SHARDS, report=lambda _step, _part: None)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """A primary with the same world, and its standby."""
    with temporary_folder() as folder, replicated_pair(folder) as pair:
        migrate(pair.primary.url)
        asyncio.run(_fill(pair.primary.url))
        pair.wait_until_replicated()
        yield pair


async def _fill(database_url: str) -> None:
    async with connect(database_url, INGEST) as connection:
        await fill(connection)


async def run(database_url: str, section: str) -> tuple[object, object]:
    """Run the section in a transaction that is rolled back.

    Return its result, and the observations, totals and sketches after it.
    """
    async with connect(database_url, INGEST) as connection, connection.transaction(force_rollback=True):
        return await run_section(connection, section), await read_state(connection)


def test_every_section_has_a_run() -> None:
    sections = {f"{path.stem}.{name}" for path in FOLDER.glob("*.sql") for name in load_sections(path.stem)}
    assert set(RUNS) == {section for section in sections if not section.startswith(("citus.", "shards."))}


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (citus.describe_cluster, psycopg.errors.UndefinedTable),
        (citus.list_distributed_tables, psycopg.errors.UndefinedTable),
        (citus.create_reference_table, DatabaseUnusable),
        (partial(citus.distribute_totals, shards=SHARDS), DatabaseUnusable),
        (partial(citus.distribute_with_totals, table="prices"), DatabaseUnusable),
        (partial(citus.truncate_local_copy, table="prices"), DatabaseUnusable),
        (partial(citus.undistribute_table, table="prices"), DatabaseUnusable),
        (citus.recover_prepared_transactions, DatabaseUnusable),
    ],
)
async def test_section_of_citus_is_refused_by_a_single_server(
    connection: Connection, function: Callable[[Connection], Awaitable[object]], error: type[Exception]
) -> None:
    assert await citus.find_citus(connection) is None
    with pytest.raises(error):
        await function(connection)
    await citus.analyze_tables(connection)


@pytest.mark.parametrize("section", sorted(RUNS))
async def test_section_runs_on_a_primary(primary_url: str, section: str) -> None:
    await run(primary_url, section)


@pytest.mark.parametrize("section", sorted(RUNS.keys() - SINGLE_SERVER))
async def test_section_runs_on_citus_with_the_result_of_a_primary(
    primary_url: str, citus_url: str, section: str
) -> None:
    result, state = await run(citus_url, section)
    expected_result, expected_state = await run(primary_url, section)
    if section.startswith(SAME_EVERYWHERE):
        assert result == expected_result
    assert state == expected_state


@pytest.mark.slow
@pytest.mark.parametrize("section", sorted(RUNS))
async def test_section_runs_on_a_standby_if_it_changes_nothing(pair: Pair, section: str) -> None:
    _, name = section.split(".")
    # `connect` refuses a server that accepts no writes.
    async with (
        await open_connection(make_conninfo(pair.standby.url, target_session_attrs="any")) as connection,
        connection.transaction(force_rollback=True),
    ):
        if name.startswith(READING) and section not in RUN_BEFORE:
            await run_section(connection, section)
        else:
            with pytest.raises(ReadOnlyServer), driver_errors():
                await run_section(connection, section)
