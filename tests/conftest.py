"""Shared fixtures by topic, in `tests.support.fixtures`. Nothing is mocked.

The database in particular is a real one.
"""

import os

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("tests.support", "tests.faults")

# Examples query a database on a shared machine, so the duration of one is meaningless. In CI the examples are the same
# in every run.
settings.register_profile("ratesgraph", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("ratesgraph")

pytest_plugins = [
    "tests.support.fixtures.database",
    "tests.support.fixtures.server",
    "tests.support.faults.replicas",
    "tests.support.faults.shards",
    "tests.support.faults.shard_router",
    "tests.support.fixtures.uploads",
    "tests.support.fixtures.collector",
    "tests.support.fixtures.issuer",
    "tests.support.fixtures.subscriptions",
    "tests.support.fixtures.reference",
    "tests.support.fixtures.sql_sections",
    "tests.support.fixtures.distribution",
    "tests.support.fixtures.demo",
    "tests.support.fixtures.browser",
    "tests.support.fixtures.examples",
]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run the tests on asyncio, as the server does."""
    return "asyncio"
