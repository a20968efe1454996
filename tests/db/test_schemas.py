"""Installations in several schemas of one database, and names that need quoting."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from db.administration import access
from db.migrate import migrate, migration_names
from db.notifications import BATCHES, DATA, QUEUE, open_notifications
from db.pool import INGEST, connect
from db.repositories import locations
from db.repositories.versions import announce_change
from db.requirements import Work, check_database
from domain.batches import BatchStatus
from ingest.tree import change_tree
from ingest.worker import run_worker
from tests.support.batches.queue import WORLD, accept, count_prices, get_batch, wait_for
from tests.support.databases.roles import execute
from tests.support.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.anyio

NAMES = ("freight", 'My "Schéma", a\\b')
"""The second name needs quoting in SQL, and escaping in options."""


def search_path_option(*schemas: str) -> str:
    """Return the options of a connection with a search_path."""
    path = ",".join(sql.Identifier(schema).as_string() for schema in schemas)
    return "-csearch_path=" + path.replace("\\", "\\\\").replace(" ", "\\ ")


def schemas_with_tables(url: str) -> set[str]:
    """Return the schemas of the database that contain the table of prices."""
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'prices'")}


@pytest.fixture
def schema_urls(empty_database_url: str) -> list[str]:
    """URLs of two installations in schemas of one database. A third one is in `public`."""
    assert migrate(empty_database_url) == migration_names()
    urls = [make_conninfo(empty_database_url, options=search_path_option(name, "public")) for name in NAMES]
    for name, url in zip(NAMES, urls, strict=True):
        execute(empty_database_url, f"CREATE SCHEMA {sql.Identifier(name).as_string()}")
        assert migrate(url) == migration_names()
        assert migrate(url) == []
        asyncio.run(check_database(url, Work.CHANGE))
    assert schemas_with_tables(empty_database_url) == {"public", *NAMES}
    return urls


async def test_installations_in_two_schemas_apply_their_own_batches(schema_urls: list[str]) -> None:
    first_url, second_url = schema_urls
    stop = asyncio.Event()
    async with connect(first_url, INGEST) as first, connect(second_url, INGEST) as second:
        for connection in first, second:
            await change_tree(connection, WORLD.entries())
        waiting = await accept(second)
        working = asyncio.create_task(run_worker(first_url, stop))
        for _ in range(2):
            await wait_for(first, await accept(first), BatchStatus.APPLIED)
        stop.set()
        await asyncio.wait_for(working, DEADLINE_SECONDS)
        assert await count_prices(first) == 2
        assert (await get_batch(second, waiting)).status is BatchStatus.QUEUED
        assert await count_prices(second) == 0


async def test_notifications_stay_within_their_schema(schema_urls: list[str]) -> None:
    received: list[list[str | None]] = [[], []]
    async with AsyncExitStack() as stack:
        for url, payloads in zip(schema_urls, received, strict=True):
            notifications = await stack.enter_async_context(open_notifications(url, QUEUE, BATCHES, DATA))
            for channel in QUEUE, BATCHES, DATA:
                notifications.set_listener(channel, payloads.append)
        await wait_until(lambda: received == [[""] * 3] * 2)
        for number, url in enumerate(schema_urls):
            connection = await stack.enter_async_context(connect(url, INGEST))
            await accept(connection)
            await announce_change(connection, f"{number} APPLIED")
        await wait_until(lambda: all("APPLIED" in str(payloads[-1]) for payloads in received))
    # One for the queue, one for the data.
    assert [len(payloads) for payloads in received] == [5, 5]
    assert [str(payloads[-1]).partition(" ")[2] for payloads in received] == ["0 APPLIED", "1 APPLIED"]


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until notifications have arrived, for which no event exists."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_tree_change_of_one_schema_does_not_delay_the_other(schema_urls: list[str]) -> None:
    first_url, second_url = schema_urls
    async with connect(first_url, INGEST) as first, connect(second_url, INGEST) as second:
        await second.execute("SET lock_timeout = 1000")
        async with first.transaction():
            await locations.lock_tree_exclusive(first)
            assert await locations.is_tree_changing(first)
            assert not await locations.is_tree_changing(second)
            async with second.transaction():
                await locations.lock_tree_shared(second)
            async with second.transaction():
                await locations.lock_tree_exclusive(second)


async def test_migration_of_one_schema_does_not_delay_the_other(schema_urls: list[str]) -> None:
    first_url, second_url = schema_urls
    async with connect(first_url, INGEST) as first, first.transaction():
        await access.lock_migrations(first)
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await asyncio.to_thread(migrate, second_url) == []
            assert await check_database(second_url, Work.MIGRATE) == set()


async def test_worker_of_an_empty_schema_waits_although_public_has_tables(schema_urls: list[str]) -> None:
    await asyncio.to_thread(execute, schema_urls[0], "CREATE SCHEMA later")
    url = make_conninfo(schema_urls[0], options=search_path_option("later", "public"))
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(url, stop))
    public = make_conninfo(schema_urls[0], options="")
    async with connect(public, INGEST) as connection:
        await change_tree(connection, WORLD.entries())
        waiting = await accept(connection)
        assert await asyncio.to_thread(migrate, url) == migration_names()
        async with connect(url, INGEST) as later:
            await change_tree(later, WORLD.entries())
            await wait_for(later, await accept(later), BatchStatus.APPLIED)
        assert (await get_batch(connection, waiting)).status is BatchStatus.QUEUED
    stop.set()
    await asyncio.wait_for(working, DEADLINE_SECONDS)


@pytest.fixture(params=["URL", "role", "database", "PGOPTIONS", "service"])
def url_with_search_path(
    request: pytest.FixtureRequest, empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """URL of a database whose search_path is set in one of several places."""
    execute(empty_database_url, "CREATE SCHEMA freight")
    database = conninfo_to_dict(empty_database_url)["dbname"]
    match request.param:
        case "URL":
            yield make_conninfo(empty_database_url, options=search_path_option("freight"))
        case "role":
            execute(empty_database_url, f"ALTER ROLE postgres IN DATABASE {database} SET search_path = freight")
            yield empty_database_url
        case "database":
            execute(empty_database_url, f"ALTER DATABASE {database} SET search_path = freight")
            yield empty_database_url
        case "PGOPTIONS":
            monkeypatch.setenv("PGOPTIONS", search_path_option("freight"))
            yield empty_database_url
        case "service":
            parameters = conninfo_to_dict(empty_database_url) | {"options": search_path_option("freight")}
            lines = ["[prices]", *(f"{name}={value}" for name, value in parameters.items())]
            (tmp_path / "services").write_text("\n".join(lines))
            monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
            yield "service=prices"


async def test_search_path_is_honoured_wherever_it_is_set(url_with_search_path: str, empty_database_url: str) -> None:
    assert await asyncio.to_thread(migrate, url_with_search_path) == migration_names()
    assert await check_database(url_with_search_path, Work.CHANGE) == set()
    async with connect(url_with_search_path, INGEST) as connection:
        await change_tree(connection, WORLD.entries())
        await accept(connection)
    assert await asyncio.to_thread(schemas_with_tables, empty_database_url) == {"freight"}
