"""Servers of the tests of the page for prices."""

from collections.abc import Iterator

import pytest

from tests.support.fixtures.server import Client, running_server
from tests.support.pages.prices import running_price_server


@pytest.fixture(scope="module")
def server(module_database_url: str) -> Iterator[Client]:
    """Yield a server of the small world, with a worker."""
    with running_price_server(module_database_url) as client:
        yield client


@pytest.fixture(scope="module")
def demo_server(demo_url: str) -> Iterator[Client]:
    """Yield a server of the demo data."""
    with running_server(demo_url) as client:
        yield client
