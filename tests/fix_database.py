"""A real PostgreSQL for the session, and a fresh database, cloned from a migrated template, for every test that asks."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from db.embedded import embedded_server
from db.migrate import migrate
from db.pool import INGEST, Connection, connect

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of the session's own embedded server."""
    # Not in pytest's folder: another session may clear that away, and its path may be too long for a socket.
    with TemporaryDirectory(prefix="ratesgraph-") as folder, embedded_server(Path(folder)) as url:
        yield url


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """The name of a migrated, empty database that nobody connects to."""
    name = "ratesgraph_template"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    migrate(make_conninfo(postgres, dbname=name))
    return name


@contextmanager
def fresh_database(postgres: str, template: str | None) -> Iterator[str]:
    """Create a database and drop it at the end; yield its URL."""
    name = f"test_{next(NUMBERS)}"
    clone = f" TEMPLATE {template}" if template else ""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}{clone}".encode())
        try:
            yield make_conninfo(postgres, dbname=name)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def database_url(postgres: str, template: str) -> Iterator[str]:
    """A migrated database of the test's own."""
    with fresh_database(postgres, template) as url:
        yield url


@pytest.fixture
def empty_database_url(postgres: str) -> Iterator[str]:
    """A database of the test's own without any schema."""
    with fresh_database(postgres, None) as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(postgres: str, template: str) -> Iterator[str]:
    """A migrated database that the tests of a module share: for property tests, which clear it themselves."""
    with fresh_database(postgres, template) as url:
        yield url


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    """A connection to the test's own database, with the limits of ingest."""
    async with connect(database_url, INGEST) as connection:
        yield connection
