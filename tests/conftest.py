"""Fixtures stand in small modules by topic; nothing is mocked, the database least of all."""

import os

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("tests.support", "tests.faults")

# Examples talk to a database on a shared machine: how long one takes says nothing. Where nobody looks, they are the same
# every time.
settings.register_profile("ratesgraph", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("ratesgraph")

pytest_plugins = [
    "tests.support.fixtures.database",
    "tests.support.fixtures.server",
    "tests.support.fixtures.collector",
    "tests.support.fixtures.issuer",
    "tests.support.fixtures.subscriptions",
    "tests.support.fixtures.reference",
    "tests.support.fixtures.sql_sections",
    "tests.support.fixtures.distribution",
]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The server runs on asyncio, and so do the tests."""
    return "asyncio"
