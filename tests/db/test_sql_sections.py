"""Every SQL section runs on each kind of server, with the same result as on a single one."""

import asyncio
from collections.abc import Iterator

import pytest
from psycopg.conninfo import make_conninfo

from db.connection import open_connection
from db.errors import ReadOnlyServer, driver_errors
from db.migrate import migrate
from db.pool import INGEST, connect
from db.sql import FOLDER, load_sections
from tests.support.databases.citus import citus_schema, distribute_tables
from tests.support.databases.memory import temporary_folder
from tests.support.faults.replication import Pair, replicated_pair
from tests.support.sections.runs import RUN_BEFORE, RUNS, read_state, run_section
from tests.support.sections.world import fill

pytestmark = pytest.mark.anyio

SAME_EVERYWHERE = ("lanes.", "locations.", "previews.", "prices.", "totals.")
"""Subjects whose results depend on the world alone, not on times and other properties of a server."""
READING = (
    "copy_out_",
    "count_",
    "describe_",
    "export_",
    "find_",
    "get_",
    "has_",
    "is_",
    "list_",
    "lock_archive_",
    "lock_migrations",
    "lock_tree_",
    "measure_",
    "pack_lane_",
    "search_",
    "select_",
    "set_snapshot_",
    "state_",
    "try_lock_",
    "unlock_archive_",
)
"""Beginnings of the names of sections that read only. A standby refuses changes, notifications and temporary tables."""


@pytest.fixture(scope="module")
def primary_url(module_database_url: str) -> str:
    """A single server with the world of the sections."""
    asyncio.run(_fill(module_database_url))
    return module_database_url


@pytest.fixture(scope="module")
def citus_url() -> Iterator[str]:
    """A cluster of Citus with the same world, whose tables are distributed."""
    with citus_schema() as url:
        distribute_tables(url)
        asyncio.run(_fill(url))
        yield url


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

    Return its result, and the observations and totals after it.
    """
    async with connect(database_url, INGEST) as connection, connection.transaction(force_rollback=True):
        return await run_section(connection, section), await read_state(connection)


def test_every_section_has_a_run() -> None:
    sections = {f"{path.stem}.{name}" for path in FOLDER.glob("*.sql") for name in load_sections(path.stem)}
    assert set(RUNS) == sections


@pytest.mark.parametrize("section", sorted(RUNS))
async def test_section_runs_on_a_primary(primary_url: str, section: str) -> None:
    await run(primary_url, section)


@pytest.mark.parametrize("section", sorted(RUNS))
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
