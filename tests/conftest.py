"""Fixtures stand in small modules by topic; nothing is mocked, the database least of all."""

import pytest

pytest_plugins = ["tests.fix_database", "tests.fix_server", "tests.fix_reference"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The server runs on asyncio, and so do the tests."""
    return "asyncio"
